package score

import (
	"cmp"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Local says how much more traffic stays close with a pod on a node than without it, in bytes
// per second: bytes alone, without what requests are worth, and by the pods that are there, not
// by those still to come. It follows from the same arithmetic as the score, but counts of each
// edge no more than a pod of the workload exchanges on average: one that is the first endpoint
// somewhere may have more to do.
type Local struct {
	// Rate is what a pod of the workload exchanges with all peers on average, as far as it
	// counts (flowgraph.Reach).
	Rate float64
	// Declared is the part of Rate of edges that were not observed (flowgraph.Origin).
	Declared float64
	// Node and Zone are what of it stays there, in the zone what stays on the node included.
	// A level that has no worth of its own in the Options is not looked at: Node is 0 then,
	// and Zone is Node.
	Node, Zone float64
	// Peers are those that have a part in it, by what stays on the node and then in the
	// zone.
	Peers []LocalPeer
}

// LocalPeer is the part of one peer.
type LocalPeer struct {
	Peer flowgraph.WorkloadID
	// Origin says how the edge is known.
	Origin flowgraph.Origin
	// Calls says that the pod's workload calls the peer, and Routing how the calls of the
	// edge are divided, over so many Endpoints: 0 where the peer is a site.
	Calls     bool
	Routing   affinity.Routing
	Endpoints int32
	// Rate is what the pod exchanges with the peer.
	Rate, Node, Zone float64
}

// Local works it out for a node. It is valid as long as Explain is.
func (r *Result) Local(n int32) Local {
	var x Local
	if !r.inGraph() {
		return x
	}
	divided := 1 / float64(r.desired)
	declared := r.request.Snapshot.DeclaredOf(r.number)
	all := r.edgeGains()
	for k := range all {
		g := &all[k]
		p := LocalPeer{Peer: g.Peer, Calls: g.Calls, Routing: g.Routing, Endpoints: r.desired, Rate: g.rates.BytesPerSecond() * divided}
		switch {
		case g.Peer.IsSite():
			p.Endpoints = 0
		case g.Calls && g.edge != nil:
			p.Endpoints = g.edge.peerDesired
		}
		if number, ok := r.request.Snapshot.Lookup(g.Peer); ok {
			p.Origin = originAmong(declared, number, g.Calls)
		}
		if g.Peer == r.request.Workload {
			p.Rate *= 2 // both ends are of it
		}
		p.Node = min(p.Rate, r.stays(g, n, locality.Node))
		p.Zone = max(p.Node, min(p.Rate, r.stays(g, n, locality.Zone)))
		x.Node, x.Zone = x.Node+p.Node, x.Zone+p.Zone
		x.Peers = append(x.Peers, p)
	}
	x.Rate, x.Declared = r.byteRate(declared)
	slices.SortStableFunc(x.Peers, func(a, b LocalPeer) int {
		return cmp.Or(cmp.Compare(b.Node, a.Node), cmp.Compare(b.Zone, a.Zone))
	})
	return x
}

// originAmong says how an edge is known, by those of the workload's that are declared.
func originAmong(declared []flowgraph.DeclaredEdge, peer int, calls bool) flowgraph.Origin {
	for _, d := range declared {
		if d.Peer == peer && d.Calls == calls {
			return d.Origin
		}
	}
	return flowgraph.Observed
}

// byteRate is what the pod exchanges with all peers, also those that have no pods, and the
// part of it that is declared.
func (r *Result) byteRate(of []flowgraph.DeclaredEdge) (rate, declared float64) {
	e, request := r.engine, r.request
	rate = 2 * request.Snapshot.Self(r.number).BytesPerSecond()
	if e.options.NetMARKS {
		rate = 0
	}
	edges := e.edgesOf(request.Snapshot, r.number, r.desired, request.Routing, nil)
	for k := range edges {
		bytes := edges[k].rates.BytesPerSecond()
		rate += bytes
		if originAmong(of, edges[k].number, edges[k].calls) != flowgraph.Observed {
			declared += bytes
		}
	}
	return rate / float64(r.desired), declared / float64(r.desired)
}

// stays is what of an edge's bytes stays in the domain of a node.
func (r *Result) stays(g *edgeGain, n int32, of locality.Level) float64 {
	if g.Weight == 0 || g.Part == 0 {
		return 0
	}
	levels := r.engine.levels
	for i := range levels {
		l := &levels[i]
		if l.Level.Level != of || l.Step == 0 {
			continue
		}
		d := r.engine.board.where[l.Position][n]
		if d == Absent {
			return 0
		}
		bytes := g.byRank[i][d].Placed / (g.Part * l.Step) * g.rates.BytesPerSecond() / g.Weight
		if r.engine.options.NetMARKS {
			bytes /= float64(r.desired) // it does not divide the calls over the workload's own pods
		}
		return bytes
	}
	return 0
}
