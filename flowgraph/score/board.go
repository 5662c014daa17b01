package score

import (
	"iter"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Absent is the number of a node or a workload that a Board does not have.
const Absent int32 = -1

// Node is where a node is.
type Node struct {
	locality.Locality
	// Labels are its values of the labels of the Board's scale, by their position
	// there, "" where it has none.
	Labels []string
}

// Board is what is known of a cluster: its nodes, the pods on them by workload, and
// what controllers want. Whoever keeps it up to date says what changes; nothing in it
// is computed anew for a cycle.
//
// Nodes and workloads have numbers, from 0 on, which stay the same for as long as they
// are on the Board; a number that is free again goes to the next that comes. A workload
// is on the Board while it has a pod there or pods are wanted of it.
type Board struct {
	scale  locality.Scale
	levels int // of the scale
	nodes  []boardNode
	free   []int32 // numbers of nodes that are gone

	where   [][]int32           // domain numbers, by position of the level and node; Absent when unknown
	domains []numbering[string] // keys of domains, by position of the level; a user is a node
	class   []int32             // by node; 0 is that of nodes in no domain
	classes numbering[domains]  // a user is a node

	workloads numbering[flowgraph.WorkloadID] // a user is a pod, or the wish for some
	states    []workloadState                 // by workload
	total     int64                           // pods wanted of all workloads
	short     []int32                         // workloads that want more pods than they have
	view      view

	watched bool    // somebody takes what follows
	laid    bool    // an overlay is on the Board, which is not noted
	touched []int32 // workloads whose pods, or wishes, have changed
	altered bool    // a node has
	gone    []int32 // nodes
}

// maxLevels is how many levels a scale has at most.
const maxLevels = 3 + locality.MaxLabels

// domains are the domains of a node that are wider than the node itself, by position of
// the level. There are few sets of them: all nodes of a zone have the same.
type domains [maxLevels]int32

// nodeless are the domains of a node that is in none.
var nodeless = func() (d domains) {
	for i := range d {
		d[i] = Absent
	}
	return d
}()

type boardNode struct {
	name      string
	stacks    []stack
	changes   uint64 // of its pods, counted
	free, all Room
	bandwidth float64 // bytes per second in each direction, 0 when unknown
}

// stack is the pods of one workload and revision on a node.
type stack struct {
	workload int32
	place    int32 // in the workload's places
}

// workloadState is what is known of a workload.
type workloadState struct {
	places  []place
	pods    int32 // at all places
	desired Desired
	shortAt int32 // its place in Board.short, Absent when it is not among them
	touched bool  // it is among Board.touched
}

// place is where pods of one workload and revision are.
type place struct {
	node, pods int32
	revision   string
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
	// every node.
	Admits func(node int32) bool
}

// NewBoard returns a Board without nodes, for the levels of a scale.
func NewBoard(scale locality.Scale) *Board {
	b := &Board{scale: scale, levels: len(scale.Levels()), workloads: newNumbering[flowgraph.WorkloadID](), classes: newNumbering[domains]()}
	for range b.levels {
		b.domains, b.where = append(b.domains, newNumbering[string]()), append(b.where, nil)
	}
	b.classes.use(nodeless) // keeps its number for ever
	return b
}

// AddNode adds a node without pods and returns its number.
func (b *Board) AddNode(at Node) int32 {
	n := b.newNode()
	b.nodes[n].name = at.Node
	b.where[0][n] = n
	b.MoveNode(n, at)
	b.altered = true
	return n
}

func (b *Board) newNode() int32 {
	if last := len(b.free) - 1; last >= 0 {
		n := b.free[last]
		b.free = b.free[:last]
		return n
	}
	b.nodes = append(b.nodes, boardNode{})
	b.class = append(b.class, 0)
	for i := range b.where {
		b.where[i] = append(b.where[i], Absent)
	}
	return int32(len(b.nodes) - 1)
}

// MoveNode says where a node is that was somewhere else, or had other labels. Its name
// stays what it was.
func (b *Board) MoveNode(n int32, at Node) {
	b.setDomains(n, b.scale.Domains(at.Locality, at.Labels))
}

// setDomains puts a node into domains by their keys, from the second level on: the
// first is the node itself.
func (b *Board) setDomains(n int32, keys []string) {
	set := nodeless
	for i := 1; i < b.levels; i++ {
		was := b.where[i][n]
		b.where[i][n] = Absent
		if keys[i] != "" {
			b.where[i][n], _ = b.domains[i].use(keys[i])
		}
		if was != Absent { // last, so that a domain that stays keeps its number
			b.domains[i].release(was)
		}
		set[i] = b.where[i][n]
	}
	was := b.class[n]
	b.class[n] = 0
	if set != nodeless {
		b.class[n], _ = b.classes.use(set)
	}
	if was != 0 {
		b.classes.release(was)
	}
}

// RemoveNode removes a node. Its pods must have been removed before.
func (b *Board) RemoveNode(n int32) {
	b.setDomains(n, make([]string, b.levels))
	b.where[0][n] = Absent
	b.nodes[n] = boardNode{stacks: b.nodes[n].stacks[:0], changes: b.nodes[n].changes + 1}
	b.free = append(b.free, n)
	b.altered = true
	if b.watched {
		b.gone = append(b.gone, n)
	}
}

// SetRoom says what a node has left, and what it has in all.
func (b *Board) SetRoom(n int32, free, all Room) { b.nodes[n].free, b.nodes[n].all = free, all }

// SetBandwidth says what a node's network takes in each direction, in bytes per second;
// 0 when that is unknown.
func (b *Board) SetBandwidth(n int32, bandwidth float64) { b.nodes[n].bandwidth = bandwidth }

// AlterNodes says that nodes may admit other pods than before, or more of them.
func (b *Board) AlterNodes() { b.altered = true }

// Len is one more than the highest number of a node that was ever in use.
func (b *Board) Len() int { return len(b.nodes) }

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
	Pods     int32
}

