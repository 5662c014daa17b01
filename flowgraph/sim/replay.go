package sim

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Pod is one pod of a replay: a workload's position in Cluster.Workloads and a
// number that no other pod of the workload has.
type Pod struct {
	Workload, Ordinal int32
}

// Anywhere stands in the place of a node's position where the Placer chooses.
const Anywhere int32 = -1

// Placer decides where pods go, and keeps track of where they are.
type Placer interface {
	// Place assigns a pod to the node at a position in Cluster.Nodes, or chooses
	// one when that is Anywhere. A pod that fits nowhere is not an error.
	Place(ctx context.Context, pod Pod, node int32) (Decision, error)
	// Remove takes away a pod that has been placed.
	Remove(pod Pod) error
	// Observe hands over the traffic that decisions may rest on from now on.
	Observe(traffic *flowgraph.Snapshot)
}

// Decision is where a pod goes.
type Decision struct {
	// Node is the position of the node, Anywhere when the pod fits nowhere.
	Node int32
	// Took is how long the decision took, as the Placer measured it.
	Took time.Duration
}

// Event is one thing that happens to a cluster. The zero Kind is an arrival.
type Event struct {
	Kind EventKind
	// At is when it happens. For a Timeline.
	At time.Time
	// Pod arrives or leaves.
	Pod Pod
	// Node is where it arrives: Anywhere lets the Placer choose. To a Timeline it
	// is where the pod is in the recording, Anywhere while it has no node there.
	Node int32
	// Instead is the number of the pod of the same workload that leaves once the
	// arriving pod is placed; it stays when the pod fits nowhere. For Restart.
	Instead int32
	// Traffic is what is observed.
	Traffic *flowgraph.Snapshot
}

// EventKind says what happens.
type EventKind int

const (
	// Arrive says that a pod is to be placed.
	Arrive EventKind = iota
	// Leave says that a pod goes.
	Leave
	// Restart says that a pod arrives and another one of its workload goes
	// afterwards, as in a rolling update with a surge of one.
	Restart
	// Observe says that new traffic is known.
	Observe
	// Unready says that a pod with a node does not serve.
	Unready
	// Ready says that it does, as every pod with a node does at first.
	Ready
	// Bind says that a pod that had no node when it arrived has got one. For a
	// Timeline, as are those that follow.
	Bind
	// NodeUp says that a node is there, or that it has changed.
	NodeUp
	// NodeDown says that a node is gone.
	NodeDown
)

// Result is what a replay leaves behind.
type Result struct {
	// Assigned is where the serving pods are at the end, Idle where those are that
	// take room and do not serve; Idle is nil when there are none.
	Assigned, Idle cluster.Assignment
	// Gone are the nodes that a Consolidation has drained, in that order; nil when
	// there are none. Figures are of the nodes that are left: see Cluster.
	Gone []int32
	// Unschedulable is how many pods fitted nowhere when they arrived.
	Unschedulable int
	// Took has the time of each decision in order, pods with a given node
	// excluded.
	Took []time.Duration
}

// Cluster returns the cluster to measure the result by: c itself when no node is
// gone, otherwise a copy that says which ones are. Positions stay as they are. The
// copy's Fixed workloads want fewer pods, by those that were found on nodes that are
// gone: possibly none at all. Its Assigned and Idle are still those that were found.
func (r *Result) Cluster(c *cluster.Cluster) *cluster.Cluster {
	if len(r.Gone) == 0 {
		return c
	}
	left := *c
	left.Nodes, left.Workloads = slices.Clone(c.Nodes), slices.Clone(c.Workloads)
	for _, n := range r.Gone {
		node := &left.Nodes[n]
		node.Gone, node.Allocatable, node.MaxPods, node.Bandwidth = true, cluster.Resources{}, 0, 0
	}
	for w := range left.Workloads {
		if !c.Workloads[w].Fixed {
			continue
		}
		for _, e := range found(c, int32(w)) {
			if e.Kind == Arrive && left.Nodes[e.Node].Gone {
				left.Workloads[w].Replicas = max(left.Workloads[w].Replicas-1, 0)
			}
		}
	}
	return &left
}

// Run replays events. Every event sees what those before it have left. Those that
// are for a Timeline are an error.
func Run(ctx context.Context, c *cluster.Cluster, events iter.Seq[Event], placer Placer) (*Result, error) {
	r := newRun(c, placer)
	if err := r.all(ctx, events); err != nil {
		return nil, err
	}
	return r.result(), nil
}

// run is the state of a replay.
type run struct {
	pods          pods
	unschedulable int
}

func newRun(c *cluster.Cluster, placer Placer) *run {
	r := &run{pods: pods{c: c, placer: placer, timed: true, touched: func(int32) {}}}
	r.pods.grow()
	return r
}

// all applies events.
func (r *run) all(ctx context.Context, events iter.Seq[Event]) error {
	for e := range events {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("replaying: %w", err)
		}
		if err := r.apply(ctx, e); err != nil {
			return fmt.Errorf("replaying pod %d of %s: %w", e.Pod.Ordinal, r.pods.c.Workloads[e.Pod.Workload].ID, err)
		}
	}
	return nil
}

// result returns what the replay has come to.
func (r *run) result() *Result {
	result := &Result{Unschedulable: r.unschedulable, Took: r.pods.took}
	result.Assigned, result.Idle = r.pods.assignments()
	return result
}

func (r *run) apply(ctx context.Context, e Event) error {
	switch e.Kind {
	case Observe:
		r.pods.placer.Observe(e.Traffic)
		return nil
	case Leave:
		return r.leave(e.Pod)
	case Unready, Ready:
		p, err := r.pods.get(e.Pod)
		if err == nil {
			r.pods.setUnready(e.Pod.Workload, p, e.Kind == Unready)
		}
		return err
	case Restart:
		placed, err := r.arrive(ctx, e)
		if err != nil || !placed {
			return err
		}
		return r.leave(Pod{Workload: e.Pod.Workload, Ordinal: e.Instead})
	case Arrive:
		_, err := r.arrive(ctx, e)
		return err
	}
	return fmt.Errorf("an event of kind %d, which is for a Timeline", e.Kind)
}

func (r *run) arrive(ctx context.Context, e Event) (placed bool, err error) {
	p, err := r.pods.arrive(e.Pod)
	if err != nil {
		return false, err
	}
	if placed, err = r.pods.put(ctx, e.Pod.Workload, p, e.Pod.Ordinal, e.Node); err == nil && !placed {
		r.unschedulable++
	}
	return placed, err
}

// leave removes a pod, or does nothing when it was never there.
func (r *run) leave(id Pod) error {
	p := r.pods.by[id.Workload][id.Ordinal]
	if p.state() == absent {
		return nil
	}
	return r.pods.leave(id, p)
}
