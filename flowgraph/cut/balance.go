package cut

import (
	"math"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Balance is how evenly the nodes are used.
type Balance struct {
	// CPUDeviation and MemoryDeviation are the standard deviations of the nodes'
	// used shares, in percentage points. Nodes without room count for neither.
	CPUDeviation, MemoryDeviation float64
	// Headroom is how many more pods fit that ask for the 95th percentile of
	// CPU and of memory over all pods.
	Headroom int64
}

// headroomPercentile is a pod larger than most, so that what it finds is room
// that most pods could use.
const headroomPercentile = 0.95

// usage is what pods take of the nodes.
type usage struct {
	used []cluster.Resources
	pods []int32
	// large is the size of the pods that headroom is counted in.
	large cluster.Resources
}

func newUsage(c *cluster.Cluster, assignments ...cluster.Assignment) *usage {
	u := &usage{used: make([]cluster.Resources, len(c.Nodes)), pods: make([]int32, len(c.Nodes))}
	for _, assigned := range assignments {
		for w, nodes := range assigned {
			for _, n := range nodes {
				u.add(c, int32(w), n, 1)
			}
		}
	}
	var cpu, memory []int64
	for i := range c.Workloads {
		w := &c.Workloads[i]
		for range w.Replicas {
			cpu, memory = append(cpu, w.Requests.MilliCPU), append(memory, w.Requests.Memory)
		}
	}
	u.large = cluster.Resources{MilliCPU: percentile(cpu), Memory: percentile(memory)}
	return u
}

// add adds pods of a workload to a node; by may be negative.
func (u *usage) add(c *cluster.Cluster, workload, node, by int32) {
	r := &c.Workloads[workload].Requests
	u.used[node].MilliCPU += int64(by) * r.MilliCPU
	u.used[node].Memory += int64(by) * r.Memory
	u.pods[node] += by
}

func (u *usage) balance(c *cluster.Cluster) Balance {
	var b Balance
	var cpu, memory deviation
	for i := range c.Nodes {
		n := &c.Nodes[i]
		cpu.add(u.used[i].MilliCPU, n.Allocatable.MilliCPU)
		memory.add(u.used[i].Memory, n.Allocatable.Memory)
		b.Headroom += fits(n, u.used[i], u.pods[i], u.large)
	}
	b.CPUDeviation, b.MemoryDeviation = cpu.value(), memory.value()
	return b
}

// fits is how many pods of a size go onto what is left of a node.
func fits(n *cluster.Node, used cluster.Resources, pods int32, size cluster.Resources) int64 {
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

// deviation adds up used shares, in percent.
type deviation struct{ shares []float64 }

func (d *deviation) add(used, of int64) {
	if of > 0 {
		d.shares = append(d.shares, 100*float64(used)/float64(of))
	}
}

// value is the standard deviation of a whole population, 0 of none.
func (d *deviation) value() float64 {
	if len(d.shares) == 0 {
		return 0
	}
	var sum, squares float64
	for _, v := range d.shares {
		sum += v
	}
	mean := sum / float64(len(d.shares))
	for _, v := range d.shares {
		squares += (v - mean) * (v - mean)
	}
	return math.Sqrt(squares / float64(len(d.shares)))
}

// Spread is how the serving pods of workloads are spread over nodes and zones.
// Fixed workloads are left out.
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

func (l *Layout) spread() Spread {
	var s Spread
	for w := range l.pods {
		s.add(l.spreadOf(int32(w)), 1)
	}
	return s
}

// spreadOf is what one workload contributes.
func (l *Layout) spreadOf(workload int32) Spread {
	if l.c.Workloads[workload].Fixed || l.pods[workload] == 0 {
		return Spread{}
	}
	s := Spread{
		NodesOverSkew: l.overSkew(atNode, workload, nodeMaxSkew),
		ZonesOverSkew: l.overSkew(l.zone, workload, zoneMaxSkew),
	}
	if l.pods[workload] >= 2 {
		s.MultiReplica = 1
		if len(l.at(atNode, workload)) == 1 {
			s.Concentrated = 1
		}
	}
	return s
}

func (s *Spread) add(other Spread, times int) {
	s.MultiReplica += times * other.MultiReplica
	s.Concentrated += times * other.Concentrated
	s.NodesOverSkew += times * other.NodesOverSkew
	s.ZonesOverSkew += times * other.ZonesOverSkew
}

// overSkew counts the known domains that have over maxSkew pods of a workload more
// than the one with the fewest.
func (l *Layout) overSkew(level int, workload, maxSkew int32) int {
	d := &l.domains[level]
	fewest, there := int32(math.MaxInt32), 0
	for _, p := range l.at(level, workload) {
		if d.isKnown[p.domain] {
			fewest, there = min(fewest, p.pods), there+1
		}
	}
	if there < d.known {
		fewest = 0
	}
	over := 0
	for _, p := range l.at(level, workload) {
		if d.isKnown[p.domain] && p.pods-fewest > maxSkew {
			over++
		}
	}
	return over
}
