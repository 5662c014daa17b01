package sim

import (
	"math"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Balance is how evenly the nodes are used.
type Balance struct {
	// CPUDeviation and MemoryDeviation are the standard deviations of the nodes'
	// used shares, in percentage points.
	CPUDeviation, MemoryDeviation float64
	// Headroom is how many more pods fit that ask for the 95th percentile of
	// CPU and of memory over all pods.
	Headroom int64
}

// headroomPercentile is a pod larger than most, so that what it finds is room
// that most pods could use.
const headroomPercentile = 0.95

func balance(c *cluster.Cluster, assigned cluster.Assignment) Balance {
	used, pods := make([]cluster.Resources, len(c.Nodes)), make([]int32, len(c.Nodes))
	var cpu, memory []int64
	for w, nodes := range assigned {
		r := c.Workloads[w].Requests
		for _, n := range nodes {
			used[n].MilliCPU += r.MilliCPU
			used[n].Memory += r.Memory
			pods[n]++
		}
		for range c.Workloads[w].Replicas {
			cpu, memory = append(cpu, r.MilliCPU), append(memory, r.Memory)
		}
	}
	large := cluster.Resources{MilliCPU: percentile(cpu), Memory: percentile(memory)}
	var b Balance
	cpuShares, memoryShares := make([]float64, len(c.Nodes)), make([]float64, len(c.Nodes))
	for i, n := range c.Nodes {
		cpuShares[i] = 100 * float64(used[i].MilliCPU) / float64(n.Allocatable.MilliCPU)
		memoryShares[i] = 100 * float64(used[i].Memory) / float64(n.Allocatable.Memory)
		b.Headroom += fits(n, used[i], pods[i], large)
	}
	b.CPUDeviation, b.MemoryDeviation = deviation(cpuShares), deviation(memoryShares)
	return b
}

// fits is how many pods of a size go onto what is left of a node.
func fits(n cluster.Node, used cluster.Resources, pods int32, size cluster.Resources) int64 {
	room := int64(max(n.MaxPods-pods, 0))
	if size.MilliCPU > 0 {
		room = min(room, max(n.Allocatable.MilliCPU-used.MilliCPU, 0)/size.MilliCPU)
	}
	if size.Memory > 0 {
		room = min(room, max(n.Allocatable.Memory-used.Memory, 0)/size.Memory)
	}
	return room
}

// percentile is the nearest-rank percentile; it sorts what it is given.
func percentile(values []int64) int64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	rank := int(math.Ceil(headroomPercentile * float64(len(values))))
	return values[max(rank, 1)-1]
}

// deviation is the standard deviation of a whole population.
func deviation(values []float64) float64 {
	var sum, squares float64
	for _, v := range values {
		sum += v
	}
	mean := sum / float64(len(values))
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return math.Sqrt(squares / float64(len(values)))
}

// Spread is how an assignment bears the loss of a node or a zone. Fixed
// workloads are left out.
type Spread struct {
	// MultiReplica is how many workloads have two or more pods placed.
	MultiReplica int
	// Concentrated is how many of them have all pods on one node, whose loss
	// takes them down whole.
	Concentrated int
	// NodesOverSkew and ZonesOverSkew count where the pods of a workload are less
	// even than kube-scheduler prefers by its system default constraints: the
	// pairs of a workload and a node that has over 3 of its pods more than the
	// node with the fewest, and of a workload and a zone that has over 5 more
	// than the zone with the fewest. Every node and zone of the cluster is a
	// candidate, as the defaults know no node selectors.
	NodesOverSkew, ZonesOverSkew int
}

// The maxSkew of kube-scheduler's system default constraints
// (pkg/scheduler/framework/plugins/podtopologyspread).
const (
	nodeMaxSkew = 3
	zoneMaxSkew = 5
)

func spread(p *placement) Spread {
	s := Spread{
		NodesOverSkew: p.overSkew(atNode, nodeMaxSkew),
		ZonesOverSkew: p.overSkew(p.zone, zoneMaxSkew),
	}
	for w, nodes := range p.assigned {
		if p.c.Workloads[w].Fixed || len(nodes) < 2 {
			continue
		}
		s.MultiReplica++
		if len(p.at[atNode].places[w]) == 1 {
			s.Concentrated++
		}
	}
	return s
}

// overSkew counts the pairs of a workload and a domain that has over maxSkew
// pods of it more than the domain with the fewest.
func (p *placement) overSkew(level int, maxSkew int32) int {
	var over int
	for w, places := range p.at[level].places {
		if p.c.Workloads[w].Fixed || len(places) == 0 {
			continue
		}
		var fewest int32
		if len(places) == len(p.at[level].domains) {
			fewest = slices.MinFunc(places, func(a, b tally) int { return int(a.pods - b.pods) }).pods
		}
		for _, p := range places {
			if p.pods-fewest > maxSkew {
				over++
			}
		}
	}
	return over
}
