package score

import (
	"fmt"
	"math"
	"slices"
	"strings"

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
	// Basis is what the points rest on.
	Basis Basis
	// GainPoints is what the gain brings after vetoes (more than MaxPoints on a node that is no
	// candidate and better than all of them), and RoomPoints what a node has beside
	// it because its room is not kept for others, or only for less significant ones.
	GainPoints, RoomPoints float64
	// Points is the score, from 0 to MaxPoints: the sum of both, rounded and bounded.
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
	// Part is how much of the gain counts, in [0,1]: less than 1 where the peer's namespace
	// may not contribute more to gains.
	Part float64
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
		x.GainPoints, x.RoomPoints = r.pointParts(n)
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

// pointParts returns what the points of a node are the sum of, as score makes them.
func (r *Result) pointParts(n int32) (gain, room float64) {
	if r.Basis == ByGain {
		gain = r.engine.gainOn(n) * r.scale()
	}
	if others := r.engine.promises.others; len(others) > 0 {
		room = MaxPoints
		if r.Basis == ByGain {
			room *= 1 - r.weight()
		}
		if i := slices.IndexFunc(others, func(o reservation) bool { return o.node == n }); i >= 0 {
			room *= 1 - others[i].significance*r.request.Influence
		}
	}
	return gain, room
}

// edgeGain is what a pod gains by one edge in all domains.
type edgeGain struct {
	PeerGain
	edge   *edge // nil of traffic with the workload itself and with sites
	rates  flowgraph.Rates
	byRank []map[int32]LevelGain
}

// edgeGains goes through the edges once more, with levels of its own. The gains by each are
// kept, as all nodes are explained by them.
func (r *Result) edgeGains() []edgeGain {
	if r.explained != nil {
		return r.explained
	}
	e, request := r.engine, r.request
	levels := newLevels(e.board, e.options.Levels())
	zones := find(levels, locality.Zone)
	r.explained = []edgeGain{}
	keep := func(g edgeGain) {
		g.Part = r.partOf(g.Peer.Namespace)
		for i := range levels {
			l := &levels[i]
			gains := make(map[int32]LevelGain, len(l.hits))
			for _, d := range l.hits {
				gains[d] = LevelGain{l.Level.Level, g.Part * l.Step * l.gained[d], g.Part * l.Step * l.anticipated[d]}
			}
			g.byRank = append(g.byRank, gains)
		}
		r.explained = append(r.explained, g)
	}
	start := func() {
		for i := range levels {
			levels[i].start(e.own)
		}
	}
	edges := slices.Clone(e.edgesOf(request.Snapshot, r.number, r.desired, request.Routing, nil))
	for k := range edges {
		edge := &edges[k]
		start()
		if edge.site && edge.weight > 0 {
			e.addSite(levels, edge, request.Snapshot.ID(edge.number))
			keep(edgeGain{rates: edge.rates, PeerGain: PeerGain{Peer: request.Snapshot.ID(edge.number), Calls: edge.calls, Weight: edge.weight}})
			continue
		}
		if edge.weight == 0 || !e.resolvePeer(edge, request.Workload.Namespace) {
			continue
		}
		e.addToLevels(levels, zones, edge, &e.board.states[edge.peer])
		keep(edgeGain{edge: edge, rates: edge.rates, PeerGain: PeerGain{
			Peer: request.Snapshot.ID(edge.number), Calls: edge.calls, Routing: edge.routing, Weight: edge.weight,
		}})
	}
	if self := request.Snapshot.Self(r.number); self != (flowgraph.Rates{}) && !e.options.NetMARKS {
		start()
		own := r.ownRouting()
		for i := range levels {
			levels[i].addSelf(e.options.weight(self), own, r.desired)
		}
		keep(edgeGain{rates: self, PeerGain: PeerGain{Peer: request.Workload, Calls: true, Routing: own, Weight: e.options.weight(self)}})
	}
	return r.explained
}

// explainPeers returns what the pod gains on a node by each edge that has a part in it.
func (r *Result) explainPeers(n int32) []PeerGain {
	e := r.engine
	var peers []PeerGain
	all := r.edgeGains()
	for k := range all {
		g := &all[k]
		p := g.PeerGain
		for i := range e.levels {
			l := &e.levels[i]
			var gain LevelGain
			if d := e.board.where[l.Position][n]; d != Absent {
				gain = g.byRank[i][d]
			}
			if l == e.node && g.edge != nil {
				gain.Anticipated += g.Part * l.Step * e.admission.explain(e, g.edge, n)
			}
			if gain.Level = l.Level.Level; gain.Placed != 0 || gain.Anticipated != 0 {
				p.Levels = append(p.Levels, gain)
			}
		}
		if len(p.Levels) > 0 {
			peers = append(peers, p)
		}
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

// Gain is the sum over all levels, in bytes per second.
func (p *PeerGain) Gain() (gain float64) {
	for _, l := range p.Levels {
		gain += l.Placed + l.Anticipated
	}
	return gain
}

// String says which veto it is and why it acts.
func (v VetoReason) String() string {
	switch v.Veto {
	case VetoShare:
		return fmt.Sprintf("share: the %s has %d of the workload's pods and draws up to %d", strings.ToLower(v.Level.String()), v.Pods, v.Limit)
	case VetoNetwork:
		return fmt.Sprintf("network: %s and the pod's %s exceed the bound of %s", rateOf(v.Load), rateOf(v.Added), rateOf(v.Bound))
	case VetoReserved:
		var names []string
		for _, r := range v.Reserved {
			names = append(names, r.Workload.String())
		}
		return "reserved: room is kept for " + strings.Join(names, ", ")
	}
	return v.Veto.String()
}

// rateOf words bytes per second.
func rateOf(v float64) string {
	units := [...]string{"B/s", "KiB/s", "MiB/s", "GiB/s"}
	i := 0
	for ; math.Abs(v) >= 1000 && i < len(units)-1; i++ {
		v /= 1024
	}
	return fmt.Sprintf("%.3g %s", v, units[i])
}
