package meshes

import (
	"fmt"
	"math/rand/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// The sizes of messages in the shapes, which stand for no application: a small
// request, and a response of one page of memory in the median.
const (
	shapeRequest  = 512
	shapeResponse = 4096
	// shapeSigma lets one response in six be more than 2.7 times the median.
	shapeSigma = 1
)

// Star is a shared service with a replica for each four others (leaves), which
// have one replica each and call it at random rates. As a hub's node is full
// before all leaves are near, what matters is which leaves get there.
func Star(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	const (
		// leafRate is the median of the leaves' requests per second. With
		// leafSigma, the busiest of 50 is about ten times as busy as the median.
		leafRate  = 20
		leafSigma = 1
		leavesPer = 4 // leaves for each replica of the hub
	)
	hub := flowgraph.WorkloadID{Namespace: "star", Name: "hub"}
	c := &cluster.Cluster{Workloads: []cluster.Workload{{
		ID: hub, Replicas: int32((size + leavesPer - 1) / leavesPer), Requests: cluster.Resources{MilliCPU: 1000, Memory: 2 << 30},
	}}}
	for i := range size {
		leaf := flowgraph.WorkloadID{Namespace: "star", Name: fmt.Sprintf("leaf-%04d", i+1)}
		c.Workloads = append(c.Workloads, cluster.Workload{
			ID: leaf, Replicas: 1, Requests: cluster.Resources{MilliCPU: 500, Memory: 1 << 30},
		})
		c.Edges = append(c.Edges, edge(leaf, hub, logNormal(rng, leafRate, leafSigma), shapeRequest, shapeResponse))
	}
	fitNodes(c)
	return c, nil
}

// DeepTree is a tree in which every service calls its children once for each
// request, so that all edges have the same requests per second, with responses
// of random size. The parent of each workload is one of the four before it, which
// makes the tree about two fifths as deep as it has workloads. All have one or
// two replicas.
func DeepTree(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	const (
		rootRate = 100 // requests per second
		nearest  = 4
	)
	c := &cluster.Cluster{}
	for i := range size {
		c.Workloads = append(c.Workloads, cluster.Workload{
			ID:       flowgraph.WorkloadID{Namespace: "deep-tree", Name: fmt.Sprintf("level-%05d", i+1)},
			Replicas: pick[int32](rng, 1, 2),
			Requests: cluster.Resources{MilliCPU: 500, Memory: 1 << 30},
		})
		if i > 0 {
			parent := i - 1 - rng.IntN(min(nearest, i))
			c.Edges = append(c.Edges, edge(c.Workloads[parent].ID, c.Workloads[i].ID, rootRate, shapeRequest, logNormal(rng, shapeResponse, shapeSigma)))
		}
	}
	fitNodes(c)
	return c, nil
}

// edge is an edge of requests per second with messages of a size.
func edge(from, to flowgraph.WorkloadID, requests, request, response float64) flowgraph.Edge {
	return flowgraph.Edge{From: from, To: to, Rates: flowgraph.Rates{
		SentBytesPerSecond: requests * request, ReceivedBytesPerSecond: requests * response, RequestsPerSecond: requests,
	}}
}
