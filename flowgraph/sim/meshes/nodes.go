package meshes

import (
	"fmt"
	"math"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

const (
	// zones is what most cloud regions have.
	zones = 3
	// region is the one region that all nodes are in.
	region = "region-1"
	// load is the share of the CPU that the pods ask for: enough for capacity to
	// stand in the way of locality, with room for the surge of a rollout.
	load = 0.65
	// nodeMilliCPU is the size of a node, where the cluster needs more than
	// minNodes of it. At 16 cores, a node holds 10 to 30 pods.
	nodeMilliCPU = 16_000
	// minNodes is two in each zone: with one, node and zone would be the same.
	minNodes = 2 * zones
	// memoryPerMilliCPU is 4 GiB for each core, the ratio of the cloud
	// providers' general-purpose machines.
	memoryPerMilliCPU = 4 << 30 / 1000
	// maxPods is the kubelet's default.
	maxPods = 110
)

// fitNodes gives the cluster equal nodes on which its pods ask for a share of
// load of the CPU. A small cluster gets smaller nodes rather than fewer.
func fitNodes(c *cluster.Cluster) { fitNodesFrom(c, minNodes) }

// fitNodesFrom does the same with a number of nodes that the cluster has at least.
func fitNodesFrom(c *cluster.Cluster, least int) {
	var wanted float64
	for _, w := range c.Workloads {
		wanted += float64(w.Requests.MilliCPU) * float64(w.Replicas)
	}
	count := max(math.Round(wanted/load/nodeMilliCPU), float64(least))
	each := math.Ceil(wanted/load/count/100) * 100
	addNodes(c, int(count), int64(each))
}

// addNodes gives the cluster equal nodes in all zones in turn.
func addNodes(c *cluster.Cluster, count int, milliCPU int64) {
	for i := range count {
		c.Nodes = append(c.Nodes, cluster.Node{
			Locality: locality.Locality{
				Node:   fmt.Sprintf("node-%04d", i+1),
				Zone:   fmt.Sprintf("%s%c", region, 'a'+i%zones),
				Region: region,
			},
			Allocatable: cluster.Resources{MilliCPU: milliCPU, Memory: milliCPU * memoryPerMilliCPU},
			MaxPods:     maxPods,
		})
	}
}
