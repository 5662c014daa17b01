package sim

import (
	"cmp"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// placement is where an assignment has the pods.
type placement struct {
	c        *cluster.Cluster
	assigned cluster.Assignment
	scale
	// at is by position of the level.
	at []levelPlaces
}

// scale is the levels of a cluster by position, the nearest first.
type scale struct {
	levels []locality.Level
	// zone is the position of Zone; that of Node is atNode.
	zone int
}

const (
	// atNode is the position of the level Node, which is nearer than all others.
	atNode = 0
	// nowhere is the position of no level.
	nowhere = -1
	// maxLevels is how many levels there are at most.
	maxLevels = 3 + locality.MaxLabels
)

func scaleOf(c *cluster.Cluster) scale {
	levels := c.Scale.Levels()
	return scale{levels, slices.Index(levels, locality.Zone)}
}

// levelPlaces is where the pods are at one level.
type levelPlaces struct {
	// domainOf is by node, negative where its domain is unknown. At the level
	// Node it is the node's position.
	domainOf []int32
	// domains are the keys of the domains, by number, without those of wider levels
	// that labels tell (locality.Locality.Domain).
	domains []string
	// places is each workload's pods by domain.
	places [][]tally
}

// tally is how many pods of a workload are in a domain.
type tally struct{ domain, pods int32 }

func place(c *cluster.Cluster, assigned cluster.Assignment) *placement {
	p := &placement{c: c, assigned: assigned, scale: scaleOf(c)}
	for _, l := range domains(c) {
		l.places = tallies(assigned, l.domainOf)
		p.at = append(p.at, l)
	}
	return p
}

// outcomes returns what stays at the levels at which any node has a domain, the
// nearest first.
func (p *placement) outcomes(local func(m Model, position int) float64) []LevelOutcome {
	var outcomes []LevelOutcome
	for k, level := range p.levels {
		if len(p.at[k].domains) == 0 {
			continue
		}
		l := LevelOutcome{Level: level}
		for _, m := range Models() {
			l.Local[m] = local(m, k)
		}
		outcomes = append(outcomes, l)
	}
	return outcomes
}

// wanted is how many pods a workload wants, or has during a rollout.
func (p *placement) wanted(workload int32) int32 {
	return max(p.c.Workloads[workload].Replicas, int32(len(p.assigned[workload])))
}

// find returns the position of the node's domain among the places of a workload;
// an unknown domain is never found.
func (l *levelPlaces) find(node, workload int32) (k int, found bool) {
	return slices.BinarySearchFunc(l.places[workload], l.domainOf[node], func(t tally, domain int32) int { return cmp.Compare(t.domain, domain) })
}

// domains numbers the domains of each level, by position, and leaves the places
// empty.
func domains(c *cluster.Cluster) []levelPlaces {
	levels := c.Scale.Levels()
	all := make([]levelPlaces, len(levels))
	numbers := make([]map[string]int32, len(all))
	for k := range all {
		all[k].domainOf, numbers[k] = make([]int32, len(c.Nodes)), map[string]int32{}
	}
	for i, n := range c.Nodes {
		for k, key := range c.Scale.Domains(n.Locality, n.Labels) {
			if key == "" {
				all[k].domainOf[i] = -1
				continue
			}
			number, ok := numbers[k][key]
			if !ok {
				number = int32(len(numbers[k]))
				numbers[k][key] = number
				all[k].domains = append(all[k].domains, n.Domain(levels[k]))
			}
			all[k].domainOf[i] = number
		}
	}
	return all
}

// tallies counts each workload's pods by domain, ordered by domain.
func tallies(assigned cluster.Assignment, domainOf []int32) [][]tally {
	counts := make([][]tally, len(assigned))
	for w, nodes := range assigned {
		counts[w] = tallied(nodes, domainOf)
	}
	return counts
}

// tallied counts the pods of one workload by domain, ordered by domain.
func tallied(nodes, domainOf []int32) []tally {
	at := make([]int32, 0, len(nodes))
	for _, n := range nodes {
		if d := domainOf[n]; d >= 0 {
			at = append(at, d)
		}
	}
	slices.Sort(at)
	var counts []tally
	for _, d := range at {
		if last := len(counts) - 1; last >= 0 && counts[last].domain == d {
			counts[last].pods++
			continue
		}
		counts = append(counts, tally{d, 1})
	}
	return counts
}

// meet calls f for each domain that has pods of both, in order.
func meet(callers, callees []tally, f func(caller, callee tally)) {
	for len(callers) > 0 && len(callees) > 0 {
		switch a, b := callers[0], callees[0]; {
		case a.domain < b.domain:
			callers = callers[1:]
		case a.domain > b.domain:
			callees = callees[1:]
		default:
			f(a, b)
			callers, callees = callers[1:], callees[1:]
		}
	}
}
