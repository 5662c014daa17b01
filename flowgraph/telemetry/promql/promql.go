package promql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/condition"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promapi"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/tally"
)

// Type is the type, in a TelemetryConfiguration, of a source whose definition is there too.
const Type = "promql"

// Options configures a Source.
type Options struct {
	// Name is the source's name, Type its type in a TelemetryConfiguration.
	Name, Type string
	Definition Definition
	// Window is the range of the rates, whole seconds.
	Window time.Duration
	// Cluster is what the telemetry calls the cluster that is scheduled; traffic that names
	// another is left out. When it is empty, only traffic that names two different clusters
	// is.
	Cluster string
	// Selector is a list of further PromQL label matchers without braces.
	Selector string
	// Trust says whose reports are believed, and how many are kept.
	Trust telemetry.Trust
	// Resolver finds the workloads behind endpoints of other kinds; nil when there is none.
	Resolver telemetry.Resolver
}

// Source is a source that is data. It implements telemetry.Checker.
type Source struct {
	o              Options
	queries        []telemetry.Query // in the order of metrics, and that of the split
	metrics        []tally.Metric
	client, server []endReader
}

var _ telemetry.Checker = (*Source)(nil)

// New returns the source for a definition. Its errors are the mistakes in it.
func New(o Options) (*Source, error) {
	o.Definition = o.Definition.WithDefaults()
	if o.Window < time.Second || o.Window%time.Second != 0 {
		return nil, fmt.Errorf("window %v: must be whole seconds, at least one", o.Window)
	}
	if err := promapi.ValidateSelector(o.Selector); err != nil {
		return nil, fmt.Errorf("selector: %w", err)
	}
	var mistakes []error
	for _, m := range o.Definition.Check(Use{o.Cluster, o.Selector, &o.Trust}) {
		mistakes = append(mistakes, fmt.Errorf("%s: %s", m.Field, m.Text))
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	s := &Source{o: o, client: readersOf(o.Definition.Client), server: readersOf(o.Definition.Server)}
	for _, q := range o.Definition.Queries {
		s.queries = append(s.queries, telemetry.Query{Name: q.Name, PromQL: s.expand(q.Query, o.Definition.labels(o.Trust.ReporterLabel))})
		quantity := map[Measure]tally.Quantity{Sent: tally.Sent, Received: tally.Received, Requests: tally.Requests}[q.Measures]
		s.metrics = append(s.metrics, tally.Metric{Query: q.Name, Quantity: quantity})
	}
	if split := o.Definition.Split; split != nil {
		s.queries = append(s.queries, telemetry.Query{Name: splitQuery, PromQL: s.expand(split.Query, split.labels(o.Trust.ReporterLabel))})
	}
	return s, nil
}

// expand fills in the placeholders of a query.
func (s *Source) expand(query string, labels []string) string {
	return expand(query, labels, strings.TrimRight(strings.TrimSpace(s.o.Selector), ", "), fmt.Sprintf("%ds", s.o.Window/time.Second))
}

// Name returns the name of the source.
func (s *Source) Name() string { return s.o.Name }

// Queries returns the queries, with their placeholders filled in.
func (s *Source) Queries() []telemetry.Query { return slices.Clone(s.queries) }

// About implements telemetry.Source.
func (s *Source) About() telemetry.About {
	try := "count(" + s.queries[0].PromQL + ")"
	if probes := s.o.Definition.Probes(s.o.Selector); len(probes) > 0 {
		try = "count(" + probes[0].Metrics[0].Series + ")"
	}
	why := condition.NoSeries(s.o.Definition.Scraped, try, s.o.Window)
	return telemetry.About{
		Type: s.o.Type, Window: s.o.Window, Resolves: s.o.Definition.Resolves(), Try: try,
		WhyNone: append(why, condition.NothingSelected(s.o.Selector)...),
	}
}

// Collect implements telemetry.Source.
func (s *Source) Collect(ctx context.Context, q telemetry.Querier, at time.Time) (telemetry.Observation, error) {
	a := s.newAnswers()
	of := len(s.metrics)
	err := telemetry.RunQueries(ctx, q, s.queries[of:], at, func(_ telemetry.Query, series telemetry.Series) error {
		a.divide(series)
		return nil
	})
	if err != nil {
		return telemetry.Observation{}, err
	}
	for i := range s.metrics {
		err := telemetry.RunQueries(ctx, q, s.queries[i:i+1], at, func(_ telemetry.Query, series telemetry.Series) error {
			a.add(i, series)
			return nil
		})
		if err != nil {
			return telemetry.Observation{}, err
		}
	}
	o := a.Observation(at)
	o.Findings = s.findings(a, o)
	return o, nil
}

// answers adds up series until all queries have been answered.
type answers struct {
	*tally.Tally
	source *Source
	taken  map[*endReader]map[string]parts // apart, by the value of the label
	absent map[string]int                  // series that name no end, by the label that they lack
}

func (s *Source) newAnswers() *answers {
	reporters := tally.OneEnd
	switch s.o.Definition.Reporters.By {
	case ByBoth:
		reporters = tally.BothEnds
	case ByAgents:
		reporters = tally.Agents
	}
	return &answers{
		Tally: tally.New(tally.Options{
			Source: s.o.Name, Metrics: s.metrics, Reporters: reporters, Largest: s.o.Definition.Reporters.Instances == Maximum,
			Cluster: s.o.Cluster, Trust: &s.o.Trust, Resolver: s.o.Resolver,
		}),
		source: s, taken: map[*endReader]map[string]parts{}, absent: map[string]int{},
	}
}

// add takes one series of the query with this index.
func (a *answers) add(query int, series telemetry.Series) {
	s, l := a.source, series.Labels
	by, q := &s.o.Definition.Reporters, &s.o.Definition.Queries[query]
	r := tally.Report{Metric: query, Value: series.Value * q.Unit.bytes(), Scraped: l.Get(clusterLabel)}
	switch {
	case by.By == ByServer, by.By == ByBoth && l.Get(by.Label) == by.ServerValue:
		r.End = tally.Server
	case by.By == ByBoth && l.Get(by.Label) != by.ClientValue:
		a.Invalid(query)
		return
	}
	if s.o.Trust.Identifies() {
		r.Namespace = l.Get(s.o.Trust.ReporterLabel)
	}
	if by.InstanceLabel != "" {
		r.Instance = l.Get(by.InstanceLabel)
	}
	from, to := a.read(s.client, l), a.read(s.server, l)
	lacks := [2]string{from.lacks, to.lacks}
	if q.Reversed {
		from, to = to, from
	}
	r.From, r.To, r.Clusters = from.endpoint, to.endpoint, [2]string{from.cluster, to.cluster}
	switch {
	case a.Elsewhere(from.cluster, to.cluster):
		r.Reason = telemetry.OtherCluster
	case from.reason != telemetry.Included:
		r.Reason = from.reason
	default:
		r.Reason = to.reason
	}
	if !a.Add(&r) {
		return
	}
	for _, label := range lacks {
		if label != "" {
			a.absent[label]++
		}
	}
}
