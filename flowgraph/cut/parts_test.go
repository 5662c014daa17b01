package cut

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// TestParts follows the calls of 4 pods of web to 2 pods of db, at 80 bytes per
// second.
func TestParts(t *testing.T) {
	cases := map[string]struct {
		routing  affinity.Routing
		assigned cluster.Assignment
		want     []Part
	}{
		"uniform": {
			affinity.Uniform, cluster.Assignment{{0, 0, 1, 2}, {0, 3}},
			[]Part{{0, 0, 20}, {0, 3, 20}, {1, 0, 10}, {1, 3, 10}, {2, 0, 10}, {2, 3, 10}},
		},
		"pods are missing: the others serve": {
			affinity.Uniform, cluster.Assignment{{0, 0}, {1}}, []Part{{0, 1, 80}},
		},
		"no pod serves": {
			affinity.Uniform, cluster.Assignment{{0, 1, 1, 1}, nil}, []Part{{0, Outside, 20}, {1, Outside, 60}},
		},
		"the node first, then the zone, then all": {
			affinity.SameNode, cluster.Assignment{{0, 0, 1, 2}, {0, 3}},
			[]Part{{0, 0, 40}, {1, 0, 20}, {2, 0, 10}, {2, 3, 10}},
		},
		"fair load: the node takes half of the calls, the zone has no room left": {
			affinity.FairLoad, cluster.Assignment{{0, 0, 0, 1}, {0, 2}},
			[]Part{{0, 0, 40}, {0, 2, 20}, {1, 2, 20}},
		},
		"fair load: what has no room on its node has it in the zone": {
			affinity.FairLoad, cluster.Assignment{{0, 0, 0, 2}, {0, 1}},
			[]Part{{0, 0, 40}, {0, 1, 20}, {2, 1, 20}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := measureCluster()
			c.Edges = c.Edges[:1]
			c.Workloads[1].Routing = tc.routing
			var got []Part
			for _, part := range Parts(c, tc.assigned, Configured) {
				got = append(got, part)
			}
			if diff := cmp.Diff(tc.want, got, about()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPartsAddUp compares with the outcome: what there is, what stays at each
// level, and what each edge has; and, where calls are not by fair load, what goes
// from node to node with the single calls.
func TestPartsAddUp(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		o, pods := Measure(c, assigned, nil), &cuttest.Pods{C: c, Serving: assigned}
		for _, m := range Models() {
			local := map[locality.Level]float64{}
			edges := make([]float64, len(c.Edges))
			between := map[[3]int]float64{}
			for i, part := range Parts(c, assigned, m) {
				if part.BytesPerSecond <= 0 {
					t.Errorf("%v: a part of %v", m, part)
				}
				edges[i] += part.BytesPerSecond
				between[[3]int{i, int(part.From), int(part.To)}] += part.BytesPerSecond
				for _, l := range c.Scale.Levels() {
					if sharesLevel(pods, l, part) {
						local[l] += part.BytesPerSecond
					}
				}
			}
			for i, e := range c.Edges {
				if !near(edges[i], e.BytesPerSecond()) {
					t.Errorf("%v: the parts of edge %d are %v, want %v", m, i, edges[i], e.BytesPerSecond())
				}
				comparePairs(t, pods, m, i, between)
			}
			for _, l := range o.Levels {
				if !near(local[l.Level], l.Local[m]) {
					t.Errorf("%v, %v: parts of %v stay, want %v", m, l.Level, local[l.Level], l.Local[m])
				}
			}
		}
	})
}

// sharesLevel reports whether both ends of a part are in one domain of a level.
func sharesLevel(pods *cuttest.Pods, level locality.Level, part Part) (shares bool) {
	switch sites := pods.C.Sites(); {
	case part.From >= 0 && part.To >= 0:
		return pods.Share(level, part.From, part.To)
	case part.From >= 0 && part.To < Outside:
		shares, _ = pods.AtSite(sites[SiteIndex(part.To)], part.From, level)
	case part.To >= 0 && part.From < Outside:
		shares, _ = pods.AtSite(sites[SiteIndex(part.From)], part.To, level)
	}
	return shares
}

// comparePairs compares what of an edge goes from node to node.
func comparePairs(t *testing.T, pods *cuttest.Pods, m Model, edge int, between map[[3]int]float64) {
	t.Helper()
	e := pods.C.Edges[edge]
	from, to := pods.Position(e.From), pods.Position(e.To)
	if from < 0 || to < 0 {
		return
	}
	route := m.route(pods.C.Workloads[to].RouteFrom(e.From.Namespace))
	if route.Routing == affinity.FairLoad {
		return
	}
	want := map[[3]int]float64{}
	for _, call := range pods.Calls(e, route) {
		want[[3]int{edge, int(pods.Serving[from][call.From]), int(pods.Serving[to][call.To])}] += call.Part * e.BytesPerSecond()
	}
	for pair, bytes := range want {
		if !near(between[pair], bytes) {
			t.Errorf("%v, %s to %s: %v from node %d to node %d, want %v", m, e.From, e.To, between[pair], pair[1], pair[2], bytes)
		}
	}
}
