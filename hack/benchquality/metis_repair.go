package main

import (
	"cmp"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// repair assigns each pod to the node that is wanted for it while there is room,
// the largest first, and then those without room to the first node that has some.
// What fits nowhere is left out. Fixed pods have their place.
func (g *podGraph) repair(wanted []int32) cluster.Assignment {
	c := g.cluster
	assigned := make(cluster.Assignment, len(c.Workloads))
	room := newRooms(c)
	for w, nodes := range c.Assigned {
		if c.Workloads[w].Fixed {
			assigned[w] = slices.Clone(nodes)
			for _, n := range nodes {
				room.take(n, c.Workloads[w].Requests)
			}
		}
	}
	var left []int
	for _, v := range g.largestFirst() {
		if !room.fits(wanted[v], g.requests(v)) {
			left = append(left, v)
			continue
		}
		room.take(wanted[v], g.requests(v))
		assigned[g.pods[v]] = append(assigned[g.pods[v]], wanted[v])
	}
	for _, v := range left {
		for n := range int32(len(c.Nodes)) {
			if room.fits(n, g.requests(v)) {
				room.take(n, g.requests(v))
				assigned[g.pods[v]] = append(assigned[g.pods[v]], n)
				break
			}
		}
	}
	return assigned
}

// largestFirst returns the vertices by the larger of their shares of all
// requested CPU and memory.
func (g *podGraph) largestFirst() []int {
	var all cluster.Resources
	order := make([]int, len(g.pods))
	for v := range g.pods {
		order[v] = v
		all = sum(all, g.requests(v))
	}
	size := func(v int) float64 {
		return max(share(g.requests(v).MilliCPU, all.MilliCPU), share(g.requests(v).Memory, all.Memory))
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(size(b), size(a)) })
	return order
}

// rooms is what is left of the nodes.
type rooms []cluster.Node

func newRooms(c *cluster.Cluster) rooms { return slices.Clone(c.Nodes) }

func (r rooms) fits(node int32, requests cluster.Resources) bool {
	n := &r[node]
	return n.MaxPods > 0 && requests.MilliCPU <= n.Allocatable.MilliCPU && requests.Memory <= n.Allocatable.Memory
}

func (r rooms) take(node int32, requests cluster.Resources) {
	n := &r[node]
	n.MaxPods--
	n.Allocatable.MilliCPU -= requests.MilliCPU
	n.Allocatable.Memory -= requests.Memory
}
