package replayreport

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// DefaultRun is the name of the run that ratios of a benchmark are relative to.
const DefaultRun = "default"

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
	base := r.run(DefaultRun)
	for i := range r.Runs {
		run := &r.Runs[i]
		s := run.Summary
		row := BenchRow{
			Dataset: dataset, Run: run.Name, Seeds: len(run.PerSeed),
			Concentration: s.Concentration, Unschedulable: s.Unschedulable,
		}
		if s.Node != nil {
			row.Min, row.Uniform, row.SameNode = s.Node.FairLoad.LocalShare, s.Node.Uniform.LocalShare, s.Node.SameNode.LocalShare
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
	above, below := paired(values(run.PerSeed), values(base.PerSeed))
	ratios := make([]float64, min(len(above), len(below)))
	for i := range ratios {
		if below[i] == 0 {
			return nil
		}
		ratios[i] = above[i] / below[i]
	}
	e := sim.NewEstimate(ratios)
	return &e
}

// WriteBenchCSV writes rows with a header. Each estimate has two columns, its
// mean and the half width of its 95 % confidence interval; what is not known is
// empty. Numbers have six digits.
func WriteBenchCSV(w io.Writer, rows []BenchRow) error {
	out := csv.NewWriter(w)
	header := []string{"dataset", "run", "seeds"}
	for _, name := range []string{"min", "uniform", "sameNode", "crossNodeRatio", "headroomRatio", "concentration", "unschedulable"} {
		header = append(header, name, name+"Interval")
	}
	lines := [][]string{header}
	for i := range rows {
		row := &rows[i]
		line := []string{row.Dataset, row.Run, strconv.Itoa(row.Seeds)}
		for _, e := range []*sim.Estimate{
			&row.Min, &row.Uniform, &row.SameNode, row.CrossNodeRatio, row.HeadroomRatio, &row.Concentration, &row.Unschedulable,
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
