package score

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// networks is what the pods of each node exchange with other nodes, beside what its
// network takes. It is looked at where a pod would be drawn, and kept until the pods of
// the node, or the snapshot, change.
type networks struct {
	on     bool       // for this pod
	byNode []network  // by node
	stale  [2][]drawn // candidates where this pod gains something, and whose loads are to be added up: unknown, and changed
	local  levelGains // of nodes: what of the next pod's traffic stays there
	adds   traffic    // that the next pod exchanges

	totals  []traffic // of each workload in the snapshot that was asked for
	summed  []bool    // which those are
	serial  uint64    // of the snapshot that they are of
	counts  []int32   // pods on one node, by workload in the snapshot
	present []int32   // workloads that are there
}

// drawn is a node where the pod would gain something, in bytes per second.
type drawn struct {
	node int32
	gain float64
}

func (d drawn) precedes(other drawn) bool {
	return d.gain > other.gain || d.gain == other.gain && d.node < other.node
}

// network is the load of one node's network.
type network struct {
	name    string
	load    traffic
	known   bool   // it was added up before
	serial  uint64 // of the snapshot that it is by
	changes uint64 // of the node's pods, up to which it was added up
}

// traffic is bytes per second in each direction.
type traffic struct{ out, in float64 }

// called adds the traffic of calls to a share of a callee's pods.
func (t *traffic) called(r flowgraph.Rates, share float64) {
	t.in += share * r.SentBytesPerSecond
	t.out += share * r.ReceivedBytesPerSecond
}

// calls adds the traffic of calls from a share of a caller's pods.
func (t *traffic) calls(r flowgraph.Rates, share float64) {
	t.out += share * r.SentBytesPerSecond
	t.in += share * r.ReceivedBytesPerSecond
}

// stays takes away calls whose both ends are there: their bytes neither leave nor arrive
// at either end.
func (t *traffic) stays(bytes float64) {
	t.out -= bytes
	t.in -= bytes
}

func newNetworks(b *Board) networks {
	return networks{local: levelGains{Level: Level{Level: locality.Node, Step: 1, MaxShare: 1}, board: b}}
}

// start begins with another pod, whose workload runs at the given places.
func (w *networks) start(own []place, on bool) {
	w.on, w.adds = on, traffic{}
	if on {
		w.local.start(own)
	}
}

// add notes what the next pod exchanges with a peer, wherever that is.
func (w *networks) add(e *edge) {
	share := 1 / float64(max(e.desired, 1))
	if e.calls {
		w.adds.calls(e.rates, share)
	} else {
		w.adds.called(e.rates, share)
	}
}

// addLocal notes what of that would stay on each node. Calls that prefer the zone count
// as divided over all endpoints: less stays then than will.
func (w *networks) addLocal(o *Options, e edge, places []place) {
	if !w.on {
		return
	}
	e.weight = e.rates.BytesPerSecond()
	w.local.countPeer(places)
	w.local.addEdge(o, &e, nil)
}

// addSelf is both for the traffic of the workload with itself.
func (w *networks) addSelf(r flowgraph.Rates, own affinity.Routing, desired int32) {
	if !w.on {
		return
	}
	if desired > 1 { // a single pod calls nobody else
		share := shared(own, locality.Node) / float64(desired)
		w.adds.calls(r, share)
		w.adds.called(r, share)
	}
	w.local.addSelf(r.BytesPerSecond(), own, desired)
}

// mostLoads is how many nodes' loads are added up in one cycle, where the pod would gain
// the most: so many that were not known, and so many that may have changed. The others
// are as they were before, or not known yet, which is no bound. What is known is kept, so
// that all are after some cycles.
const mostLoads = 32

// budget is how many loads may still be added up: those that were not known, and those that
// may have changed.
type budget [2]int

const (
	unknown = iota
	changed
)

// vetoSaturatedNodes takes the gains from candidates whose network the pod would load
// beyond the bound. A pod that takes more off the network, by being near its peers, than
// it adds is welcome everywhere.
func (e *Engine) vetoSaturatedNodes(r *Result) {
	w := &e.networks
	if w.begin(e.board, r.request.Snapshot); w.adds.out <= 0 && w.adds.in <= 0 {
		return
	}
	judge := func(n int32, left *budget) {
		if e.isSaturated(r.request.Snapshot, n, left) {
			e.veto(n, VetoNetwork)
		}
	}
	none := &budget{}
	w.stale = [2][]drawn{w.stale[unknown][:0], w.stale[changed][:0]}
	for _, n := range r.request.Candidates {
		if n == Absent || e.board.nodes[n].bandwidth <= 0 {
			continue
		}
		gain := e.gainOn(n)
		switch {
		case gain <= 0:
		case e.isCurrent(n):
			judge(n, none)
		default:
			kind := e.staleness(n)
			w.stale[kind] = append(w.stale[kind], drawn{n, gain})
		}
	}
	for kind, stale := range w.stale {
		for i := len(stale)/2 - 1; i >= 0; i-- {
			siftDown(stale, i, drawn.precedes)
		}
		left := &budget{}
		for left[kind] = mostLoads; len(stale) > 0 && left[kind] > 0; {
			judge(pop(&stale, drawn.precedes).node, left)
		}
		for _, d := range stale {
			judge(d.node, none)
		}
	}
}

// staleness is whether the load of a node that is not current was known before.
func (e *Engine) staleness(n int32) int {
	if l := &e.networks.byNode[n]; l.known && l.name == e.board.nodes[n].name { // otherwise the number is used again
		return changed
	}
	return unknown
}

