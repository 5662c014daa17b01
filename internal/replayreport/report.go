// Package replayreport is what a replay says: the measures of several runs side
// by side, as a table, as JSON and as the rows of a benchmark. It computes means
// and differences of package sim's outcomes and runs nothing itself.
package replayreport

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// Schema names the JSON output. A change that could break a reader gets another
// number; new fields do not.
const Schema = "vicinity.replay/v1"

// Report is the result of a replay. Rates are bytes per second in both
// directions, shares are between 0 and 1; numbers have nine significant digits.
// It holds no time of day and, unless asked for, no duration: the same input,
// configuration and seeds give the same JSON.
type Report struct {
	Schema string `json:"schema"`
	Input  Input  `json:"input"`
	// Order is the order in which the pods of the replayed runs arrived (package
	// sim).
	Order string `json:"order"`
	// Seeds is how many times each run with chance in it was done, with the
	// seeds FirstSeed, FirstSeed+1, ... Runs are paired by seed.
	Seeds     int    `json:"seeds"`
	FirstSeed uint64 `json:"firstSeed"`
	// Assumed is what Services were assumed to say other than in the input; missing
	// when nothing was.
	Assumed []Route `json:"assumed,omitempty"`
	// PricePerGB is the price of 1e9 bytes between zones, in any currency; 0: not
	// asked for.
	PricePerGB float64 `json:"pricePerGB,omitempty"`
	// Baseline is the name of the run that the differences and changes of all
	// others are against; empty: there are none.
	Baseline string `json:"baseline,omitempty"`
	// Levels names all levels, the nearest first, where there are others than node,
	// zone and region.
	Levels []string `json:"levels,omitempty"`
	// LossUnit is what Figures.AfterNodeLoss and AfterZoneLoss count: "requests", or
	// "bytes" where no edge has requests; missing without traffic.
	LossUnit string `json:"lossUnit,omitempty"`
	// Runs are in the order in which they were asked for.
	Runs []Run `json:"runs"`
	// RoutingAdvice ranks the workloads whose Services would save something with
	// another trafficDistribution, the most first; missing unless asked for.
	RoutingAdvice []Advice `json:"routingAdvice,omitempty"`
	// Warnings say what a reader of the figures must know; never null.
	Warnings []string `json:"warnings"`
}

// Input says what was replayed.
type Input struct {
	Name      string `json:"name"`
	Nodes     int    `json:"nodes"`
	Workloads int    `json:"workloads"`
	// Pods is how many pods the workloads want.
	Pods  int `json:"pods"`
	Edges int `json:"edges"`
	// BytesPerSecond is all traffic; ExternalBytesPerSecond the part that has an
	// end outside the cluster, which no assignment can keep local.
	BytesPerSecond         float64 `json:"bytesPerSecond"`
	ExternalBytesPerSecond float64 `json:"externalBytesPerSecond"`
	// From and To are there for recordings over time. All rates are means from
	// WarmUpUntil to To, and what has no rate is as it is at the end.
	From        *time.Time `json:"from,omitempty"`
	To          *time.Time `json:"to,omitempty"`
	WarmUpUntil *time.Time `json:"warmUpUntil,omitempty"`
	// Gaps is how many steps of the recording have no traffic because nothing was
	// observed; they are not measured.
	Gaps int `json:"gaps,omitempty"`
	// LeftOut is what the telemetry reported but BytesPerSecond does not have; missing
	// when there is nothing, or when it is not known.
	LeftOut []LeftOut `json:"leftOut,omitempty"`
}

// Route is a trafficDistribution that was assumed for one Service, for those of
// one workload, or for all.
type Route struct {
	// Service is namespace/name of a Service or a workload, or "all".
	Service string `json:"service"`
	// TrafficDistribution is as Kubernetes spells it; "Any" stands for none.
	TrafficDistribution string `json:"trafficDistribution"`
	// Services is how many Services were changed.
	Services int `json:"services"`
}

// Run is one configuration, or an assignment that was there before.
type Run struct {
	Name string `json:"name"`
	// Config is the configuration file, or what stands in its place.
	Config string `json:"config"`
	// Replayed is false for an assignment that was measured as it is: then order
	// and seeds do not concern it.
	Replayed bool `json:"replayed"`
	// Summary is over all seeds.
	Summary Figures[sim.Estimate] `json:"summary"`
	// Difference is Summary minus that of the baseline, paired by seed; it is
	// null in the baseline itself. A baseline of one outcome stands against every
	// seed.
	Difference *Figures[sim.Estimate] `json:"difference"`
	// PerSeed has the figures of each seed; exactly one element when there is no
	// chance in the run.
	PerSeed []Seed `json:"perSeed"`
	// Edges and WorkloadChanges are the ten at most whose traffic on the node
	// changes most against the baseline, either way, as the Services are routed;
	// of both runs the first seed. The largest change is first.
	Edges           []Change `json:"edgeChanges,omitempty"`
	WorkloadChanges []Change `json:"workloadChanges,omitempty"`
	// Timing is there when asked for: no two replays share it.
	Timing *Timing `json:"timing,omitempty"`
	// Timeline is there for recordings over time.
	Timeline []Moment `json:"timeline,omitempty"`

	samples []Sample
}

// Seed is the result with one seed.
type Seed struct {
	// Seed is missing when the run was not replayed.
	Seed *uint64 `json:"seed,omitempty"`
	// BusiestWorkload and BusiestNode are those of Figures.BusiestEndpoint; they
	// are missing when nothing is called, or when the sample had no cluster.
	BusiestWorkload *Workload `json:"busiestWorkload,omitempty"`
	BusiestNode     string    `json:"busiestNode,omitempty"`
	// WorstNode and WorstZone are those whose loss leaves the least; they are
	// missing where Figures.AfterNodeLoss and AfterZoneLoss are.
	WorstNode string `json:"worstNode,omitempty"`
	WorstZone string `json:"worstZone,omitempty"`
	Figures[float64]
}

// Workload names a workload.
type Workload struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func (w Workload) String() string { return w.Namespace + "/" + w.Name }

// Change is what two assignments make of the traffic of an edge (From and To) or
// of a workload with all its peers and itself (From only).
type Change struct {
	From Workload  `json:"from"`
	To   *Workload `json:"to,omitempty"`
	// Total is all its traffic; Before and After are the parts of it that stay
	// local in the baseline and in the run.
	Total  float64 `json:"bytesPerSecond"`
	Before float64 `json:"localBytesPerSecondBefore"`
	After  float64 `json:"localBytesPerSecondAfter"`
}

// Timing is how long the decisions of all seeds took, in seconds. Percentiles are
// by nearest rank.
type Timing struct {
	Decisions int     `json:"decisions"`
	Mean      float64 `json:"meanSeconds"`
	P50       float64 `json:"p50Seconds"`
	P99       float64 `json:"p99Seconds"`
}

// run returns the run of a name, nil when there is none.
func (r *Report) run(name string) *Run {
	for i := range r.Runs {
		if r.Runs[i].Name == name {
			return &r.Runs[i]
		}
	}
	return nil
}

// WriteJSON writes the report with its schema, its differences and warnings.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r.finished()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}
