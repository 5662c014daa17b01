// Package telemetry turns the answers of a metrics server into the flows of a
// [flowgraph.Graph]. A [Source] knows one kind of mesh: its queries, and which [Endpoint]s
// a series names. A [Resolver] knows the workloads behind endpoints. A [Querier] answers
// the queries: an HTTP client for live use, an embedded engine for replay; both run through
// the same mapping. The [Manager] polls the sources and publishes snapshots.
//
// The package knows nothing of Kubernetes, and it does not log: what happened
// is in [Status], which an [Observer] is given after every round.
package telemetry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Querier runs PromQL.
type Querier interface {
	// Query evaluates query as an instant query at the given time and calls
	// yield for each series of the answer, in no particular order. It stops at
	// the first error of yield and returns it. An answer that the server marks
	// as incomplete (a warning, isPartial, a header) is an error of kind Partial;
	// series that were yielded before the error must not be used. What only says
	// something about the query (Prometheus' infos) is not.
	Query(ctx context.Context, query string, at time.Time, yield func(Series) error) error
}

// Labels are the labels of one series. The labels of Prometheus' own engine
// satisfy it.
type Labels interface {
	// Get returns the value of a label, "" when the series does not have it. The
	// string may be kept. Implementations return the same one for a value that
	// many series have, so that Get rarely allocates.
	Get(name string) string
}

// Series is one element of an instant vector.
type Series struct {
	// Labels may be read only until yield returns.
	Labels Labels
	// Value may be NaN or infinite. It is NaN for a native histogram.
	Value float64
}

// Valid reports whether the value can be a rate, see flowgraph.ValidRate.
func (s Series) Valid() bool { return flowgraph.ValidRate(s.Value) }

// Query is one query of a source.
type Query struct {
	// Name says within the source what is asked for, as errors and recordings
	// show it.
	Name string
	// PromQL yields an instant vector.
	PromQL string
}

// Source maps the metrics of one kind of mesh to flows. It reads reports of traffic
// between Endpoints, finds the workloads behind these by a Resolver, and adds the reports
// up; package tally does most of that. It keeps no state of traffic between calls.
type Source interface {
	// Name is unique among the sources of a Manager.
	Name() string
	// About says what people should know of the source.
	About() About
	// Queries returns the queries that Collect runs, the same ones every time. Their
	// answers may lead it to others.
	Queries() []Query
	// Collect runs the queries at the given time. Its error means that nothing
	// of the observation may be used.
	Collect(ctx context.Context, q Querier, at time.Time) (Observation, error)
}

// About is what people should know of a source, and what those who show its answers need
// not find out from its type.
type About struct {
	// Type is the source's type in a TelemetryConfiguration.
	Type string
	// Window is the range of the rates.
	Window time.Duration
	// Resolves says that the source may name other endpoints than workloads.
	Resolves bool
	// Try is PromQL that shows whether the metrics are there at all.
	Try string
	// WhyNone are likely causes of answers without any series, each a sentence, the most
	// likely first.
	WhyNone []string
}

// Companion reads something else than traffic from the same server, and keeps what it
// reads in a store of its own. It is polled with the sources, after them.
type Companion interface {
	// Name is unique among the sources and companions of a Manager.
	Name() string
	// Refresh runs the companion's queries at the given time and keeps what they say.
	// Its error means that nothing was kept; Empty is one.
	Refresh(ctx context.Context, q Querier, at time.Time) (Refreshed, error)
}

// Refreshed is what a Companion has read.
type Refreshed struct {
	// Series is how many series the queries returned.
	Series int
	// LeftOut is how many of them say nothing, by reason.
	LeftOut map[Reason]LeftOut
}

// EmptyError returns the error of answers in which there is nothing of some kind, such as
// "traffic between workloads".
func (r Refreshed) EmptyError(what string) error {
	var leftOut []string
	for _, reason := range Reasons() {
		if n := r.LeftOut[reason].Series; n > 0 {
			leftOut = append(leftOut, fmt.Sprintf("%d %s", n, reason))
		}
	}
	err := fmt.Errorf("there is no %s in %d series", what, r.Series)
	if len(leftOut) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.Join(leftOut, ", "))
	}
	return &QueryError{Failure: Empty, Err: err}
}

// Observation is what one source saw at one time.
type Observation struct {
	// Flows has at most one flow for each pair of From and To.
	Flows []flowgraph.Flow
	// Series is how many series the queries returned.
	Series int
	// Answered is how many series each query returned, by the query's name.
	Answered map[string]int
	// LeftOut is the traffic that belongs to no pair of workloads, by reason.
	LeftOut map[Reason]LeftOut
	// Findings are the conditions that the answers themselves show.
	Findings []Finding
}

