package replayreport

import (
	"fmt"
	"io"
	"slices"

	"github.com/vicinity-sched/vicinity/internal/show"
)

// writeMeanings writes one line for each column that the tables have.
func (r *Report) writeMeanings(out io.Writer) {
	t := columns{
		{"CROSS-NODE, ...", "bytes/s that leave a node (a zone), and their part of all traffic in percent, if calls are divided"},
		{"  CONFIGURED", "as each called workload's Service says"},
		{"  UNIFORM", "evenly over all endpoints, wherever they are"},
		{"  FAIR-LOAD", "to endpoints close by, as far as their fair share of the load reaches"},
		{"  SAME-NODE", "to endpoints close by whenever there is one, whatever its load"},
	}
	if r.Runs[0].Summary.CrossZonePerMonth != nil {
		t.add("COST/MONTH", fmt.Sprintf("price of CROSS-ZONE, CONFIGURED in 30 days at %g per 1e9 bytes, without traffic with the outside, of workloads that do not serve, and of unknown zones", r.PricePerGB))
		if r.run(r.Baseline) != nil {
			t.add("SAVED/MONTH", "how much less that is than in "+show.Printable(r.Baseline))
		}
	}
	t = append(t, columns{
		{"CPU-DEV, MEM-DEV", "standard deviation of what is requested of the nodes, in percentage points; less is more even"},
		{"HEADROOM", "how many more pods fit that request the 95th percentile of CPU and of memory"},
		{"CONCENTRATED %", "part of the workloads with two pods or more that have all of them on one node"},
		{"OVER-SKEW", "where a workload is less even over nodes or zones than kube-scheduler's default constraints prefer"},
		{"BUSIEST", "load of the busiest pod under SAME-NODE, relative to its fair share"},
	}...)
	if s := &r.Runs[0].Summary; s.AfterNodeLoss != nil {
		t.add("AFTER NODE LOSS %", r.LossUnit+" of calls that still complete, end to end, after the loss of the node (zone) that hurts most: every call")
		t.add("", "needs a pod of its callee and all that the callee calls; xN: the pods left of a workload get up to N times as much")
	}
	t.add("UNSCHEDULABLE", "pods that fitted nowhere")
	if r.linked() {
		t.add("BUSIEST LINK %", "the most that any node's network carries in one direction, CONFIGURED, of its capacity")
	}
	if slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Timing != nil }) {
		t.add("DECISION, P50, P99", "time of one scheduling decision: mean and percentiles")
	}
	if slices.ContainsFunc(r.Runs, func(run Run) bool { return len(run.PerSeed) > 1 }) {
		t.add("±", "half the 95 % confidence interval of the mean over the seeds")
	}
	fmt.Fprintln(out)
	t.left().write(out)
}
