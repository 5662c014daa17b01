package score

import (
	"math"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// offer is a node where pods of a workload would gain something.
type offer struct {
	node int32
	gain float64 // of the next pod
	pods float64 // for how many more, times gain
}

// offer fills in where the next pod of workload w, number i of the snapshot, would gain
// something, and returns the workload's traffic in bytes per second. The level is started.
func (e *Engine) offer(snap *flowgraph.Snapshot, i int, w int32) (rate float64) {
	p := &e.promises
	p.offers = p.offers[:0]
	namespace := e.board.ID(w).Namespace
	e.callee = w
	edges := e.edgesOf(snap, i, e.board.states[w].desired.Pods, e.called, nil)
	p.work += edgeWork * len(edges)
	for k := range edges {
		edge := &edges[k]
		rate += edge.weight
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
			p.offers = append(p.offers, offer{node: d})
			l.at[d] = int32(len(p.offers) - 1)
		}
		l.gain(d, gain)
		p.offers[l.at[d]].pods += gain * pods
	}
}

// gainAt returns what the next pod of workload w, number i of the snapshot, would gain on a
// node, as offer has it, given the pods that are here.
func (e *Engine) gainAt(snap *flowgraph.Snapshot, i int, w, n int32) (sum float64) {
	b, p := e.board, &e.promises
	var pods int32
	for _, s := range b.nodes[n].stacks {
		if s.workload == w {
			pods += b.states[w].places[s.place].pods
		}
	}
	namespace := b.ID(w).Namespace
	e.callee = w
	edges := e.edgesOf(snap, i, b.states[w].desired.Pods, e.called, p.here)
	for k := range edges {
		edge := &edges[k]
		if edge.weight == 0 || !e.resolvePeer(edge, namespace) {
			continue
		}
		own := before(pods, edge.desired)
		peer := affinity.Replicas{Placed: p.here[edge.peer], Desired: edge.peerDesired}
		sum += max(e.options.gain(edge, own, peer, edge.routing.Prefers(locality.Node)), 0)
	}
	return sum
}

// betters reports whether an offer comes before another one. Nodes that are level come in
// the order of their names: their numbers depend on who came first.
func (p *promises) betters(a, b offer) bool {
	return a.gain > b.gain || a.gain == b.gain && p.board.nodes[a.node].name < p.board.nodes[b.node].name
}
