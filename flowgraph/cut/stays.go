package cut

import (
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// byLevel is a part of an edge for each level, by its position.
type byLevel [maxLevels]float64

// Stays is what becomes of one edge, in parts of its traffic. Calls are divided
// evenly over the caller's serving pods, and from each of them as the route says.
type Stays struct {
	// Local stays within the domains of each level, by Model and then by the
	// level's position in the cluster's scale.
	Local [modelCount]byLevel
	// Unknown is the part, as Configured, of which a level does not tell whether it
	// stays, because a node's domain is not known there.
	Unknown byLevel
}

// Add adds w times as much.
func (s *Stays) Add(other *Stays, w float64) { s.add(other, w, maxLevels) }

// Stays returns what becomes of an edge between two workloads, or a workload and a site, by
// position; ok is false when one of them has no pods, so that nothing is known of it.
func (l *Layout) Stays(from, to int32) (s Stays, ok bool) {
	e := ends{from, to}
	if e.isExternal() || !l.served(e) {
		return s, false
	}
	return l.stays(e, nil), true
}

// ends is the positions of an edge's workloads, Outside where the cluster does not
// have one, and of its sites.
type ends struct{ from, to int32 }

// served reports whether both ends are known, and each is a site or has pods that serve.
func (l *Layout) served(e ends) bool { return l.serves(e.from) && l.serves(e.to) }

// serves reports whether a position is a site's, or that of a workload with pods that serve.
func (l *Layout) serves(end int32) bool {
	return end < Outside || end >= 0 && l.pods[end] > 0
}

// directly reports whether pods of a workload call each other without a proxy that
// divides the calls, so that none calls itself.
func (l *Layout) directly(e ends) bool {
	return e.from == e.to && e.from >= 0 && l.c.Workloads[e.from].Headless
}

// configured is how calls of an edge are divided.
func (l *Layout) configured(e ends) cluster.Route {
	if e.to < 0 {
		return cluster.Route{}
	}
	to := &l.c.Workloads[e.to]
	if to.Exceptions == nil || e.from < 0 {
		return to.Route
	}
	return to.RouteFrom(l.c.Workloads[e.from].ID.Namespace)
}

// stays is what becomes of an edge whose both ends serve. What reaches the pods of
// the callee under SameNode, in parts of the edge, is added to its load, unless that
// is nil.
func (l *Layout) stays(e ends, sameNode *load) (s Stays) {
	if e.withSite() {
		sameNode.addAll(1)
		local, unknown := l.siteStays(e)
		return Stays{Local: [modelCount]byLevel{local, local, local, local}, Unknown: unknown}
	}
	l.load(e.to)
	if l.directly(e) {
		local := l.otherPods(e.from)
		s.Local = [modelCount]byLevel{local, local, local, local}
		sameNode.addAll(1)
		s.Unknown = l.unknownParts(e, cluster.Route{})
		return s
	}
	for k := range l.levels {
		s.Local[Uniform][k], s.Local[FairLoad][k] = l.evenly(e, k)
	}
	route := l.configured(e)
	var unknown *byLevel
	if route.Routing == affinity.SameNode {
		unknown = &s.Unknown
	}
	s.Local[SameNode] = l.preferred(cluster.Route{Routing: affinity.SameNode}, e, sameNode, unknown)
	switch route.Routing {
	case affinity.Uniform:
		s.Local[Configured] = s.Local[Uniform]
		s.Unknown = l.unknownEvenly(e)
	case affinity.FairLoad:
		s.Local[Configured] = s.Local[FairLoad]
		s.Unknown = l.unknownParts(e, route)
	case affinity.SameNode:
		s.Local[Configured] = s.Local[SameNode]
	default:
		s.Local[Configured] = l.preferred(route, e, nil, &s.Unknown)
	}
	return s
}

// local is what stays of an edge whose both ends serve, under one route.
func (l *Layout) local(route cluster.Route, e ends, to *load) (local byLevel) {
	if e.withSite() {
		to.addAll(1)
		local, _ = l.siteStays(e)
		return local
	}
	l.load(e.to)
	switch {
	case l.directly(e):
		to.addAll(1)
		return l.otherPods(e.from)
	case follows(route.Routing):
		return l.preferred(route, e, to, nil)
	}
	to.addAll(1)
	for k := range l.levels {
		uniform, fairLoad := l.evenly(e, k)
		local[k] = uniform
		if route.Routing == affinity.FairLoad {
			local[k] = fairLoad
		}
	}
	return local
}

// evenly is what stays within the domains of a level when every caller divides its
// calls over all endpoints evenly: the sum over the domains of
//
//	x/a y/b
//
// with x of a callers and y of b endpoints there; and by fair load, when the fair
// share of the endpoints bounds what they take from nearby: that of min(x/a, y/b).
func (l *Layout) evenly(e ends, level int) (uniform, fairLoad float64) {
	// Whole numbers, so that equal shares are equal: x b and y a, in parts of a b.
	a, b := int64(l.pods[e.from]), int64(l.pods[e.to])
	var product, least int64
	count := l.count[level]
	for _, caller := range l.at(level, e.from) {
		x, y := int64(caller.pods), int64(count[caller.domain])
		if y == 0 {
			continue
		}
		product += x * y
		least += min(x*b, y*a)
	}
	all := float64(a * b)
	return float64(product) / all, float64(least) / all
}

// preferred follows the calls from each node of the caller: with x of a callers
// there, the sum over the nodes and their targets of
//
//	x/a part |target ∩ D| / |target|
//
// where D is the node's domain of the level. What reaches the callee's pods is added
// to its load, and the part that is not known to unknown, unless they are nil.
func (l *Layout) preferred(route cluster.Route, e ends, to *load, unknown *byLevel) (local byLevel) {
	each := 1 / float64(l.pods[e.from])
	if unknown != nil && !l.mayHide(e) {
		unknown = nil
	}
	choice := l.choiceOf(route, e)
	for _, caller := range l.at(atNode, e.from) {
		targets := l.choose(&choice, caller.domain)
		for i := range targets {
			t := &targets[i]
			calls := each * float64(caller.pods) * t.part
			nearer := l.levels // those at which some of the target may be elsewhere
			if !t.outside && t.level != everywhere && l.domains[t.level].of[caller.domain] == t.domain {
				nearer = l.levels[:t.level]
				for k := t.level; k < len(l.levels); k++ {
					local[k] += calls
				}
			}
			if t.level == everywhere {
				each := calls / float64(t.count)
				for k := range l.levels {
					local[k] += each * float64(l.in(k, caller.domain))
				}
				nearer = nil
			}
			for k := range nearer {
				local[k] += calls * l.near(k, caller.domain, t)
			}
			if unknown != nil {
				for _, k := range l.incomplete {
					unknown[k] += calls * l.unknown(k, caller.domain, e.to, t)
				}
			}
			if to != nil {
				l.give(to, e.to, t, calls)
			}
		}
	}
	return local
}

// otherPods is what stays of a workload's traffic with itself when each pod divides
// its calls evenly over the others. A single pod has nobody else to call.
func (l *Layout) otherPods(workload int32) (local byLevel) {
	all := float64(l.pods[workload])
	for k := range l.levels {
		if all == 1 {
			local[k] = 1
			continue
		}
		for _, p := range l.at(k, workload) {
			x := float64(p.pods)
			local[k] += x * (x - 1) / (all * (all - 1))
		}
	}
	return local
}

// unknownEvenly is the unknown part of an edge whose calls are divided evenly: all
// that has an end in an unknown domain, except what stays there.
func (l *Layout) unknownEvenly(e ends) (unknown byLevel) {
	pairs := int64(l.pods[e.from]) * int64(l.pods[e.to])
	for _, k := range l.incomplete {
		callers, callees := l.hidden[k][e.from], l.hidden[k][e.to]
		if callers+callees == 0 {
			continue
		}
		told := int64(l.pods[e.from]-callers) * int64(l.pods[e.to]-callees)
		stay := int64(0)
		if callers > 0 && callees > 0 {
			for _, p := range l.at(k, e.from) {
				if !l.domains[k].isKnown[p.domain] {
					stay += int64(p.pods) * int64(l.count[k][p.domain])
				}
			}
		}
		unknown[k] = float64(pairs-told-stay) / float64(pairs)
	}
	return unknown
}

// unknownParts adds up the parts of an edge between nodes.
func (l *Layout) unknownParts(e ends, route cluster.Route) (unknown byLevel) {
	if !l.mayHide(e) {
		return unknown
	}
	for _, part := range l.parts(e, route) {
		for _, k := range l.incomplete {
			of := l.domains[k].of
			if of[part.From] != of[part.To] && (!l.knows(k, part.From) || !l.knows(k, part.To)) {
				unknown[k] += part.BytesPerSecond
			}
		}
	}
	return unknown
}

// mayHide reports whether an edge has pods in an unknown domain, so that some of it
// may be unknown.
func (l *Layout) mayHide(e ends) bool {
	for _, k := range l.incomplete {
		if l.hidden[k][e.from]+l.hidden[k][e.to] > 0 {
			return true
		}
	}
	return false
}
