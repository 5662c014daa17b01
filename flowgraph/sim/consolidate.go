package sim

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Consolidate removes nodes from a cluster as node autoscalers do. It begins with the
// assignment that was found, and places the pods that are missing there. Then it
// drains the least used node, one after the other:
//
//   - The least used node has the smallest used share: its pods' requests over its
//     allocatable CPU or memory, whichever is larger. Pods of DaemonSets and static
//     pods count, as they do by default for the cluster autoscaler. Ties are broken by
//     name.
//   - A node is skipped if it runs the control plane, has a pod without a controller
//     (Workload.Bare), or has no allocatable CPU or memory. The last node stays.
//   - The node leaves the cluster first. Then the Placer places its pods anew, in a
//     random order. A pod that did not serve counts as ready afterwards, as all pods
//     that are replayed do. Pods of Fixed workloads vanish with the node.
//   - When a pod fits nowhere, the node and its pods are put back as they were, and
//     the consolidation ends.
//
// Disruption budgets, local storage and annotations, which may hold a pod on its node,
// are ignored, and a node may be drained however full it is: Gone shows what the
// scheduler's choices make possible, not what a particular autoscaler would do.
//
// In the Result, Unschedulable counts the missing pods that fitted nowhere at the
// beginning, and Took has all decisions, including those that were undone. The same
// cluster, Placer and state of rng give the same result. It fails without an
// assignment.
func Consolidate(ctx context.Context, c *cluster.Cluster, rng *rand.Rand, placer ClusterPlacer) (*Result, error) {
	if c.Assigned == nil {
		return nil, errNoAssignment(Consolidation)
	}
	d := &consolidation{run: newRun(c, placer), placer: placer, rng: rng}
	if err := d.all(ctx, slices.Values(completed(c, rng))); err != nil {
		return nil, err
	}
	for node := d.leastUsed(); node != Anywhere; node = d.leastUsed() {
		drained, err := d.drain(ctx, node)
		if err != nil {
			return nil, fmt.Errorf("draining node %s: %w", c.Nodes[node].Node, err)
		}
		if !drained {
			break
		}
		d.gone = append(d.gone, node)
	}
	result := d.result()
	result.Gone = d.gone
	return result, nil
}

// completed returns the arrivals of the pods that were found and then, in a random
// order, of those that are missing.
func completed(c *cluster.Cluster, rng *rand.Rand) []Event {
	events := []Event{{Kind: Observe, Traffic: traffic(c)}}
	var missing []Event
	for w := range c.Workloads {
		events = append(events, found(c, int32(w))...)
		if c.Workloads[w].Fixed {
			continue
		}
		for i := foundPods(c, int32(w)); i < c.Workloads[w].Replicas; i++ {
			missing = append(missing, Event{Pod: Pod{int32(w), i}, Node: Anywhere})
		}
	}
	rng.Shuffle(len(missing), func(i, j int) { missing[i], missing[j] = missing[j], missing[i] })
	return append(events, missing...)
}

// consolidation is the state of Consolidate.
type consolidation struct {
	*run
	placer ClusterPlacer
	rng    *rand.Rand
	gone   []int32
}

// leastUsed returns the node to drain next, Anywhere when there is none.
func (d *consolidation) leastUsed() int32 {
	c := d.pods.c
	if len(d.gone) == len(c.Nodes)-1 {
		return Anywhere
	}
	used, held := make([]cluster.Resources, len(c.Nodes)), make([]bool, len(c.Nodes))
	for w, pods := range d.pods.by {
		workload := &c.Workloads[w]
		for _, p := range pods {
			if p.at == Anywhere {
				continue
			}
			used[p.at].MilliCPU += workload.Requests.MilliCPU
			used[p.at].Memory += workload.Requests.Memory
			held[p.at] = held[p.at] || workload.Bare
		}
	}
	best, least := Anywhere, 0.0
	for i := range c.Nodes {
		node, has := &c.Nodes[i], c.Nodes[i].Allocatable
		stays := node.ControlPlane || held[i] || has.MilliCPU == 0 || has.Memory == 0
		if stays || slices.Contains(d.gone, int32(i)) {
			continue
		}
		share := max(float64(used[i].MilliCPU)/float64(has.MilliCPU), float64(used[i].Memory)/float64(has.Memory))
		if best == Anywhere || cmp.Or(cmp.Compare(share, least), cmp.Compare(node.Node, c.Nodes[best].Node)) < 0 {
			best, least = int32(i), share
		}
	}
	return best
}

// evicted is a pod that was on a node, and what it was there.
type evicted struct {
	id  Pod
	pod *pod
	was pod
}

// drain removes a node and places its pods anew, or returns false and leaves all as
// it was when one of them fits nowhere.
func (d *consolidation) drain(ctx context.Context, node int32) (bool, error) {
	all, err := d.evict(node)
	if err != nil {
		return false, err
	}
	moving := slices.DeleteFunc(slices.Clone(all), func(e evicted) bool { return d.pods.c.Workloads[e.id.Workload].Fixed })
	d.rng.Shuffle(len(moving), func(i, j int) { moving[i], moving[j] = moving[j], moving[i] })
	for i, e := range moving {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		d.pods.setUnready(e.id.Workload, e.pod, false)
		placed, err := d.pods.put(ctx, e.id.Workload, e.pod, e.id.Ordinal, Anywhere)
		if err != nil {
			return false, err
		}
		if !placed {
			return false, d.undo(ctx, node, all, moving[:i])
		}
	}
	for _, e := range all {
		if d.pods.c.Workloads[e.id.Workload].Fixed {
			if err := d.pods.leave(e.id, e.pod); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// evict takes all pods from a node and the node from the cluster. It returns the pods
// in the order of workloads and ordinals.
func (d *consolidation) evict(node int32) ([]evicted, error) {
	var all []evicted
	for w, pods := range d.pods.by {
		for _, ordinal := range sortedKeys(pods) {
			if p := pods[ordinal]; p.at == node {
				all = append(all, evicted{Pod{int32(w), ordinal}, p, *p})
			}
		}
	}
	for _, e := range all {
		if err := d.pods.take(e.id.Workload, e.pod); err != nil {
			return nil, err
		}
	}
	return all, d.placer.RemoveNode(node)
}

// undo puts a node back, with all its pods, of which some have been moved.
func (d *consolidation) undo(ctx context.Context, node int32, all, moved []evicted) error {
	for _, e := range moved {
		if err := d.pods.take(e.id.Workload, e.pod); err != nil {
			return err
		}
	}
	if err := d.placer.SetNode(node); err != nil {
		return err
	}
	for _, e := range all {
		d.pods.setUnready(e.id.Workload, e.pod, e.was.unready)
		if _, err := d.pods.put(ctx, e.id.Workload, e.pod, e.was.as, node); err != nil {
			return err
		}
	}
	return nil
}
