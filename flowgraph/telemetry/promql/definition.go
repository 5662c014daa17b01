// Package promql is the telemetry source that is data: PromQL for each direction of the
// traffic, and which labels of its answers name the two ends. The meshes that need no logic
// of their own are such data, and so is what users add in a configuration. The package
// checks PromQL as far as that takes no parser, so that a scheduler need not link one.
package promql

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Definition is a source as data, as a configuration has it.
type Definition struct {
	// Scraped is what has the metrics, in messages, such as "the agents of Caretta".
	Scraped string `json:"scraped,omitempty"`
	// Queries are run one after the other, at most 8. What several of them measure of the
	// same ends is added up.
	Queries []Query `json:"queries"`
	// Wanted are labels that the queries make use of where they are there.
	Wanted []Wanted `json:"wanted,omitempty"`
	// Client says how the labels name the end that opened the connection or sent the
	// request, and Server the end that served it. The first alternative counts whose labels
	// are there.
	Client []End `json:"client"`
	Server []End `json:"server"`
	// Reporters says who reports, and what counts where several report the same.
	Reporters Reporters `json:"reporters,omitzero"`
	// Split divides what a client exchanges with a Service over the workloads behind it.
	Split *Split `json:"split,omitempty"`
}

// Query is one query.
type Query struct {
	// Name says what is asked for, in messages (default: what it measures).
	Name string `json:"name,omitempty"`
	// Query is PromQL that yields an instant vector of rates. In it stand $labels for
	// the labels that the source needs, $selector for the source's selector, and $window for
	// its window.
	Query string `json:"query"`
	// Measures is "sent" (from the client to the server), "received" (back) or "requests".
	Measures Measure `json:"measures"`
	// Unit is that of the values in a second: "bytes" (default), "bits", "kilobytes" (1000)
	// or "kibibytes" (1024). Requests have none.
	Unit Unit `json:"unit,omitempty"`
	// Reversed says that the labels of the client name the server in this query, and the
	// other way round.
	Reversed bool `json:"reversed,omitempty"`
}

// Measure is what a query measures.
type Measure string

// The measures.
const (
	Sent     Measure = "sent"
	Received Measure = "received"
	Requests Measure = "requests"
)

// Measures returns every measure.
func Measures() []Measure { return []Measure{Sent, Received, Requests} }

// Unit is the unit of a query's values, without the second.
type Unit string

// The units.
const (
	Bytes     Unit = "bytes"
	Bits      Unit = "bits"
	Kilobytes Unit = "kilobytes"
	Kibibytes Unit = "kibibytes"
)

// Units returns every unit.
func Units() []Unit { return []Unit{Bytes, Bits, Kilobytes, Kibibytes} }

// bytes is how many bytes one of the unit is.
func (u Unit) bytes() float64 {
	switch u {
	case Bits:
		return 1.0 / 8
	case Kilobytes:
		return 1000
	case Kibibytes:
		return 1024
	}
	return 1
}

// End is one way in which labels name an end.
type End struct {
	// Kind is what is named: "workload" (default), "service", "pod", "replicaset", "job",
	// "app" (pods with a label), "address" (of a pod or a Service) or "consul-service"; or
	// something that is left out: "external" (outside the cluster, unless the configuration has
	// a site with its host or address), "elsewhere" (in another cluster), "passthrough" (an
	// address that the mesh does not know), "ambiguous" or "unknown-workload". An "external"
	// without labels is what no other alternative names.
	Kind Kind `json:"kind,omitempty"`
	// KindLabel has the kind instead: Service, Pod, ReplicaSet, Job, Node and external as in
	// Kind; any other value is the kind of a workload. Without a value nothing is named.
	KindLabel string `json:"kindLabel,omitempty"`
	// NamespaceLabel has the namespace, or else Namespace is it. A "service" without
	// either is the only one of its name in the cluster, a "consul-service" is in Consul's
	// namespace default.
	NamespaceLabel string `json:"namespaceLabel,omitempty"`
	Namespace      string `json:"namespace,omitempty"`
	// NameLabel has the name, or the value of PodLabel, or the address, or the host of what
	// is external.
	NameLabel string `json:"nameLabel,omitempty"`
	// Label has several parts, which Pattern takes apart: a regular expression (RE2) that
	// matches the whole value, with groups called name and, as needed, namespace, kind and
	// cluster. They take the place of the other labels. Where another label has the name, a
	// Pattern without groups says of which values of Label the alternative is.
	Label   string `json:"label,omitempty"`
	Pattern string `json:"pattern,omitempty"`
	// PodLabel is the label of pods whose value an "app" has (default "app").
	PodLabel string `json:"podLabel,omitempty"`
	// ClusterLabel has the name of the end's cluster. Without one, or where it says
	// nothing, the end is taken to be in the cluster that is scheduled.
	ClusterLabel string `json:"clusterLabel,omitempty"`
}

