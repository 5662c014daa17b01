package condition

import (
	"fmt"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Waypoints finds pairs of workloads of which only waypoints report. pairs is how many
// waypoints report, unseen those of whose client or server nobody else does, and nothing
// says that nobody else reports anything at all. do says what to configure.
func Waypoints(pairs, unseen int, nothing bool, do string) []telemetry.Finding {
	if unseen == 0 {
		return nil
	}
	f := telemetry.Finding{
		Condition: telemetry.OnlyWaypoints,
		What:      fmt.Sprintf("%s only by waypoints (ambient mode), of %d that waypoints report", count(unseen, "pair of workloads is reported", "pairs of workloads are reported"), pairs),
		Why:       "what a waypoint reports is not read, because it is a copy of what both ends report; without them the traffic of these pairs is missing",
		Do:        do,
	}
	if nothing {
		f.What = fmt.Sprintf("only waypoints report (ambient mode): %s with reporter=\"waypoint\", none with reporter=\"source\" or \"destination\"", count(pairs, "pair of workloads", "pairs of workloads"))
	}
	return one(f)
}
