package score

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// mostWork is after how much work no other workload is looked at, and no other change
// followed, in one cycle: in places of peers that are visited, an edge being worth edgeWork
// of them, a workload promiseWork, and one that is put into the queue one. A unit takes
// about 30 ns. A cluster of thousands of workloads that all wait takes some cycles after
// each snapshot.
const (
	mostWork    = 4_000
	edgeWork    = 10
	promiseWork = 20
)

// updatePromises brings the promises to the state of the Board and the snapshot, or
// nearer to it.
func (e *Engine) updatePromises(snap *flowgraph.Snapshot) {
	p, b := &e.promises, e.board
	for len(p.byNode) < b.Len() {
		p.byNode = append(p.byNode, nil)
	}
	for _, n := range b.changes.gone {
		p.byNode[n] = p.byNode[n][:0]
	}
	b.changes.gone = b.changes.gone[:0]
	for len(p.of) < b.workloads.size() {
		p.of, p.here = append(p.of, promised{}), append(p.here, 0)
	}
	p.work = 0
	if p.serial != b.view.serial || b.changes.many {
		p.serial = b.view.serial
		e.enqueueAll()
	}
	e.followEnded(snap)
	e.followTouched(snap)
	e.followMoved(snap)
	for len(p.queue) > 0 && p.work < mostWork {
		e.promise(snap, p.dequeue())
	}
}

// enqueueAll has all workloads looked at again that want pods, or are promised room. What
// has changed needs not be followed then.
func (e *Engine) enqueueAll() {
	p, c := &e.promises, &e.board.changes
	p.work += len(e.board.short)
	for _, w := range e.board.short {
		p.enqueue(w)
	}
	for w := range p.of {
		if len(p.of[w].nodes) > 0 {
			p.enqueue(int32(w))
		}
	}
	for _, w := range c.touched {
		e.board.states[w].touched = false
	}
	*c = changes{touched: c.touched[:0], moved: c.moved[:0], gone: c.gone}
}

// followEnded has the peers looked at again of workloads that are no longer on the Board.
func (e *Engine) followEnded(snap *flowgraph.Snapshot) {
	c := &e.board.changes
	done := 0
	for ; done < len(c.ended) && e.promises.work < mostWork; done++ {
		if i, ok := snap.Lookup(c.ended[done]); ok {
			e.enqueuePeers(snap, i)
		}
	}
	c.ended = slices.Delete(c.ended, 0, done)
}

// followTouched has workloads looked at again that have changed, and their peers. What is
// left is followed in another cycle.
func (e *Engine) followTouched(snap *flowgraph.Snapshot) {
	b := e.board
	done := 0
	for ; done < len(b.changes.touched) && e.promises.work < mostWork; done++ {
		w := b.changes.touched[done]
		b.states[w].touched = false
		e.promises.enqueue(w) // a number that belongs to no workload any more may still have promises
		if i := b.lookUp(w); i != Absent {
			e.enqueuePeers(snap, int(i))
		}
	}
	b.changes.touched = slices.Delete(b.changes.touched, 0, done)
}

// lookUp returns the number in the snapshot of the workload of a number that may have none.
func (b *Board) lookUp(w int32) int32 {
	if b.workloads.users[w] == 0 {
		return Absent
	}
	return b.inSnapshot(w)
}

// enqueuePeers has the peers looked at again of workload i of the snapshot.
func (e *Engine) enqueuePeers(snap *flowgraph.Snapshot, i int) {
	e.eachPeer(snap, i, func(peer int32) {
		e.promises.work++
		e.promises.enqueue(peer)
	})
}

// eachPeer calls do for each peer of workload i of the snapshot that wants pods.
func (e *Engine) eachPeer(snap *flowgraph.Snapshot, i int, do func(peer int32)) {
	for j := range snap.Callees(i) {
		if peer := e.board.onBoard(j); peer != Absent && e.board.states[peer].shortAt != Absent {
			do(peer)
		}
	}
	for j := range snap.Callers(i) {
		if peer := e.board.onBoard(j); peer != Absent && e.board.states[peer].shortAt != Absent {
			do(peer)
		}
	}
}

// followMoved has those workloads looked at again that a change on one node concerns. What
// is left is followed in another cycle.
func (e *Engine) followMoved(snap *flowgraph.Snapshot) {
	p, b := &e.promises, e.board
	done := 0
	for ; done < len(b.changes.moved) && p.work < mostWork; done++ {
		m := b.changes.moved[done]
		if m.own && (b.states[m.workload].shortAt != Absent || len(p.of[m.workload].nodes) > 0) {
			p.enqueue(m.workload)
		}
		i := b.lookUp(m.workload)
		if i == Absent {
			continue
		}
		p.count(m.node)
		e.eachPeer(snap, int(i), func(peer int32) {
			if !p.of[peer].waits && e.concerns(snap, peer, m.node) {
				p.enqueue(peer)
			}
		})
		p.uncount(m.node)
	}
	b.changes.moved = slices.Delete(b.changes.moved, 0, done)
}

// count notes which pods serve on a node, until uncount.
func (p *promises) count(n int32) {
	for _, s := range p.board.nodes[n].stacks {
		p.here[s.workload] += p.board.states[s.workload].places[s.place].serving
	}
}

func (p *promises) uncount(n int32) {
	for _, s := range p.board.nodes[n].stacks {
		p.here[s.workload] = 0
	}
}

// concerns reports whether a change on a node may change what is promised to a workload that
// does not wait for its turn: it is promised room there, or would be now. The pods on the
// node are counted.
func (e *Engine) concerns(snap *flowgraph.Snapshot, w, n int32) bool {
	b, of := e.board, &e.promises.of[w]
	if slices.Contains(of.nodes, n) {
		return true
	}
	i := b.inSnapshot(w)
	if b.states[w].desired.Template == nil || i == Absent {
		return false
	}
	gain := e.gainAt(snap, int(i), w, n)
	e.promises.work += edgeWork + len(e.edges)
	return gain > 0 && (!of.full || gain > of.least || gain == of.least && b.nodes[n].name < of.last)
}
