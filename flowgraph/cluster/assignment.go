package cluster

import "fmt"

// Assignment is where the pods of each workload are: by the position of the
// workload in a Cluster, the position of the node of each of its pods. A workload
// may have more pods there than it wants, or fewer; pods without a node are not
// part of it.
type Assignment [][]int32

// Pods returns how many pods of all workloads have a node.
func (a Assignment) Pods() int {
	var n int
	for _, nodes := range a {
		n += len(nodes)
	}
	return n
}

// Missing returns how many more pods the workloads of a cluster want. A surplus of
// one workload does not make up for what another one misses.
func (a Assignment) Missing(c *Cluster) int {
	var n int
	for w := range c.Workloads {
		n += max(int(c.Workloads[w].Replicas)-len(a[w]), 0)
	}
	return n
}

// Validate returns an error when the assignment is not one of the cluster: when it
// has another number of workloads, or names a node that there is not.
func (a Assignment) Validate(c *Cluster) error {
	if len(a) != len(c.Workloads) {
		return fmt.Errorf("%d workloads are assigned, but there are %d", len(a), len(c.Workloads))
	}
	for w, nodes := range a {
		for _, n := range nodes {
			if n < 0 || int(n) >= len(c.Nodes) {
				return fmt.Errorf("a pod of %s is assigned to node %d of %d", c.Workloads[w].ID, n, len(c.Nodes))
			}
		}
	}
	return nil
}
