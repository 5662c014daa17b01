package score

import (
	"fmt"
	"math"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Basis says what scores rest on.
type Basis int

const (
	// ByNothing says that no candidate is better than another. The points are to be ignored.
	ByNothing Basis = iota
	// ByGain is the traffic that would stay close.
	ByGain
	// ByRoom says that the pod gains nothing on any candidate, and leaves the nodes
	// whose room is kept to those that do.
	ByRoom
)

// String returns the basis as a word.
func (b Basis) String() string {
	switch b {
	case ByNothing:
		return "nothing"
	case ByGain:
		return "gain"
	case ByRoom:
		return "room"
	}
	return fmt.Sprintf("Basis(%d)", int(b))
}

// Veto says what takes the gain on a node away.
type Veto uint8

const (
	// VetoShare says that the node, or its zone, has its share of the workload's pods.
	VetoShare Veto = iota
	// VetoNetwork says that the node's network would be loaded beyond its bound.
	VetoNetwork
	// VetoReserved says that the node's room is kept for pods that make more of it.
	VetoReserved
)

// String returns the veto as a word.
func (v Veto) String() string {
	switch v {
	case VetoShare:
		return "share"
	case VetoNetwork:
		return "network"
	case VetoReserved:
		return "reserved"
	}
	return fmt.Sprintf("Veto(%d)", int(v))
}

// vetoes are those that have acted on a node. Those of VetoShare are not among them: they
// act on domains.
type vetoes uint8

func (all vetoes) has(v Veto) bool { return all&(1<<v) != 0 }

// Result is what an Engine found for a pod.
type Result struct {
	// Basis is what the points rest on.
	Basis Basis
	// Points are the scores of all nodes, nil where they rest on nothing. Network, room,
	// and whether the pods of peers can follow, are looked at on candidates only.
	Points *Points
	// Best and Worst are the highest and the lowest points of a candidate.
	Best, Worst uint8
	// BetterElsewhere says that the pod would gain more on a node that is no candidate
	// than on any that is.
	BetterElsewhere bool
	// Origins are those of the declared edges with sites, and with peers that are there, or
	// will be.
	Origins flowgraph.Origins

	engine   *Engine
	request  *Request
	number   int   // of the workload in the snapshot
	workload int32 // on the Board, or Absent
	desired  int32
	podRate  float64 // bytes per second that one pod exchanges
	best     float64 // gain of a candidate
	worst    float64
	capped   map[string]float64 // namespaces whose part in the gains is reduced, and to what share of it

	explained []edgeGain // once somebody has asked
}

// noteOrigins notes where the declared edges of workload i of the snapshot come from.
func (r *Result) noteOrigins(i int) {
	e, snap := r.engine, r.request.Snapshot
	for _, d := range snap.DeclaredOf(i) {
		if snap.ID(d.Peer).IsSite() {
			if !e.options.NetMARKS { // the baseline knows pods only
				r.Origins = r.Origins.With(d.Origin)
			}
			continue
		}
		peer := e.board.onBoard(d.Peer)
		if peer == Absent || !snap.Reach().Attracts(snap.ID(d.Peer).Namespace, r.request.Workload.Namespace) {
			continue
		}
		if s := &e.board.states[peer]; s.serving > 0 || e.options.Anticipate && s.shared() > 0 {
			r.Origins = r.Origins.With(d.Origin)
		}
	}
}

// inGraph reports whether the pod's workload has traffic.
func (r *Result) inGraph() bool { return r.desired > 0 }

// measure finds the extremes of the candidates' gains. A candidate that is not on the
// Board gains nothing.
func (r *Result) measure() {
	if !r.inGraph() {
		return
	}
	r.capForeign()
	r.worst = math.Inf(1)
	for _, n := range r.request.Candidates {
		gain := 0.0
		if n != Absent {
			gain = r.engine.gainOn(n)
		}
		r.best, r.worst = max(r.best, gain), min(r.worst, gain)
	}
	r.BetterElsewhere = r.betterElsewhere()
}

// betterElsewhere reports whether another node than the candidates has a higher gain.
func (r *Result) betterElsewhere() bool {
	e := r.engine
	if e.node != nil {
		for _, n := range e.node.hits {
			if e.gainOn(n)-e.admittedBase() > r.best && e.candidate[n] != e.cycle && !e.keepsOut(r, n) {
				return true
			}
		}
	}
	for c, members := range e.board.members { // nothing is gained in class 0, which is no domain's
		if class := &e.class[c]; class.full || class.gain-e.admittedBase() <= r.best {
			continue
		}
		for _, n := range members {
			if e.isOrdinary(n) && e.candidate[n] != e.cycle && !e.keepsOut(r, n) {
				return true
			}
		}
	}
	return false
}

// keepsOut reports whether a veto would act on a node that is no candidate.
func (e *Engine) keepsOut(r *Result, n int32) bool {
	if e.networks.on && e.board.nodes[n].bandwidth > 0 && e.isSaturated(r.request.Snapshot, n, &budget{}) {
		return true
	}
	return e.options.ReserveRoom && !r.request.Group && len(e.promises.byNode[n]) > 0 && e.reservedFrom(r, n) > 0
}

// score turns gains into points. With w = significance x influence, and the significance o
// of those that the room of a node is kept for, 0 where it is kept for nobody, a node has
//
//	100 x (w x gain / the best candidate's gain + (1 - w) x (1 - o x influence))
//
// where the second term is left out while no room is kept on any candidate, as it is the same
// for all. A pod that gains nothing anywhere has w = 0: as its traffic goes to 0, its scores
// go to those of a pod without any.
func (r *Result) score() {
	e := r.engine
	switch {
	case r.best > 0:
		r.Basis = ByGain
		r.scoreGains(r.scale())
	case len(e.promises.others) > 0:
		r.Basis = ByRoom
		r.scoreRoom()
	}
}

// scale is how many points a byte per second is worth.
func (r *Result) scale() float64 { return MaxPoints * r.weight() / r.best }

// weight is what part of the points the pod's gains have, in [0,1].
func (r *Result) weight() float64 { return r.significance() * r.request.Influence }

// significance is that of the pod's own traffic.
func (r *Result) significance() float64 {
	return r.engine.significance(r.podRate)
}

func (r *Result) scoreGains(scale float64) {
	e := r.engine
	room := 0.0 // points of nodes whose room nobody needs
	if len(e.promises.others) > 0 {
		room = MaxPoints * (1 - r.weight())
	}
	byClass := make([]uint8, len(e.class))
	for c := range e.class {
		gain := e.class[c].gain
		if e.class[c].full {
			gain = 0
		}
		byClass[c] = pointsOf(gain*scale + room)
	}
	listed := [3][]int32{e.vetoed}
	if e.node != nil {
		listed[1], listed[2] = e.node.hits, e.node.own.domains
	}
	count := 0
	for _, nodes := range listed {
		count += len(nodes)
	}
	r.Points = newPoints(e.board, byClass, count)
	for _, nodes := range listed {
		for _, n := range nodes {
			if !e.vetoes[n].has(VetoReserved) {
				r.Points.set(n, pointsOf(e.gainOn(n)*scale+room))
			}
		}
	}
	for _, o := range e.promises.others {
		r.Points.set(o.node, pointsOf(room*(1-o.significance*r.request.Influence)))
	}
	r.Points.sort()
	if len(e.promises.others) > 0 {
		r.findExtremes()
		return
	}
	r.Best, r.Worst = pointsOf(r.best*scale), pointsOf(r.worst*scale)
}

func (r *Result) scoreRoom() {
	e := r.engine
	byClass := make([]uint8, e.board.classes.size())
	for c := range byClass {
		byClass[c] = MaxPoints
	}
	r.Points = newPoints(e.board, byClass, len(e.promises.others))
	for _, o := range e.promises.others {
		r.Points.set(o.node, pointsOf(MaxPoints*(1-o.significance*r.request.Influence)))
	}
	r.Points.sort()
	r.findExtremes()
}

// findExtremes finds the highest and the lowest points of a candidate.
func (r *Result) findExtremes() {
	r.Worst = MaxPoints
	for _, n := range r.request.Candidates {
		points := uint8(0)
		if n != Absent {
			points = r.Points.Of(n)
		}
		r.Best, r.Worst = max(r.Best, points), min(r.Worst, points)
	}
}
