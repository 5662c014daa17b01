package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

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
	// Weighted is the share of the traffic that stays close, each byte by the closeness of the
	// nearest level that it stays at, under the routing that the run is for (uniform, unless
	// its name says otherwise). WeightedAbove is how much it is above that of NetMARKS
	// under the same bound on the share of a node or a zone, seed by seed, and LocalAbove the
	// same of the bytes that stay on the node. CrossZoneAbove is how much more of the traffic
	// crosses zones than in the default run. All are null without a run to compare with.
	Weighted       *sim.Estimate `json:"weighted"`
	WeightedAbove  *sim.Estimate `json:"weightedAboveNetMARKS"`
	LocalAbove     *sim.Estimate `json:"localAboveNetMARKS"`
	CrossZoneAbove *sim.Estimate `json:"crossZoneAboveDefault"`
	Concentration  sim.Estimate  `json:"concentration"`
	Unschedulable  sim.Estimate  `json:"unschedulable"`
}

// benchRows returns a row for each run, in their order. closeness is what a byte is worth that
// stays on the node, in the zone and in the region.
func benchRows(dataset string, runs []report.Run, closeness []float64) []benchRow {
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
		row.weigh(run, base, named(sameBound(run.Name)), closeness)
		row.HeadroomRatio = ratio(run, base, func(s report.Seed) float64 { return s.Headroom })
		rows = append(rows, row)
	}
	return rows
}

// netmarksBound is the run of NetMARKS under the profile's bound.
const netmarksBound = "netmarks-bound"

// sameBound is the run of NetMARKS that has the bound of a run.
func sameBound(run string) string {
	if run == kubesim.NetMARKSRun || strings.HasSuffix(run, "-unbound") {
		return kubesim.NetMARKSRun
	}
	return netmarksBound
}

// routingOf returns the traffic of a level under the routing that a run is for.
func routingOf(run string) func(*report.Level[float64]) report.Traffic[float64] {
	switch {
	case strings.Contains(run, "fair-load"):
		return func(l *report.Level[float64]) report.Traffic[float64] { return l.FairLoad }
	case strings.Contains(run, "same-node"):
		return func(l *report.Level[float64]) report.Traffic[float64] { return l.SameNode }
	default:
		return func(l *report.Level[float64]) report.Traffic[float64] { return l.Uniform }
	}
}

// weigh fills in the figures that are by closeness, and across zones.
func (row *benchRow) weigh(run, base, netmarks *report.Run, closeness []float64) {
	under := routingOf(run.Name)
	weighted := func(s report.Seed) float64 {
		sum, wider := 0.0, 0.0
		for i, l := range slices.Backward([]*report.Level[float64]{s.Node, s.Zone, s.Region}) {
			if l != nil {
				sum += (closeness[i] - wider) * under(l).LocalShare
				wider = closeness[i]
			}
		}
		return sum
	}
	shares := make([]float64, len(run.PerSeed))
	for i, s := range run.PerSeed {
		shares[i] = weighted(s)
	}
	e := sim.NewEstimate(shares)
	row.Weighted = &e
	row.WeightedAbove = above(run, netmarks, weighted)
	row.LocalAbove = above(run, netmarks, func(s report.Seed) float64 { return under(s.Node).LocalShare })
	if run.Summary.Zone != nil {
		row.CrossZoneAbove = above(run, base, func(s report.Seed) float64 { return -under(s.Zone).LocalShare })
	}
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
	for _, name := range []string{"min", "uniform", "sameNode", "minAboveNetMARKS", "uniformAboveNetMARKS", "sameNodeAboveNetMARKS", "weighted", "weightedAboveNetMARKS", "localAboveNetMARKS", "crossZoneAboveDefault", "crossNodeRatio", "headroomRatio", "concentration", "unschedulable"} {
		header = append(header, name, name+"Interval")
	}
	lines := [][]string{header}
	for i := range rows {
		row := &rows[i]
		line := []string{row.Dataset, row.Run, strconv.Itoa(row.Seeds)}
		for _, e := range []*sim.Estimate{
			&row.Min, &row.Uniform, &row.SameNode, row.MinAbove, row.UniformAbove, row.SameNodeAbove,
			row.Weighted, row.WeightedAbove, row.LocalAbove, row.CrossZoneAbove, row.CrossNodeRatio, row.HeadroomRatio, &row.Concentration, &row.Unschedulable,
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
