package score

import (
	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Explanation says how the score of a node came about.
type Explanation struct {
	// Node is its name.
	Node string
	// Peers is what the pod gains by each edge of its workload that has a part in it,
	// callees before callers. One with the workload itself stands last.
	Peers []PeerGain
	// Gain is the sum of all gains, in bytes per second, those by pods that are still
	// to come included: what the node would be measured by without the vetoes. It is
	// less than nothing where pods that are still to come speak against the node.
	Gain float64
	// Anticipated is the part of it by pods that are still to come.
	Anticipated float64
	// Vetoes are all that take the gain away.
	Vetoes []VetoReason
	// Best is the gain of the best candidate, after vetoes, against which gains are
	// measured.
	Best float64
	// PodRate is what the pod exchanges with all peers, in bytes per second, and
	// Significance how much of the range of points it has by that, in [0,1].
	PodRate, Significance float64
	// Influence is what data of their age still count, in [0,1].
	Influence float64
	// Basis is what the points rest on, and Points the score, from 0 to MaxPoints.
	Basis  Basis
	Points uint8
}

// PeerGain is what a pod gains by one edge.
type PeerGain struct {
	// Peer is the other end, a workload or a site, and Calls that the pod's workload calls it.
	Peer  flowgraph.WorkloadID
	Calls bool
	// Routing is how the calls are divided; with a site it makes no difference.
	Routing affinity.Routing
	// Weight is the rate of the whole edge, in bytes per second, requests included, as far
	// as it counts (flowgraph.Reach).
	Weight float64
	// Levels are those at which something is gained, or lost, the nearest first, as far as
	// it counts.
	Levels []LevelGain
}

// LevelGain is what is gained at one level, in bytes per second times what a byte is
// worth more there than at the next wider level.
type LevelGain struct {
	Level locality.Level
	// Placed is by the pods that are there, Anticipated by those still to come.
	Placed, Anticipated float64
}

// VetoReason says why a veto acts.
type VetoReason struct {
	Veto Veto
	// Level, Pods and Limit are of VetoShare: the domain of the level has Pods of the
	// workload's pods, and attracts no more from Limit on.
	Level       locality.Level
	Pods, Limit int32
	// Load, Added and Bound are of VetoNetwork, in bytes per second in the direction
	// that would be loaded beyond the bound.
	Load, Added, Bound float64
	// Reserved are of VetoReserved: those that the room is kept for.
	Reserved []Reservation
}

// Reservation is room of a node that is kept for pods of a workload.
type Reservation struct {
	Workload flowgraph.WorkloadID
	// Room is what these pods take.
	Room Room
	// Density is what one of them gains there, in bytes per second, for each share of
	// the node that it takes, and Own what the pod itself does.
	Density, Own float64
	// Significance is how much say they have, in [0,1].
	Significance float64
}

// Explain says how the score of a node came about. It works it out anew, so that
// Evaluate need not keep it; it is valid as long as the Board is as it was.
func (r *Result) Explain(n int32) Explanation {
	e := r.engine
	x := Explanation{
		Node: e.board.nodes[n].name, Influence: r.request.Influence, Basis: r.Basis, Best: r.best,
		PodRate: r.podRate, Significance: r.significance(),
	}
	if r.Points != nil {
		x.Points = r.Points.Of(n)
	}
	if r.inGraph() {
		x.Peers = r.explainPeers(n)
		for _, p := range x.Peers {
			for _, l := range p.Levels {
				x.Gain += l.Placed + l.Anticipated
				x.Anticipated += l.Anticipated
			}
		}
		x.Vetoes = append(x.Vetoes, r.explainShare(n)...)
		if e.vetoes[n].has(VetoNetwork) {
			x.Vetoes = append(x.Vetoes, r.explainNetwork(n)...)
		}
	}
	if e.vetoes[n].has(VetoReserved) {
		x.Vetoes = append(x.Vetoes, r.explainReserved(n))
	}
	return x
}

// explainPeers goes through the edges once more, with levels of its own.
func (r *Result) explainPeers(n int32) []PeerGain {
	e, request := r.engine, r.request
	levels := newLevels(e.board, e.options.Levels())
	zones := find(levels, locality.Zone)
	var peers []PeerGain
	add := func(p PeerGain) {
		part := r.partOf(p.Peer.Namespace)
		for i := range levels {
			l := &levels[i]
			if d := e.board.where[l.Position][n]; d != Absent && (l.gained[d] != 0 || l.anticipated[d] != 0) {
				p.Levels = append(p.Levels, LevelGain{l.Level.Level, part * l.Step * l.gained[d], part * l.Step * l.anticipated[d]})
			}
		}
		if len(p.Levels) > 0 {
			peers = append(peers, p)
		}
	}
	start := func() {
		for i := range levels {
			levels[i].start(e.own)
		}
	}
	edges := e.edgesOf(request.Snapshot, r.number, r.desired, request.Routing, nil)
	for k := range edges {
		edge := &edges[k]
		start()
		if edge.site && edge.weight > 0 {
			e.addSite(levels, edge, request.Snapshot.ID(edge.number))
			add(PeerGain{Peer: request.Snapshot.ID(edge.number), Calls: edge.calls, Weight: edge.weight})
			continue
		}
		if edge.weight == 0 || !e.resolvePeer(edge, request.Workload.Namespace) {
			continue
		}
		e.addToLevels(levels, zones, edge, &e.board.states[edge.peer])
		if gain := e.admission.explain(e, edge, n); gain > 0 {
			find(levels, locality.Node).anticipate(n, gain)
		}
		add(PeerGain{Peer: request.Snapshot.ID(edge.number), Calls: edge.calls, Routing: edge.routing, Weight: edge.weight})
	}
	if self := request.Snapshot.Self(r.number); self != (flowgraph.Rates{}) && !e.options.NetMARKS {
		start()
		own := r.ownRouting()
		for i := range levels {
			levels[i].addSelf(e.options.weight(self), own, r.desired)
		}
		add(PeerGain{Peer: request.Workload, Calls: true, Routing: own, Weight: e.options.weight(self)})
	}
	return peers
}

func (r *Result) explainShare(n int32) (reasons []VetoReason) {
	for i := range r.engine.levels {
		l := &r.engine.levels[i]
		if d := r.engine.board.where[l.Position][n]; d != Absent && l.isFull(d) {
			reasons = append(reasons, VetoReason{Veto: VetoShare, Level: l.Level.Level, Pods: l.own.pods[d], Limit: l.limit})
		}
	}
	return reasons
}

func (r *Result) explainNetwork(n int32) (reasons []VetoReason) {
	e := r.engine
	node := &e.board.nodes[n]
	load, adds := e.networks.byNode[n].load, e.networks.addsOn(n)
	bound := e.options.MaxUtilization * node.bandwidth
	for _, direction := range [...]struct{ load, adds float64 }{{load.out, adds.out}, {load.in, adds.in}} {
		if node.bandwidth > 0 && direction.adds > 0 && direction.load+direction.adds > bound {
			reasons = append(reasons, VetoReason{Veto: VetoNetwork, Load: direction.load, Added: direction.adds, Bound: bound})
		}
	}
	return reasons
}

func (r *Result) explainReserved(n int32) VetoReason {
	e := r.engine
	acted := e.vetoes[n]
	e.vetoes[n] &^= 1 << VetoReserved // as it was when this one was considered
	own := e.density(r, n)
	e.vetoes[n] = acted
	reason := VetoReason{Veto: VetoReserved}
	for i := range e.promises.byNode[n] {
		p := &e.promises.byNode[n][i]
		if p.precedes(r, own) {
			reason.Reserved = append(reason.Reserved, Reservation{
				Workload: e.board.ID(p.workload), Room: p.room, Density: p.density, Own: own,
				Significance: e.significance(p.podRate),
			})
		}
	}
	return reason
}
