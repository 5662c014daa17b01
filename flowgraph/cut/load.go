package cut

// Hotspot is the pods of one workload on one node that have most to do. That of
// an Outcome is when every Service prefers the same node (affinity.SameNode).
type Hotspot struct {
	// Workload and Node are positions in the cluster, Outside when nothing is
	// called.
	Workload, Node int32
	// Load is what each of these pods gets, relative to its fair share: the
	// traffic of all calls to the workload over the pods that serve. 1 is even; it
	// can be up to the number of pods.
	Load float64
}

// hottest returns the first one with the largest load.
func hottest(all []Hotspot) Hotspot {
	most := Hotspot{Workload: Outside, Node: Outside}
	for _, h := range all {
		if h.Load > most.Load {
			most = h
		}
	}
	return most
}

// load is the traffic that reaches the pods of a workload. Weight is what add and
// give are in parts of.
type load struct {
	weight float64
	// node and zone are divided over the pods of one node and of one zone, at the
	// position of its tally. Both are nil while there is neither.
	node, zone []float64
	// all is divided over all pods: also what comes from outside the cluster.
	all float64
	// total is all calls, also to a workload without pods.
	total float64
}

// addAll adds a part that goes to any pod.
func (to *load) addAll(part float64) {
	if to != nil {
		to.all += to.weight * part
	}
}

// give adds a part that goes to the endpoints of a target.
func (l *Layout) give(to *load, callee int32, t *target, part float64) {
	part *= to.weight
	if t.level == everywhere {
		to.all += part
		return
	}
	if to.node == nil {
		to.node = make([]float64, len(l.at(atNode, callee)))
		to.zone = make([]float64, len(l.at(l.zone, callee)))
	}
	near := to.zone
	if t.level == atNode {
		near = to.node
	}
	place, _ := find(l.at(t.level, callee), t.domain)
	if !t.outside {
		near[place] += part
		return
	}
	// Each of the others gets as much as if there were more calls for all, of which
	// those in the domain get none.
	within := float64(l.count[t.level][t.domain]) / float64(t.count)
	near[place] -= part * within
	to.all += part * (1 + within)
}

// busiest returns the hotspot of a workload under a load.
func (l *Layout) busiest(workload int32, to *load) Hotspot {
	most := Hotspot{Workload: Outside, Node: Outside}
	if to.total == 0 || l.pods[workload] == 0 {
		return most
	}
	fair := to.total / float64(l.pods[workload])
	for k, place := range l.at(atNode, workload) {
		if each := l.each(workload, k, to) / fair; each > most.Load {
			most = Hotspot{Workload: workload, Node: place.domain, Load: each}
		}
	}
	return most
}

// each is what each pod of a workload has to do at one of its places on a node.
func (l *Layout) each(workload int32, place int, to *load) float64 {
	at := l.at(atNode, workload)[place]
	sum := to.all / float64(l.pods[workload])
	if to.node == nil {
		return sum
	}
	sum += to.node[place] / float64(at.pods)
	zones := l.at(l.zone, workload)
	if z, found := find(zones, l.domains[l.zone].of[at.domain]); found {
		sum += to.zone[z] / float64(zones[z].pods)
	}
	return sum
}
