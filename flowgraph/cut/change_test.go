package cut

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

func TestChanges(t *testing.T) {
	c := measureCluster()
	web, db := c.Workloads[0].ID, c.Workloads[1].ID
	c.Workloads = append(c.Workloads, cluster.Workload{ID: flowgraph.WorkloadID{Namespace: "shop", Name: "silent"}, Replicas: 1})
	before, after := cluster.Assignment{{0, 0, 1, 2}, {0, 1}, {0}}, cluster.Assignment{{0, 0, 0, 2}, {1, 1}, {1}}
	cases := map[string]struct {
		level            locality.Level
		model            Model
		edges, workloads []Change
	}{
		"node, uniform": {
			locality.Node, Uniform,
			// web and db meet by 2/4 of 1/2 and 1/4 of 1/2; then nowhere.
			[]Change{{From: web, To: db, Total: 80, Before: 30}, {From: db, To: db, Total: 10, Before: 5, After: 10}},
			[]Change{{From: web, Total: 80, Before: 30}, {From: db, Total: 90, Before: 35, After: 10}},
		},
		"zone, same node": {
			locality.Zone, SameNode,
			// All of db is in zone a all the time: what did not change comes last.
			[]Change{{From: db, To: db, Total: 10, Before: 10, After: 10}, {From: web, To: db, Total: 80, Before: 60, After: 60}},
			[]Change{{From: db, Total: 90, Before: 70, After: 70}, {From: web, Total: 80, Before: 60, After: 60}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			edges, workloads := Changes(c, before, c, after, tc.level, tc.model)
			if diff := cmp.Diff(tc.edges, edges, about()); diff != "" {
				t.Errorf("edges (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.workloads, workloads, about()); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
		})
	}
}

// exchangedWithSites is the traffic between the workloads of a cluster and sites.
func exchangedWithSites(c *cluster.Cluster) (bytes float64) {
	pods := &cuttest.Pods{C: c}
	for _, e := range c.Edges {
		if e.From.IsSite() && pods.Position(e.To) >= 0 || e.To.IsSite() && pods.Position(e.From) >= 0 {
			bytes += e.BytesPerSecond()
		}
	}
	return bytes
}

// TestChangesAddUp compares with the whole: the edges' changes are that of the
// outcome, and each workload's that of its edges.
func TestChangesAddUp(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, before cluster.Assignment) {
		after := cuttest.RandomAssignment(rng, c)
		was, is := Measure(c, before, nil), Measure(c, after, nil)
		for k, l := range was.Levels {
			for _, m := range Models() {
				edges, workloads := Changes(c, before, c, after, l.Level, m)
				var sum Change
				for _, e := range edges {
					sum.Total, sum.Before, sum.After = sum.Total+e.Total, sum.Before+e.Before, sum.After+e.After
				}
				total := was.Total - was.External
				if l.Level < locality.Zone {
					total -= exchangedWithSites(c)
				}
				if !near(sum.Total, total) || !near(sum.Before, l.Local[m]) || !near(sum.After, is.Levels[k].Local[m]) {
					t.Errorf("%v, %v: edges add up to %+v, want %v and %v of %v", l.Level, m, sum, l.Local[m], is.Levels[k].Local[m], total)
				}
				for _, w := range workloads {
					var gained float64
					for _, e := range edges {
						if e.From == w.From || e.To == w.From {
							gained += e.Gained()
						}
					}
					if !near(gained, w.Gained()) {
						t.Errorf("%v, %v: %s gains %v, want %v", l.Level, m, w.From, w.Gained(), gained)
					}
				}
				largestFirst := func(a, b Change) int { return int(math.Copysign(1, math.Abs(b.Gained())-math.Abs(a.Gained()))) }
				for _, list := range [][]Change{edges, workloads} {
					if !slices.IsSortedFunc(list, largestFirst) {
						t.Errorf("%v, %v: not the largest change first: %+v", l.Level, m, list)
					}
				}
			}
		}
	})
}
