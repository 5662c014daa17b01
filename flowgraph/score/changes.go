package score

import "github.com/vicinity-sched/vicinity/flowgraph"

// changes are what has changed on a Board since somebody has looked.
type changes struct {
	touched []int32                // workloads whose pods, or wishes, have changed in a way that may concern all nodes
	moved   []move                 // what concerns one node
	ended   []flowgraph.WorkloadID // workloads that are no longer on the Board
	gone    []int32                // nodes
	many    bool                   // so much has moved or ended that it is not listed
}

// move is a change of the pods of a workload on one node, or of that node.
type move struct {
	workload, node int32
	own            bool // the workload has more pods there, or fewer
}

// mostMoved is how many moves, and how many ends, are listed.
const mostMoved = 1 << 14

// len is how many changes are to be followed.
func (c *changes) len() int {
	n := len(c.touched) + len(c.moved) + len(c.ended)
	if c.many {
		n++
	}
	return n
}

// touch notes that the pods of a workload, or what is wanted of it, change.
func (b *Board) touch(w int32) {
	if b.watched && !b.laid && !b.states[w].touched {
		b.states[w].touched = true
		b.changes.touched = append(b.changes.touched, w)
	}
}

// move notes a change on one node.
func (b *Board) move(m move) {
	if !b.watched || b.laid || b.states[m.workload].touched {
		return
	}
	moved := b.changes.moved
	if last := len(moved) - 1; last >= 0 && moved[last] == m {
		return
	}
	if b.changes.many = b.changes.many || len(moved) == mostMoved; !b.changes.many {
		b.changes.moved = append(moved, m)
	}
}

// died notes that a workload leaves the Board.
func (b *Board) died(id flowgraph.WorkloadID) {
	if !b.watched || b.laid {
		return
	}
	if b.changes.many = b.changes.many || len(b.changes.ended) == mostMoved; !b.changes.many {
		b.changes.ended = append(b.changes.ended, id)
	}
}
