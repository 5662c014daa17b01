package sim

import (
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// Links is how far the networks of the nodes are used, as calls are divided under
// Configured.
type Links struct {
	// Known is how many nodes' bandwidth is known.
	Known int
	// Busiest is the largest part of a node's bandwidth that is used in either
	// direction, more than 1 where it cannot be.
	Busiest float64
}

// links adds up what each node exchanges with others and with the outside.
func (p *placement) links(ends []pair) Links {
	var l Links
	for i := range p.c.Nodes {
		if p.c.Nodes[i].Bandwidth > 0 {
			l.Known++
		}
	}
	if l.Known == 0 {
		return l
	}
	out, in := make([]float64, len(p.c.Nodes)), make([]float64, len(p.c.Nodes))
	for i, e := range p.c.Edges {
		w := e.BytesPerSecond()
		if w == 0 {
			continue
		}
		requests, responses := e.SentBytesPerSecond/w, e.ReceivedBytesPerSecond/w
		calling := func(node int32, w float64) { out[node] += w * requests; in[node] += w * responses }
		called := func(node int32, w float64) { out[node] += w * responses; in[node] += w * requests }
		p.remote(ends[i], w, calling, called)
	}
	for i := range p.c.Nodes {
		if has := p.c.Nodes[i].Bandwidth; has > 0 {
			l.Busiest = max(l.Busiest, out[i]/has, in[i]/has)
		}
	}
	return l
}

// remote yields for an edge of rate w what the caller's pods on each node exchange with
// endpoints elsewhere, and the callee's with callers elsewhere.
func (p *placement) remote(ends pair, w float64, calling, called func(node int32, w float64)) {
	share := func(workload int32, place tally) float64 {
		return w * float64(place.pods) / float64(p.wanted(workload))
	}
	at := &p.at[atNode]
	if ends.from == ends.to && ends.from >= 0 {
		for _, place := range at.places[ends.from] {
			a := affinity.Replicas{Placed: place.pods, Desired: p.wanted(ends.from)}
			leaves := share(ends.from, place) - affinity.SelfLocal(w, a)
			calling(place.domain, leaves)
			called(place.domain, leaves)
		}
		return
	}
	stays := map[int32]float64{} // by node
	reached := &load{}
	if ends.from >= 0 && ends.to >= 0 {
		stays = p.staying(ends, w, reached)
	} else {
		reached.addAll(w)
	}
	if ends.from >= 0 {
		for _, place := range at.places[ends.from] {
			calling(place.domain, share(ends.from, place)-stays[place.domain])
		}
	}
	if ends.to >= 0 {
		for k, place := range at.places[ends.to] {
			called(place.domain, p.each(ends.to, k, reached)*float64(place.pods)-stays[place.domain])
		}
	}
}

// staying is what stays of an edge on each node that has pods of both ends. What
// reaches the callee's pods, from anywhere, is added to its load.
func (p *placement) staying(ends pair, w float64, to *load) map[int32]float64 {
	routing, at := p.route(ends).Routing, &p.at[atNode]
	stays := map[int32]float64{}
	if routing == affinity.Uniform || routing == affinity.FairLoad {
		to.addAll(w)
		meet(at.places[ends.from], at.places[ends.to], func(caller, callee tally) {
			a := affinity.Replicas{Placed: caller.pods, Desired: p.wanted(ends.from)}
			b := affinity.Replicas{Placed: callee.pods, Desired: p.wanted(ends.to)}
			stays[caller.domain] = affinity.Local(routing, w, a, b)
		})
		return stays
	}
	p.preferredLocal(routing, ends, w, to)
	for _, caller := range at.places[ends.from] {
		calls := w * float64(caller.pods) / float64(p.wanted(ends.from))
		for _, e := range p.choose(routing, caller.domain, ends) {
			if e.part > 0 {
				stays[caller.domain] += calls * e.part * p.near(atNode, caller.domain, ends.to, e)
			}
		}
	}
	return stays
}
