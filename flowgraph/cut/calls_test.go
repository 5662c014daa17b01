package cut

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// calledAtSites is what stays of the calls of a cluster's workloads to sites.
func calledAtSites(c *cluster.Cluster, serving cluster.Assignment, level locality.Level) (local float64) {
	pods := &cuttest.Pods{C: c, Serving: serving}
	for _, e := range c.Edges {
		if e.To.IsSite() {
			stays, _ := pods.Stays(e, cluster.Route{}, level)
			local += e.BytesPerSecond() * stays
		}
	}
	return local
}

// TestCallsAddUp changes the routing of one workload at a time, and compares with
// the whole.
func TestCallsAddUp(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		changed := int32(rng.IntN(len(c.Workloads)))
		for _, routing := range []affinity.Routing{affinity.Uniform, affinity.SameNode, affinity.SameZone} {
			was, before := Measure(c, assigned, nil), Calls(c, assigned, nil)
			c.Workloads[changed].Routing = routing
			is, after := Measure(c, assigned, nil), Calls(c, assigned, nil)
			for k, l := range is.Levels {
				at := slices.Index(c.Scale.Levels(), l.Level)
				sum := calledAtSites(c, assigned, l.Level)
				for w := range after {
					sum += after[w].Local[at]
					if w != int(changed) && after[w] != before[w] {
						t.Errorf("%s: %+v became %+v when another one changed", c.Workloads[w].ID, before[w], after[w])
					}
				}
				if !near(sum, l.Local[Configured]) {
					t.Errorf("%v: %v stay in all, want %v", l.Level, sum, l.Local[Configured])
				}
				gained := after[changed].Local[at] - before[changed].Local[at]
				if want := l.Local[Configured] - was.Levels[k].Local[Configured]; !near(gained, want) {
					t.Errorf("%v: %v more stay as %v, want %v", l.Level, gained, routing, want)
				}
			}
			if after[changed].Total != before[changed].Total {
				t.Errorf("%+v became %+v", before[changed], after[changed])
			}
		}
	})
}
