package sim

import "github.com/vicinity-sched/vicinity/flowgraph/locality"

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

// busiest returns the hotspot of each workload, by position, under these loads.
func (p *placement) busiest(loads []load) []Hotspot {
	hotspots := make([]Hotspot, len(loads))
	for w := range hotspots {
		hotspots[w] = Hotspot{Workload: Anywhere, Node: Anywhere}
		if loads[w].total == 0 {
			continue
		}
		fair := loads[w].total / float64(p.c.Workloads[w].Replicas)
		for k, place := range p.at[locality.Node].places[w] {
			if each := p.each(int32(w), k, &loads[w]) / fair; each > hotspots[w].Load {
				hotspots[w] = Hotspot{Workload: int32(w), Node: place.domain, Load: each}
			}
		}
	}
	return hotspots
}

// load is the traffic that reaches the pods of a workload.
type load struct {
	// near is divided over the pods of one node or one zone: by level, at the
	// position of its tally. Both are nil while there is none.
	near [locality.Zone + 1][]float64
	// all is divided over all pods: also what comes from outside the cluster, from
	// pods that are not placed, and from the workload itself.
	all float64
	// total is all calls, also to a workload without pods.
	total float64
}

// addAll adds calls that go to any pod.
func (l *load) addAll(calls float64) {
	if l != nil {
		l.all += calls
	}
}

// addNear adds calls that go to some pods of a workload.
func (p *placement) addNear(l *load, workload int32, e endpoints, calls float64) {
	if l.near[e.level] == nil {
		for level := locality.Node; level <= locality.Zone; level++ {
			l.near[level] = make([]float64, len(p.at[level].places[workload]))
		}
	}
	l.near[e.level][e.place] += calls
}

// each is what each pod of a workload has to do at one of its places on a node.
func (p *placement) each(workload int32, k int, l *load) float64 {
	place := p.at[locality.Node].places[workload][k]
	sum := l.all / float64(len(p.assigned[workload]))
	if l.near[locality.Node] == nil {
		return sum
	}
	sum += l.near[locality.Node][k] / float64(place.pods)
	if z, found := p.at[locality.Zone].find(place.domain, workload); found {
		sum += l.near[locality.Zone][z] / float64(p.at[locality.Zone].places[workload][z].pods)
	}
	return sum
}
