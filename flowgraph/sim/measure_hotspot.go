package sim

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
		for k, place := range p.at[atNode].places[w] {
			if each := p.each(int32(w), k, &loads[w]) / fair; each > hotspots[w].Load {
				hotspots[w] = Hotspot{Workload: int32(w), Node: place.domain, Load: each}
			}
		}
	}
	return hotspots
}

// load is the traffic that reaches the pods of a workload.
type load struct {
	// node and zone are divided over the pods of one node and of one zone, at the
	// position of its tally. Both are nil while there is neither.
	node, zone []float64
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

// addNear adds calls that go to some pods of a workload, and returns what of them
// is not to be added to all.
func (p *placement) addNear(l *load, workload int32, e endpoints, calls float64) float64 {
	if l.node == nil {
		l.node = make([]float64, len(p.at[atNode].places[workload]))
		l.zone = make([]float64, len(p.at[p.zone].places[workload]))
	}
	near := l.zone
	if e.level == atNode {
		near = l.node
	}
	if !e.outside {
		near[e.place] += calls
		return calls
	}
	// Each of the others gets as much as if there were more calls for all, of which
	// those in the domain get none.
	within := float64(p.at[e.level].places[workload][e.place].pods)
	others := float64(len(p.assigned[workload])) - within
	if others == 0 { // they are missing
		near[e.place] += calls
		return calls
	}
	near[e.place] -= calls * within / others
	return -calls * within / others
}

// each is what each pod of a workload has to do at one of its places on a node.
func (p *placement) each(workload int32, k int, l *load) float64 {
	place := p.at[atNode].places[workload][k]
	sum := l.all / float64(len(p.assigned[workload]))
	if l.node == nil {
		return sum
	}
	sum += l.node[k] / float64(place.pods)
	if z, found := p.at[p.zone].find(place.domain, workload); found {
		sum += l.zone[z] / float64(p.at[p.zone].places[workload][z].pods)
	}
	return sum
}
