package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/price"
)

// Sample is the result of one run with one seed.
type Sample struct {
	Outcome       *cut.Outcome
	Unschedulable int
	// Replayed is false for an assignment that was measured as it is.
	Replayed bool
	// Took has the time of each decision, as far as they were timed.
	Took []time.Duration
	// Cluster and Assigned are what was measured. Either can be nil: Cluster names
	// the busiest endpoint, and with both of them the report has changes.
	Cluster  *cluster.Cluster
	Assigned cluster.Assignment
}

// NewSample measures the result of a replay. An assignment that was not replayed
// is a result with nothing else.
func NewSample(c *cluster.Cluster, result *sim.Result) Sample {
	left := result.Cluster(c)
	return Sample{
		Outcome: cut.Measure(left, result.Assigned, result.Idle), Unschedulable: result.Unschedulable, Took: result.Took,
		Replayed: len(result.Took) > 0, Cluster: left, Assigned: result.Assigned,
	}
}

// Comparable reports whether both samples have the same figures: a consolidation may leave
// nodes that tell less of where they are, or more, than those that are gone.
func (s *Sample) Comparable(other *Sample) bool {
	return slices.Equal(figuresThere(s.Outcome), figuresThere(other.Outcome))
}

// figuresThere names the figures that an outcome may have or not.
func figuresThere(o *cut.Outcome) []string {
	var there []string
	for _, l := range o.Levels {
		there = append(there, fmt.Sprint(l.Level, l.Incomplete))
	}
	return append(there, fmt.Sprint(o.Links.Known > 0, o.Survival.Node.Domain != "", o.Survival.Zone.Domain != ""))
}

// NewRun summarises the samples of one run, at least one, in the order of their
// seeds. All samples of a report are of clusters with the same nodes, workloads and
// edges at the same positions. A nil price is none.
// Without timing, Took only tells that the run was replayed.
func NewRun(name, config string, samples []Sample, prices *price.List, timing bool) Run {
	r := Run{Name: name, Title: name, Routing: RoutingToday, Config: config, samples: samples}
	for _, s := range samples {
		var scale locality.Scale
		if s.Cluster != nil {
			scale = s.Cluster.Scale
		}
		seed := Seed{Figures: figuresOf(s.Outcome, scale, s.Unschedulable, prices)}
		if s.Cluster != nil {
			seed.Nodes = float64(nodesLeft(s.Cluster))
		}
		if busiest := s.Outcome.Hotspot; s.Cluster != nil && busiest.Workload != cut.Outside {
			w := workload(s.Cluster.Workloads[busiest.Workload].ID)
			seed.BusiestWorkload, seed.BusiestNode = &w, s.Cluster.Nodes[busiest.Node].Node
		}
		seed.WorstNode, seed.WorstZone = s.Outcome.Survival.Node.Domain, s.Outcome.Survival.Zone.Domain
		r.PerSeed = append(r.PerSeed, seed)
		r.Replayed = r.Replayed || s.Replayed || len(s.Took) > 0
	}
	r.Summary = estimateEach(&r.PerSeed[0].Figures, func(cell int) sim.Estimate {
		return sim.NewEstimate(column(r.PerSeed, cell))
	})
	if timing {
		r.Timing = timingOf(samples)
	}
	r.Assignment = placed(&samples[0])
	return r
}

// nodesLeft counts the nodes that are not gone.
func nodesLeft(c *cluster.Cluster) int {
	n := 0
	for i := range c.Nodes {
		if !c.Nodes[i].Gone {
			n++
		}
	}
	return n
}

// placed lists the pods of a sample by workload and node, in the order of the cluster.
func placed(s *Sample) []Placed {
	if s.Cluster == nil || s.Assigned == nil {
		return nil
	}
	var all []Placed
	for w, nodes := range s.Assigned {
		pods := map[int32]int{}
		for _, n := range nodes {
			pods[n]++
		}
		for _, n := range slices.Sorted(maps.Keys(pods)) {
			all = append(all, Placed{workload(s.Cluster.Workloads[w].ID), s.Cluster.Nodes[n].Node, pods[n]})
		}
	}
	return all
}

