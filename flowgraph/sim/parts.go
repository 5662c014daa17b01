package sim

import (
	"iter"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Part is the part of an edge's traffic that goes between two nodes.
type Part struct {
	// From and To are the positions of the nodes of the caller and of the callee,
	// equal where the part stays on a node. Anywhere stands for the outside, and
	// for pods without a node.
	From, To int32
	// BytesPerSecond is in both directions, more than 0.
	BytesPerSecond float64
}

// Parts divides the traffic of each edge, by position, over pairs of nodes under a
// model. The parts of an edge add up to all of it, and those that stay on a node
// to what Measure has as local there. So do those that stay within a zone or a
// region, unless a rollout has more pods than are wanted under Uniform or
// FairLoad. FairLoad fills the fair shares of the endpoints nearby first.
func Parts(c *cluster.Cluster, assigned cluster.Assignment, m Model) iter.Seq2[int, Part] {
	ends, p := resolve(c), place(c, assigned)
	return func(yield func(int, Part) bool) {
		for i, e := range c.Edges {
			for _, part := range p.parts(ends[i], m, e.BytesPerSecond()) {
				if part.BytesPerSecond > 0 && !yield(i, part) {
					return
				}
			}
		}
	}
}

func (p *placement) parts(ends pair, m Model, w float64) []Part {
	routing := affinity.Uniform
	if ends.from >= 0 && ends.to >= 0 {
		routing = m.routing(p.route(ends).Routing)
	}
	switch {
	case ends.from < 0 || ends.to < 0 || ends.from == ends.to || routing == affinity.Uniform:
		return p.evenParts(ends, w)
	case routing == affinity.FairLoad:
		return p.fairParts(ends, w)
	default:
		return p.preferredParts(routing, ends, w)
	}
}

// portion is the part of a workload's pods that is on one node, or Anywhere.
type portion struct {
	node int32
	part float64
}

// portions returns where the pods of a workload are, together 1. Those that are
// missing are Anywhere, as all of the outside is.
func (p *placement) portions(workload int32) []portion {
	if workload < 0 {
		return []portion{{Anywhere, 1}}
	}
	var all []portion
	wanted := p.wanted(workload)
	for _, t := range p.at[atNode].places[workload] {
		all = append(all, portion{t.domain, float64(t.pods) / float64(wanted)})
	}
	if missing := wanted - int32(len(p.assigned[workload])); missing > 0 {
		all = append(all, portion{Anywhere, float64(missing) / float64(wanted)})
	}
	return all
}

// evenParts divides calls evenly over all pairs of pods, and what Measure has as
// local is what stays.
func (p *placement) evenParts(ends pair, w float64) []Part {
	local := p.evenLocal(ends, w)
	rest, weights := w, 0.0
	var parts []Part
	for _, a := range p.portions(ends.from) {
		for _, b := range p.portions(ends.to) {
			part := Part{a.node, b.node, a.part * b.part}
			switch {
			case a.node == b.node && a.node != Anywhere:
				part.BytesPerSecond = local[a.node]
				rest -= part.BytesPerSecond
			case a.node == b.node && ends.from == ends.to && a.part < 1:
				// A pod does not call itself.
				part.BytesPerSecond -= a.part / float64(p.wanted(ends.from))
				fallthrough
			default:
				weights += part.BytesPerSecond
			}
			parts = append(parts, part)
		}
	}
	if weights == 0 {
		return append(parts, Part{Anywhere, Anywhere, max(rest, 0)})
	}
	for i := range parts {
		if part := &parts[i]; part.From != part.To || part.From == Anywhere {
			part.BytesPerSecond *= max(rest, 0) / weights
		}
	}
	return parts
}

// evenLocal is what stays of an edge on each node that has pods of both ends.
func (p *placement) evenLocal(ends pair, w float64) map[int32]float64 {
	if ends.from < 0 || ends.to < 0 {
		return nil
	}
	local, sum := map[int32]float64{}, 0.0
	places := p.at[atNode].places
	meet(places[ends.from], places[ends.to], func(caller, callee tally) {
		a := affinity.Replicas{Placed: caller.pods, Desired: p.c.Workloads[ends.from].Replicas}
		b := affinity.Replicas{Placed: callee.pods, Desired: p.c.Workloads[ends.to].Replicas}
		stays := affinity.Local(affinity.Uniform, w, a, b)
		if ends.from == ends.to {
			stays = 0
			if x, d := float64(caller.pods), float64(a.Desired); d >= 2 {
				stays = w * x * (x - 1) / (d * (d - 1))
			}
		}
		local[caller.domain] = stays
		sum += stays
	})
	if sum > w { // a rollout; an edge keeps no more than all of it
		for node := range local {
			local[node] *= w / sum
		}
	}
	return local
}

// preferredParts follows the calls from each node of the caller, as
// preferredLocal does.
func (p *placement) preferredParts(routing affinity.Routing, ends pair, w float64) []Part {
	var parts []Part
	all := p.portions(ends.to)
	for _, a := range p.portions(ends.from) {
		chosen := [2]endpoints{{part: 1, level: nowhere, count: p.wanted(ends.to), none: nowhere}}
		if a.node != Anywhere {
			chosen = p.choose(routing, a.node, ends)
		}
		for _, e := range chosen {
			if e.part == 0 {
				continue
			}
			each := w * a.part * e.part / float64(e.count) * float64(p.wanted(ends.to))
			for _, b := range all {
				if p.among(a.node, b.node, e) {
					parts = append(parts, Part{a.node, b.node, each * b.part})
				}
			}
		}
	}
	return parts
}

// among reports whether pods on a node are among the endpoints for calls from
// another one.
func (p *placement) among(caller, node int32, e endpoints) bool {
	if e.level == nowhere {
		return true
	}
	domainOf := p.at[e.level].domainOf
	together := node != Anywhere && domainOf[node] == domainOf[caller]
	return together != e.outside
}

// fairParts fills the fair shares of the endpoints on the caller's node, then of
// those at the next wider level, and so on, and then of all others.
func (p *placement) fairParts(ends pair, w float64) []Part {
	var parts []Part
	callers, room, left := p.shares(ends.from), p.shares(ends.to), 1.0
	for k := range len(p.levels) + 1 {
		domain := func(node int32) int32 {
			switch {
			case k == len(p.levels):
				return 0
			case node == Anywhere:
				return -1
			}
			return p.at[k].domainOf[node]
		}
		met := matched(callers, room, domain)
		sum := 0.0
		for _, part := range met {
			sum += part.BytesPerSecond
		}
		scale := 1.0
		if sum > left { // a rollout has more shares than there is traffic
			scale = left / sum
		}
		left -= sum * scale
		for _, part := range met {
			part.BytesPerSecond *= w * scale
			parts = append(parts, part)
		}
	}
	return append(parts, Part{Anywhere, Anywhere, w * max(left, 0)})
}

// shares are the portions of a workload by the number of pods that it wants; each
// is 1 at most, and a rollout has more than 1 in all.
func (p *placement) shares(workload int32) []portion {
	all := p.portions(workload)
	wanted := float64(p.c.Workloads[workload].Replicas)
	for i := range all {
		all[i].part = min(all[i].part*float64(p.wanted(workload))/wanted, 1)
	}
	return all
}

// matched brings the callers of each domain to the room there, evenly, and takes
// both away from what is left of them. Nodes of a negative domain have none.
func matched(callers, room []portion, domain func(node int32) int32) []Part {
	calls, free := sumsBy(callers, domain), sumsBy(room, domain)
	var parts []Part
	for _, a := range callers {
		d := domain(a.node)
		if d < 0 || calls[d] == 0 || free[d] == 0 {
			continue
		}
		met := min(calls[d], free[d])
		for _, b := range room {
			if domain(b.node) == d {
				parts = append(parts, Part{a.node, b.node, met * a.part / calls[d] * b.part / free[d]})
			}
		}
	}
	take := func(from []portion, sums map[int32]float64) {
		for i := range from {
			if d := domain(from[i].node); d >= 0 && sums[d] > 0 {
				from[i].part *= 1 - min(calls[d], free[d])/sums[d]
			}
		}
	}
	take(callers, calls)
	take(room, free)
	return parts
}

func sumsBy(all []portion, domain func(node int32) int32) map[int32]float64 {
	sums := map[int32]float64{}
	for _, a := range all {
		sums[domain(a.node)] += a.part
	}
	return sums
}
