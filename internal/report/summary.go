package report

import (
	"math"

	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// The names of the columns of a summary.
const (
	ColumnToday    = "today"
	ColumnRouting  = "routing only"
	ColumnVicinity = "Vicinity only"
	ColumnBoth     = "both"
)

// Column is one answer of the summary: the figures of one run, with calls divided as they
// are in that run.
type Column struct {
	// Name is the name of the column: "today", "routing only", "Vicinity only" or "both".
	Name string `json:"name"`
	// Run is the name of the run whose figures these are.
	Run string `json:"run"`
	// CrossNode is the traffic that leaves its node.
	CrossNode sim.Estimate `json:"crossNodeBytesPerSecond"`
	// CrossNodeShare is the part of all traffic that leaves its node.
	CrossNodeShare sim.Estimate `json:"crossNodeShare"`
	// WithSites is the part of crossNodeBytesPerSecond with sites outside the cluster, which no
	// assignment keeps on a node. Missing when there are no sites.
	WithSites *sim.Estimate `json:"sitesBytesPerSecond,omitempty"`
	// CrossZone is the traffic that leaves its zone. Missing when no node has a zone.
	CrossZone *sim.Estimate `json:"crossZoneBytesPerSecond,omitempty"`
	// CrossZoneShare is the part of all traffic that leaves its zone. Missing when no node
	// has a zone.
	CrossZoneShare *sim.Estimate `json:"crossZoneShare,omitempty"`
	// PerMonth is the price of the traffic between zones in 30 days, as in the run. Missing
	// without a price or without zones.
	PerMonth *sim.Estimate `json:"crossZonePerMonth,omitempty"`
	// Saved is how much less crossZonePerMonth is than today's, paired by seed. Missing
	// without a price or without zones, and in the column "today".
	Saved *sim.Estimate `json:"savedPerMonth,omitempty"`
	// AfterNodeLoss is the share of all requests that still complete after the loss of the
	// worst node. Missing without traffic.
	AfterNodeLoss *sim.Estimate `json:"completeAfterNodeLoss,omitempty"`
	// AfterZoneLoss is the share of all requests that still complete after the loss of the
	// worst zone. Missing without traffic or without zones.
	AfterZoneLoss *sim.Estimate `json:"completeAfterZoneLoss,omitempty"`
	// BusiestPod is the largest load of any pod that is called, relative to its fair share:
	// 1 is even. Missing when nothing is called.
	BusiestPod *sim.Estimate `json:"busiestPod,omitempty"`
	// OnOneNode is the share of the workloads with two or more pods that have all of them on
	// one node.
	OnOneNode sim.Estimate `json:"onOneNode"`
}

// summarize returns the columns that there are runs for.
func (r *Report) summarize(today, vicinity string) []Column {
	columns := []Column{}
	base := r.run(today)
	if base == nil {
		return columns
	}
	for _, c := range []struct{ name, run string }{
		{ColumnToday, today}, {ColumnRouting, Assuming(today)},
		{ColumnVicinity, vicinity}, {ColumnBoth, Assuming(vicinity)},
	} {
		if run := r.run(c.run); run != nil && run.Summary.Node != nil {
			columns = append(columns, r.column(c.name, run, base))
		}
	}
	return columns
}

func (r *Report) column(name string, run, base *Run) Column {
	s := &run.Summary
	c := Column{
		Name: name, Run: run.Name, CrossNode: s.Node.Configured.Crossing, CrossNodeShare: r.crossingShare(&s.Node.Configured),
		PerMonth: s.CrossZonePerMonth, OnOneNode: s.Concentration, BusiestPod: run.busiestPod(),
	}
	if len(r.Input.Sites) > 0 {
		c.WithSites = run.withSites()
	}
	if s.Zone != nil {
		c.CrossZone, c.CrossZoneShare = new(s.Zone.Configured.Crossing), new(r.crossingShare(&s.Zone.Configured))
	}
	if s.AfterNodeLoss != nil {
		c.AfterNodeLoss = &s.AfterNodeLoss.Complete
	}
	if s.AfterZoneLoss != nil {
		c.AfterZoneLoss = &s.AfterZoneLoss.Complete
	}
	if run.Name != base.Name && c.PerMonth != nil && base.Summary.CrossZonePerMonth != nil {
		cost := func(seeds []Seed) []float64 {
			values := make([]float64, len(seeds))
			for i := range seeds {
				values[i] = *seeds[i].CrossZonePerMonth
			}
			return values
		}
		a, b := Paired(cost(base.PerSeed), cost(run.PerSeed))
		c.Saved = new(roundedEstimate(sim.Difference(a, b)))
	}
	return c
}

// crossingShare is the part of all traffic that crosses: 0 without any.
func (r *Report) crossingShare(t *Traffic[sim.Estimate]) sim.Estimate {
	share := t.LocalShare
	share.Mean = rounded(1 - share.Mean)
	if r.Input.BytesPerSecond == 0 {
		share.Mean = 0
	}
	return share
}

// busiestPod is the largest load over all workloads, as their calls are routed; nil when
// nothing is called or the samples have no cluster.
func (run *Run) busiestPod() *sim.Estimate {
	var loads []float64
	for _, s := range run.samples {
		if s.Cluster == nil || s.Assigned == nil {
			return nil
		}
		most := 0.0
		for _, called := range cut.Calls(s.Cluster, s.Assigned, nil) {
			most = math.Max(most, called.Busiest)
		}
		loads = append(loads, most)
	}
	e := roundedEstimate(sim.NewEstimate(loads))
	if e.Mean == 0 {
		return nil
	}
	return &e
}

func roundedEstimate(e sim.Estimate) sim.Estimate {
	e.Mean, e.Interval = rounded(e.Mean), rounded(e.Interval)
	return e
}
