package condition

import (
	"fmt"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// unmatchedShare is the part of all traffic below which Services finds nothing: so little
// in doubt changes no decision.
const unmatchedShare = 0.01

// Unmatched is the traffic of services that one side alone reports.
type Unmatched struct {
	// Names are those of the services.
	Names map[string]bool
	// BytesPerSecond is their traffic in both directions.
	BytesPerSecond float64
}

// Services finds traffic that may be counted twice because its two ends name different
// services. toUnknown is what only clients report, as going to servers that they do not
// know, fromUnknown what only servers report, and all is all traffic in bytes per second.
// do says where to look.
func Services(toUnknown, fromUnknown Unmatched, all float64, do string) []telemetry.Finding {
	twice := min(toUnknown.BytesPerSecond, fromUnknown.BytesPerSecond)
	if twice <= 0 || twice < unmatchedShare*all {
		return nil
	}
	return one(telemetry.Finding{
		Condition: telemetry.UnmatchedServices,
		What: fmt.Sprintf("%s to unknown servers of %s that no server reports, and %s from unknown clients of other services",
			show.ByteRate(toUnknown.BytesPerSecond), count(len(toUnknown.Names), "service", "services"), show.ByteRate(fromUnknown.BytesPerSecond)),
		Names: names(toUnknown.Names),
		Why:   fmt.Sprintf("where these are the two ends of the same connections, up to %s of what is left out are counted twice; the edges between workloads are not affected", show.ByteRate(twice)),
		Do:    do,
	})
}
