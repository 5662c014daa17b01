// Package cuttest measures an assignment the slow way: how much of a graph's
// traffic stays within the nodes, zones and regions, and what one move changes. It
// is the independent oracle of tests, of package cut's among them, so it is
// written to be read, and shares no code with what it checks.
package cuttest

import (
	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Assignment says how many pods of each workload run where.
type Assignment struct {
	// Nodes are where all nodes are, for sites that do not say their region.
	Nodes   []locality.Locality
	desired map[flowgraph.WorkloadID]int32
	placed  map[flowgraph.WorkloadID]map[locality.Locality]int32
}

// NewAssignment returns an assignment in which nothing is placed. A workload
// that is not in desired wants as many pods as it has.
func NewAssignment(desired map[flowgraph.WorkloadID]int32) *Assignment {
	return &Assignment{desired: desired, placed: map[flowgraph.WorkloadID]map[locality.Locality]int32{}}
}

// Add places n more pods of a workload at a locality; n may be negative.
func (a *Assignment) Add(id flowgraph.WorkloadID, at locality.Locality, n int32) {
	nodes := a.placed[id]
	if nodes == nil {
		nodes = map[locality.Locality]int32{}
		a.placed[id] = nodes
	}
	if nodes[at] += n; nodes[at] <= 0 {
		delete(nodes, at)
	}
}

// domains returns a workload's pods by topology domain of a level. Pods in an
// unknown domain are left out: they share it with nobody.
func (a *Assignment) domains(id flowgraph.WorkloadID, level locality.Level) map[string]int32 {
	counts := map[string]int32{}
	for at, n := range a.placed[id] {
		if d := at.Domain(level); d != "" {
			counts[d] += n
		}
	}
	return counts
}

func (a *Assignment) desiredOf(id flowgraph.WorkloadID) int32 {
	if d, ok := a.desired[id]; ok {
		return d
	}
	var n int32
	for _, placed := range a.placed[id] {
		n += placed
	}
	return n
}

// Traffic is what an assignment does to a graph's traffic at one level, in
// bytes per second. Self-flows are part of both.
type Traffic struct {
	// Local stays within the domains of the level.
	Local float64
	// Total is the traffic of all edges, whether their pods are placed or not.
	Total float64
}

// Crossing is the traffic that leaves the domains of the level: the cut.
func (t Traffic) Crossing() float64 { return t.Total - t.Local }

// Share is Crossing/Total, 0 when there is no traffic.
func (t Traffic) Share() float64 {
	if t.Total == 0 {
		return 0
	}
	return t.Crossing() / t.Total
}

// Measure returns the traffic of a snapshot under an assignment and a routing,
// at one level. Under Uniform and FairLoad it is the sum over the edges of
// w (xa/da)(xb/db), or of w min(xa/da, xb/db), over all domains (package
// affinity). Under the others calls are followed from each caller to the endpoints
// that they go to. A self-flow is counted once, and divided evenly over
// the other pods under every routing but FairLoad, which keeps it.
func Measure(snap *flowgraph.Snapshot, a *Assignment, routing affinity.Routing, level locality.Level) Traffic {
	var t Traffic
	for e := range snap.Edges() {
		w := e.BytesPerSecond()
		t.Total += w
		if e.From.IsSite() || e.To.IsSite() {
			t.Local += w * a.siteShare(e, level)
			continue
		}
		if e.IsSelf() && routing == affinity.FairLoad { // each pod takes its own calls, wherever it is
			t.Local += w
			continue
		}
		if !e.IsSelf() && follows(routing) {
			t.Local += preferred(a, e, w, routing, level)
			continue
		}
		t.Local += local(a, e, w, routing, level)
	}
	return t
}

// siteShare is the part of the wanted pods of an edge's workload that share a domain of a
// level with the site at its other end.
func (a *Assignment) siteShare(e flowgraph.Edge, level locality.Level) float64 {
	id, site := e.From, e.To
	if e.From.IsSite() {
		id, site = e.To, e.From
	}
	at, _ := site.Site()
	isIn := func(node locality.Locality) bool { return locality.SharesZone(at, node) }
	regions := map[string]bool{at.Region: true}
	for _, node := range a.Nodes {
		if isIn(node) {
			regions[node.Region] = true
		}
	}
	var n int32
	for node, pods := range a.placed[id] {
		if level == locality.Zone && isIn(node) || level == locality.Region && node.Region != "" && regions[node.Region] {
			n += pods
		}
	}
	return float64(n) / float64(a.desiredOf(id))
}

// follows reports whether calls are followed from each caller.
func follows(routing affinity.Routing) bool {
	return routing != affinity.Uniform && routing != affinity.FairLoad
}

func local(a *Assignment, e flowgraph.Edge, w float64, routing affinity.Routing, level locality.Level) float64 {
	from, to := a.domains(e.From, level), a.domains(e.To, level)
	df, dt := a.desiredOf(e.From), a.desiredOf(e.To)
	var sum float64
	for domain, n := range from {
		x := affinity.Replicas{Placed: n, Desired: df}
		if e.IsSelf() {
			if df > 1 {
				sum += w * float64(n) * float64(n-1) / (float64(df) * float64(df-1))
			}
			continue
		}
		sum += affinity.Local(routing, w, x, affinity.Replicas{Placed: to[domain], Desired: dt})
	}
	return sum
}

// preferred is the part of an edge's calls that stay within the level when each
// caller divides its own evenly over the endpoints that it prefers (KEP-3015):
// those on its node or else in its zone, as far as the routing prefers the levels,
// else all that are wanted. Those that it sends out of its zone it divides evenly
// over all that are wanted elsewhere. An edge has equal parts for all callers. Under
// FairZone the endpoints of a zone take no more than their part of all calls.
func preferred(a *Assignment, e flowgraph.Edge, w float64, routing affinity.Routing, level locality.Level) float64 {
	routing, kept := routing.Kept()
	callers := max(a.desiredOf(e.From), a.within(locality.Remote, locality.Locality{}, e.From))
	all := max(a.desiredOf(e.To), a.within(locality.Remote, locality.Locality{}, e.To))
	routing = routing.Given(all)
	var sum float64
	for caller, n := range a.placed[e.From] {
		if routing.IsFair() {
			calling := float64(a.within(locality.Zone, caller, e.From)) / float64(callers)
			serving := float64(a.within(locality.Zone, caller, e.To)) / float64(all)
			kept = min(1, serving/max(calling, 1e-9))
		}
		widest, endpoints := locality.Remote, all // the level at which endpoints are preferred
		switch {
		case routing.Prefers(locality.Node) && a.within(locality.Node, caller, e.To) > 0:
			widest = locality.Node
		case routing.Prefers(locality.Zone) && a.within(locality.Zone, caller, e.To) > 0:
			widest = locality.Zone
		}
		if widest != locality.Remote {
			endpoints = a.within(widest, caller, e.To)
		}
		var near, far int32
		for at, m := range a.placed[e.To] {
			switch {
			case !shared(level, caller, at):
			case shared(widest, caller, at):
				near += m
			default:
				far += m
			}
		}
		stays := 0.0
		if near > 0 {
			stays = float64(near) / float64(endpoints)
		}
		if kept < 1 && widest != locality.Remote && endpoints < all {
			stays = kept*stays + (1-kept)*float64(far)/float64(all-endpoints)
		}
		sum += w * float64(n) / float64(callers) * stays
	}
	return sum
}

// within is how many pods of a workload share a domain of a level with a
// locality.
func (a *Assignment) within(level locality.Level, with locality.Locality, id flowgraph.WorkloadID) int32 {
	var n int32
	for at, placed := range a.placed[id] {
		if shared(level, with, at) {
			n += placed
		}
	}
	return n
}

// shared reports whether two localities share a domain of a level; all share
// Remote.
func shared(level locality.Level, a, b locality.Locality) bool {
	return level == locality.Remote || a.Domain(level) != "" && a.Domain(level) == b.Domain(level)
}

// Move is one pod of a workload that goes from one locality to another. A zero
// From is a pod that was not placed before.
type Move struct {
	Workload flowgraph.WorkloadID
	From, To locality.Locality
}

// Delta returns how much more traffic, in bytes per second, stays within the
// level's domains after a move; negative when less stays. The assignment is as
// before when it returns.
func Delta(snap *flowgraph.Snapshot, a *Assignment, m Move, routing affinity.Routing, level locality.Level) float64 {
	before := Measure(snap, a, routing, level).Local
	a.apply(m)
	after := Measure(snap, a, routing, level).Local
	a.apply(Move{Workload: m.Workload, From: m.To, To: m.From})
	return after - before
}

func (a *Assignment) apply(m Move) {
	var unplaced locality.Locality
	if m.From != unplaced {
		a.Add(m.Workload, m.From, -1)
	}
	if m.To != unplaced {
		a.Add(m.Workload, m.To, 1)
	}
}
