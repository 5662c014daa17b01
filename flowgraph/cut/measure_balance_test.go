package cut

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// TestBalanceAndSpreadAgreeWithCounting puts large pods onto the nodes one by
// one, and counts every pair of workload and domain.
func TestBalanceAndSpreadAgreeWithCounting(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		for w := range assigned { // enough of some for a skew
			if n := int32(rng.IntN(len(c.Nodes))); rng.IntN(2) == 0 {
				assigned[w] = append(assigned[w], n, n, n, n)
			}
		}
		o := Measure(c, assigned, nil)
		if want := countHeadroom(c, assigned); o.Headroom != want {
			t.Errorf("headroom %d, want %d", o.Headroom, want)
		}
		want := Spread{NodesOverSkew: countSkew(c, assigned, locality.Node, 3), ZonesOverSkew: countSkew(c, assigned, locality.Zone, 5)}
		for w, nodes := range assigned {
			if len(nodes) < 2 || c.Workloads[w].Fixed {
				continue
			}
			want.MultiReplica++
			if slices.Min(nodes) == slices.Max(nodes) {
				want.Concentrated++
			}
		}
		if o.Spread != want {
			t.Errorf("spread %+v, want %+v", o.Spread, want)
		}
	})
}

func countHeadroom(c *cluster.Cluster, assigned cluster.Assignment) int64 {
	var cpu, memory []int64
	for _, w := range c.Workloads {
		for range w.Replicas {
			cpu, memory = append(cpu, w.Requests.MilliCPU), append(memory, w.Requests.Memory)
		}
	}
	slices.Sort(cpu)
	slices.Sort(memory)
	// The smallest value that at least 95 of 100 pods do not exceed.
	rank := 0
	for (rank+1)*100 < 95*len(cpu) {
		rank++
	}
	var headroom int64
	for i, n := range c.Nodes {
		used, pods := cluster.Resources{}, int32(0)
		for w, nodes := range assigned {
			for _, at := range nodes {
				if int(at) == i {
					used.MilliCPU += c.Workloads[w].Requests.MilliCPU
					used.Memory += c.Workloads[w].Requests.Memory
					pods++
				}
			}
		}
		for pods < n.MaxPods && used.MilliCPU+cpu[rank] <= n.Allocatable.MilliCPU && used.Memory+memory[rank] <= n.Allocatable.Memory {
			used.MilliCPU, used.Memory, pods, headroom = used.MilliCPU+cpu[rank], used.Memory+memory[rank], pods+1, headroom+1
		}
	}
	return headroom
}

func countSkew(c *cluster.Cluster, assigned cluster.Assignment, level locality.Level, maxSkew int) (over int) {
	for w, nodes := range assigned {
		counts := map[string]int{}
		for n := range c.Nodes {
			if d := (&cuttest.Pods{C: c}).Domain(int32(n), level); d != "" {
				counts[d] = 0
			}
		}
		for _, n := range nodes {
			if d := (&cuttest.Pods{C: c}).Domain(n, level); d != "" {
				counts[d]++
			}
		}
		for _, a := range counts {
			if !c.Workloads[w].Fixed && slices.ContainsFunc(slices.Collect(maps.Values(counts)), func(b int) bool { return a-b > maxSkew }) {
				over++
			}
		}
	}
	return over
}