// BytesPerSecond is all traffic of the observation, left out or not.
func (o Observation) BytesPerSecond() float64 {
	all := 0.0
	for _, f := range o.Flows {
		all += f.BytesPerSecond()
	}
	for _, l := range o.LeftOut {
		all += l.BytesPerSecond
	}
	return all
}

// SitesBytesPerSecond is the traffic of the flows with sites.
func (o Observation) SitesBytesPerSecond() float64 {
	all := 0.0
	for _, f := range o.Flows {
		if f.From.IsSite() || f.To.IsSite() {
			all += f.BytesPerSecond()
		}
	}
	return all
}

// LeftOut counts traffic that did not become a flow.
type LeftOut struct {
	// Series is how many series of all the source's queries were left out.
	Series int
	// BytesPerSecond is their traffic in both directions, where both ends report it
	// once; 0 for Invalid, UnknownReporter and ForeignReporter, whose values are not
	// believed.
	BytesPerSecond float64
}

// Reason says why traffic did not become a flow.
type Reason int

const (
	// Included is the zero value: the traffic did become a flow. It is never a
	// key of Observation.LeftOut.
	Included Reason = iota
	// MissingLabel is traffic whose series lack a label that names a workload:
	// somebody has removed it. A proxy that does not know one writes "unknown".
	MissingLabel
	// UnknownWorkload is traffic of an endpoint inside the mesh that the
	// telemetry does not name.
	UnknownWorkload
	// External is traffic with something outside the mesh.
	External
	// Passthrough is traffic that the mesh let through to an address it does
	// not know.
	Passthrough
	// BlackHole is traffic that the mesh refused.
	BlackHole
	// OtherCluster is traffic with or within another cluster.
	OtherCluster
	// UnknownReporter is a series that does not say which namespace the target is of that
	// reported it, where that is asked for.
	UnknownReporter
	// ForeignReporter is a series of a target that reports for another namespace.
	ForeignReporter
	// OneSided is traffic between namespaces that one end alone reports, where both must.
	OneSided
	// NoObjects is traffic of an endpoint that is not named as a workload, where no
	// Kubernetes objects are read that would say whose it is.
	NoObjects
	// UnknownObject is traffic of a pod, a ReplicaSet or a Service that is not there, or
	// not any more.
	UnknownObject
	// UnknownAddress is traffic of an IP address that is neither a pod's nor a Service's.
	UnknownAddress
	// NotServing is traffic of a Service or of labelled pods none of which is ready.
	NotServing
	// Ambiguous is traffic of a name or an address that several objects have.
	Ambiguous
	// Surplus is traffic beyond the limits of workloads and edges.
	Surplus
	// Invalid is a series whose value is NaN or negative, or whose labels make
	// no sense, such as names that Kubernetes would refuse.
	Invalid
)

// Reasons returns every reason to leave traffic out, Included excepted.
func Reasons() []Reason {
	return []Reason{
		MissingLabel, UnknownWorkload, External, Passthrough, BlackHole, OtherCluster, UnknownReporter, ForeignReporter, OneSided,
		NoObjects, UnknownObject, UnknownAddress, NotServing, Ambiguous, Surplus, Invalid,
	}
}

// String returns the reason as metrics and the CLI show it, e.g.
// "unknown-workload".
func (r Reason) String() string {
	switch r {
	case Included:
		return "included"
	case MissingLabel:
		return "missing-label"
	case UnknownWorkload:
		return "unknown-workload"
	case External:
		return "external"
	case Passthrough:
		return "passthrough"
	case BlackHole:
		return "black-hole"
	case OtherCluster:
		return "other-cluster"
	case UnknownReporter:
		return "unknown-reporter"
	case ForeignReporter:
		return "foreign-reporter"
	case OneSided:
		return "one-sided"
	case NoObjects:
		return "no-objects"
	case UnknownObject:
		return "unknown-object"
	case UnknownAddress:
		return "unknown-address"
	case NotServing:
		return "not-serving"
	case Ambiguous:
		return "ambiguous"
	case Surplus:
		return "surplus"
	case Invalid:
		return "invalid"
	}
	return fmt.Sprintf("Reason(%d)", int(r))
}

// HasRate reports whether it is known how much traffic is left out for the reason.
func (r Reason) HasRate() bool {
	switch r {
	case Invalid, UnknownReporter, ForeignReporter:
		return false
	}
	return true
}

// RunQueries runs queries one after the other and hands each series to yield
// with the query it answers. Errors name the query. Sources use it in Collect.
func RunQueries(ctx context.Context, q Querier, queries []Query, at time.Time, yield func(Query, Series) error) error {
	for _, query := range queries {
		err := q.Query(ctx, query.PromQL, at, func(s Series) error { return yield(query, s) })
		if err != nil {
			return fmt.Errorf("query %s: %w", query.Name, err)
		}
	}
	return nil
}
