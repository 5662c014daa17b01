package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// WriteDetails writes the first screen and all figures behind it: for each level a table
// of the traffic that crosses its boundaries, a table of what else an assignment does,
// what the columns mean, and what changed most. Every table of figures has one row for
// each run.
func (r *Report) WriteDetails(w io.Writer) error {
	out := &bytes.Buffer{}
	r.writeHead(out)
	r.writeColumns(out)
	r.writeRuns(out)
	if len(r.Runs) > 0 {
		r.writeConfigs(out)
		for _, l := range r.shownLevels() {
			r.writeLevel(out, l)
		}
		r.writeNodes(out)
		r.writeMeanings(out)
		for _, run := range r.Runs {
			run.writeChanges(out, r.Baseline)
		}
	}
	r.writeAdvice(out)
	r.writeRemarks(out)
	return flush(w, out)
}

func (r *Report) writeHead(out io.Writer) {
	in := r.Input
	fmt.Fprintf(out, "%s: %s, %s, %s, %s, %s\n", show.Printable(in.Name), show.Plural(in.Nodes, "node"),
		show.Plural(in.Workloads, "workload"), show.Plural(in.Pods, "pod"), show.Plural(in.Edges, "edge"), show.ByteRate(in.BytesPerSecond))
	if in.From != nil && in.To != nil && in.WarmUpUntil != nil {
		fmt.Fprintf(out, "from %s to %s; measured from %s on, as the mean%s\n",
			show.Moment(*in.From), show.Moment(*in.To), show.Moment(*in.WarmUpUntil), gaps(in.Gaps))
	}
	in.writeSites(out)
	in.writeLeftOut(out)
	if r.replayed() {
		fmt.Fprintf(out, "pods arrive in the order %s%s, with %s from %d\n", show.Printable(r.Order), r.rolloutsText(), show.Plural(r.Seeds, "seed"), r.FirstSeed)
	}
	for _, a := range r.Assumed {
		fmt.Fprintf(out, "assumed: trafficDistribution %s on %s, in runs that end in %s\n", show.Printable(a.TrafficDistribution), a.services(), Assuming(""))
	}
	if len(r.Runs) > 0 {
		fmt.Fprintln(out)
	}
}

// services names the Services that are assumed to be routed otherwise.
func (a *Route) services() string {
	switch {
	case a.Service == "all":
		return "all " + show.Plural(a.Services, "Service")
	case a.Services == 1:
		return show.Printable(a.Service)
	}
	return show.Plural(a.Services, "Service") + " of " + show.Printable(a.Service)
}

// writeConfigs says where the configuration of each run is from.
func (r *Report) writeConfigs(out io.Writer) {
	fmt.Fprintln(out)
	t := show.Table{Left: 2}
	for i := range r.Runs {
		if config := r.Runs[i].Config; config != "" {
			t.Add(r.Runs[i].Name, config)
		}
	}
	t.Write(out)
	fmt.Fprintln(out)
}

// rolloutsText says how many rollouts followed one another, if several did.
func (r *Report) rolloutsText() string {
	if r.Rollouts == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d rollouts, one after another)", r.Rollouts)
}

func gaps(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" without %s in which nothing was observed", show.Plural(n, "step"))
}

// shownLevels are those at which traffic can differ, the nearest first: regions
// only when there is traffic between them.
func (r *Report) shownLevels() []locality.Level {
	return slices.DeleteFunc(r.Runs[0].Summary.scale().Levels(), func(l locality.Level) bool {
		return !slices.ContainsFunc(r.Runs, func(run Run) bool {
			level := *run.Summary.level(l)
			return level != nil && (l != locality.Region || level.Uniform.Crossing.Mean > r.Input.ExternalBytesPerSecond*(1+negligible))
		})
	})
}

// shownModels is how the table orders the models: what is configured first.
func shownModels() []cut.Model {
	return []cut.Model{cut.Configured, cut.Uniform, cut.FairLoad, cut.SameNode}
}

