package score

import (
	"iter"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// workloadState is what is known of a workload.
type workloadState struct {
	places  []place
	pods    int32 // at all places
	serving int32 // of these
	desired Desired
	shortAt int32 // its place in Board.short, Absent when it is not among them
	touched bool  // it is among Board.touched
}

// coming is how many of a workload's pods are wanted and not placed.
func (s *workloadState) coming() int32 { return max(s.desired.Pods-s.pods, 0) }

// place is where pods of one workload and revision are.
type place struct {
	node, pods, serving int32
	revision            string
}

// Desired is what a controller wants of a workload.
type Desired struct {
	// Pods is how many pods there are to be in all, 0 when nobody says.
	Pods int32
	// Template is what the next pod will be like, nil when that is unknown: no room
	// is kept for it.
	Template *Template
}

// Template is what the pods of a workload need.
type Template struct {
	// Requests is what one pod takes of a node.
	Requests Room
	// Scheduler is the name of the scheduler that places them. Room is kept only from
	// pods that the same one places.
	Scheduler string
	// Admits reports whether a node's labels and taints let the pods on it; nil is
	// every node. Board.AlterNode says when the answer may be another one.
	Admits func(node int32) bool
	// Rules is the same for templates that ask the same of labels and taints.
	Rules string
}

// Workload returns the number of a workload, Absent when it is not on the Board.
func (b *Board) Workload(id flowgraph.WorkloadID) int32 {
	if w, ok := b.workloads.numbers[id]; ok {
		return w
	}
	return Absent
}

// ID returns the id of a workload on the Board.
func (b *Board) ID(workload int32) flowgraph.WorkloadID { return b.workloads.keys[workload] }

// Pods returns how many pods of a workload are on the Board.
func (b *Board) Pods(workload int32) int32 { return b.states[workload].pods }

// Desired returns what is wanted of a workload on the Board.
func (b *Board) Desired(workload int32) Desired { return b.states[workload].desired }

// Place is where pods of one workload and revision are.
type Place struct {
	Node     int32
	Revision string
	// Pods is how many there are, and Serving how many of them serve.
	Pods, Serving int32
}

// Places yields the nodes that have pods of a workload, by revision.
func (b *Board) Places(workload int32) iter.Seq[Place] {
	return func(yield func(Place) bool) {
		for _, p := range b.states[workload].places {
			if !yield(Place{p.node, p.revision, p.pods, p.serving}) {
				return
			}
		}
	}
}

// use returns the number of a workload, which has one more user from now on.
func (b *Board) use(id flowgraph.WorkloadID) int32 {
	w, isNew := b.workloads.use(id)
	if int(w) == len(b.states) {
		b.states = append(b.states, workloadState{shortAt: Absent})
	}
	if isNew {
		b.view.born(w, id)
	}
	return w
}

// release takes one user from a workload's number.
func (b *Board) release(w int32) {
	id := b.workloads.keys[w]
	if b.workloads.release(w) {
		b.died(id)
		b.view.died(w)
		b.states[w] = workloadState{places: b.states[w].places[:0], shortAt: Absent, touched: b.states[w].touched}
	}
}

// SetDesired says what is wanted of a workload.
func (b *Board) SetDesired(id flowgraph.WorkloadID, desired Desired) {
	if desired.Pods <= 0 {
		desired = Desired{}
	}
	w := b.use(id)
	s := &b.states[w]
	was := s.desired
	s.desired = desired
	b.shares++
	b.touch(w)
	b.count(w)
	if was.Pods > 0 {
		b.release(w)
	}
	if desired.Pods == 0 {
		b.release(w)
	}
}

// Pod is a pod on a node.
type Pod struct {
	Workload flowgraph.WorkloadID
	// Revision tells the pods of a workload apart where a rollout ends those of all
	// others; it is "" where all are alike.
	Revision string
	// Serves says that its peers reach it, or will soon. A pod that does not serve counts
	// among its workload's, but not as anybody's peer.
	Serves bool
}

// AddPod adds a pod and returns the number of its workload.
func (b *Board) AddPod(node int32, pod Pod) (workload int32) {
	w := b.use(pod.Workload)
	s, n := &b.states[w], &b.nodes[node]
	at := b.placeAt(n, w, pod.Revision)
	if at == Absent {
		at = int32(len(s.places))
		n.stacks = append(n.stacks, stack{w, at})
		s.places = append(s.places, place{node: node, revision: pod.Revision})
	}
	b.change(w, at, 1, pod.Serves)
	return w
}

// RemovePod removes a pod that was added.
func (b *Board) RemovePod(node int32, pod Pod) {
	w := b.Workload(pod.Workload)
	at := b.placeAt(&b.nodes[node], w, pod.Revision)
	b.change(w, at, -1, pod.Serves)
	if b.states[w].places[at].pods == 0 {
		b.removePlace(w, at)
	}
	b.release(w)
}

// change counts more pods, or fewer, at one of a workload's places.
func (b *Board) change(w, at, by int32, serve bool) {
	s := &b.states[w]
	p, shared := &s.places[at], s.shared()
	p.pods += by
	if s.pods += by; s.pods > s.desired.Pods || s.pods == 0 {
		b.shares++
	}
	if serve {
		p.serving += by
		s.serving += by
	}
	b.nodes[p.node].changes++
	if s.shared() == shared {
		b.move(move{workload: w, node: p.node, own: true})
	} else {
		b.touch(w)
	}
	b.count(w)
}

// shared is how many pods the calls to a workload are divided over: those that serve, but
// not fewer than are wanted. The first pod of a workload that is still filling is not all
// of it, and a rollout has more than are wanted.
func (s *workloadState) shared() int32 { return max(s.desired.Pods, s.serving) }

// removePlace takes an empty place out of a workload's, and its stack off the node. The
// last place moves to where it was.
func (b *Board) removePlace(workload, at int32) {
	s := &b.states[workload]
	n := &b.nodes[s.places[at].node]
	i := slices.Index(n.stacks, stack{workload, at})
	n.stacks[i] = n.stacks[len(n.stacks)-1]
	n.stacks = n.stacks[:len(n.stacks)-1]
	last := int32(len(s.places) - 1)
	if at != last {
		s.places[at] = s.places[last]
		stacks := b.nodes[s.places[at].node].stacks
		stacks[slices.Index(stacks, stack{workload, last})].place = at
	}
	s.places[last] = place{}
	s.places = s.places[:last]
}

// placeAt returns which of a workload's places a node is, Absent when it is none of
// the revision's. It looks among the workloads of the node: a DaemonSet has places on
// all nodes.
func (b *Board) placeAt(n *boardNode, workload int32, revision string) int32 {
	for _, s := range n.stacks {
		if s.workload == workload && b.states[workload].places[s.place].revision == revision {
			return s.place
		}
	}
	return Absent
}

// count keeps the workloads that want more pods than they have.
func (b *Board) count(w int32) {
	s := &b.states[w]
	switch isShort := s.desired.Pods > s.pods; {
	case isShort && s.shortAt == Absent:
		s.shortAt = int32(len(b.short))
		b.short = append(b.short, w)
	case !isShort && s.shortAt != Absent:
		last := len(b.short) - 1
		b.short[s.shortAt] = b.short[last]
		b.states[b.short[last]].shortAt = s.shortAt
		b.short = b.short[:last]
		s.shortAt = Absent
	}
}
