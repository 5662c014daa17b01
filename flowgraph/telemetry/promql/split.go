package promql

import (
	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Split says how much of what a client exchanges with a Service belongs to each of the
// workloads behind it, where something else than bytes is known of client and workload.
// Where it says nothing, the ready pods decide, as they do without a Split.
type Split struct {
	// Query is PromQL that yields the rates of what tells the workloads apart, such as
	// requests; their unit does not matter. The placeholders are those of Query.Query.
	Query string `json:"query"`
	// Client and Server are the labels that name the two workloads. In their values, _
	// stands for - and . too, as Envoy writes names into those of metrics.
	Client WorkloadLabels `json:"client"`
	Server WorkloadLabels `json:"server"`
}

// WorkloadLabels name a workload.
type WorkloadLabels struct {
	NamespaceLabel string `json:"namespaceLabel"`
	NameLabel      string `json:"nameLabel"`
}

// splitQuery is what the query of a Split is called.
const splitQuery = "split"

// labels returns the labels that the answers to the query must have. reporter is as in
// Definition.labels.
func (s *Split) labels(reporter string) []string {
	all := []string{s.Client.NamespaceLabel, s.Client.NameLabel, s.Server.NamespaceLabel, s.Server.NameLabel}
	if reporter != "" {
		all = append(all, reporter)
	}
	return all
}

// check reports the mistakes in a split.
func (c *checker) split(s *Split) {
	c.path = "split."
	for _, of := range []struct {
		field  string
		labels WorkloadLabels
	}{{"client", s.Client}, {"server", s.Server}} {
		for field, label := range map[string]string{".namespaceLabel": of.labels.NamespaceLabel, ".nameLabel": of.labels.NameLabel} {
			if label == "" {
				c.add(of.field+field, "", "say which label it is; a split is between workloads, which have a namespace and a name")
			}
			c.label(of.field+field, label)
		}
	}
	c.promQL("query", s.Query, s.labels(c.use.Trust.ReporterLabel))
}

// divide takes a series of the split's query.
func (a *answers) divide(series telemetry.Series) {
	of, l := a.source.o.Definition.Split, series.Labels
	id := func(labels WorkloadLabels) flowgraph.WorkloadID {
		return flowgraph.WorkloadID{Namespace: l.Get(labels.NamespaceLabel), Name: l.Get(labels.NameLabel)}
	}
	reporter := ""
	if a.source.o.Trust.Identifies() {
		reporter = l.Get(a.source.o.Trust.ReporterLabel)
	}
	a.Divide(id(of.Client), id(of.Server), reporter, series.Value)
}