// Places yields the nodes that have pods of a workload, by revision.
func (b *Board) Places(workload int32) iter.Seq[Place] {
	return func(yield func(Place) bool) {
		for _, p := range b.states[workload].places {
			if !yield(Place{p.node, p.revision, p.pods}) {
				return
			}
		}
	}
}

// Domain returns the key of the domain of a node at a level, by the level's position in
// the scale; "" when it is unknown.
func (b *Board) Domain(n int32, position int) string {
	d := b.where[position][n]
	switch {
	case d == Absent:
		return ""
	case position == 0:
		return b.nodes[n].name
	}
	return b.domains[position].keys[d]
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
	if b.workloads.release(w) {
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
	b.total += int64(desired.Pods) - int64(was.Pods)
	b.touch(w)
	b.count(w)
	if was.Pods > 0 {
		b.release(w)
	}
	if desired.Pods == 0 {
		b.release(w)
	}
}

// AddPod adds a pod and returns the number of its workload. Pods of one workload are
// told apart by their revision where a rollout ends those of all others; it is "" where
// all are alike.
func (b *Board) AddPod(node int32, id flowgraph.WorkloadID, revision string) (workload int32) {
	w := b.use(id)
	s, n := &b.states[w], &b.nodes[node]
	n.changes++
	s.pods++
	b.touch(w)
	b.count(w)
	if at := b.placeAt(n, w, revision); at != Absent {
		s.places[at].pods++
		return w
	}
	n.stacks = append(n.stacks, stack{w, int32(len(s.places))})
	s.places = append(s.places, place{node: node, pods: 1, revision: revision})
	return w
}

// RemovePod removes a pod that was added.
func (b *Board) RemovePod(node, workload int32, revision string) {
	s, n := &b.states[workload], &b.nodes[node]
	n.changes++
	s.pods--
	b.touch(workload)
	b.count(workload)
	at := b.placeAt(n, workload, revision)
	if s.places[at].pods--; s.places[at].pods == 0 {
		b.removePlace(workload, at)
	}
	b.release(workload)
}

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

// touch notes that the pods of a workload, or what is wanted of it, change.
func (b *Board) touch(w int32) {
	if b.watched && !b.laid && !b.states[w].touched {
		b.states[w].touched = true
		b.touched = append(b.touched, w)
	}
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

// meanRate is what a pod exchanges with others on the average, in bytes per second, of
// the pods that controllers want: of those that run the number is not known while a
// cluster fills.
func (b *Board) meanRate(snap *flowgraph.Snapshot, requestBytes float64) float64 {
	return snap.Exchanged().Weight(requestBytes) / float64(max(b.total, 1))
}
