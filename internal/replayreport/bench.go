package replayreport

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// Runs that others of a benchmark are compared with.
const (
	// DefaultRun is the one that ratios are relative to.
	DefaultRun = "default"
	// NetMARKSRun is the one that differences are taken to.
	NetMARKSRun = "netmarks"
)

// BenchRow is one run on one data set. Shares are between 0 and 1, of the traffic
// that stays on the node.
type BenchRow struct {
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

// BenchRows returns a row for each run of the report, in their order.
func (r *Report) BenchRows(dataset string) []BenchRow {
	var rows []BenchRow
	base, netmarks := r.run(DefaultRun), r.run(NetMARKSRun)
	for i := range r.Runs {
		run := &r.Runs[i]
		s := run.Summary
		row := BenchRow{
			Dataset: dataset, Run: run.Name, Seeds: len(run.PerSeed),
			Concentration: s.Concentration, Unschedulable: s.Unschedulable,
		}
		if s.Node != nil {
			row.Min, row.Uniform, row.SameNode = s.Node.FairLoad.LocalShare, s.Node.Uniform.LocalShare, s.Node.SameNode.LocalShare
			row.MinAbove = above(run, netmarks, func(s Seed) float64 { return s.Node.FairLoad.LocalShare })
			row.UniformAbove = above(run, netmarks, func(s Seed) float64 { return s.Node.Uniform.LocalShare })
			row.SameNodeAbove = above(run, netmarks, func(s Seed) float64 { return s.Node.SameNode.LocalShare })
			row.CrossNodeRatio = ratio(run, base, func(s Seed) float64 { return s.Node.FairLoad.Crossing })
		}
		row.HeadroomRatio = ratio(run, base, func(s Seed) float64 { return s.Headroom })
		rows = append(rows, row)
	}
	return rows
}

// ratio is the mean of a figure relative to that of base, seed by seed; nil when
// there is no base or it has 0 with a seed.
func ratio(run, base *Run, figure func(Seed) float64) *sim.Estimate {
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
func above(run, base *Run, figure func(Seed) float64) *sim.Estimate {
	return compared(run, base, figure, func(a, b float64) float64 { return a - b })
}

// compared is the mean of what compare returns for each seed; nil without a base.
func compared(run, base *Run, figure func(Seed) float64, compare func(a, b float64) float64) *sim.Estimate {
	if base == nil {
		return nil
	}
	values := func(seeds []Seed) []float64 {
		out := make([]float64, len(seeds))
		for i, s := range seeds {
			out[i] = figure(s)
		}
		return out
	}
	a, b := paired(values(run.PerSeed), values(base.PerSeed))
	each := make([]float64, min(len(a), len(b)))
	for i := range each {
		each[i] = compare(a[i], b[i])
	}
	e := sim.NewEstimate(each)
	return &e
}

// WriteBenchCSV writes rows with a header. Each estimate has two columns, its
// mean and the half width of its 95 % confidence interval; what is not known is
// empty. Numbers have six digits.
func WriteBenchCSV(w io.Writer, rows []BenchRow) error {
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

// WriteBenchJSON writes rows as a list.
func WriteBenchJSON(w io.Writer, rows []BenchRow) error {
	if rows == nil {
		rows = []BenchRow{}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(rows); err != nil {
		return fmt.Errorf("writing the rows: %w", err)
	}
	return nil
}
