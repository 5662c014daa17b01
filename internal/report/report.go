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

// document is the output of vicinity replay -o json. Rates are bytes per second in both
// directions, shares are between 0 and 1, and numbers have nine significant digits. The
// same input, configuration and seeds give the same document, except for the field
// timing, which is there only when --timing asks for it.
type document struct {
	// APIVersion is the version of the format. A change that could break a reader gets
	// another version; new fields do not.
	APIVersion string `json:"apiVersion"`
	// Kind is the kind of the document.
	Kind string `json:"kind"`
	// Input is what was replayed.
	Input Input `json:"input"`
	// Order is what happened to the pods of the replayed runs: "rollout", "random",
	// "by-workload", "recorded", "scale-out" or "consolidation" (docs/replay.md).
	Order string `json:"order"`
	// Rollouts is how many rollouts followed one another. Missing unless there were several.
	Rollouts int `json:"rollouts,omitempty"`
	// Seeds is how many times each run with chance in it was replayed, each time with
	// another seed. Runs are paired by seed.
	Seeds int `json:"seeds"`
	// FirstSeed is the first of these seeds. The others follow it one by one.
	FirstSeed uint64 `json:"firstSeed"`
	// Price is what traffic between zones costs. Missing when no price was given.
	Price *price.List `json:"price,omitempty"`
	// Baseline is the name of the run that all others are compared with. Missing when they
	// are compared with none.
	Baseline string `json:"baseline,omitempty"`
	// Levels are the names of all levels, the nearest first. Missing when there are only
	// node, zone and region.
	Levels []string `json:"levels,omitempty"`
	// LossUnit is what completeShare is a share of: "requests", or "bytes" when no edge has
	// requests. Missing without traffic.
	LossUnit string `json:"lossUnit,omitempty"`
	// Assumed is the routing of the runs whose routing is "assumed". Missing when there are
	// no such runs.
	Assumed []Route `json:"assumed,omitempty"`
	// Summary is the answer in short, in up to four columns: today, another routing,
	// Vicinity, and both. It is empty when neither the run recorded nor the run default is
	// there.
	Summary []Column `json:"summary"`
	// Runs are all runs, in the order in which they were asked for. Those with the assumed
	// routing are last.
	Runs []Run `json:"runs"`
	// RoutingAdvice is the ranking of the workloads whose Services would save something with
	// another trafficDistribution, the largest saving first. It is relative to today's
	// routing. Missing when nothing would be saved, and when there is no run to measure it
	// with.
	RoutingAdvice []Advice `json:"routingAdvice,omitempty"`
	// RoutingTotals are what each trafficDistribution of routingAdvice saves for all of its
	// workloads together. The loads in it are those of the busiest pod of all of them.
	// Missing without routingAdvice.
	RoutingTotals []Option `json:"routingTotals,omitempty"`
	// Warnings are what a reader of the figures must know.
	Warnings []string `json:"warnings"`
	// Notes are what was decided for the reader. Missing when there are none.
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
	r.Input.SitesBytesPerSecond = rounded(d.Input.SitesBytesPerSecond)
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
	r.Notes = append(slices.Clip(r.Notes), r.notesOfSites()...)
	r.Warnings = append(append([]string{}, d.Warnings...), r.warnings()...)
	return r
}

// Input is what was replayed.
type Input struct {
	// Name is the name of the input's file, or of a generated mesh.
	Name string `json:"name"`
	// Nodes is the number of nodes, at the end of a recording.
	Nodes int `json:"nodes"`
	// Workloads is the number of workloads, at the end of a recording.
	Workloads int `json:"workloads"`
	// Pods is how many pods the workloads want.
	Pods int `json:"pods"`
	// Edges is the number of edges: pairs of a caller and a callee.
	Edges int `json:"edges"`
	// BytesPerSecond is all traffic.
	BytesPerSecond float64 `json:"bytesPerSecond"`
	// ExternalBytesPerSecond is the part of bytesPerSecond with an end outside the cluster
	// that is no site. No assignment can keep it local.
	ExternalBytesPerSecond float64 `json:"externalBytesPerSecond"`
	// SitesBytesPerSecond is the part of bytesPerSecond that workloads exchange with sites
	// outside the cluster. It leaves its node wherever pods run, and stays in the zone and the
	// region of the site as far as pods are there. Missing without sites.
	SitesBytesPerSecond float64 `json:"sitesBytesPerSecond,omitempty"`
	// Sites are the sites that edges name. Missing when there are none.
	Sites []Site `json:"sites,omitempty"`
	// From is when the recording begins. Missing for a cluster at one moment.
	From *time.Time `json:"from,omitempty"`
	// To is when the recording ends. Missing for a cluster at one moment.
	To *time.Time `json:"to,omitempty"`
	// WarmUpUntil is when the warm-up ends and the measurement begins. Rates are means over
	// the time from then to the end; other figures describe the end. Missing for a cluster at
	// one moment.
	WarmUpUntil *time.Time `json:"warmUpUntil,omitempty"`
	// Gaps is how many steps of the recording have no traffic because nothing was observed.
	// They are not measured. Missing when there are none.
	Gaps int `json:"gaps,omitempty"`
	// LeftOut is what the telemetry reported but bytesPerSecond does not include. Missing
	// when there is nothing, or when it is not known.
	LeftOut []LeftOut `json:"leftOut,omitempty"`
}

