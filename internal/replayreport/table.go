package replayreport

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// WriteTable writes the report for people: for each level a table of the traffic
// that crosses its boundaries, a table of what else an assignment does, what the
// columns mean, what changed most, the routing advice, what it comes to, and the
// warnings. Every table of figures has one row for each run.
func (r *Report) WriteTable(w io.Writer) error {
	f := r.finished()
	out := &bytes.Buffer{}
	f.writeHead(out)
	if len(f.Runs) > 0 {
		for _, l := range f.shownLevels() {
			f.writeLevel(out, l)
		}
		f.writeNodes(out)
		f.writeMeanings(out)
		for _, run := range f.Runs {
			run.writeChanges(out, f.Baseline)
		}
		f.writeAdvice(out)
		f.writeConclusion(out)
	}
	for i, warning := range f.Warnings {
		if i == 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "warning: %s\n", show.Printable(warning))
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

func (r *Report) writeHead(out io.Writer) {
	in := r.Input
	fmt.Fprintf(out, "%s: %s, %s, %s, %s, %s\n", show.Printable(in.Name), show.Plural(in.Nodes, "node"),
		show.Plural(in.Workloads, "workload"), show.Plural(in.Pods, "pod"), show.Plural(in.Edges, "edge"), show.ByteRate(in.BytesPerSecond))
	if in.From != nil && in.To != nil && in.WarmUpUntil != nil {
		fmt.Fprintf(out, "from %s to %s; measured from %s on, as the mean%s\n",
			clock(*in.From), clock(*in.To), clock(*in.WarmUpUntil), gaps(in.Gaps))
	}
	in.writeLeftOut(out)
	if r.replayed() {
		fmt.Fprintf(out, "pods arrive in the order %s, with %s from %d\n", show.Printable(r.Order), show.Plural(r.Seeds, "seed"), r.FirstSeed)
	}
	for _, a := range r.Assumed {
		fmt.Fprintf(out, "assumed: %s = %s (%s)\n", show.Printable(a.Service), show.Printable(a.TrafficDistribution), show.Plural(a.Services, "Service"))
	}
	if slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Config != "" }) {
		fmt.Fprintln(out)
		var t columns
		for _, run := range r.Runs {
			t.add(show.Printable(run.Name), show.Printable(run.Config))
		}
		t.left().write(out)
	}
	if len(r.Runs) > 0 {
		fmt.Fprintln(out)
	}
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func gaps(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" without %s in which nothing was observed", show.Plural(n, "step"))
}

// left pads the second column, so that it begins at the left too.
func (c columns) left() columns {
	widest := 0
	for _, row := range c {
		widest = max(widest, len([]rune(row[1])))
	}
	for _, row := range c {
		row[1] = fmt.Sprintf("%-*s", widest, row[1])
	}
	return c
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
	t := columns{header}
	for _, run := range r.Runs {
		row := []string{show.Printable(run.Name)}
		level := *run.Summary.level(l)
		for _, m := range shownModels() {
			traffic := level.model(m)
			crossing := traffic.LocalShare
			crossing.Mean = 1 - crossing.Mean
			if r.Input.BytesPerSecond == 0 {
				crossing.Mean = 0
			}
			row = append(row, show.ByteRate(traffic.Crossing.Mean), share(crossing))
		}
		if priced {
			row = append(row, number(*run.Summary.CrossZonePerMonth, 2))
		}
		if saved {
			row = append(row, run.saved())
		}
		t.add(row...)
	}
	t.write(out)
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
	t := columns{header}
	for _, run := range r.Runs {
		s := run.Summary
		row := []string{
			show.Printable(run.Name), number(s.CPUDeviation, 1), number(s.MemoryDeviation, 1), countOf(s.Headroom),
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
		t.add(row...)
	}
	t.write(out)
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
		t := columns{{list.title, "ALL", "BEFORE", "AFTER", "GAINED"}}
		for _, c := range list.changes {
			name := c.From.String()
			if c.To != nil {
				name += " -> " + c.To.String()
			}
			t.add(show.Printable(name), show.ByteRate(c.Total), show.ByteRate(c.Before), show.ByteRate(c.After), show.ByteRate(c.After-c.Before))
		}
		t.write(out)
	}
}
