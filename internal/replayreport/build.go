package replayreport

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/show"
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
	return Sample{
		Outcome: cut.Measure(c, result.Assigned, result.Idle), Unschedulable: result.Unschedulable, Took: result.Took,
		Replayed: len(result.Took) > 0, Cluster: c, Assigned: result.Assigned,
	}
}

// NewRun summarises the samples of one run, at least one, in the order of their
// seeds. All samples of a report are of one cluster, or of clusters that differ
// in nothing but their assignment. A price of 0 is none.
// Without timing, Took only tells that the run was replayed.
func NewRun(name, config string, samples []Sample, pricePerGB float64, timing bool) Run {
	r := Run{Name: name, Config: config, samples: samples}
	for _, s := range samples {
		var scale locality.Scale
		if s.Cluster != nil {
			scale = s.Cluster.Scale
		}
		seed := Seed{Figures: figuresOf(s.Outcome, scale, s.Unschedulable, pricePerGB)}
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
	return r
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

// compare fills in the changes against a baseline, unless the caller has done so.
func (run *Run) compare(base *Run) {
	c, before, after := run.samples[0].Cluster, base.samples[0].Assigned, run.samples[0].Assigned
	if c == nil || before == nil || after == nil || run.Edges != nil || run.WorkloadChanges != nil {
		return
	}
	edges, workloads := cut.Changes(c, before, after, locality.Node, cut.Configured)
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

// finished returns the report with all that follows from its runs: seeds,
// differences and warnings. r stays as it is.
func (r *Report) finished() *Report {
	f := *r
	f.Schema = Schema
	f.Input.BytesPerSecond, f.Input.ExternalBytesPerSecond = rounded(r.Input.BytesPerSecond), rounded(r.Input.ExternalBytesPerSecond)
	f.Input.LeftOut = roundedLeftOut(r.Input.LeftOut)
	f.Runs = slices.Clone(r.Runs)
	base := f.run(f.Baseline)
	for i := range f.Runs {
		run := &f.Runs[i]
		run.PerSeed = slices.Clone(run.PerSeed)
		for k := range run.PerSeed {
			if run.Replayed {
				seed := f.FirstSeed + uint64(k)
				run.PerSeed[k].Seed = &seed
			}
		}
		if base != nil && run.Name != base.Name {
			d := difference(run.PerSeed, base.PerSeed)
			run.Difference = &d
			run.compare(base)
		}
	}
	if f.Runs == nil {
		f.Runs = []Run{}
	}
	f.LossUnit = f.lossUnit()
	if len(f.Runs) > 0 && len(f.Runs[0].Summary.Labelled) > 0 {
		scale := f.Runs[0].Summary.scale()
		for _, l := range scale.Levels() {
			f.Levels = append(f.Levels, scale.Name(l))
		}
	}
	f.Warnings = append(append([]string{}, r.Warnings...), f.warnings()...)
	return &f
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
		return sim.Difference(paired(column(a, cell), column(b, cell)))
	})
}

func paired(a, b []float64) ([]float64, []float64) {
	if len(a) == 1 {
		a = slices.Repeat(a, len(b))
	}
	if len(b) == 1 {
		b = slices.Repeat(b, len(a))
	}
	return a, b
}

// warnings says what the figures do not show by themselves.
func (r *Report) warnings() []string {
	var said []string
	warn := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if len(r.Runs) > 0 && r.Runs[0].Summary.Zone == nil {
		warn("no node has a zone: traffic between zones is not known, nor its price")
	}
	r.warnOfZones(warn)
	if share := r.Input.externalShare(); share >= 0.01 {
		warn("%s of the traffic has an end outside the cluster; no assignment keeps it local", percent(share))
	}
	if r.Baseline != "" && r.run(r.Baseline) == nil {
		warn("there is no run %q to compare with", r.Baseline)
	}
	if r.Seeds == 1 && r.replayed() {
		warn("one seed says nothing of the influence of chance; take at least 5")
	}
	for _, run := range r.Runs {
		s := run.Summary
		if s.Missing.Mean > 0 {
			warn("%s: %s without a node; the pods that serve, where there are any, take their calls", run.Name, pods(s.Missing))
		}
		if s.Unserved.Mean > 0 {
			warn("%s: %s is of workloads of which no pod serves: it counts as crossing, and is in no price", run.Name, show.ByteRate(s.Unserved.Mean))
		}
		if c := s.Completes; c != nil && c.Mean < 1-negligible {
			warn("%s: without any loss only %s of the %s completes, as some workloads have no pod that serves", run.Name, percent(c.Mean), r.lossUnit())
		}
		if s.Unschedulable.Mean > s.Missing.Mean {
			warn("%s: %s fitted nowhere on arrival; in a rollout, what they should replace stayed", run.Name, pods(s.Unschedulable))
		}
		if d := run.Difference; d != nil && s.BusiestEndpoint.Mean > hotEndpoint && d.BusiestEndpoint.Mean > d.BusiestEndpoint.Interval {
			warn("%s: where calls prefer the same node, one pod gets %.1f times its fair share", run.Name, s.BusiestEndpoint.Mean)
		}
	}
	return said
}

// warnOfZones says what the nodes do not tell of their zones, and what that leaves
// out of each run's figures.
func (r *Report) warnOfZones(warn func(format string, args ...any)) {
	if len(r.Runs) == 0 || len(r.Runs[0].samples) == 0 || r.Runs[0].samples[0].Cluster == nil {
		return
	}
	c := r.Runs[0].samples[0].Cluster
	gaps := c.LocalityGaps()
	if gaps.WithoutZone > 0 {
		var of []string
		for _, run := range r.Runs {
			zone := run.Summary.Zone
			if zone == nil || zone.Unknown == nil {
				continue
			}
			text := run.Name + ": " + show.ByteRate(zone.Unknown.Mean)
			if price := run.Summary.UnknownZonePerMonth; price != nil {
				text += ", " + number(sim.Estimate{Mean: price.Mean}, 2) + " a month"
			}
			of = append(of, text)
		}
		warn("%d of %d nodes %s no zone: whether the traffic of pods there crosses zones is not known; it counts as crossing, and is not in the price (%s)",
			gaps.WithoutZone, len(c.Nodes), map[bool]string{true: "has", false: "have"}[gaps.WithoutZone == 1], strings.Join(of, "; "))
	}
	switch {
	case gaps.Inferred:
		warn("a zone occurs with and without a region, on %s without: they count as one zone", show.Plural(gaps.WithoutRegion, "node"))
	case gaps.WithoutRegion > 0:
		warn("a zone occurs in several regions, and on %s without one: those count as a zone of their own", show.Plural(gaps.WithoutRegion, "node"))
	}
}

// replayed reports whether any run was: order and seeds concern no other.
func (r *Report) replayed() bool {
	return slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Replayed })
}

func pods(e sim.Estimate) string {
	if e.Mean == 1 {
		return "1 pod"
	}
	return trimmed(e.Mean) + " pods"
}

// hotEndpoint is the load of a pod, relative to its fair share, from which on
// requests are usually too small for it.
const hotEndpoint = 2

func (i Input) externalShare() float64 {
	if i.BytesPerSecond == 0 {
		return 0
	}
	return i.ExternalBytesPerSecond / i.BytesPerSecond
}
