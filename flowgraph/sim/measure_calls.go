package sim

import (
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// byLevel is traffic that stays within the domains of each level; Remote has none.
type byLevel [locality.Region + 1]float64

func (sum *byLevel) add(other *byLevel) {
	for level := range other {
		sum[level] += other[level]
	}
}

// underModels is what stays of an edge of rate w, under every model. What reaches
// the pods of the callee under SameNode is added to its load.
func (p *placement) underModels(ends pair, w float64, sameNode *load) (local [modelCount]byLevel) {
	if ends.from == ends.to {
		sameNode.addAll(w)
		self := p.selfLocal(ends.from, w)
		return [modelCount]byLevel{self, self, self, self}
	}
	for level := locality.Node; level <= locality.Region; level++ {
		local[Uniform][level], local[FairLoad][level] = p.dividedLocal(ends, w, level)
	}
	local[SameNode] = p.preferredLocal(affinity.SameNode, ends, w, sameNode)
	switch routing := p.c.Workloads[ends.to].Routing; routing {
	case affinity.Uniform:
		local[Configured] = local[Uniform]
	case affinity.FairLoad:
		local[Configured] = local[FairLoad]
	case affinity.SameNode:
		local[Configured] = local[SameNode]
	default:
		local[Configured] = p.preferredLocal(routing, ends, w, nil)
	}
	return local
}

// local is what stays of an edge of rate w whose both ends are in the cluster.
// What reaches the pods of the callee is added to its load, unless that is nil.
// Uniform and FairLoad are those of package affinity at each level by itself, and
// leave no pod more than its fair share; the preferences of KEP-3015 are followed
// from each caller's node.
func (p *placement) local(routing affinity.Routing, ends pair, w float64, to *load) (local byLevel) {
	if ends.from != ends.to && (routing.Prefers(locality.Node) || routing.Prefers(locality.Zone)) && routing != affinity.FairLoad {
		return p.preferredLocal(routing, ends, w, to)
	}
	to.addAll(w)
	if ends.from == ends.to {
		return p.selfLocal(ends.from, w)
	}
	for level := locality.Node; level <= locality.Region; level++ {
		uniform, fairLoad := p.dividedLocal(ends, w, level)
		local[level] = uniform
		if routing == affinity.FairLoad {
			local[level] = fairLoad
		}
	}
	return local
}

// dividedLocal is the sum of affinity.Local over the domains of a level. During a
// rollout a workload may have more pods than it wants; an edge keeps no more than
// all of it.
func (p *placement) dividedLocal(ends pair, w float64, level locality.Level) (uniform, fairLoad float64) {
	from, to, places := &p.c.Workloads[ends.from], &p.c.Workloads[ends.to], p.at[level].places
	meet(places[ends.from], places[ends.to], func(caller, callee tally) {
		a := affinity.Replicas{Placed: caller.pods, Desired: from.Replicas}
		b := affinity.Replicas{Placed: callee.pods, Desired: to.Replicas}
		uniform += affinity.Local(affinity.Uniform, w, a, b)
		fairLoad += affinity.Local(affinity.FairLoad, w, a, b)
	})
	return min(uniform, w), min(fairLoad, w)
}

// preferredLocal follows the calls from each node of the caller: with x(n) of d
// callers there, the sum over the nodes of
//
//	w x(n)/d |E(n) ∩ D(n)| / |E(n)|
//
// where E(n) are the endpoints that calls from n are divided over (choose), and
// D(n) the domain of n.
func (p *placement) preferredLocal(routing affinity.Routing, ends pair, w float64, to *load) (local byLevel) {
	each := w / float64(p.wanted(ends.from))
	rest := w
	for _, caller := range p.at[locality.Node].places[ends.from] {
		calls, e := each*float64(caller.pods), p.choose(routing, caller.domain, ends.to)
		for level := locality.Node; level <= locality.Region; level++ {
			local[level] += calls * p.near(level, caller.domain, ends.to, e)
		}
		if e.level != locality.Remote && to != nil {
			p.addNear(to, ends.to, e, calls)
			rest -= calls
		}
	}
	to.addAll(max(rest, 0))
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
	// none is the widest level at which the caller's domain has none.
	none locality.Level
}

// choose returns the endpoints that calls from a node go to, as kube-proxy
// chooses them (KEP-3015; pkg/proxy/topology.go): under SameNode and SameNodeOrAny
// those on the node, under SameNode and SameZone then those in its zone, and where
// there are none, or the zone is unknown, all. kube-proxy gives up zones for a Service that
// has an endpoint in none; that is not followed here.
func (p *placement) choose(routing affinity.Routing, node, callee int32) endpoints {
	none := locality.Remote
	for level := locality.Node; level <= locality.Zone; level++ {
		if !routing.Prefers(level) {
			continue
		}
		if k, found := p.at[level].find(node, callee); found {
			return endpoints{level, k, p.at[level].places[callee][k].pods, none}
		}
		if p.at[level].domainOf[node] >= 0 {
			none = level
		}
	}
	return endpoints{level: locality.Remote, count: p.wanted(callee), none: none}
}

// near is the part of the endpoints that are in the node's domain of a level.
func (p *placement) near(level locality.Level, node, callee int32, e endpoints) float64 {
	l := &p.at[level]
	switch {
	case level <= e.none || l.domainOf[node] < 0:
		return 0
	case e.level != locality.Remote && e.level <= level:
		return 1 // the domains of levels nest
	}
	k, found := l.find(node, callee)
	if !found {
		return 0
	}
	return float64(l.places[callee][k].pods) / float64(e.count)
}

// selfLocal is the part of a workload's traffic with itself that stays, under every
// model.
func (p *placement) selfLocal(workload int32, w float64) (local byLevel) {
	for level := locality.Node; level <= locality.Region; level++ {
		for _, place := range p.at[level].places[workload] {
			local[level] += affinity.SelfLocal(w, affinity.Replicas{Placed: place.pods, Desired: p.c.Workloads[workload].Replicas})
		}
		local[level] = min(local[level], w)
	}
	return local
}
