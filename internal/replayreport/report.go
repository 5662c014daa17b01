// Package replayreport is what a replay says: the measures of several runs side
// by side, as a table and as JSON. It computes means and differences of package
// sim's outcomes and runs nothing itself.
package replayreport

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// Schema names the JSON output. A change that could break a reader gets another
// number; new fields do not.
const Schema = "vicinity.replay/v1"

// Report is the result of a replay. Rates are bytes per second in both
// directions, shares are between 0 and 1. It holds no time of day and, unless
// asked for, no duration: the same input, configuration and seeds give the same
// JSON.
type Report struct {
	Schema string `json:"schema"`
	Input  Input  `json:"input"`
	// Order is the order in which the pods arrived (package sim).
	Order string `json:"order"`
	// Seeds is how many times each run with chance in it was done, with the
	// seeds FirstSeed, FirstSeed+1, ...
	Seeds     int    `json:"seeds"`
	FirstSeed uint64 `json:"firstSeed"`
	// PricePerGB is the price of 1e9 bytes between zones; 0: not asked for.
	PricePerGB float64 `json:"pricePerGB,omitempty"`
	// Baseline is the run that Changes and savings are against.
	Baseline string   `json:"baseline,omitempty"`
	Runs     []Run    `json:"runs"`
	Warnings []string `json:"warnings,omitempty"`
}

// Input says what was replayed.
type Input struct {
	Name      string `json:"name"`
	Nodes     int    `json:"nodes"`
	Workloads int    `json:"workloads"`
	Pods      int    `json:"pods"`
	Edges     int    `json:"edges"`
	// BytesPerSecond is all traffic; ExternalBytesPerSecond the part that has an
	// end outside the cluster.
	BytesPerSecond         float64 `json:"bytesPerSecond"`
	ExternalBytesPerSecond float64 `json:"externalBytesPerSecond"`
}

// Run is one configuration.
type Run struct {
	Name string `json:"name"`
	// Config is the configuration file, or what stands in its place.
	Config string  `json:"config"`
	Levels []Level `json:"levels"`
	// BusiestEndpoint is the load of the busiest pod when clients call the
	// endpoints on their node first, relative to an even share.
	BusiestEndpoint sim.Estimate `json:"busiestEndpoint"`
	// CPUDeviation and MemoryDeviation are standard deviations of the nodes'
	// used shares, in percentage points.
	CPUDeviation    sim.Estimate `json:"cpuDeviation"`
	MemoryDeviation sim.Estimate `json:"memoryDeviation"`
	// Headroom is how many more pods of the 95th-percentile request fit.
	Headroom sim.Estimate `json:"headroom"`
	// Concentration is the share of the workloads with several pods that has all
	// of them on one node.
	Concentration sim.Estimate `json:"concentration"`
	// Skewed is how often a workload is spread less evenly than kube-scheduler's
	// default constraints prefer.
	Skewed        sim.Estimate `json:"skewed"`
	Unschedulable sim.Estimate `json:"unschedulable"`
	// CrossZonePerMonth is the price of the traffic between zones in 30 days, as
	// the Services are routed.
	CrossZonePerMonth *sim.Estimate `json:"crossZonePerMonth,omitempty"`
	// Edges and WorkloadChanges are those whose traffic on the node changes most
	// against the baseline, in the run with the first seed, as the Services are
	// routed.
	Edges           []Change `json:"edges,omitempty"`
	WorkloadChanges []Change `json:"workloads,omitempty"`
	// Timing is there when asked for.
	Timing *Timing `json:"timing,omitempty"`

	outcomes []*sim.Outcome // by seed
}

// Level is the traffic at the boundaries of one level.
type Level struct {
	Level string `json:"level"`
	// Models has an element for each model of package sim.
	Models []Model `json:"models"`
}

// Model is the traffic under one way to divide calls.
type Model struct {
	Model      string       `json:"model"`
	LocalShare sim.Estimate `json:"localShare"`
	Crossing   sim.Estimate `json:"crossingBytesPerSecond"`
}

// Change is an edge (From and To) or a workload (From only).
type Change struct {
	From   string  `json:"from"`
	To     string  `json:"to,omitempty"`
	Total  float64 `json:"totalBytesPerSecond"`
	Before float64 `json:"localBefore"`
	After  float64 `json:"localAfter"`
}

