// Package report is what a replay says: the figures of several runs side by side, as a
// table, as JSON and as a page. It computes means and differences of package cut's
// outcomes and runs nothing itself. A Report is complete when New returns it, and does
// not change.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/price"
	"github.com/vicinity-sched/vicinity/internal/replayinput"
	"github.com/vicinity-sched/vicinity/internal/usage"
)

// APIVersion and Kind name the JSON output. A change that could break a reader gets
// another version; new fields do not.
const (
	APIVersion = "report.vicinity.dev/v2"
	Kind       = "Replay"
)

// Draft is what a report is made from.
type Draft struct {
	// Input says what was replayed, Order, Rollouts, Seeds and FirstSeed how: see
	// document.
	Input     Input
	Order     string
	Rollouts  int
	Seeds     int
	FirstSeed uint64
	// Price is what traffic between zones costs; nil: nobody asked.
	Price *price.List
	// Baseline is the name of the run that all others are compared with; "" for none.
	Baseline string
	// Runs are in the order in which they are shown; those under an assumed routing have
	// the names that Assuming gives.
	Runs []Run
	// Assumed is the routing of the runs with RoutingAssumed.
	Assumed []Route
	// Today and Vicinity are the names of the runs that the summary is about; "" for
	// none.
	Today, Vicinity string
	// Settable tells of each workload, by position, whether it has a Service that can be
	// routed; Excepted whether calls from a namespace would stay as they are all the
	// same, by a rule there. Without Settable there is no advice on routing; nil for
	// Excepted is none.
	Settable []bool
	Excepted func(workload int32, callerNamespace string) bool
	// Warnings and Notes are what a reader must and may know besides what the report
	// finds itself.
	Warnings, Notes []string
}

// Report is the result of a replay.
type Report struct{ document }

// document is the JSON output. Rates are bytes per second in both directions, shares
// are between 0 and 1; numbers have nine significant digits. It holds no time of day
// and, unless asked for, no duration: the same input, configuration and seeds give the
// same JSON.
type document struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Input      Input  `json:"input"`
	// Order is the order in which the pods of the replayed runs arrived (package
	// sim).
	Order string `json:"order"`
	// Rollouts is how many rollouts followed one another; missing for one, and for other
	// orders.
	Rollouts int `json:"rollouts,omitempty"`
	// Seeds is how many times each run with chance in it was done, with the
	// seeds FirstSeed, FirstSeed+1, ... Runs are paired by seed.
	Seeds     int    `json:"seeds"`
	FirstSeed uint64 `json:"firstSeed"`
	// Price is what traffic between zones costs; missing when nobody asked.
	Price *price.List `json:"price,omitempty"`
	// Baseline is the name of the run that the differences and changes of all
	// others are against; empty: there are none.
	Baseline string `json:"baseline,omitempty"`
	// Levels names all levels, the nearest first, where there are others than node,
	// zone and region.
	Levels []string `json:"levels,omitempty"`
	// LossUnit is what Figures.AfterNodeLoss and AfterZoneLoss count: "requests", or
	// "bytes" where no edge has requests; missing without traffic.
	LossUnit string `json:"lossUnit,omitempty"`
	// Assumed is the routing of the runs whose routing is "assumed"; missing without any.
	Assumed []Route `json:"assumed,omitempty"`
	// Summary is the answer in short: today, another routing, Vicinity, and both.
	Summary []Column `json:"summary"`
	// Runs are in the order in which they were asked for, those with the assumed routing
	// last.
	Runs []Run `json:"runs"`
	// RoutingAdvice ranks the workloads whose Services would save something with
	// another trafficDistribution, the most first; missing when there are none.
	RoutingAdvice []Advice `json:"routingAdvice,omitempty"`
	// RoutingTotals has what each option of the advice saves for all of these workloads
	// together.
	RoutingTotals []Option `json:"routingTotals,omitempty"`
	// Warnings say what a reader of the figures must know; never null.
	Warnings []string `json:"warnings"`
	// Notes say what was decided for the reader; missing without any.
	Notes []string `json:"notes,omitempty"`
}

// New makes the report of a draft: differences, changes, advice, the summary and the
// warnings.
func New(d Draft) *Report {
	r := &Report{document{
		APIVersion: APIVersion, Kind: Kind, Input: d.Input, Order: d.Order, Seeds: d.Seeds, FirstSeed: d.FirstSeed,
		Price: d.Price, Baseline: d.Baseline, Assumed: d.Assumed, Runs: slices.Clone(d.Runs), Notes: d.Notes,
	}}
	if d.Rollouts > 1 {
		r.Rollouts = d.Rollouts
	}
	if r.Runs == nil {
		r.Runs = []Run{}
	}
	r.Input.BytesPerSecond, r.Input.ExternalBytesPerSecond = rounded(d.Input.BytesPerSecond), rounded(d.Input.ExternalBytesPerSecond)
	r.Input.LeftOut = roundedLeftOut(d.Input.LeftOut)
	r.compareRuns()
	r.LossUnit = r.lossUnit()
	if len(r.Runs) > 0 && len(r.Runs[0].Summary.Labelled) > 0 {
		scale := r.Runs[0].Summary.scale()
		for _, l := range scale.Levels() {
			r.Levels = append(r.Levels, scale.Name(l))
		}
	}
	r.Summary = r.summarize(d.Today, d.Vicinity)
	r.advise(d)
	r.Warnings = append(append([]string{}, d.Warnings...), r.warnings()...)
	return r
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

// Routing says which routing the runs of a report are under.
type Routing string

const (
	// RoutingToday is as the input's Services and rules say.
	RoutingToday Routing = "today"
	// RoutingAssumed is what Report.Assumed says.
	RoutingAssumed Routing = "assumed"
)

// Assuming is the name of a run under the assumed routing.
func Assuming(name string) string { return name + "+routing" }

// AssumedTitle follows the title of a run under the assumed routing.
const AssumedTitle = ", routing assumed"

// Run is one configuration, or an assignment that was there before, under one routing.
type Run struct {
	Name string `json:"name"`
	// Title is what people call it.
	Title   string  `json:"title"`
	Routing Routing `json:"routing"`
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
	// Assignment is where the pods that serve are at the end, of the first seed; missing
	// when the sample had no cluster.
	Assignment []Placed `json:"assignment,omitempty"`

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

// Placed says how many pods of a workload are on a node.
type Placed struct {
	Workload Workload `json:"workload"`
	Node     string   `json:"node"`
	Pods     int      `json:"pods"`
}

// WriteJSON writes the whole report.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(&r.document); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// WriteAssignment writes where a run has the pods, of its first seed, as CSV with the
// columns workload, node and pods. An empty name is the run of Vicinity under the assumed
// routing, or else the last run of the summary.
func (r *Report) WriteAssignment(w io.Writer, name string) error {
	if name == "" && len(r.Summary) > 0 {
		name = r.Summary[len(r.Summary)-1].Run
	}
	run := r.run(name)
	if run == nil {
		var names []string
		for i := range r.Runs {
			names = append(names, r.Runs[i].Name)
		}
		return usage.Errorf("there is no run %q; there are %s", name, strings.Join(names, ", "))
	}
	first := &run.samples[0]
	if first.Cluster == nil || first.Assigned == nil {
		return fmt.Errorf("the assignment of %s is not known", name)
	}
	return replayinput.WriteAssignment(w, first.Cluster, first.Assigned)
}
