package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/vicinity-sched/vicinity/internal/show"
)

// LeftOut is traffic that the telemetry reported but that belongs to no pair of workloads.
// No figure includes it.
type LeftOut struct {
	// Source is the name of the telemetry source that reported it.
	Source string `json:"source"`
	// Reason is why it was left out, such as "external" (docs/metrics.md, label reason).
	Reason string `json:"reason"`
	// Bytes is all of it in both directions, from the beginning of the recording to its
	// end, the warm-up included. It is 0 for the reason "invalid", whose traffic is not
	// known.
	Bytes float64 `json:"bytes"`
	// BytesPerSecond is the mean rate over the steps in which the source answered. It is 0 for
	// the reason "invalid" too.
	BytesPerSecond float64 `json:"bytesPerSecond"`
}

// writeLeftOut says what of the telemetry's traffic is not in the total.
func (in Input) writeLeftOut(out io.Writer) {
	if len(in.LeftOut) == 0 {
		return
	}
	fmt.Fprintln(out, "left out, because it belongs to no pair of workloads (mean over the steps in which the sources answered):")
	t := show.Table{Left: 2}
	for _, l := range in.LeftOut {
		amount := show.ByteRate(l.BytesPerSecond)
		if l.Reason == "invalid" {
			amount = "unknown"
		}
		t.Add("  "+l.Reason, amount+" ("+l.Source+")")
	}
	t.Write(out)
}

// roundedLeftOut leaves nine significant digits, as in all of the report.
func roundedLeftOut(all []LeftOut) []LeftOut {
	all = slices.Clone(all)
	for i := range all {
		all[i].Bytes, all[i].BytesPerSecond = rounded(all[i].Bytes), rounded(all[i].BytesPerSecond)
	}
	return all
}
