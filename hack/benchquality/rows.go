package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/report"
)

// benchRow is one run on one data set. Shares are between 0 and 1, of the traffic
// that stays on the node.
type benchRow struct {
	Dataset string `json:"dataset"`
	Run     string `json:"run"`
	// Seeds is how many replays the means are of.
	Seeds int `json:"seeds"`
	// Min is the local share under fair-load routing, "gained affinity" in the
	// literature: the sum of min(xa/da, xb/db).
	Min      sim.Estimate `json:"min"`
	Uniform  sim.Estimate `json:"uniform"`
	SameNode sim.Estimate `json:"sameNode"`
	// MinAbove is how much Min is above that of NetMARKS with the same seed, as a
	// mean of differences; UniformAbove and SameNodeAbove likewise. All are null
	// without a run of that name.
	MinAbove      *sim.Estimate `json:"minAboveNetMARKS"`
	UniformAbove  *sim.Estimate `json:"uniformAboveNetMARKS"`
	SameNodeAbove *sim.Estimate `json:"sameNodeAboveNetMARKS"`
	// CrossNodeRatio is the traffic between nodes under fair-load routing
	// relative to the default run, seed by seed; HeadroomRatio is the same of the
	// headroom. Both are null without a default run, or where that has none.
	CrossNodeRatio *sim.Estimate `json:"crossNodeRatio"`
	HeadroomRatio  *sim.Estimate `json:"headroomRatio"`
	Concentration  sim.Estimate  `json:"concentration"`
	Unschedulable  sim.Estimate  `json:"unschedulable"`
}

// benchRows returns a row for each run, in their order.
func benchRows(dataset string, runs []report.Run) []benchRow {
	var rows []benchRow
	named := func(name string) *report.Run {
		if i := slices.IndexFunc(runs, func(r report.Run) bool { return r.Name == name }); i >= 0 {
			return &runs[i]
		}
		return nil
	}
	base, netmarks := named(kubesim.DefaultRun), named(kubesim.NetMARKSRun)
	for i := range runs {
		run := &runs[i]
		s := run.Summary
		row := benchRow{
			Dataset: dataset, Run: run.Name, Seeds: len(run.PerSeed),
			Concentration: s.Concentration, Unschedulable: s.Unschedulable,
		}
		if s.Node != nil {
			row.Min, row.Uniform, row.SameNode = s.Node.FairLoad.LocalShare, s.Node.Uniform.LocalShare, s.Node.SameNode.LocalShare
			row.MinAbove = above(run, netmarks, func(s report.Seed) float64 { return s.Node.FairLoad.LocalShare })
			row.UniformAbove = above(run, netmarks, func(s report.Seed) float64 { return s.Node.Uniform.LocalShare })
			row.SameNodeAbove = above(run, netmarks, func(s report.Seed) float64 { return s.Node.SameNode.LocalShare })
			row.CrossNodeRatio = ratio(run, base, func(s report.Seed) float64 { return s.Node.FairLoad.Crossing })
		}
		row.HeadroomRatio = ratio(run, base, func(s report.Seed) float64 { return s.Headroom })
		rows = append(rows, row)
	}
	return rows
}

// ratio is the mean of a figure relative to that of base, seed by seed; nil when
// there is no base or it has 0 with a seed.
func ratio(run, base *report.Run, figure func(report.Seed) float64) *sim.Estimate {
	defined := true
	e := compared(run, base, figure, func(a, b float64) float64 {
		defined = defined && b != 0
		return a / b
	})
	if !defined {
		return nil
	}
	return e
}

// above is the mean difference of a figure to that of base, seed by seed; nil when
// there is no base.
func above(run, base *report.Run, figure func(report.Seed) float64) *sim.Estimate {
	return compared(run, base, figure, func(a, b float64) float64 { return a - b })
}

// compared is the mean of what compare returns for each seed; nil without a base.
func compared(run, base *report.Run, figure func(report.Seed) float64, compare func(a, b float64) float64) *sim.Estimate {
	if base == nil {
		return nil
	}
	values := func(seeds []report.Seed) []float64 {
		out := make([]float64, len(seeds))
		for i, s := range seeds {
			out[i] = figure(s)
		}
		return out
	}
	a, b := report.Paired(values(run.PerSeed), values(base.PerSeed))
	each := make([]float64, min(len(a), len(b)))
	for i := range each {
		each[i] = compare(a[i], b[i])
	}
	e := sim.NewEstimate(each)
	return &e
}

// writeCSV writes rows with a header. Each estimate has two columns, its
// mean and the half width of its 95 % confidence interval; what is not known is
// empty. Numbers have six digits.
func writeCSV(w io.Writer, rows []benchRow) error {
	out := csv.NewWriter(w)
	header := []string{"dataset", "run", "seeds"}
	for _, name := range []string{"min", "uniform", "sameNode", "minAboveNetMARKS", "uniformAboveNetMARKS", "sameNodeAboveNetMARKS", "crossNodeRatio", "headroomRatio", "concentration", "unschedulable"} {
		header = append(header, name, name+"Interval")
	}
	lines := [][]string{header}
	for i := range rows {
		row := &rows[i]
		line := []string{row.Dataset, row.Run, strconv.Itoa(row.Seeds)}
		for _, e := range []*sim.Estimate{
			&row.Min, &row.Uniform, &row.SameNode, row.MinAbove, row.UniformAbove, row.SameNodeAbove, row.CrossNodeRatio, row.HeadroomRatio, &row.Concentration, &row.Unschedulable,
		} {
			mean, interval := "", ""
			if e != nil {
				mean = strconv.FormatFloat(e.Mean, 'g', 6, 64)
			}
			if e != nil && e.HasInterval() {
				interval = strconv.FormatFloat(e.Interval, 'g', 6, 64)
			}
			line = append(line, mean, interval)
		}
		lines = append(lines, line)
	}
	if err := out.WriteAll(lines); err != nil {
		return fmt.Errorf("writing the rows: %w", err)
	}
	return nil
}

// writeJSON writes rows as a list.
func writeJSON(w io.Writer, rows []benchRow) error {
	if rows == nil {
		rows = []benchRow{}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(rows); err != nil {
		return fmt.Errorf("writing the rows: %w", err)
	}
	return nil
}
