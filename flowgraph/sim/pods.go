package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// podState is where a pod is in its life. Static and timed replay share it:
//
//	absent  -> waiting          it arrives
//	waiting -> idle or serving  it gets a node
//	idle   <-> serving          it gets ready, or is ready no more
//	idle, serving -> waiting    it loses its node
//	any     -> absent           it leaves
type podState int

const (
	absent podState = iota
	waiting
	idle
	serving
)

// pod is one pod of a run.
type pod struct {
	// at is the node that it is on, Anywhere while it has none.
	at int32
	// as is its ordinal to the Placer, while it has a node.
	as int32
	// unready says that it would not serve.
	unready bool
}

// state returns where the pod is in its life; a nil pod is absent.
func (p *pod) state() podState {
	switch {
	case p == nil:
		return absent
	case p.at == Anywhere:
		return waiting
	case p.unready:
		return idle
	}
	return serving
}

// pods are those of one run, by workload and ordinal. All that happens to a pod
// happens here, so that the Placer and those who measure hear of everything.
type pods struct {
	c      *cluster.Cluster
	placer Placer // nil while nobody decides or keeps track
	by     []map[int32]*pod
	placed int // how many have a node
	// touched is told of the workloads whose serving pods may have changed.
	touched func(workload int32)
	// decisions is how often the Placer chose; took has the time of each, if timed.
	decisions int
	timed     bool
	took      []time.Duration
}

// grow makes room for the workloads of the cluster.
func (s *pods) grow() {
	for len(s.by) < len(s.c.Workloads) {
		s.by = append(s.by, map[int32]*pod{})
	}
}

// arrive brings a pod, which has no node yet.
func (s *pods) arrive(id Pod) (*pod, error) {
	if s.by[id.Workload][id.Ordinal].state() != absent {
		return nil, fmt.Errorf("pod %d of %s arrives twice", id.Ordinal, s.c.Workloads[id.Workload].ID)
	}
	p := &pod{at: Anywhere}
	s.by[id.Workload][id.Ordinal] = p
	return p, nil
}

// get returns a pod, which must have arrived.
func (s *pods) get(id Pod) (*pod, error) {
	p := s.by[id.Workload][id.Ordinal]
	if p.state() == absent {
		return nil, fmt.Errorf("pod %d of %s has not arrived", id.Ordinal, s.c.Workloads[id.Workload].ID)
	}
	return p, nil
}

// put gives a waiting pod a node: the given one, or that which the Placer chooses
// when it is Anywhere. It returns false when the pod fits nowhere. as is the pod's
// ordinal to the Placer.
func (s *pods) put(ctx context.Context, workload int32, p *pod, as, node int32) (bool, error) {
	if s.placer != nil {
		d, err := s.placer.Place(ctx, Pod{workload, as}, node)
		if err != nil {
			return false, fmt.Errorf("a pod of %s: %w", s.c.Workloads[workload].ID, err)
		}
		if node == Anywhere {
			node = d.Node
			s.decisions++
			if s.timed {
				s.took = append(s.took, d.Took)
			}
		}
	}
	if node == Anywhere {
		return false, nil
	}
	p.at, p.as = node, as
	s.placed++
	s.touched(workload)
	return true, nil
}

// take takes a pod from its node, if it has one: it waits then.
func (s *pods) take(workload int32, p *pod) error {
	if p.at == Anywhere {
		return nil
	}
	p.at = Anywhere
	s.placed--
	s.touched(workload)
	if s.placer == nil {
		return nil
	}
	if err := s.placer.Remove(Pod{workload, p.as}); err != nil {
		return fmt.Errorf("a pod of %s: %w", s.c.Workloads[workload].ID, err)
	}
	return nil
}

// leave takes a pod away, wherever it is.
func (s *pods) leave(id Pod, p *pod) error {
	delete(s.by[id.Workload], id.Ordinal)
	return s.take(id.Workload, p)
}

// setUnready says whether a pod would serve.
func (s *pods) setUnready(workload int32, p *pod, unready bool) {
	if p.unready != unready {
		p.unready = unready
		s.touched(workload)
	}
}

// in returns on which nodes the pods of a workload are that are in a state, in the
// order of their ordinals.
func (s *pods) in(state podState, workload int32) []int32 {
	var nodes []int32
	pods := s.by[workload]
	for _, ordinal := range sortedKeys(pods) {
		if p := pods[ordinal]; p.state() == state {
			nodes = append(nodes, p.at)
		}
	}
	return nodes
}

// assignments returns where the serving and the idle pods of all workloads are; idle
// is nil when there are none.
func (s *pods) assignments() (assigned, notServing cluster.Assignment) {
	assigned = make(cluster.Assignment, len(s.by))
	for w := range s.by {
		assigned[w] = s.in(serving, int32(w))
		if nodes := s.in(idle, int32(w)); nodes != nil {
			if notServing == nil {
				notServing = make(cluster.Assignment, len(s.by))
			}
			notServing[w] = nodes
		}
	}
	return assigned, notServing
}
