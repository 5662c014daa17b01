package meshes

import (
	"fmt"
	"math/rand/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// These families have one trait each that scores can fail on. None of them stands for an
// application, and nothing that scores was tuned to them.

// evenRate is the requests per second of every edge where all are alike.
const evenRate = 100

// newTrait returns a cluster of so many workloads with so many replicas each, without
// traffic and nodes.
func newTrait(namespace string, size int, replicas int32) *cluster.Cluster {
	c := &cluster.Cluster{}
	for i := range size {
		c.Workloads = append(c.Workloads, cluster.Workload{
			ID:       flowgraph.WorkloadID{Namespace: namespace, Name: fmt.Sprintf("service-%04d", i+1)},
			Replicas: replicas, Requests: cluster.Resources{MilliCPU: 500, Memory: 1 << 30}, // a small service
		})
	}
	return c
}

// connect adds an edge between two workloads of a cluster by their numbers, with messages
// as in the other shapes.
func connect(c *cluster.Cluster, from, to int, requests float64) {
	c.Edges = append(c.Edges, edge(c.Workloads[from].ID, c.Workloads[to].ID, requests, shapeRequest, shapeResponse))
}

// callOthers has each workload call two others, chosen at random, at a rate of its own.
func callOthers(rng *rand.Rand, c *cluster.Cluster, rate func() float64) {
	n := len(c.Workloads)
	for i := range n {
		first := (i + 1 + rng.IntN(n-1)) % n
		second := first
		for second == first || second == i {
			second = rng.IntN(n)
		}
		connect(c, i, first, rate())
		connect(c, i, second, rate())
	}
}

// Even is services with ten replicas each, of which each calls two others at the same
// rate: no pod has more traffic than another.
func Even(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	c := newTrait("even", size, 10)
	callOthers(rng, c, func() float64 { return evenRate })
	fitNodes(c)
	return c, nil
}

// EvenTree is a tree of services with six replicas each. Each calls its children once for
// each request, and all edges carry the same.
func EvenTree(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	c := newTrait("even-tree", size, 6)
	for i := 1; i < size; i++ {
		connect(c, rng.IntN(i), i, evenRate)
	}
	fitNodes(c)
	return c, nil
}

// Hub is pairs of services that call each other and one hub, as it is with a message queue
// or an authorisation service. An edge with the hub carries as much as one between a pair
// in the median, so that the hub has most of the traffic.
func Hub(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	c := newTrait("hub", size, 2)
	c.Workloads[0].Replicas = 6
	rate := func() float64 { return logNormal(rng, evenRate, shapeSigma) }
	for i := 1; i < size; i++ {
		connect(c, i, 0, rate())
		if i%2 == 0 {
			connect(c, i-1, i, rate())
		}
	}
	fitNodes(c)
	return c, nil
}

// Dedicated is a random mesh on unequal nodes, a third of which takes pods of a quarter of
// the workloads only. Those may run on any node.
func Dedicated(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	c := newTrait("dedicated", size, 3)
	for i := range c.Workloads {
		c.Workloads[i].Tolerant = i%4 == 0
	}
	callOthers(rng, c, func() float64 { return logNormal(rng, evenRate, shapeSigma) })
	fitNodesFrom(c, 3*zones)
	for i := range c.Nodes {
		n := &c.Nodes[i]
		// A third of the nodes has only a quarter of the workloads to take, and must not be
		// what the others lack: the rest of the nodes is larger.
		n.Dedicated = i/zones%3 == 2
		factor := pick[int64](rng, 2, 3, 4)
		n.Allocatable.MilliCPU = n.Allocatable.MilliCPU * factor / 2
		n.Allocatable.Memory = n.Allocatable.Memory * factor / 2
	}
	return c, nil
}

// SpreadSets is databases whose pods are spread over zones as a rule, three replicas each,
// and services that call one or two of them.
func SpreadSets(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	c := newTrait("spread-sets", size, 3)
	databases := max(size/3, 1)
	for i := range databases {
		c.Workloads[i].Spread = true
	}
	for i := databases; i < size; i++ {
		first := rng.IntN(databases)
		connect(c, i, first, logNormal(rng, evenRate, shapeSigma))
		if second := rng.IntN(databases); second != first {
			connect(c, i, second, logNormal(rng, evenRate, shapeSigma))
		}
	}
	fitNodes(c)
	return c, nil
}

// LowRates is small services that exchange some hundred bytes per second.
func LowRates(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	c := newTrait("low-rates", size, 2)
	callOthers(rng, c, func() float64 { return logNormal(rng, 0.05, shapeSigma) })
	fitNodes(c)
	return c, nil
}

// ScaleOut is services of ten replicas, two of which run already.
func ScaleOut(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	c := newTrait("scale-out", size, 10)
	callOthers(rng, c, func() float64 { return logNormal(rng, evenRate, shapeSigma) })
	fitNodes(c)
	next := 0
	for range c.Workloads {
		var pods []int32
		for range 2 {
			pods = append(pods, int32(next%len(c.Nodes)))
			next++
		}
		c.Assigned = append(c.Assigned, pods)
	}
	return c, nil
}

// Full is a random mesh that asks for nearly all of its nodes' CPU.
func Full(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	const full = 0.9
	c := newTrait("full", size, 3)
	callOthers(rng, c, func() float64 { return logNormal(rng, evenRate, shapeSigma) })
	fitNodes(c)
	for i := range c.Nodes {
		n := &c.Nodes[i]
		n.Allocatable.MilliCPU = int64(float64(n.Allocatable.MilliCPU) * load / full)
		n.Allocatable.Memory = int64(float64(n.Allocatable.Memory) * load / full)
	}
	return c, nil
}