func (r *Report) writeLevel(out io.Writer, l locality.Level) {
	priced := l == locality.Zone && r.Runs[0].Summary.CrossZonePerMonth != nil
	saved := priced && r.run(r.Baseline) != nil
	header := []string{"CROSS-" + r.upper(l), "CONFIGURED", "%", "UNIFORM", "%", "FAIR-LOAD", "%", "SAME-NODE", "%"}
	if priced {
		header = append(header, "COST/MONTH")
	}
	if saved {
		header = append(header, "SAVED/MONTH")
	}
	t := show.Table{Left: 1}
	t.Add(header...)
	for _, run := range r.Runs {
		row := []string{run.Name}
		level := *run.Summary.level(l)
		for _, m := range shownModels() {
			traffic := level.model(m)
			row = append(row, show.ByteRate(traffic.Crossing.Mean), share(r.crossingShare(traffic)))
		}
		if priced {
			row = append(row, number(*run.Summary.CrossZonePerMonth, 2))
		}
		if saved {
			row = append(row, run.saved())
		}
		t.Add(row...)
	}
	t.Write(out)
	fmt.Fprintln(out)
}

// saved is how much less the traffic between zones costs than in the baseline.
func (run *Run) saved() string {
	if run.Difference == nil || run.Difference.CrossZonePerMonth == nil {
		return "-"
	}
	e := *run.Difference.CrossZonePerMonth
	e.Mean = 0 - e.Mean // not -0
	return number(e, 2)
}

func (r *Report) writeNodes(out io.Writer) {
	timed := slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Timing != nil })
	header := []string{"NODES", "CPU-DEV", "MEM-DEV", "HEADROOM", "CONCENTRATED %", "OVER-SKEW", "BUSIEST"}
	nodeLoss, zoneLoss := r.Runs[0].Summary.AfterNodeLoss != nil, r.Runs[0].Summary.AfterZoneLoss != nil
	if nodeLoss {
		header = append(header, "AFTER NODE LOSS %")
	}
	if zoneLoss {
		header = append(header, "AFTER ZONE LOSS %")
	}
	header = append(header, "UNSCHEDULABLE")
	linked := r.linked()
	if linked {
		header = append(header, "BUSIEST LINK %")
	}
	if timed {
		header = append(header, "DECISION", "P50", "P99")
	}
	t := show.Table{Left: 1}
	t.Add(header...)
	for _, run := range r.Runs {
		s := run.Summary
		row := []string{
			run.Name, number(s.CPUDeviation, 1), number(s.MemoryDeviation, 1), countOf(s.Headroom),
			share(s.Concentration), countOf(run.overSkew()), number(s.BusiestEndpoint, 2),
		}
		if nodeLoss {
			row = append(row, lossText(s.AfterNodeLoss))
		}
		if zoneLoss {
			row = append(row, lossText(s.AfterZoneLoss))
		}
		row = append(row, countOf(s.Unschedulable))
		if linked {
			row = append(row, share(*s.BusiestLink))
		}
		switch {
		case run.Timing != nil:
			row = append(row, milliseconds(run.Timing.Mean), milliseconds(run.Timing.P50), milliseconds(run.Timing.P99))
		case timed:
			row = append(row, "-", "-", "-")
		}
		t.Add(row...)
	}
	t.Write(out)
}

// lossText is what completes after a loss, and what that brings to the pods that are left.
func lossText(l *Loss[sim.Estimate]) string {
	if l == nil {
		return "-"
	}
	return fmt.Sprintf("%s x%.1f", share(l.Complete), l.Load.Mean)
}

// linked reports whether the capacity of the nodes' networks is known.
func (r *Report) linked() bool { return r.Runs[0].Summary.BusiestLink != nil }

// overSkew is the estimate of the sum of both counts.
func (run *Run) overSkew() sim.Estimate {
	values := make([]float64, len(run.PerSeed))
	for i, s := range run.PerSeed {
		values[i] = s.NodesOverSkew + s.ZonesOverSkew
	}
	return sim.NewEstimate(values)
}

func (run *Run) writeChanges(out io.Writer, baseline string) {
	if len(run.Edges)+len(run.WorkloadChanges) > 0 {
		fmt.Fprintf(out, "\nWhat changes most from %s to %s, traffic that stays on the node:\n", show.Printable(baseline), show.Printable(run.Name))
	}
	for _, list := range []struct {
		title   string
		changes []Change
	}{{"EDGE", run.Edges}, {"WORKLOAD", run.WorkloadChanges}} {
		if len(list.changes) == 0 {
			continue
		}
		t := show.Table{Left: 1}
		t.Add(list.title, "ALL", "BEFORE", "AFTER", "GAINED")
		for _, c := range list.changes {
			name := c.From.String()
			if c.To != nil {
				name += " -> " + c.To.String()
			}
			t.Add(name, show.ByteRate(c.Total), show.ByteRate(c.Before), show.ByteRate(c.After), show.ByteRate(c.After-c.Before))
		}
		t.Write(out)
	}
}