// labels returns the labels that are read for the end.
func (e *End) labels() []string {
	return slices.DeleteFunc([]string{e.KindLabel, e.NamespaceLabel, e.NameLabel, e.Label, e.ClusterLabel}, func(l string) bool { return l == "" })
}

// Reporters says who reports the traffic, and what counts where several report the same.
type Reporters struct {
	// By is who reports: the proxies at the end of the "client" (default) or of the
	// "server"; "both", of which the larger report counts; or "agents", which are neither
	// end, such as those of eBPF on nodes.
	By By `json:"by,omitempty"`
	// Label tells with "both" which end reports: its value is ClientValue or ServerValue.
	Label       string `json:"label,omitempty"`
	ClientValue string `json:"clientValue,omitempty"`
	ServerValue string `json:"serverValue,omitempty"`
	// Instances says what several reporters of the same end mean: "sum" (default), where
	// each reports a part of the traffic, or "maximum", where each may report all of it.
	Instances Instances `json:"instances,omitempty"`
	// InstanceLabel tells with "maximum" the reporters apart.
	InstanceLabel string `json:"instanceLabel,omitempty"`
}

// By is who reports.
type By string

// Who may report.
const (
	ByClient By = "client"
	ByServer By = "server"
	ByBoth   By = "both"
	ByAgents By = "agents"
)

// Bys returns every value.
func Bys() []By { return []By{ByClient, ByServer, ByBoth, ByAgents} }

// Instances is what several reporters of the same end mean.
type Instances string

// What they may mean.
const (
	Sum     Instances = "sum"
	Maximum Instances = "maximum"
)

// InstancesValues returns every value.
func InstancesValues() []Instances { return []Instances{Sum, Maximum} }

// WithDefaults returns a copy in which what is not set is filled in.
func (d Definition) WithDefaults() Definition {
	d.Queries, d.Client, d.Server = slices.Clone(d.Queries), slices.Clone(d.Client), slices.Clone(d.Server)
	d.SetDefaults()
	return d
}

// SetDefaults fills in what is not set.
func (d *Definition) SetDefaults() {
	setDefault(&d.Scraped, "what has the metrics of this source")
	for i := range d.Queries {
		q := &d.Queries[i]
		setDefault(&q.Name, string(q.Measures))
		if q.Measures != Requests {
			setDefault(&q.Unit, Bytes)
		}
	}
	for _, ends := range [][]End{d.Client, d.Server} {
		for i := range ends {
			e := &ends[i]
			if e.KindLabel == "" {
				setDefault(&e.Kind, Kind(telemetry.WorkloadEndpoint.String()))
			}
			if e.Kind == Kind(telemetry.AppEndpoint.String()) {
				setDefault(&e.PodLabel, "app")
			}
		}
	}
	setDefault(&d.Reporters.By, ByClient)
	setDefault(&d.Reporters.Instances, Sum)
}

func setDefault[T ~string](field *T, value T) {
	if *field == "" {
		*field = value
	}
}

// Resolves reports whether the definition may name other endpoints than workloads.
func (d *Definition) Resolves() bool {
	return slices.ContainsFunc(slices.Concat(d.Client, d.Server), func(e End) bool {
		return e.KindLabel != "" || e.Pattern != "" && hasGroup(e.Pattern, "kind") ||
			e.Kind != "" && !e.Kind.isLeftOut() && e.Kind != Kind(telemetry.WorkloadEndpoint.String())
	})
}

// clusterLabel is what metrics servers call a cluster by convention.
const clusterLabel = "cluster"

// labels returns the labels that the answers must have, each once. reporter has the
// namespace of the target, "" where nobody asks for it.
func (d *Definition) labels(reporter string) []string {
	var all []string
	add := func(labels ...string) {
		for _, l := range labels {
			if l != "" && !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	add(d.Reporters.Label, d.Reporters.InstanceLabel)
	for _, e := range slices.Concat(d.Client, d.Server) {
		add(e.labels()...)
	}
	add(clusterLabel, reporter)
	return all
}
