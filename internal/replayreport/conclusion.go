package replayreport

import (
	"fmt"
	"io"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// writeConclusion writes what a reader takes home: how much less or more each run
// has between nodes, zones and what labels tell than the baseline, and what it costs.
func (r *Report) writeConclusion(out io.Writer) {
	baseline := r.run(r.Baseline)
	if baseline == nil || len(r.Runs) < 2 {
		return
	}
	var levels []locality.Level
	header := []string{"AGAINST " + show.Printable(r.Baseline)}
	for _, l := range baseline.Summary.scale().Levels() {
		if l != locality.Region && *baseline.Summary.level(l) != nil {
			levels, header = append(levels, l), append(header, "CROSS-"+r.upper(l))
		}
	}
	priced := baseline.Summary.CrossZonePerMonth != nil
	if priced {
		header = append(header, "COST/MONTH")
	}
	t := columns{header}
	for _, run := range r.Runs {
		if run.Difference == nil {
			continue
		}
		row := []string{show.Printable(run.Name)}
		for _, l := range levels {
			row = append(row, relative(*run.Difference.level(l), *baseline.Summary.level(l)))
		}
		if priced {
			row = append(row, signed(*run.Difference.CrossZonePerMonth, 2))
		}
		t.add(row...)
	}
	fmt.Fprintln(out, "\nIn short, calls routed as configured:")
	t.write(out)
}

// relative is a difference of the traffic that crosses, in percent of what crosses
// in the baseline.
func relative(difference, baseline *Level[sim.Estimate]) string {
	if difference == nil || baseline == nil || baseline.Configured.Crossing.Mean == 0 {
		return "-"
	}
	e, all := difference.Configured.Crossing, baseline.Configured.Crossing.Mean
	e.Mean *= 100 / all
	e.Interval *= 100 / all
	return signed(e, 1) + " %"
}

// signed formats a difference, with its sign.
func signed(e sim.Estimate, digits int) string {
	if text := number(e, digits); e.Mean < 0 {
		return text
	}
	return "+" + number(e, digits)
}
