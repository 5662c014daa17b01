package sim

import (
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// byLevel is traffic that stays within the domains of each level, by its position.
type byLevel [maxLevels]float64

func (sum *byLevel) add(other *byLevel) {
	for k := range other {
		sum[k] += other[k]
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
	for k := range p.levels {
		local[Uniform][k], local[FairLoad][k] = p.dividedLocal(ends, w, k)
	}
	local[SameNode] = p.preferredLocal(affinity.SameNode, ends, w, sameNode)
	switch routing := p.route(ends).Routing; routing {
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
	if ends.from != ends.to && routing != affinity.Uniform && routing != affinity.FairLoad {
		return p.preferredLocal(routing, ends, w, to)
	}
	to.addAll(w)
	if ends.from == ends.to {
		return p.selfLocal(ends.from, w)
	}
	for k := range p.levels {
		uniform, fairLoad := p.dividedLocal(ends, w, k)
		local[k] = uniform
		if routing == affinity.FairLoad {
			local[k] = fairLoad
		}
	}
	return local
}

// dividedLocal is the sum of affinity.Local over the domains of a level. During a
// rollout a workload may have more pods than it wants; an edge keeps no more than
// all of it.
func (p *placement) dividedLocal(ends pair, w float64, level int) (uniform, fairLoad float64) {
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
// D(n) the domain of n. Where calls are divided over two sets, each counts by its
// part of them.
func (p *placement) preferredLocal(routing affinity.Routing, ends pair, w float64, to *load) (local byLevel) {
	each := w / float64(p.wanted(ends.from))
	rest := w
	for _, caller := range p.at[atNode].places[ends.from] {
		for _, e := range p.choose(routing, caller.domain, ends) {
			if e.part == 0 {
				continue
			}
			calls := each * float64(caller.pods) * e.part
			for k := range p.levels {
				local[k] += calls * p.near(k, caller.domain, ends.to, e)
			}
			if e.level != nowhere && to != nil && !routing.IsFair() {
				rest -= p.addNear(to, ends.to, e, calls)
			}
		}
	}
	to.addAll(max(rest, 0))
	return local
}

// endpoints are those of a workload that a part of the calls from one node is
// divided over, evenly.
type endpoints struct {
	// part is that of the calls, in [0,1]; 0 is of no endpoints.
	part float64
	// level is the position of that of the caller's domain which they are in: Node,
	// Zone, or nowhere for all that there are.
	level int
	// outside has them be those outside this domain.
	outside bool
	// place is the position of the domain among the workload's places at level.
	place int
	// count is how many there are. Of all, and of those outside, missing ones are
	// part: calls to them count as crossing, as under Uniform.
	count int32
	// none is the position of the widest level that was tried at which the caller's
	// domain has none, or nowhere.
	none int
}

// route is how calls of an edge are divided, whose ends are in the cluster.
func (p *placement) route(ends pair) cluster.Route {
	return p.c.Workloads[ends.to].RouteFrom(p.c.Workloads[ends.from].ID.Namespace)
}

// choose returns the endpoints that calls from a node go to: those nearest, and
// under ZoneShare and FairZone for the other part of the calls those outside the zone,
// if there are any. What the zone keeps is what the callee's Shares have, where they
// are known, or under FairZone affinity.ZoneKept.
func (p *placement) choose(routing affinity.Routing, node int32, ends pair) [2]endpoints {
	callee := ends.to
	routing = routing.Given(p.wanted(callee))
	preferring, kept := routing.Kept()
	near := p.nearest(preferring, node, callee)
	if routing.IsFair() && near.level == p.zone {
		kept = p.fairlyKept(near, node, ends)
	}
	if shares := p.route(ends).Shares; shares != nil && preferring != routing && near.level != nowhere {
		part, ok := p.kept(shares, node, callee)
		if !ok {
			return [2]endpoints{{part: 1, level: nowhere, count: p.wanted(callee), none: nowhere}}
		}
		kept = part
	}
	others := near
	others.count, others.outside, others.none = p.wanted(callee)-near.count, true, near.level
	if kept == 1 || near.level == nowhere || others.count == 0 {
		near.part = 1
		return [2]endpoints{near}
	}
	near.part, others.part = kept, 1-kept
	return [2]endpoints{near, others}
}

// fairlyKept is the part of the calls from the zone of a node that the endpoints there
// get under FairZone.
func (p *placement) fairlyKept(near endpoints, node int32, ends pair) float64 {
	callers, callees := affinity.Replicas{Desired: p.wanted(ends.from)}, affinity.Replicas{Placed: near.count, Desired: p.wanted(ends.to)}
	if k, found := p.at[p.zone].find(node, ends.from); found {
		callers.Placed = p.at[p.zone].places[ends.from][k].pods
	}
	return affinity.ZoneKept(callers, callees)
}

// nearest returns the endpoints that calls from a node go to, as kube-proxy
// chooses them (KEP-3015; pkg/proxy/topology.go): under SameNode and SameNodeOrAny
// those on the node, under SameNode and SameZone then those in its zone, and where
// there are none, or the zone is unknown, all. kube-proxy gives up zones for a Service that
// has an endpoint in none; that is not followed here.
func (p *placement) nearest(routing affinity.Routing, node, callee int32) endpoints {
	none := nowhere
	for _, level := range [...]int{atNode, p.zone} {
		if !routing.Prefers(p.levels[level]) {
			continue
		}
		if k, found := p.at[level].find(node, callee); found {
			return endpoints{level: level, place: k, count: p.at[level].places[callee][k].pods, none: none}
		}
		if p.at[level].domainOf[node] >= 0 {
			none = level
		}
	}
	return endpoints{level: nowhere, count: p.wanted(callee), none: none}
}

// near is the part of the endpoints that are in the node's domain of a level.
func (p *placement) near(level int, node, callee int32, e endpoints) float64 {
	l := &p.at[level]
	switch {
	case level <= e.none || l.domainOf[node] < 0:
		return 0
	case e.level != nowhere && e.level <= level && !e.outside:
		return 1 // the domains of levels nest
	}
	k, found := l.find(node, callee)
	if !found {
		return 0
	}
	there := l.places[callee][k].pods
	if e.outside {
		there -= p.at[e.level].places[callee][e.place].pods
	}
	return float64(there) / float64(e.count)
}

// selfLocal is the part of a workload's traffic with itself that stays, under every
// model.
func (p *placement) selfLocal(workload int32, w float64) (local byLevel) {
	for k := range p.levels {
		for _, place := range p.at[k].places[workload] {
			local[k] += affinity.SelfLocal(w, affinity.Replicas{Placed: place.pods, Desired: p.c.Workloads[workload].Replicas})
		}
		local[k] = min(local[k], w)
	}
	return local
}
