package sim

import (
	"cmp"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// placement is where an assignment has the pods.
type placement struct {
	c        *Cluster
	assigned [][]int32
	// at is by level, and empty for Remote.
	at [locality.Region + 1]levelPlaces
}

// levelPlaces is where the pods are at one level.
type levelPlaces struct {
	// domainOf is by node, negative where its domain is unknown. At the level
	// Node it is the node's position.
	domainOf []int32
	// domains is how many domains there are.
	domains int
	// places is each workload's pods by domain.
	places [][]tally
}

// tally is how many pods of a workload are in a domain.
type tally struct{ domain, pods int32 }

func place(c *Cluster, assigned [][]int32) *placement {
	p := &placement{c: c, assigned: assigned}
	for _, level := range locality.Levels() {
		domainOf, domains := domainsOf(c.Nodes, level)
		p.at[level] = levelPlaces{domainOf, domains, tallies(assigned, domainOf)}
	}
	return p
}

// known returns the levels at which any node has a domain, the nearest first.
func (p *placement) known() []locality.Level {
	return slices.DeleteFunc(locality.Levels(), func(l locality.Level) bool { return p.at[l].domains == 0 })
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

// domainsOf numbers the domains of a level: one number for each node, negative
// where its domain is unknown.
func domainsOf(nodes []Node, level locality.Level) (domainOf []int32, domains int) {
	numbers := map[string]int32{}
	domainOf = make([]int32, len(nodes))
	for i, n := range nodes {
		key := n.Domain(level)
		if key == "" {
			domainOf[i] = -1
			continue
		}
		number, ok := numbers[key]
		if !ok {
			number = int32(len(numbers))
			numbers[key] = number
		}
		domainOf[i] = number
	}
	return domainOf, len(numbers)
}

// tallies counts each workload's pods by domain, ordered by domain.
func tallies(assigned [][]int32, domainOf []int32) [][]tally {
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
