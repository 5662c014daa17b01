// Package nodenetwork reads what the networks of nodes take, by a query that the user
// knows: node_exporter, a cloud's exporter or a recording rule. It knows nothing of what is
// sent over them.
package nodenetwork

import (
	"context"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Reader implements telemetry.Companion.
type Reader struct {
	name  string
	query telemetry.Query
	label string
	store *flowgraph.NodeNetworkStore
}

var _ telemetry.Companion = (*Reader)(nil)

// New returns a reader of some name that publishes to a store. The query yields an instant
// vector of bytes per second in each direction, and the label has the node's name.
func New(name, query, label string, store *flowgraph.NodeNetworkStore) *Reader {
	return &Reader{name: name, query: telemetry.Query{Name: "capacity", PromQL: query}, label: label, store: store}
}

// Name returns the name of the reader.
func (r *Reader) Name() string { return r.name }

// maxNodes is how many nodes are kept, ten times as many as Kubernetes supports.
const maxNodes = 50_000

// Refresh runs the query at the given time. Of several values for a node the largest
// counts. Series without the name of a node, those beyond maxNodes, and those whose value can be no capacity (that of
// a network of unknown speed is negative in node_exporter), are left out as invalid. What
// was read before counts until a query names a node again.
func (r *Reader) Refresh(ctx context.Context, q telemetry.Querier, at time.Time) (telemetry.Refreshed, error) {
	capacity := map[string]float64{}
	var seen telemetry.Refreshed
	invalid := telemetry.LeftOut{}
	err := telemetry.RunQueries(ctx, q, []telemetry.Query{r.query}, at, func(_ telemetry.Query, series telemetry.Series) error {
		seen.Series++
		node := series.Labels.Get(r.label)
		_, known := capacity[node]
		if !flowgraph.ValidName(node) || !series.Valid() || series.Value == 0 || !known && len(capacity) == maxNodes {
			invalid.Series++
			return nil
		}
		capacity[node] = max(capacity[node], series.Value)
		return nil
	})
	if err != nil {
		return telemetry.Refreshed{}, err
	}
	if invalid.Series > 0 {
		seen.LeftOut = map[telemetry.Reason]telemetry.LeftOut{telemetry.Invalid: invalid}
	}
	if len(capacity) == 0 {
		return seen, seen.EmptyError("node's network capacity")
	}
	r.store.Publish(capacity)
	return seen, nil
}