// isSaturated reports whether a node's network has no room for what the pod would add.
func (e *Engine) isSaturated(snap *flowgraph.Snapshot, n int32, left *budget) bool {
	adds := e.networks.addsOn(n)
	if adds.out <= 0 && adds.in <= 0 {
		return false
	}
	load, bound := e.loadOf(snap, n, left), e.options.MaxUtilization*e.board.nodes[n].bandwidth
	return adds.out > 0 && load.out+adds.out > bound || adds.in > 0 && load.in+adds.in > bound
}

// addsOn is what the next pod would add to the load of a node's network; less than
// nothing where it takes more off than it adds.
func (w *networks) addsOn(n int32) traffic {
	adds := w.adds
	adds.stays(w.local.gained[n])
	return adds
}

// loadOf returns the load of a node's network, added up anew where it may have changed
// and the budget allows it.
func (e *Engine) loadOf(snap *flowgraph.Snapshot, n int32, left *budget) traffic {
	l, node := &e.networks.byNode[n], &e.board.nodes[n]
	if l.name != node.name { // the number is used again
		*l = network{name: node.name}
	}
	if e.isCurrent(n) {
		return l.load
	}
	if kind := e.staleness(n); left[kind] > 0 {
		l.load, l.known, l.serial, l.changes = e.load(snap, n), true, e.board.view.serial, node.changes
		left[kind]--
	}
	return l.load
}

// isCurrent reports whether the load of a node's network is that of the Board and the
// snapshot.
func (e *Engine) isCurrent(n int32) bool {
	l := &e.networks.byNode[n]
	return l.known && l.serial == e.board.view.serial && l.changes == e.board.nodes[n].changes
}

// load adds up what the pods of a node exchange with other nodes: with x of the d pods
// of each workload a there, in each direction
//
//	sum over a of x/d (a's traffic in that direction) - sum over edges of what stays
//
// where what stays is that of affinity.Local, in bytes, by the routing of the callee.
func (e *Engine) load(snap *flowgraph.Snapshot, n int32) traffic {
	w := &e.networks
	w.count(e.board, snap, n)
	var sum traffic
	for _, i := range w.present {
		own := e.replicasOnNode(int(i))
		share := own.Share()
		total := w.total(snap, int(i))
		sum.out += share * total.out
		sum.in += share * total.in
		for j, r := range snap.Callees(int(i)) {
			if w.counts[j] > 0 {
				routing := affinity.Uniform
				if e.router.Routing(e.board.onBoard(j), snap.ID(int(i)).Namespace).Prefers(locality.Node) {
					routing = affinity.FairLoad
				}
				sum.stays(affinity.Local(routing, r.BytesPerSecond(), own, e.replicasOnNode(j)))
			}
		}
		if self := snap.Self(int(i)).BytesPerSecond(); self > 0 {
			sum.stays(self * e.selfLocal(snap.ID(int(i)).Namespace, int(i), own))
		}
	}
	for _, i := range w.present {
		w.counts[i] = 0
	}
	return sum
}

// selfLocal is the part of workload i's traffic with itself that stays on a node with some
// of its pods: what each of them keeps to itself, and of the rest what goes to the others.
func (e *Engine) selfLocal(namespace string, i int, own affinity.Replicas) float64 {
	if own.Desired < 2 { // a single pod calls nobody else
		return own.Share()
	}
	part := shared(e.router.Routing(e.board.onBoard(i), namespace), locality.Node)
	return (1-part)*own.Share() + affinity.SelfLocal(part, own)
}

// begin makes the networks ready for a snapshot.
func (w *networks) begin(b *Board, snap *flowgraph.Snapshot) {
	for len(w.byNode) < b.Len() {
		w.byNode = append(w.byNode, network{})
	}
	if w.serial == b.view.serial {
		return
	}
	w.serial = b.view.serial
	size := snap.Len()
	w.totals = slices.Grow(w.totals[:0], size)[:size]
	w.summed = slices.Grow(w.summed[:0], size)[:size]
	clear(w.summed)
}

// total returns what workload i of the snapshot exchanges, added up when that is first
// asked for.
func (w *networks) total(snap *flowgraph.Snapshot, i int) traffic {
	if w.summed[i] {
		return w.totals[i]
	}
	var sum traffic
	for _, r := range snap.Callees(i) {
		sum.calls(r, 1)
	}
	for _, r := range snap.Callers(i) {
		sum.called(r, 1)
	}
	self := snap.Self(i)
	sum.calls(self, 1)
	sum.called(self, 1)
	w.totals[i], w.summed[i] = sum, true
	return sum
}

// count counts the pods of a node that serve by workload in the snapshot.
func (w *networks) count(b *Board, snap *flowgraph.Snapshot, n int32) {
	for len(w.counts) < snap.Len() {
		w.counts = append(w.counts, 0)
	}
	w.present = w.present[:0]
	for _, s := range b.nodes[n].stacks {
		i := b.inSnapshot(s.workload)
		if i == Absent {
			continue
		}
		serving := b.states[s.workload].places[s.place].serving
		if w.counts[i] == 0 && serving > 0 {
			w.present = append(w.present, i)
		}
		w.counts[i] += serving
	}
}

// replicasOnNode is how many pods of workload i of the snapshot the node has that was
// looked at, of how many.
func (e *Engine) replicasOnNode(i int) affinity.Replicas {
	return affinity.Replicas{Placed: e.networks.counts[i], Desired: e.board.states[e.board.onBoard(i)].shared()}
}
