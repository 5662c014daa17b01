package sim

import (
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// byLevel is traffic that stays within the domains of each level; Remote has none.
type byLevel [locality.Region + 1]float64

// underModels is what stays of an edge of rate w, under every model.
func (p *placement) underModels(ends pair, w float64) (local [modelCount]byLevel) {
	for _, m := range []Model{Uniform, FairLoad, SameNode} {
		local[m] = p.local(m.routing(0), ends, w)
	}
	switch routing := p.c.Workloads[ends.to].Routing; routing {
	case affinity.Uniform:
		local[Configured] = local[Uniform]
	case affinity.FairLoad:
		local[Configured] = local[FairLoad]
	case affinity.SameNode:
		local[Configured] = local[SameNode]
	default:
		local[Configured] = p.local(routing, ends, w)
	}
	return local
}

// local is what stays of an edge of rate w whose both ends are in the cluster.
// Uniform and FairLoad are those of package affinity at each level by itself;
// the preferences of KEP-3015 are followed from each caller's node.
func (p *placement) local(routing affinity.Routing, ends pair, w float64) (local byLevel) {
	switch {
	case ends.from == ends.to:
		return p.selfLocal(ends.from, w)
	case routing == affinity.SameNode || routing == affinity.SameZone:
		return p.preferredLocal(routing, ends, w)
	}
	for level := locality.Node; level <= locality.Region; level++ {
		local[level] = p.dividedLocal(routing, ends, w, level)
	}
	return local
}

// dividedLocal is the sum of affinity.Local over the domains of a level. During a
// rollout a workload may have more pods than it wants; an edge keeps no more than
// all of it.
func (p *placement) dividedLocal(routing affinity.Routing, ends pair, w float64, level locality.Level) float64 {
	from, to, places := &p.c.Workloads[ends.from], &p.c.Workloads[ends.to], p.at[level].places
	var sum float64
	meet(places[ends.from], places[ends.to], func(caller, callee tally) {
		a := affinity.Replicas{Placed: caller.pods, Desired: from.Replicas}
		b := affinity.Replicas{Placed: callee.pods, Desired: to.Replicas}
		sum += affinity.Local(routing, w, a, b)
	})
	return min(sum, w)
}

// preferredLocal follows the calls from each node of the caller: with x(n) of d
// callers there, the sum over the nodes of
//
//	w x(n)/d |E(n) ∩ D(n)| / |E(n)|
//
// where E(n) are the endpoints that calls from n are divided over (choose), and
// D(n) the domain of n.
func (p *placement) preferredLocal(routing affinity.Routing, ends pair, w float64) (local byLevel) {
	each := w * p.share(ends.from)
	for _, caller := range p.at[locality.Node].places[ends.from] {
		calls, e := each*float64(caller.pods), p.choose(routing, caller.domain, ends.to)
		for level := locality.Node; level <= locality.Region; level++ {
			local[level] += calls * p.near(level, caller.domain, ends.to, e)
		}
	}
	return local
}

// endpoints are those of a workload that calls from one node are divided over,
// evenly.
type endpoints struct {
	// level is that of the caller's domain which they are in: Node, Zone, or
	// Remote for all that there are.
	level locality.Level
	// place is the position of the domain among the workload's places at level.
	place int
	// count is how many there are. Of all, missing ones are part: calls to them
	// count as crossing, as under Uniform.
	count int32
}

// choose returns the endpoints that calls from a node go to, as kube-proxy
// chooses them (KEP-3015; pkg/proxy/topology.go): under SameNode those on the
// node, under SameNode and SameZone then those in its zone, and where there are
// none, or the zone is unknown, all. kube-proxy gives up zones for a Service that
// has an endpoint in none; that is not followed here.
func (p *placement) choose(routing affinity.Routing, node, callee int32) endpoints {
	for level := locality.Node; level <= locality.Zone; level++ {
		if !routing.Prefers(level) {
			continue
		}
		if k, found := p.at[level].find(node, callee); found {
			return endpoints{level, k, p.at[level].places[callee][k].pods}
		}
	}
	return endpoints{level: locality.Remote, count: p.wanted(callee)}
}

// near is the part of the endpoints that are in the node's domain of a level.
func (p *placement) near(level locality.Level, node, callee int32, e endpoints) float64 {
	l := &p.at[level]
	if l.domainOf[node] < 0 {
		return 0
	}
	if e.level != locality.Remote && e.level <= level {
		return 1 // the domains of levels nest
	}
	k, found := l.find(node, callee)
	if !found {
		return 0
	}
	return float64(l.places[callee][k].pods) / float64(e.count)
}

// selfLocal is the part of a workload's traffic with itself that stays: x(x-1)
// of d(d-1) ordered pairs of pods, as in package cut, under every model.
func (p *placement) selfLocal(workload int32, w float64) (local byLevel) {
	d := float64(p.c.Workloads[workload].Replicas)
	if d < 2 {
		return local
	}
	for level := locality.Node; level <= locality.Region; level++ {
		var sum float64
		for _, place := range p.at[level].places[workload] {
			x := float64(place.pods)
			sum += w * x * (x - 1) / (d * (d - 1))
		}
		local[level] = min(sum, w)
	}
	return local
}
