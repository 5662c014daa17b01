package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// WriteSummary writes the first screen: what was replayed, the summary, a row for each
// run, the routing advice and the warnings.
func (r *Report) WriteSummary(w io.Writer) error {
	out := &bytes.Buffer{}
	r.writeHead(out)
	r.writeColumns(out)
	r.writeRuns(out)
	r.writeAdvice(out)
	r.writeRemarks(out)
	return flush(w, out)
}

func flush(w io.Writer, out *bytes.Buffer) error {
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// currency follows the name of an amount of money.
func (r *Report) currency() string {
	if r.Price == nil || r.Price.Currency == "" {
		return ""
	}
	return " (" + show.Printable(r.Price.Currency) + ")"
}

// writeColumns writes the summary: a column for each answer.
func (r *Report) writeColumns(out io.Writer) {
	if len(r.Summary) == 0 {
		return
	}
	t := show.Table{Left: 1}
	row := func(name string, cell func(*Column) string) {
		cells := []string{name}
		for i := range r.Summary {
			cells = append(cells, cell(&r.Summary[i]))
		}
		if slices.ContainsFunc(cells[1:], func(c string) bool { return c != "-" }) {
			t.Add(cells...)
		}
	}
	optional := func(e *sim.Estimate, format func(sim.Estimate) string) string {
		if e == nil {
			return "-"
		}
		return format(*e)
	}
	money := func(e sim.Estimate) string { return number(e, 2) }
	parts := func(e sim.Estimate) string { return share(e) + " %" }
	row("", func(c *Column) string { return strings.ToUpper(c.Name) })
	row("bytes between nodes", func(c *Column) string { return show.ByteRate(c.CrossNode.Mean) })
	row("  of all traffic", func(c *Column) string { return parts(c.CrossNodeShare) })
	row("  of it with sites outside", func(c *Column) string {
		return optional(c.WithSites, func(e sim.Estimate) string { return show.ByteRate(e.Mean) })
	})
	row("bytes between zones", func(c *Column) string {
		return optional(c.CrossZone, func(e sim.Estimate) string { return show.ByteRate(e.Mean) })
	})
	row("  of all traffic", func(c *Column) string { return optional(c.CrossZoneShare, parts) })
	row("cost a month"+r.currency(), func(c *Column) string { return optional(c.PerMonth, money) })
	row("saved a month"+r.currency(), func(c *Column) string { return optional(c.Saved, money) })
	row("complete after the loss of a node", func(c *Column) string { return optional(c.AfterNodeLoss, parts) })
	row("complete after the loss of a zone", func(c *Column) string { return optional(c.AfterZoneLoss, parts) })
	row("load of the busiest pod", func(c *Column) string {
		return optional(c.BusiestPod, func(e sim.Estimate) string { return "x" + number(e, 1) })
	})
	row("workloads on one node alone", func(c *Column) string { return parts(c.OnOneNode) })
	t.Write(out)
	fmt.Fprintln(out)
	r.writeColumnMeanings(out)
}

// writeColumnMeanings says what the columns and rows of the summary are.
func (r *Report) writeColumnMeanings(out io.Writer) {
	t := show.Table{Left: 2}
	for i := range r.Summary {
		c := &r.Summary[i]
		title := show.Printable(r.run(c.Run).Title)
		switch c.Name {
		case ColumnToday:
			if !r.run(c.Run).Replayed {
				title = "the pods where they are"
			} else {
				title += " places the pods, as the input has no assignment"
			}
		case ColumnRouting:
			title = "the same pods with another routing: " + r.assumedText()
		case ColumnVicinity:
			title += " places the pods, routing as today"
		case ColumnBoth:
			title = strings.TrimSuffix(title, AssumedTitle) + " places the pods for that routing"
		}
		t.Add(c.Name, title)
	}
	if c := &r.Summary[0]; c.AfterNodeLoss != nil {
		t.Add("complete after ...", "part of the "+r.LossUnit+" that still complete, end to end, after the node (zone) fails whose loss costs most")
	}
	if r.Price != nil && r.Summary[0].PerMonth != nil {
		t.Add("cost a month", "traffic between known zones in 30 days, at "+show.Printable(r.Price.String()))
	}
	if r.Summary[0].BusiestPod != nil {
		t.Add("busiest pod", "relative to an even share of the calls to its workload")
	}
	if slices.ContainsFunc(r.Summary, func(c Column) bool { return c.CrossNodeShare.HasInterval() }) {
		t.Add("±", "half the 95 % confidence interval of the mean over the seeds")
	}
	t.Write(out)
	fmt.Fprintln(out)
}

// assumedText names the routing that is assumed.
func (r *Report) assumedText() string {
	var all []string
	for _, a := range r.Assumed {
		what := show.Printable(a.Service)
		if a.Service == "all" {
			what = "all " + show.Plural(a.Services, "Service")
		}
		all = append(all, what+" "+show.Printable(a.TrafficDistribution))
	}
	return strings.Join(all, ", ")
}

// writeRuns writes a row for each run.
func (r *Report) writeRuns(out io.Writer) {
	if len(r.Runs) == 0 {
		return
	}
	s := &r.Runs[0].Summary
	priced := s.CrossZonePerMonth != nil
	header := []string{"RUN", "", "CROSS-NODE %"}
	if s.Zone != nil {
		header = append(header, "CROSS-ZONE %")
	}
	if priced {
		header = append(header, "COST/MONTH")
	}
	drained := slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Summary.Nodes.Mean != s.Nodes.Mean })
	if drained {
		header = append(header, "NODES")
	}
	header = append(header, "ON ONE NODE %")
	t := show.Table{Left: 2}
	t.Add(header...)
	for i := range r.Runs {
		run := &r.Runs[i]
		row := []string{run.Name, run.Title, share(r.crossingShare(&run.Summary.Node.Configured))}
		if s.Zone != nil {
			row = append(row, share(r.crossingShare(&run.Summary.Zone.Configured)))
		}
		if priced {
			row = append(row, number(*run.Summary.CrossZonePerMonth, 2))
		}
		if drained {
			row = append(row, countOf(run.Summary.Nodes))
		}
		t.Add(append(row, share(run.Summary.Concentration))...)
	}
	t.Write(out)
	fmt.Fprintln(out, "ON ONE NODE %: share of the workloads with two pods or more that have all of them on one node")
}

// writeRemarks writes the warnings and the notes.
func (r *Report) writeRemarks(out io.Writer) {
	for i, warning := range r.Warnings {
		if i == 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "warning: %s\n", show.Printable(warning))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "note: %s\n", show.Printable(note))
	}
}