// Timing is how long decisions took, in seconds.
type Timing struct {
	Decisions int     `json:"decisions"`
	Mean      float64 `json:"meanSeconds"`
	Median    float64 `json:"medianSeconds"`
	P99       float64 `json:"p99Seconds"`
}

// Sample is the result of one run with one seed.
type Sample struct {
	Outcome       *sim.Outcome
	Unschedulable int
	Took          []time.Duration
}

const (
	bytesPerGB      = 1e9
	secondsPerMonth = 30 * 24 * 3600
)

// NewRun summarises the samples of one run, one for each seed.
func NewRun(name, config string, samples []Sample, pricePerGB float64, timing bool) Run {
	r := Run{Name: name, Config: config}
	over := func(measure func(Sample) float64) sim.Estimate {
		values := make([]float64, len(samples))
		for i, s := range samples {
			values[i] = measure(s)
		}
		return sim.NewEstimate(values)
	}
	outcome := func(measure func(*sim.Outcome) float64) sim.Estimate {
		return over(func(s Sample) float64 { return measure(s.Outcome) })
	}
	for _, l := range samples[0].Outcome.Levels {
		level := Level{Level: l.Level.String()}
		for _, m := range sim.Models() {
			level.Models = append(level.Models, Model{
				Model:      m.String(),
				LocalShare: outcome(func(o *sim.Outcome) float64 { return o.LocalShare(l.Level, m) }),
				Crossing:   outcome(func(o *sim.Outcome) float64 { return o.Crossing(l.Level, m) }),
			})
		}
		r.Levels = append(r.Levels, level)
	}
	r.BusiestEndpoint = outcome(func(o *sim.Outcome) float64 { return o.Hotspot.Load })
	r.CPUDeviation = outcome(func(o *sim.Outcome) float64 { return o.CPUDeviation })
	r.MemoryDeviation = outcome(func(o *sim.Outcome) float64 { return o.MemoryDeviation })
	r.Headroom = outcome(func(o *sim.Outcome) float64 { return float64(o.Headroom) })
	r.Concentration = outcome(func(o *sim.Outcome) float64 { return float64(o.Concentrated) / float64(max(o.MultiReplica, 1)) })
	r.Skewed = outcome(func(o *sim.Outcome) float64 { return float64(o.NodesOverSkew + o.ZonesOverSkew) })
	r.Unschedulable = over(func(s Sample) float64 { return float64(s.Unschedulable) })
	if _, zones := samples[0].Outcome.Level(locality.Zone); zones && pricePerGB > 0 {
		perMonth := outcome(func(o *sim.Outcome) float64 {
			return o.Crossing(locality.Zone, sim.Configured) * secondsPerMonth / bytesPerGB * pricePerGB
		})
		r.CrossZonePerMonth = &perMonth
	}
	if timing {
		r.Timing = timingOf(samples)
	}
	for _, s := range samples {
		r.outcomes = append(r.outcomes, s.Outcome)
	}
	return r
}

func timingOf(samples []Sample) *Timing {
	var all []float64
	sum := 0.0
	for _, s := range samples {
		for _, took := range s.Took {
			all = append(all, took.Seconds())
			sum += took.Seconds()
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	return &Timing{Decisions: len(all), Mean: sum / float64(len(all)), Median: all[len(all)/2], P99: all[len(all)*99/100]}
}

// maxChanges is how many edges and workloads a run lists.
const maxChanges = 10

// NewChanges returns the largest changes as a report shows them; those of
// nothing are left out.
func NewChanges(all []sim.Change) []Change {
	var changes []Change
	for _, c := range all[:min(len(all), maxChanges)] {
		if c.Gained() == 0 {
			break
		}
		change := Change{From: c.From.String(), Total: c.Total, Before: c.Before, After: c.After}
		if !c.To.IsZero() {
			change.To = c.To.String()
		}
		changes = append(changes, change)
	}
	return changes
}

// run returns the run of a name, nil when there is none.
func (r *Report) run(name string) *Run {
	i := slices.IndexFunc(r.Runs, func(run Run) bool { return run.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Runs[i]
}

// WriteJSON writes the report with its schema.
func (r *Report) WriteJSON(w io.Writer) error {
	r.Schema = Schema
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}
