package score

import (
	"math"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// promises is the room that pods which are wanted, but not placed yet, would have the
// most of, on the nodes of their peers. A pod that would make less of that room is not
// drawn there: who comes first does not decide who is near whom.
//
// What a workload is promised depends on the Board and the snapshot alone, and on no
// other promise. A placement changes what is promised to its workload, and to those peers
// for which its node is, or becomes, one of the best; so does a change of a node to the
// peers of the workloads there. A new snapshot may change all. A node without pods of a
// peer is nobody's: that one comes, or goes, changes nothing. What is promised stands until
// its workload is looked at again.
type promises struct {
	board  *Board
	serial uint64  // of the snapshot that they are by
	queue  []int32 // workloads to look at again, each once: a heap, see precedes
	work   int     // done in this cycle

	byNode [][]promise   // by node
	of     []promised    // by workload
	made   int           // how many promises there are
	level  levelGains    // of nodes, for one workload at a time
	offers []offer       // likewise
	here   []int32       // pods that serve on one node, by workload
	others []reservation // of the request: nodes whose room is kept
}

// promised is what is promised to a workload.
type promised struct {
	waits bool    // it is in the queue
	seen  bool    // it was looked at
	rate  float64 // its traffic when it was, in bytes per second
	nodes []int32 // with a promise
	full  bool    // all of its pods that are not placed are promised room
	least float64 // what they gain on the last of the nodes, where full
	last  string  // the name of that node
}

// promise is room for pods of one workload on one node.
type promise struct {
	workload  int32
	namespace string // the workload's, also when its number has gone to another one
	room      Room
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

func newPromises(b *Board) promises {
	return promises{
		board: b,
		level: levelGains{Level: Level{Level: locality.Node, Step: 1, MaxShare: 1}, board: b},
	}
}

// promise replaces what is promised to a workload: room on the nodes where its next pods
// gain the most, for as many of them as are not placed and as gain there. How much room
// there is does not matter: that changes with every pod.
func (e *Engine) promise(snap *flowgraph.Snapshot, w int32) {
	p, b := &e.promises, e.board
	p.withdraw(w)
	s := &b.states[w]
	if s.shortAt == Absent || s.desired.Template == nil {
		return
	}
	i := b.inSnapshot(w)
	if i == Absent {
		return
	}
	p.work += promiseWork
	template := s.desired.Template
	p.level.start(s.places)
	rate := e.offer(snap, int(i), w)
	of := &p.of[w]
	of.seen, of.rate = true, rate
	left, limit := s.desired.Pods-s.pods, e.node.Level.limit(s.desired.Pods, s.pods)
	for k := len(p.offers)/2 - 1; k >= 0; k-- { // few are taken as a rule: they are not sorted
		siftDown(p.offers, k, p.betters)
	}
	for len(p.offers) > 0 && left > 0 {
		o := pop(&p.offers, p.betters)
		n := min(left, limit-p.level.own.pods[o.node], int32(math.Ceil(o.pods/o.gain)))
		if n <= 0 || template.Admits != nil && !template.Admits(o.node) {
			continue
		}
		p.byNode[o.node] = append(p.byNode[o.node], promise{
			workload: w, namespace: b.ID(w).Namespace, room: template.Requests.times(n), density: o.gain / template.Requests.shareOf(b.nodes[o.node].all),
			podRate: rate / float64(s.desired.Pods), scheduler: template.Scheduler,
		})
		of.nodes, of.least, of.last = append(of.nodes, o.node), o.gain, b.nodes[o.node].name
		p.made++
		left -= n
	}
	of.full = left <= 0
}

// withdraw takes back what is promised to a workload.
func (p *promises) withdraw(w int32) {
	of := &p.of[w]
	for _, n := range of.nodes {
		p.byNode[n] = slices.DeleteFunc(p.byNode[n], func(p promise) bool { return p.workload == w })
	}
	p.made -= len(of.nodes)
	of.nodes, of.full = of.nodes[:0], false
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
	density, rate := e.density(r, n), 0.0
	for i := range e.promises.byNode[n] {
		other := &e.promises.byNode[n][i]
		if !other.precedes(r, density) {
			continue
		}
		free = free.Minus(other.room)
		rate = max(rate, other.podRate) // significance rises with it
	}
	if !free.overdrawn() {
		return 0
	}
	return e.significance(rate)
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
// the pod of the request, which gains so much for each share of the node. Where namespaces
// are isolated, somebody else is of the same one.
func (p *promise) precedes(r *Result, density float64) bool {
	return p.workload != r.workload && p.density > density && p.scheduler == r.request.Scheduler &&
		(!r.engine.isolated || p.namespace == r.request.Workload.Namespace)
}
