package score

import (
	"container/heap"
	"iter"
	"math"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// promises is the room that pods which are wanted, but not placed yet, would have the
// most of, on the nodes of their peers. A pod that would make less of that room is not
// drawn there: who comes first does not decide who is near whom.
//
// What a workload is promised depends on the Board and the snapshot alone, and on no
// other promise. A placement changes what is promised to its workload and to the peers
// of that, and so does a change of a node to the workloads with pods there; a new snapshot
// may change all. A node without pods of a peer is nobody's: that one comes, or goes,
// changes nothing.
type promises struct {
	board  *Board
	serial uint64  // of the snapshot that they are by
	queue  []int32 // workloads to look at again, each once
	waits  []bool  // by workload: it is in the queue
	work   int     // done in this cycle

	byNode [][]promise   // by node
	nodes  [][]int32     // nodes with a promise, by workload
	made   int           // how many promises there are
	level  levelGains    // of nodes, for one workload at a time
	offers offers        // likewise
	others []reservation // of the request: nodes whose room is kept
}

// promise is room for pods of one workload on one node.
type promise struct {
	workload int32
	room     Room
	// density is what one pod gains there, in bytes per second, for each share of the
	// node that it takes.
	density   float64
	podRate   float64 // bytes per second that one pod exchanges
	scheduler string  // that places the pods
}

// reservation is a node whose room is kept from the pod of the request.
type reservation struct {
	node int32
	// significance is that of the most significant of those that it is kept for.
	significance float64
}

// offer is a node where pods of a workload would gain something.
type offer struct {
	node int32
	name string  // of the node
	gain float64 // of the next pod
	pods float64 // for how many more, times gain
}

func newPromises(b *Board) promises {
	return promises{
		board: b,
		level: levelGains{Level: Level{Level: locality.Node, Step: 1, MaxShare: 1}, board: b},
	}
}

// mostPromises is how many workloads are looked at again in one cycle, and mostWork after
// how much work no other is begun: in places of peers that are visited, an edge being
// worth edgeWork of them, and a workload that is put into the queue one. A cluster of thousands of workloads that all wait takes some
// cycles after each snapshot.
const (
	mostPromises = 128
	mostWork     = 32_000
	edgeWork     = 10
	mostTouched  = 512 // workloads whose peers are looked for in one cycle
)

// updatePromises brings the promises to the state of the Board and the snapshot, or
// nearer to it.
func (e *Engine) updatePromises(snap *flowgraph.Snapshot) {
	p, b := &e.promises, e.board
	for len(p.byNode) < b.Len() {
		p.byNode = append(p.byNode, nil)
	}
	for _, n := range b.gone {
		p.byNode[n] = p.byNode[n][:0]
	}
	b.gone = b.gone[:0]
	p.work = 0
	all := p.serial != b.view.serial
	if all {
		p.work = len(b.short)
		p.serial = b.view.serial
		// A workload that wants no more than it has, but is still promised room, waits
		// for its turn already.
		for _, w := range b.short {
			p.enqueue(w)
		}
	}
	e.followTouched(snap, all)
	promised := 0
	for len(p.queue) > 0 && promised < mostPromises && p.work < mostWork {
		last := len(p.queue) - 1
		w := p.queue[last]
		p.queue, p.waits[w] = p.queue[:last], false
		if e.promise(snap, w) {
			promised++
		}
	}
}

// followTouched has workloads looked at again that have changed, and their peers; where all
// that wait for pods are looked at, these are no more than they. What is left is followed
// in another cycle.
func (e *Engine) followTouched(snap *flowgraph.Snapshot, all bool) {
	b := e.board
	followed := b.touched
	if !all {
		followed = followed[:min(len(followed), mostTouched)]
	}
	for _, w := range followed {
		b.states[w].touched = false
		if all {
			e.promises.enqueue(w)
		} else {
			e.enqueueWithPeers(snap, w)
		}
	}
	b.touched = slices.Delete(b.touched, 0, len(followed))
}

// enqueueWithPeers has a workload and its peers looked at again. A number that belongs to
// no workload any more may still have promises.
func (e *Engine) enqueueWithPeers(snap *flowgraph.Snapshot, w int32) {
	p, b := &e.promises, e.board
	p.enqueue(w)
	if b.workloads.users[w] == 0 {
		return
	}
	i := b.inSnapshot(w)
	if i == Absent {
		return
	}
	enqueue := func(j int) {
		if peer := b.onBoard(j); peer != Absent && b.states[peer].shortAt != Absent {
			p.enqueue(peer)
		}
	}
	for j := range snap.Callees(int(i)) {
		enqueue(j)
	}
	for j := range snap.Callers(int(i)) {
		enqueue(j)
	}
}

// enqueue has a workload looked at again.
func (p *promises) enqueue(w int32) {
	for int(w) >= len(p.waits) {
		p.waits, p.nodes = append(p.waits, false), append(p.nodes, nil)
	}
	if !p.waits[w] {
		p.waits[w] = true
		p.queue = append(p.queue, w)
	}
}

// promise replaces what is promised to a workload: room on the nodes where its next pods
// gain the most, for as many of them as are not placed and as gain there. How much room
// there is does not matter: that changes with every pod. It reports whether there was
// anything to do.
func (e *Engine) promise(snap *flowgraph.Snapshot, w int32) bool {
	p, b := &e.promises, e.board
	p.withdraw(w)
	s := &b.states[w]
	if s.shortAt == Absent || s.desired.Template == nil {
		return false
	}
	i := b.inSnapshot(w)
	if i == Absent {
		return false
	}
	template := s.desired.Template
	p.level.start(s.places)
	rate := e.offer(snap, int(i), w)
	left, limit := s.desired.Pods-s.pods, e.node.Level.limit(s.desired.Pods, s.pods)
	for o := range p.offers.best() {
		n := min(left, limit-p.level.own.pods[o.node], int32(math.Ceil(o.pods/o.gain)))
		if n <= 0 || template.Admits != nil && !template.Admits(o.node) {
			continue
		}
		p.byNode[o.node] = append(p.byNode[o.node], promise{
			workload: w, room: template.Requests.times(n), density: o.gain / template.Requests.shareOf(b.nodes[o.node].all),
			podRate: rate / float64(s.desired.Pods), scheduler: template.Scheduler,
		})
		p.nodes[w] = append(p.nodes[w], o.node)
		p.made++
		if left -= n; left <= 0 {
			break
		}
	}
	return true
}

// withdraw takes back what is promised to a workload.
func (p *promises) withdraw(w int32) {
	for _, n := range p.nodes[w] {
		p.byNode[n] = slices.DeleteFunc(p.byNode[n], func(p promise) bool { return p.workload == w })
	}
	p.made -= len(p.nodes[w])
	p.nodes[w] = p.nodes[w][:0]
}

// offer fills in where the next pod of workload w, number i of the snapshot, would gain
// something, and returns the workload's traffic in bytes per second. The level is started.
func (e *Engine) offer(snap *flowgraph.Snapshot, i int, w int32) (rate float64) {
	p := &e.promises
	p.offers = p.offers[:0]
	namespace := e.board.ID(w).Namespace
	called := func(callerNamespace string) affinity.Routing { return e.router.Routing(w, callerNamespace) }
	for edge := range e.edgesOf(snap, i, e.board.states[w].desired.Pods, called) {
		rate += edge.weight
		p.work += edgeWork
		if edge.weight > 0 && edge.peer != Absent && e.board.states[edge.peer].serving > 0 && e.resolvePeer(edge, namespace) {
			p.offer(&e.options, edge)
		}
	}
	for k := range p.offers {
		p.offers[k].gain = p.level.gained[p.offers[k].node]
	}
	return rate
}

// offer adds what an edge with a peer makes the next pod gain.
func (p *promises) offer(o *Options, e *edge) {
	l := &p.level
	prefers := e.routing.Prefers(locality.Node)
	places := p.board.states[e.peer].places
	p.work += len(places)
	l.countPeer(places)
	for _, d := range l.peer.domains {
		own, peer := l.counted(d, e)
		gain := o.gain(e, own, peer, prefers)
		if gain <= 0 {
			continue
		}
		pods := float64(e.desired)
		if prefers {
			pods = max(1, math.Ceil((peer.Share()-own.Share())*pods-1e-9))
		}
		if l.gained[d] == 0 {
			p.offers = append(p.offers, offer{node: d, name: p.board.nodes[d].name})
			l.at[d] = int32(len(p.offers) - 1)
		}
		l.gain(d, gain)
		p.offers[l.at[d]].pods += gain * pods
	}
}

// offers is a heap. Nodes that are level come in the order of their names: their numbers
// depend on who came first.
type offers []offer

func (o offers) Len() int      { return len(o) }
func (o offers) Swap(i, j int) { o[i], o[j] = o[j], o[i] }
func (o offers) Less(i, j int) bool {
	return o[i].gain > o[j].gain || o[i].gain == o[j].gain && o[i].name < o[j].name
}
func (o *offers) Push(any) {} // nothing is added once it is a heap
func (o *offers) Pop() any { return nil }

// best yields the offers, those that gain the most first, and uses them up. Few are
// looked at as a rule, so that they are not sorted but kept in a heap.
func (o offers) best() iter.Seq[offer] {
	return func(yield func(offer) bool) {
		heap.Init(&o)
		for len(o) > 0 {
			last := len(o) - 1
			o.Swap(0, last)
			best := o[last]
			o = o[:last]
			if last > 0 {
				heap.Fix(&o, 0)
			}
			if !yield(best) {
				return
			}
		}
	}
}

// vetoReservedNodes takes the gains from candidates whose room others make more of.
func (e *Engine) vetoReservedNodes(r *Result) {
	if e.promises.made == 0 {
		return
	}
	for _, n := range r.request.Candidates {
		if n == Absent || len(e.promises.byNode[n]) == 0 {
			continue
		}
		if s := e.reservedFrom(r, n); s > 0 {
			e.promises.others = append(e.promises.others, reservation{n, s})
			e.veto(n, VetoReserved)
		}
	}
}

// reservedFrom returns how significant those are that make more of a node's room than
// the pod of the request does, in [0,1); 0 when there is room for all.
func (e *Engine) reservedFrom(r *Result, n int32) (significance float64) {
	node, request := &e.board.nodes[n], r.request
	free := node.free.Minus(request.Requests)
	if free.overdrawn() {
		return 0 // it cannot go there anyway
	}
	density := e.density(r, n)
	for i := range e.promises.byNode[n] {
		other := &e.promises.byNode[n][i]
		if !other.precedes(r, density) {
			continue
		}
		free = free.Minus(other.room)
		significance = max(significance, e.significance(other.podRate))
	}
	if !free.overdrawn() {
		return 0
	}
	return significance
}

// density is what the pod of the request gains on a node by the peers that are there,
// for each share of the node that it takes, as promises count it: neither by those in its
// zone or region nor by those that are expected. It is 0 where the pod gains nothing.
func (e *Engine) density(r *Result, n int32) float64 {
	if !r.inGraph() || e.gainOn(n) <= 0 {
		return 0
	}
	return max(e.node.gained[n], 0) / r.request.Requests.shareOf(e.board.nodes[n].all)
}

// precedes reports whether a promise is to somebody else who makes more of the room than
// the pod of the request, which gains so much for each share of the node.
func (p *promise) precedes(r *Result, density float64) bool {
	return p.workload != r.workload && p.density > density && p.scheduler == r.request.Scheduler
}
