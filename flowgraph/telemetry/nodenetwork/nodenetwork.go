// Package nodenetwork is the telemetry source for what the networks of nodes take, by
// a query that the user knows: node_exporter, a cloud's exporter or a recording rule.
// It knows nothing of what is sent over them.
package nodenetwork

import (
	"context"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Source implements telemetry.Source.
type Source struct {
	name  string
	query telemetry.Query
	label string
}

var _ telemetry.Source = (*Source)(nil)

// New returns a source of some name. The query yields an instant vector of bytes per
// second in each direction, and the label has the node's name.
func New(name, query, label string) *Source {
	return &Source{name: name, query: telemetry.Query{Name: "capacity", PromQL: query}, label: label}
}

// Name returns the name of the source.
func (s *Source) Name() string { return s.name }

// Queries returns the query.
func (s *Source) Queries() []telemetry.Query { return []telemetry.Query{s.query} }

// Collect runs the query at the given time. Of several values for a node the largest
// counts. Series without the label, and those whose value can be no capacity (that of
// a network of unknown speed is negative in node_exporter), are left out as invalid.
func (s *Source) Collect(ctx context.Context, q telemetry.Querier, at time.Time) (telemetry.Observation, error) {
	seen := telemetry.Observation{NetworkCapacity: map[string]float64{}}
	invalid := telemetry.LeftOut{}
	err := telemetry.RunQueries(ctx, q, s.Queries(), at, func(_ telemetry.Query, series telemetry.Series) error {
		seen.Series++
		node := series.Labels.Get(s.label)
		if node == "" || !series.Valid() || series.Value == 0 {
			invalid.Series++
			return nil
		}
		seen.NetworkCapacity[node] = max(seen.NetworkCapacity[node], series.Value)
		return nil
	})
	if err != nil {
		return telemetry.Observation{}, err
	}
	if invalid.Series > 0 {
		seen.LeftOut = map[telemetry.Reason]telemetry.LeftOut{telemetry.Invalid: invalid}
	}
	return seen, nil
}
