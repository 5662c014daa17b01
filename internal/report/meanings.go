package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/vicinity-sched/vicinity/internal/show"
)

// writeMeanings writes one line for each column that the tables have.
func (r *Report) writeMeanings(out io.Writer) {
	t := show.Table{Left: 2}
	s := &r.Runs[0].Summary
	t.Add("CROSS-NODE, ...", "bytes/s that leave a node (a zone), and their part of all traffic in percent, if calls are divided")
	t.Add("  CONFIGURED", "as the Service of each called workload says; under "+Assuming("...")+" as assumed")
	t.Add("  UNIFORM", "evenly over all endpoints, wherever they are")
	t.Add("  FAIR-LOAD", "to endpoints close by, as far as their fair share of the load reaches")
	t.Add("  SAME-NODE", "to endpoints close by whenever there is one, whatever its load")
	if s.CrossZonePerMonth != nil {
		t.Add("COST/MONTH", "price of CROSS-ZONE, CONFIGURED in 30 days at "+r.Price.String()+", without traffic with the outside"+r.exceptSites()+", of workloads that do not serve, and of unknown zones")
		if r.run(r.Baseline) != nil {
			t.Add("SAVED/MONTH", "how much less that is than in "+r.Baseline)
		}
	}
	t.Add("CPU-DEV, MEM-DEV", "standard deviation of what is requested of the nodes, in percentage points; less is more even")
	t.Add("HEADROOM", "how many more pods fit that request the 95th percentile of CPU and of memory")
	t.Add("CONCENTRATED %", "part of the workloads with two pods or more that have all of them on one node")
	t.Add("OVER-SKEW", "where a workload is less even over nodes or zones than kube-scheduler's default constraints prefer")
	t.Add("BUSIEST", "load of the busiest pod under SAME-NODE, relative to its fair share")
	if s.AfterNodeLoss != nil {
		t.Add("AFTER NODE LOSS %", "part of the "+r.LossUnit+" that still complete, end to end, after the node (zone) fails whose loss costs most: every")
		t.Add("", "call needs a pod of its callee and all that the callee calls; xN: the remaining pods of a workload get up to N times as much")
	}
	t.Add("UNSCHEDULABLE", "pods that fitted nowhere")
	if r.linked() {
		t.Add("BUSIEST LINK %", "the most that any node's network carries in one direction, CONFIGURED, of its capacity")
	}
	if slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Timing != nil }) {
		t.Add("DECISION, P50, P99", "time of one scheduling decision: mean and percentiles")
	}
	if slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Summary.Concentration.HasInterval() }) {
		t.Add("±", "half the 95 % confidence interval of the mean over the seeds")
	}
	fmt.Fprintln(out)
	t.Write(out)
}
