package sim

import (
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Order is what happens to a cluster's pods: the order in which they arrive, most
// often.
type Order int

const (
	// Random mixes the pods of all workloads, into an empty cluster.
	Random Order = iota
	// ByWorkload deploys one workload after the other, in a random order, into
	// an empty cluster.
	ByWorkload
	// Recorded deploys the workloads in the order of the input, into an empty
	// cluster.
	Recorded
	// Rollout begins with the assignment that was found and restarts every
	// workload once, one after the other in a random order, with a surge of one.
	Rollout
	// ScaleOut begins with the assignment that was found, which has fewer pods than are
	// wanted, and mixes those that are missing.
	ScaleOut
	// Consolidation begins with the assignment that was found and drains the least
	// used node, one after the other, while its pods fit elsewhere. See Consolidate.
	Consolidation
)

// Orders lists all orders.
func Orders() []Order {
	return []Order{Random, ByWorkload, Recorded, Rollout, ScaleOut, Consolidation}
}

// String returns the order's name as flags and reports have it.
func (o Order) String() string {
	switch o {
	case Random:
		return "random"
	case ByWorkload:
		return "by-workload"
	case Recorded:
		return "recorded"
	case Rollout:
		return "rollout"
	case ScaleOut:
		return "scale-out"
	case Consolidation:
		return "consolidation"
	default:
		return fmt.Sprintf("Order(%d)", int(o))
	}
}

// ParseOrder reads what String returns.
func ParseOrder(s string) (Order, error) {
	for _, o := range Orders() {
		if o.String() == s {
			return o, nil
		}
	}
	var names []string
	for _, o := range Orders() {
		names = append(names, o.String())
	}
	return 0, fmt.Errorf("order %q: must be one of %s", s, strings.Join(names, ", "))
}

// Seeded reports whether the order depends on the random source.
func (o Order) Seeded() bool { return o != Recorded }

// Events returns the arrival of a cluster's pods in an order: first the traffic,
// then the pods that have their place (those of fixed workloads, and all of them
// before a rollout and a scale-out), then the others. The same cluster, order and state of
// rng give the same events. Rollout and ScaleOut fail without an assignment, ScaleOut
// also where no pod is missing, and Consolidation in any case: which pods it moves depends on
// where they go (see Consolidate).
func Events(c *cluster.Cluster, order Order, rng *rand.Rand) (iter.Seq[Event], error) {
	if order == Consolidation {
		return nil, fmt.Errorf("order %s: its events are not known before the pods are placed", order)
	}
	if order.beginsPlaced() && c.Assigned == nil {
		return nil, errNoAssignment(order)
	}
	events := []Event{{Kind: Observe, Traffic: traffic(c)}}
	for w := range c.Workloads {
		if !order.beginsPlaced() && !c.Workloads[w].Fixed {
			continue
		}
		events = append(events, found(c, int32(w))...)
	}
	for _, w := range arrivals(c, order, rng) {
		events = append(events, bring(c, w, order)...)
	}
	if order == ScaleOut && !slices.ContainsFunc(events, func(e Event) bool { return e.Kind == Arrive && e.Node == Anywhere }) {
		return nil, fmt.Errorf("order %s: every workload has the pods that it wants already", order)
	}
	if order == Random || order == ScaleOut {
		// The pods that have a node stay in front.
		free := slices.IndexFunc(events, func(e Event) bool { return e.Kind == Arrive && e.Node == Anywhere })
		if free >= 0 {
			rest := events[free:]
			rng.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		}
	}
	return slices.Values(events), nil
}

// beginsPlaced reports whether the pods of the assignment that was found are there from the
// beginning.
func (o Order) beginsPlaced() bool { return o == Rollout || o == ScaleOut }

func errNoAssignment(order Order) error {
	return fmt.Errorf("order %s: the input has no assignment to begin with", order)
}

// traffic is the cluster's edges as a snapshot. Its time is the replay's clock:
// data that never age.
func traffic(c *cluster.Cluster) *flowgraph.Snapshot {
	return flowgraph.NewSnapshot(1, Clock(), c.Edges)
}

// Clock is the time at which every replay stands still.
func Clock() time.Time { return time.Unix(0, 0).UTC() }

// arrivals returns the workloads that are placed anew, in their order.
func arrivals(c *cluster.Cluster, order Order, rng *rand.Rand) []int32 {
	var workloads []int32
	for w := range c.Workloads {
		if !c.Workloads[w].Fixed {
			workloads = append(workloads, int32(w))
		}
	}
	if order == ByWorkload || order == Rollout {
		rng.Shuffle(len(workloads), func(i, j int) { workloads[i], workloads[j] = workloads[j], workloads[i] })
	}
	return workloads
}

// found returns the arrivals of a workload's pods where the cluster has them: those
// that serve, and then those that do not.
func found(c *cluster.Cluster, w int32) []Event {
	var events []Event
	add := func(assigned cluster.Assignment, kinds ...EventKind) {
		if assigned == nil {
			return
		}
		for _, node := range assigned[w] {
			id := Pod{w, int32(len(events) / len(kinds))}
			for _, kind := range kinds {
				events = append(events, Event{Kind: kind, Pod: id, Node: node})
			}
		}
	}
	add(c.Assigned, Arrive)
	serving := events
	events = nil
	add(c.Idle, Arrive, Unready)
	for i := range events {
		events[i].Pod.Ordinal += int32(len(serving))
	}
	return append(serving, events...)
}

// bring returns the arrivals of a workload's pods.
func bring(c *cluster.Cluster, w int32, order Order) []Event {
	var events []Event
	if !order.beginsPlaced() {
		for i := range c.Workloads[w].Replicas {
			events = append(events, Event{Pod: Pod{w, i}, Node: Anywhere})
		}
		return events
	}
	there := foundPods(c, w)
	if order == ScaleOut {
		for i := there; i < c.Workloads[w].Replicas; i++ {
			events = append(events, Event{Pod: Pod{w, i}, Node: Anywhere})
		}
		return events
	}
	for i := range max(there, c.Workloads[w].Replicas) {
		e := Event{Pod: Pod{w, there + i}, Node: Anywhere}
		if i < there {
			e.Kind, e.Instead = Restart, i
		}
		events = append(events, e)
	}
	return events
}

// foundPods is how many pods of a workload found returns.
func foundPods(c *cluster.Cluster, w int32) int32 {
	n := len(c.Assigned[w])
	if c.Idle != nil {
		n += len(c.Idle[w])
	}
	return int32(n)
}

func sortedKeys[V any](m map[int32]V) []int32 {
	return slices.Sorted(maps.Keys(m))
}
