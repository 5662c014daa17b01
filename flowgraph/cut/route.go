package cut

import (
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// target is endpoints that a part of one caller's calls is divided over, evenly:
// all of them, those in one domain, or those outside it.
type target struct {
	// part is that of the calls, in (0,1]; the targets of a caller have 1 together.
	part float64
	// level is the position of the domain's level, or everywhere; domain is its
	// number.
	level  int
	domain int32
	// outside says that it is the endpoints elsewhere; the domain is then that of
	// the caller.
	outside bool
	// count is how many endpoints there are, at least 1.
	count int32
}

// choice is how a route chooses among endpoints, for all callers of an edge.
//
// Preferences are kube-proxy's (KEP-3015; pkg/proxy/topology.go): under SameNode and
// SameNodeOrAny the endpoints on the node, under SameNode and SameZone then those in
// its zone; where there are none, or the zone is unknown, all. kube-proxy gives up
// zones for a Service that has an endpoint in none; that is not followed here.
// Shares are Envoy's locality weights: zones without endpoints leave their share to
// the others, and a caller whose zone no share names has its calls divided evenly.
type choice struct {
	ends   ends
	shares cluster.Shares
	// kept is the part of the calls that goes to the nearest endpoints; the rest
	// goes to all others.
	kept float64
	// levels are the positions of the levels that are preferred, the nearest first.
	levels [2]int
	count  int
	// fair says that a zone keeps calls up to the fair share of its endpoints, and that
	// the others go where endpoints have fewer callers than their share: FairZone.
	fair bool
}

// choiceOf returns how calls of an edge are divided by a route that is not fair load.
func (l *Layout) choiceOf(route cluster.Route, e ends) choice {
	routing := route.Routing.Given(l.pods[e.to])
	near, kept := routing.Kept()
	c := choice{ends: e, kept: kept, fair: routing.IsFair()}
	if near != routing && route.Shares != nil {
		c.shares = route.Shares
		return c
	}
	for _, level := range [...]int{atNode, l.zone} {
		if near.Prefers(l.levels[level]) {
			c.levels[c.count] = level
			c.count++
		}
	}
	return c
}

// choose returns which endpoints the calls from a node go to; the callee is loaded
// and has some. The result holds until the next call.
func (l *Layout) choose(c *choice, node int32) []target {
	l.targets = l.targets[:0]
	if c.shares != nil && l.byShares(c.shares, node, c.ends.to) {
		return l.targets
	}
	for _, level := range c.levels[:c.count] {
		d := &l.domains[level]
		domain := d.of[node]
		count := l.count[level][domain]
		if count == 0 || !d.isKnown[domain] {
			continue
		}
		here := target{part: c.kept, level: level, domain: domain, count: count}
		if c.fair {
			return l.fairly(c.ends, here)
		}
		elsewhere := here
		elsewhere.part, elsewhere.outside, elsewhere.count = 1-c.kept, true, l.pods[c.ends.to]-here.count
		if c.kept == 1 || elsewhere.count == 0 {
			here.part = 1
			return append(l.targets, here)
		}
		if c.kept > 0 {
			l.targets = append(l.targets, here)
		}
		return append(l.targets, elsewhere)
	}
	return l.all(c.ends.to)
}

// all is the one target of calls that go to any endpoint.
func (l *Layout) all(callee int32) []target {
	l.targets = append(l.targets[:0], target{part: 1, level: everywhere, count: l.pods[callee]})
	return l.targets
}

// byShares fills in one target for each zone that has a share of the calls from a
// node. It returns false where no zone with endpoints has one.
func (l *Layout) byShares(shares cluster.Shares, node, callee int32) bool {
	zones, places := &l.domains[l.zone], l.at(l.zone, callee)
	to := shares[zones.names[zones.of[node]]]
	var sum float64
	for _, p := range places {
		share := float64(to[zones.names[p.domain]])
		if share == 0 {
			continue
		}
		var inZone int32 // more than here where a label divides the zone
		for _, other := range places {
			if zones.names[other.domain] == zones.names[p.domain] {
				inZone += other.pods
			}
		}
		part := share * float64(p.pods) / float64(inZone)
		l.targets = append(l.targets, target{part: part, level: l.zone, domain: p.domain, count: p.pods})
		sum += part
	}
	for i := range l.targets {
		l.targets[i].part /= sum
	}
	return sum > 0
}

// fairly divides the calls from a zone as Envoy's zone-aware routing does (its
// documentation of zone aware load balancing): with x of all callers and y of all
// endpoints in a zone, the endpoints of the caller's zone get the part y/x of the calls
// from there, at most all, and those of other zones the rest in proportion to y - x, as
// far as that is more than 0. Nodes without a zone are one zone together.
func (l *Layout) fairly(e ends, here target) []target {
	a, b := float64(l.pods[e.from]), float64(l.pods[e.to])
	x := float64(podsIn(l.at(l.zone, e.from), here.domain)) / a
	here.part = min(float64(here.count)/b/x, 1)
	l.targets = append(l.targets, here)
	if here.part == 1 {
		return l.targets
	}
	isKnown, free := l.domains[l.zone].isKnown, 0.0
	hidden := max(float64(l.hidden[l.zone][e.to])/b-float64(l.hidden[l.zone][e.from])/a, 0)
	for _, p := range l.at(l.zone, e.to) {
		t := target{level: l.zone, domain: p.domain, count: p.pods}
		switch {
		case p.domain == here.domain:
			continue
		case isKnown[p.domain]:
			t.part = float64(p.pods)/b - float64(podsIn(l.at(l.zone, e.from), p.domain))/a
		default:
			t.part = hidden * float64(p.pods) / float64(l.hidden[l.zone][e.to])
		}
		if t.part > 0 {
			l.targets = append(l.targets, t)
			free += t.part
		}
	}
	for i := range l.targets[1:] {
		l.targets[i+1].part *= (1 - here.part) / free
	}
	return l.targets
}

// podsIn is how many pods are in a domain.
func podsIn(places []tally, domain int32) int32 {
	if i, found := find(places, domain); found {
		return places[i].pods
	}
	return 0
}

// near is the part of a target's endpoints that are in the caller's domain of a
// level.
func (l *Layout) near(level int, node int32, t *target) float64 {
	if t.level == everywhere {
		return float64(l.in(level, node)) / float64(t.count)
	}
	at, d := &l.domains[level], &l.domains[t.level]
	switch own := d.of[node] == t.domain; {
	case t.outside && level <= t.level:
		return 0
	case t.outside:
		within := l.count[t.level][t.domain]
		return float64(l.in(level, node)-within) / float64(t.count)
	case level >= t.level: // domains nest
		if at.of[d.member[t.domain]] == at.of[node] {
			return 1
		}
		return 0
	case own:
		return float64(l.in(level, node)) / float64(t.count)
	}
	return 0
}

// includes reports whether the endpoints on a node are among those of a target.
func (l *Layout) includes(t *target, node int32) bool {
	return t.level == everywhere || (l.domains[t.level].of[node] == t.domain) != t.outside
}

// unknown is the part of a target's endpoints of which it is not known whether they
// are in the caller's domain of a level: the domain of either is unknown, and they
// do not share a nearer one.
func (l *Layout) unknown(level int, node, callee int32, t *target) float64 {
	if !l.knows(level, node) {
		return 1 - l.near(level, node, t)
	}
	if l.hidden[level][callee] == 0 {
		return 0
	}
	if t.level == everywhere {
		return float64(l.hidden[level][callee]) / float64(t.count)
	}
	d := &l.domains[level]
	if !t.outside && level >= t.level {
		if l.knows(level, l.domains[t.level].member[t.domain]) {
			return 0
		}
		return 1
	}
	var n int32
	for _, p := range l.at(level, callee) {
		if !d.isKnown[p.domain] && (level > t.level || l.includes(t, d.member[p.domain])) {
			n += p.pods
		}
	}
	return float64(n) / float64(t.count)
}

// follows reports whether calls are followed from each caller's node to the
// endpoints that choose returns; the other routings are sums over domains.
func follows(r affinity.Routing) bool { return r != affinity.Uniform && r != affinity.FairLoad }