func workload(id flowgraph.WorkloadID) Workload { return Workload{id.Namespace, id.Name} }

func timingOf(samples []Sample) *Timing {
	var all []time.Duration
	var sum time.Duration
	for _, s := range samples {
		for _, took := range s.Took {
			all = append(all, took)
			sum += took
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	rank := func(share float64) float64 {
		return all[max(int(math.Ceil(share*float64(len(all)))), 1)-1].Seconds()
	}
	return &Timing{Decisions: len(all), Mean: sum.Seconds() / float64(len(all)), P50: rank(0.5), P99: rank(0.99)}
}

// compareRuns fills in the seeds, and what differs from the baseline.
func (r *Report) compareRuns() {
	base := r.run(r.Baseline)
	for i := range r.Runs {
		run := &r.Runs[i]
		run.PerSeed = slices.Clone(run.PerSeed)
		for k := range run.PerSeed {
			if run.Replayed {
				seed := r.FirstSeed + uint64(k)
				run.PerSeed[k].Seed = &seed
			}
		}
		if base != nil && run.Name != base.Name {
			d := difference(run.PerSeed, base.PerSeed)
			run.Difference = &d
			run.compare(base)
		}
	}
}

// compare fills in the changes against a baseline, each run as it is routed.
func (run *Run) compare(base *Run) {
	before, after := &base.samples[0], &run.samples[0]
	if before.Cluster == nil || after.Cluster == nil || before.Assigned == nil || after.Assigned == nil {
		return
	}
	edges, workloads := cut.Changes(before.Cluster, before.Assigned, after.Cluster, after.Assigned, locality.Node, cut.Configured)
	run.Edges, run.WorkloadChanges = NewChanges(edges), NewChanges(workloads)
}

// maxChanges is how many edges and workloads a run lists.
const maxChanges = 10

// negligible is the part of an edge's traffic below which a change is the
// rounding of sums that were added up in another order.
const negligible = 1e-9

// NewChanges returns the largest of cut.Changes as a report shows them; what
// does not change is left out.
func NewChanges(all []cut.Change) []Change {
	var changes []Change
	for _, c := range all[:min(len(all), maxChanges)] {
		if math.Abs(c.Gained()) <= negligible*c.Total {
			continue
		}
		change := Change{From: workload(c.From), Total: rounded(c.Total), Before: rounded(c.Before), After: rounded(c.After)}
		if !c.To.IsZero() {
			to := workload(c.To)
			change.To = &to
		}
		changes = append(changes, change)
	}
	return changes
}

// lossUnit is what losses count, "" without traffic.
func (r *Report) lossUnit() string {
	switch {
	case len(r.Runs) == 0 || r.Runs[0].Summary.AfterNodeLoss == nil || len(r.Runs[0].samples) == 0:
		return ""
	case r.Runs[0].samples[0].Outcome.Survival.InBytes:
		return "bytes"
	}
	return "requests"
}

// difference is a - b for each figure. One outcome without chance stands against
// every seed of the other side.
func difference(a, b []Seed) Figures[sim.Estimate] {
	return estimateEach(&a[0].Figures, func(cell int) sim.Estimate {
		return sim.Difference(Paired(column(a, cell), column(b, cell)))
	})
}

// Paired repeats one value for each of the other side: an outcome without chance stands
// against every seed.
func Paired(a, b []float64) ([]float64, []float64) {
	if len(a) == 1 {
		a = slices.Repeat(a, len(b))
	}
	if len(b) == 1 {
		b = slices.Repeat(b, len(a))
	}
	return a, b
}

func pods(e sim.Estimate) string {
	if e.Mean == 1 {
		return "1 pod"
	}
	return trimmed(e.Mean) + " pods"
}

func (i Input) externalShare() float64 {
	if i.BytesPerSecond == 0 {
		return 0
	}
	return i.ExternalBytesPerSecond / i.BytesPerSecond
}