// Route is a trafficDistribution that was assumed.
type Route struct {
	// Service is the namespace/name of a Service or of a workload with all its Services, or
	// "all".
	Service string `json:"service"`
	// TrafficDistribution is the value as Kubernetes spells it, or "Any" for none.
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
	// Name is the unique name of the run. It ends in "+routing" when the routing is
	// "assumed".
	Name string `json:"name"`
	// Title is the name in words.
	Title string `json:"title"`
	// Routing is how calls are divided over endpoints: "today" means as the Services and
	// rules of the input say, "assumed" as the document's field assumed says.
	Routing Routing `json:"routing"`
	// Config is the scheduler configuration that placed the pods, or the file that the
	// assignment was read from.
	Config string `json:"config"`
	// Replayed is whether a scheduler placed the pods. When it is false, the assignment was
	// measured as it is: order and seeds do not apply.
	Replayed bool `json:"replayed"`
	// Summary is the mean of each figure over all seeds.
	Summary Figures[sim.Estimate] `json:"summary"`
	// Difference is the run's summary minus the baseline's, paired by seed. A baseline with
	// one outcome is compared with every seed. Null in the baseline itself, and without a
	// baseline.
	Difference *Figures[sim.Estimate] `json:"difference"`
	// PerSeed are the figures of each seed. There is one element when the run has no chance
	// in it.
	PerSeed []Seed `json:"perSeed"`
	// Edges are up to ten edges whose traffic within nodes changes most against the
	// baseline, either way, the largest change first. Each run is measured with its own
	// routing and its first seed. Missing in the baseline, and when nothing changes.
	Edges []Change `json:"edgeChanges,omitempty"`
	// WorkloadChanges are up to ten workloads whose traffic within nodes, over all their
	// edges, changes most in the same sense. Missing in the baseline, and when nothing
	// changes.
	WorkloadChanges []Change `json:"workloadChanges,omitempty"`
	// Timing is how long the decisions took. It differs from replay to replay. Missing
	// unless --timing asks for it, and when the run was not replayed.
	Timing *Timing `json:"timing,omitempty"`
	// Timeline is the traffic over time. Missing for a cluster at one moment.
	Timeline []Moment `json:"timeline,omitempty"`
	// Assignment is where the pods that serve are at the end, of the first seed. Missing
	// when there are no such pods.
	Assignment []Placed `json:"assignment,omitempty"`

	samples []Sample
}

// Seed is the result of a run with one seed.
type Seed struct {
	// Seed is the seed. Missing when the run was not replayed.
	Seed *uint64 `json:"seed,omitempty"`
	// BusiestWorkload is the workload of the pod that busiestEndpoint is about. Missing when
	// nothing is called.
	BusiestWorkload *Workload `json:"busiestWorkload,omitempty"`
	// BusiestNode is the node of that pod. Missing when nothing is called.
	BusiestNode string `json:"busiestNode,omitempty"`
	// WorstNode is the node whose loss leaves the least. Missing without traffic.
	WorstNode string `json:"worstNode,omitempty"`
	// WorstZone is the zone whose loss leaves the least. Missing without traffic or without
	// zones.
	WorstZone string `json:"worstZone,omitempty"`
	Figures[float64]
}

// Workload is the name of a workload: the top-level controller of pods.
type Workload struct {
	// Namespace is the namespace of the workload.
	Namespace string `json:"namespace"`
	// Name is the name of the workload within the namespace.
	Name string `json:"name"`
}

func (w Workload) String() string { return w.Namespace + "/" + w.Name }

// Change is the traffic of an edge, or of a workload with all its peers and itself, sites
// excepted, that stays local in two runs.
type Change struct {
	// From is the caller of the edge, or the workload.
	From Workload `json:"from"`
	// To is the callee of the edge. Missing in workloadChanges.
	To *Workload `json:"to,omitempty"`
	// Total is all traffic of the edge or the workload.
	Total float64 `json:"bytesPerSecond"`
	// Before is the part of it that stays on its node in the baseline.
	Before float64 `json:"localBytesPerSecondBefore"`
	// After is the part of it that stays on its node in the run.
	After float64 `json:"localBytesPerSecondAfter"`
}

// Timing is how long the decisions of all seeds took. Percentiles are by nearest rank.
type Timing struct {
	// Decisions is the number of decisions.
	Decisions int `json:"decisions"`
	// Mean is the mean time of a decision.
	Mean float64 `json:"meanSeconds"`
	// P50 is the median.
	P50 float64 `json:"p50Seconds"`
	// P99 is the 99th percentile.
	P99 float64 `json:"p99Seconds"`
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

// Placed is a number of pods of one workload on one node.
type Placed struct {
	// Workload is the workload.
	Workload Workload `json:"workload"`
	// Node is the name of the node.
	Node string `json:"node"`
	// Pods is the number of pods.
	Pods int `json:"pods"`
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
		return usage.Errorf("there is no run %q; the runs: %s", name, strings.Join(names, ", "))
	}
	first := &run.samples[0]
	if first.Cluster == nil || first.Assigned == nil {
		return fmt.Errorf("the assignment of %s is not known", name)
	}
	return replayinput.WriteAssignment(w, first.Cluster, first.Assigned)
}
