package meshes

import (
	"slices"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// TestTraits: at its default size, and at ten times that, every family has the trait that it
// is there for.
func TestTraits(t *testing.T) {
	perPod := func(c *cluster.Cluster) (rates []float64) {
		of := map[string]float64{}
		for _, e := range c.Edges {
			of[e.From.Name] += e.BytesPerSecond()
			of[e.To.Name] += e.BytesPerSecond()
		}
		for _, w := range c.Workloads {
			rates = append(rates, of[w.ID.Name]/float64(w.Replicas))
		}
		return rates
	}
	used := func(c *cluster.Cluster) float64 {
		var wanted, all int64
		for _, w := range c.Workloads {
			wanted += w.Requests.MilliCPU * int64(w.Replicas)
		}
		for _, n := range c.Nodes {
			all += n.Allocatable.MilliCPU
		}
		return float64(wanted) / float64(all)
	}
	for name, has := range map[string]func(*cluster.Cluster) bool{
		"even": func(c *cluster.Cluster) bool {
			return !slices.ContainsFunc(c.Edges, func(e flowgraph.Edge) bool { return e.BytesPerSecond() != c.Edges[0].BytesPerSecond() })
		},
		"even-tree": func(c *cluster.Cluster) bool {
			return len(c.Edges) == len(c.Workloads)-1 &&
				!slices.ContainsFunc(c.Edges, func(e flowgraph.Edge) bool { return e.BytesPerSecond() != c.Edges[0].BytesPerSecond() })
		},
		"hub": func(c *cluster.Cluster) bool {
			rates := perPod(c)
			return rates[0] == slices.Max(rates)
		},
		"dedicated": func(c *cluster.Cluster) bool {
			dedicated, sizes := 0, map[int64]bool{}
			for _, n := range c.Nodes {
				if n.Dedicated {
					dedicated++
				}
				sizes[n.Allocatable.MilliCPU] = true
			}
			tolerant := 0
			for _, w := range c.Workloads {
				if w.Tolerant {
					tolerant++
				}
			}
			return 4*dedicated >= len(c.Nodes) && 5*dedicated <= 2*len(c.Nodes) && len(sizes) > 1 && 4*tolerant == len(c.Workloads)
		},
		"spread-sets": func(c *cluster.Cluster) bool {
			return slices.ContainsFunc(c.Workloads, func(w cluster.Workload) bool { return w.Spread }) &&
				slices.ContainsFunc(c.Workloads, func(w cluster.Workload) bool { return !w.Spread })
		},
		"low-rates": func(c *cluster.Cluster) bool { return slices.Max(perPod(c)) < 16<<10 },
		"scale-out": func(c *cluster.Cluster) bool {
			for w, pods := range c.Assigned {
				if len(pods) == 0 || int32(len(pods)) >= c.Workloads[w].Replicas {
					return false
				}
			}
			return len(c.Assigned) == len(c.Workloads)
		},
		"full": func(c *cluster.Cluster) bool { return used(c) > 0.85 },
	} {
		t.Run(name, func(t *testing.T) {
			for _, family := range Families() {
				if family.Name != name {
					continue
				}
				for _, size := range []int{family.DefaultSize, 10 * family.DefaultSize} {
					if !has(generate(t, name, 1, size)) {
						t.Errorf("at size %d it lacks its trait", size)
					}
				}
				return
			}
			t.Error("there is no such family")
		})
	}
}
