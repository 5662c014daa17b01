package sim

import (
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Hotspot is the pods of one workload on one node that have most to do. That of
// an Outcome is when every Service prefers the same node (affinity.SameNode).
type Hotspot struct {
	// Workload and Node are positions in the cluster, Anywhere when nothing is
	// called.
	Workload, Node int32
	// Load is what each of these pods gets, relative to its fair share: the
	// traffic of all calls to the workload over the replicas that it wants. 1 is
	// even; it can be up to the number of replicas.
	Load float64
}

// hottest returns the first one with the largest load.
func hottest(all []Hotspot) Hotspot {
	most := Hotspot{Workload: Anywhere, Node: Anywhere}
	for _, h := range all {
		if h.Load > most.Load {
			most = h
		}
	}
	return most
}

// busiest returns the hotspot of each workload, by position, when calls to it are
// routed as routing says: by the endpoints that choose returns. Under Uniform and
// FairLoad, which leave none more than its fair share, calls go to all evenly.
func busiest(p *placement, ends []pair, routing func(workload int32) affinity.Routing) []Hotspot {
	loads := p.countCalls(ends, routing)
	hotspots := make([]Hotspot, len(p.c.Workloads))
	for w := range hotspots {
		hotspots[w] = Hotspot{Workload: Anywhere, Node: Anywhere}
		if loads[w].total == 0 {
			continue
		}
		fair := loads[w].total / float64(p.c.Workloads[w].Replicas)
		for k, place := range p.at[locality.Node].places[w] {
			if load := p.load(int32(w), k, &loads[w]) / fair; load > hotspots[w].Load {
				hotspots[w] = Hotspot{Workload: int32(w), Node: place.domain, Load: load}
			}
		}
	}
	return hotspots
}

// calls is the traffic that reaches the pods of a workload.
type calls struct {
	// near is divided over the pods of one node or one zone: by level, at the
	// position of its tally.
	near [locality.Zone + 1][]float64
	// all is divided over all pods: also what comes from outside the cluster, from
	// pods that are not placed, and from the workload itself.
	all float64
	// total is both.
	total float64
}

// load is what each pod of a workload has to do at one of its places on a node.
func (p *placement) load(workload int32, k int, c *calls) float64 {
	place := p.at[locality.Node].places[workload][k]
	sum := c.all / float64(len(p.assigned[workload]))
	if c.near[locality.Node] == nil {
		return sum
	}
	sum += c.near[locality.Node][k] / float64(place.pods)
	if z, found := p.at[locality.Zone].find(place.domain, workload); found {
		sum += c.near[locality.Zone][z] / float64(p.at[locality.Zone].places[workload][z].pods)
	}
	return sum
}

func (p *placement) countCalls(ends []pair, routing func(workload int32) affinity.Routing) []calls {
	all := make([]calls, len(p.c.Workloads))
	for i, e := range p.c.Edges {
		from, to, w := ends[i].from, ends[i].to, e.BytesPerSecond()
		if to < 0 {
			continue
		}
		c, rest := &all[to], w
		if how := routing(to); from >= 0 && from != to && (how == affinity.SameNode || how == affinity.SameZone) {
			rest -= p.callNear(how, ends[i], w, c)
		}
		c.total += w
		c.all += max(rest, 0)
	}
	return all
}

// callNear adds what the pods of a caller send to endpoints that they prefer, and
// returns its sum.
func (p *placement) callNear(routing affinity.Routing, ends pair, w float64, c *calls) float64 {
	each := w * p.share(ends.from)
	var sum float64
	for _, caller := range p.at[locality.Node].places[ends.from] {
		e := p.choose(routing, caller.domain, ends.to)
		if e.level == locality.Remote {
			continue
		}
		if c.near[e.level] == nil {
			for level := locality.Node; level <= locality.Zone; level++ {
				c.near[level] = make([]float64, len(p.at[level].places[ends.to]))
			}
		}
		c.near[e.level][e.place] += each * float64(caller.pods)
		sum += each * float64(caller.pods)
	}
	return sum
}
