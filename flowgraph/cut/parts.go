package cut

import (
	"iter"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Part is the part of an edge's traffic that goes between two nodes.
type Part struct {
	// From and To are the positions of the nodes of the caller and of the callee,
	// equal where the part stays on a node. Outside stands for what is not in the
	// cluster, and for a workload of which no pod serves; a site has the position of
	// Layout.Site, below Outside.
	From, To int32
	// BytesPerSecond is in both directions, more than 0.
	BytesPerSecond float64
}

// Parts divides the traffic of each edge, by position, over pairs of nodes under a
// model. The parts of an edge add up to all of it, and those that stay within a
// domain to what Measure has as local there. FairLoad fills the fair shares of the
// endpoints nearby first.
func Parts(c *cluster.Cluster, serving cluster.Assignment, m Model) iter.Seq2[int, Part] {
	at, l := resolve(c), NewLayout(c, serving)
	return func(yield func(int, Part) bool) {
		for i, e := range c.Edges {
			w := e.BytesPerSecond()
			for _, part := range l.parts(at[i], m.route(l.configured(at[i]))) {
				if part.BytesPerSecond *= w; part.BytesPerSecond > 0 && !yield(i, part) {
					return
				}
			}
		}
	}
}

// portion is the part of a workload's pods that is on one node.
type portion struct {
	node int32
	part float64
}

// portions appends where the pods of a workload are, together 1.
func (l *Layout) portions(all []portion, workload int32) []portion {
	if workload < 0 {
		return append(all, portion{workload, 1})
	}
	if l.pods[workload] == 0 {
		return append(all, portion{Outside, 1})
	}
	for _, t := range l.at(atNode, workload) {
		all = append(all, portion{t.domain, float64(t.pods) / float64(l.pods[workload])})
	}
	return all
}

// parts divides an edge of rate 1 by a route. The result holds until the next call.
func (l *Layout) parts(e ends, route cluster.Route) []Part {
	if e.to >= 0 {
		l.load(e.to)
	}
	l.from, l.to = l.portions(l.from[:0], e.from), l.portions(l.to[:0], e.to)
	l.divided = l.partsOf(l.divided[:0], e, route, l.from, l.to)
	return l.divided
}

// partsOf appends the parts of an edge between callers and callees.
func (l *Layout) partsOf(parts []Part, e ends, route cluster.Route, callers, callees []portion) []Part {
	switch {
	case !l.served(e) || e.withSite():
		return product(parts, callers, callees)
	case l.directly(e) && l.pods[e.from] > 1:
		return l.partsOfOthers(parts, e.from, callers)
	case route.Routing == affinity.FairLoad:
		return l.fairParts(parts, callers, callees)
	}
	choice := choice{ends: e}
	if !l.directly(e) {
		choice = l.choiceOf(route, e)
	}
	for _, a := range callers {
		targets := l.choose(&choice, a.node)
		for i := range targets {
			t := &targets[i]
			each := a.part * t.part * float64(l.pods[e.to]) / float64(t.count)
			for _, b := range callees {
				if l.includes(t, b.node) {
					parts = append(parts, Part{a.node, b.node, each * b.part})
				}
			}
		}
	}
	return parts
}

// product appends calls that go from everywhere to everywhere, evenly.
func product(parts []Part, callers, callees []portion) []Part {
	for _, a := range callers {
		for _, b := range callees {
			parts = append(parts, Part{a.node, b.node, a.part * b.part})
		}
	}
	return parts
}

// partsOfOthers divides the calls of each pod evenly over all others.
func (l *Layout) partsOfOthers(parts []Part, workload int32, at []portion) []Part {
	all := float64(l.pods[workload])
	parts = product(parts, at, at)
	for i := range parts {
		p := &parts[i]
		if p.From == p.To { // of which no pod calls itself
			p.BytesPerSecond -= float64(l.in(atNode, p.From)) / (all * all)
		}
		p.BytesPerSecond *= all / (all - 1)
	}
	return parts
}

// fairParts fills the fair shares of the endpoints on the caller's node, then of
// those at the next wider level, and so on, and then of all others.
func (l *Layout) fairParts(parts []Part, callers, room []portion) []Part {
	for k := range l.levels {
		parts = l.matched(parts, callers, room, l.domains[k].of)
		if !slices.ContainsFunc(callers, func(p portion) bool { return p.part > 0 }) {
			return parts
		}
	}
	return l.matched(parts, callers, room, nil)
}

// matched appends the parts of callers in each domain that go to the room there,
// evenly, and takes both away from what is left of them. Without domains all are
// together.
func (l *Layout) matched(parts []Part, callers, room []portion, domainOf []int32) []Part {
	domain := func(node int32) int32 {
		if domainOf == nil {
			return 0
		}
		return domainOf[node]
	}
	for _, a := range callers {
		l.calls[domain(a.node)] += a.part
	}
	for _, b := range room {
		l.free[domain(b.node)] += b.part
	}
	for _, a := range callers {
		d := domain(a.node)
		if l.calls[d] == 0 || l.free[d] == 0 {
			continue
		}
		each := min(l.calls[d], l.free[d]) * a.part / (l.calls[d] * l.free[d])
		for _, b := range room {
			if part := each * b.part; part > 0 && domain(b.node) == d {
				parts = append(parts, Part{a.node, b.node, part})
			}
		}
	}
	left := func(all []portion, mine, others []float64) {
		for i := range all {
			d := domain(all[i].node)
			if mine[d] <= others[d]+1e-12 { // used up, but for rounding
				all[i].part = 0
			} else {
				all[i].part *= 1 - others[d]/mine[d]
			}
		}
	}
	left(callers, l.calls, l.free)
	left(room, l.free, l.calls)
	for i := range callers {
		l.calls[domain(callers[i].node)] = 0
	}
	for i := range room {
		l.free[domain(room[i].node)] = 0
	}
	return parts
}
