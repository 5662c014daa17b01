package score

import (
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
	members [][]int32           // nodes, by class; those of class 0 are not kept
	member  []int32             // by node: its place among those of its class

	sites sites

	classIsShared bool // somebody else reads the slice, so that it is replaced instead of written

	workloads numbering[flowgraph.WorkloadID] // a user is a pod, or the wish for some
	states    []workloadState                 // by workload
	shares    uint64                          // changes of what part of its workload's traffic a pod has, counted
	short     []int32                         // workloads that want more pods than they have
	view      view

	watched bool // somebody takes the changes
	laid    bool // an overlay is on the Board, which is not noted
	changes changes
}

// maxLevels is how many levels a scale has at most.
const maxLevels = 3 + locality.MaxLabels

// domains are the domains of a node that are wider than the node itself, by position of
// the level. There are few sets of them: all nodes of a zone have the same.
type domains [maxLevels]int32

// nodeless returns the domains of a node that is in none.
func nodeless() (d domains) {
	for i := range d {
		d[i] = Absent
	}
	return d
}

type boardNode struct {
	name      string
	stacks    []stack
	changes   uint64 // of its pods, counted
	revision  uint32 // of its labels and taints, counted from 1 on
	free, all Room
	bandwidth float64 // bytes per second in each direction, 0 when unknown
}

// stack is the pods of one workload and revision on a node.
type stack struct {
	workload int32
	place    int32 // in the workload's places
}

// NewBoard returns a Board without nodes, for the levels of a scale.
func NewBoard(scale locality.Scale) *Board {
	b := &Board{scale: scale, levels: len(scale.Levels()), workloads: newNumbering[flowgraph.WorkloadID](), classes: newNumbering[domains]()}
	for range b.levels {
		b.domains, b.where = append(b.domains, newNumbering[string]()), append(b.where, nil)
	}
	b.classes.use(nodeless()) // keeps its number for ever
	b.sites = newSites(scale)
	return b
}

// AddNode adds a node without pods and returns its number.
func (b *Board) AddNode(at Node) int32 {
	n := b.newNode()
	b.nodes[n].name = at.Node
	b.nodes[n].revision++
	b.where[0][n] = n
	b.MoveNode(n, at)
	return n
}

func (b *Board) newNode() int32 {
	if last := len(b.free) - 1; last >= 0 {
		n := b.free[last]
		b.free = b.free[:last]
		return n
	}
	b.nodes = append(b.nodes, boardNode{})
	b.class, b.member = append(b.class, 0), append(b.member, 0)
	for i := range b.where {
		b.where[i] = append(b.where[i], Absent)
	}
	return int32(len(b.nodes) - 1)
}

// MoveNode says where a node is that was somewhere else, or had other labels. Its name
// stays what it was.
func (b *Board) MoveNode(n int32, at Node) {
	b.setDomains(n, b.scale.Domains(at.Locality, at.Labels))
	b.sites.note(at.Locality, &b.classes.keys[b.class[n]])
}

// setDomains puts a node into domains by their keys, from the second level on: the
// first is the node itself.
func (b *Board) setDomains(n int32, keys []string) {
	set := nodeless()
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
	class := int32(0)
	if set != nodeless() {
		var isNew bool
		if class, isNew = b.classes.use(set); isNew {
			clear(b.sites.known)
		}
	}
	b.setClass(n, class)
}

// setClass puts a node into a class that counts it as a user.
func (b *Board) setClass(n, class int32) {
	was := b.class[n]
	if was != 0 { // last takes its place
		members := b.members[was]
		last := members[len(members)-1]
		members[b.member[n]], b.member[last] = last, b.member[n]
		b.members[was] = members[:len(members)-1]
		if b.classes.release(was) {
			clear(b.sites.known)
		}
	}
	if was != class {
		if b.classIsShared {
			b.class, b.classIsShared = slices.Clone(b.class), false
		}
		b.class[n] = class
	}
	if class != 0 {
		for int(class) >= len(b.members) {
			b.members = append(b.members, nil)
		}
		b.member[n] = int32(len(b.members[class]))
		b.members[class] = append(b.members[class], n)
	}
}

// RemoveNode removes a node. Its pods must have been removed before.
func (b *Board) RemoveNode(n int32) {
	b.setDomains(n, make([]string, b.levels))
	b.where[0][n] = Absent
	b.nodes[n] = boardNode{stacks: b.nodes[n].stacks[:0], changes: b.nodes[n].changes + 1, revision: b.nodes[n].revision}
	b.free = append(b.free, n)
	if b.watched {
		b.changes.gone = append(b.changes.gone, n)
	}
}

// SetRoom says what a node has left, and what it has in all.
func (b *Board) SetRoom(n int32, free, all Room) { b.nodes[n].free, b.nodes[n].all = free, all }

// SetBandwidth says what a node's network takes in each direction, in bytes per second;
// 0 when that is unknown.
func (b *Board) SetBandwidth(n int32, bandwidth float64) { b.nodes[n].bandwidth = bandwidth }

// AlterNode says that a node may admit other pods than before, or more of them.
func (b *Board) AlterNode(n int32) {
	b.nodes[n].revision++
	for _, s := range b.nodes[n].stacks {
		b.move(move{workload: s.workload, node: n})
	}
}

// Len is one more than the highest number of a node that was ever in use.
func (b *Board) Len() int { return len(b.nodes) }

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
