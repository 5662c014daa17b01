package sim

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
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
		"uniform, pods are missing": {
			affinity.Uniform, cluster.Assignment{{0, 0}, {0}},
			[]Part{{0, 0, 20}, {0, Anywhere, 20}, {Anywhere, 0, 20}, {Anywhere, Anywhere, 20}},
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
// level, and what each edge has.
func TestPartsAddUp(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		surplus := rng.IntN(3) == 0
		if surplus { // a rollout has more pods than are wanted
			for w := range assigned {
				assigned[w] = append(assigned[w], assigned[w][:rng.IntN(len(assigned[w])+1)]...)
			}
		}
		for i := range c.Nodes {
			c.Nodes[i].Region = "r" + c.Nodes[i].Zone // domains nest
		}
		o := Measure(c, assigned)
		for _, m := range Models() {
			local := map[locality.Level]float64{}
			edges := make([]float64, len(c.Edges))
			for i, part := range Parts(c, assigned, m) {
				if part.BytesPerSecond <= 0 {
					t.Errorf("%v: a part of %v", m, part)
				}
				edges[i] += part.BytesPerSecond
				for _, l := range c.Scale.Levels() {
					if part.From != Anywhere && part.To != Anywhere && share(c, l, part.From, part.To) {
						local[l] += part.BytesPerSecond
					}
				}
			}
			for i, sum := range edges {
				if !near(sum, c.Edges[i].BytesPerSecond()) {
					t.Errorf("%v: the parts of edge %d are %v, want %v", m, i, sum, c.Edges[i].BytesPerSecond())
				}
			}
			for _, l := range o.Levels {
				if l.Level != locality.Node && surplus {
					continue
				}
				if !near(local[l.Level], l.Local[m]) {
					t.Errorf("%v, %v: parts of %v stay, want %v", m, l.Level, local[l.Level], l.Local[m])
				}
			}
		}
	})
}

// TestPartsReachTheEndpointsThatAreCalled compares what arrives at a node with
// the load of the busiest pod, which is computed by itself.
func TestPartsReachTheEndpointsThatAreCalled(t *testing.T) {
	eachRandom(t, func(t *testing.T, _ *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		for w := range c.Workloads { // where pods are missing, Hotspot gives their calls to the others
			for len(assigned[w]) < int(c.Workloads[w].Replicas) {
				assigned[w] = append(assigned[w], 0)
			}
		}
		arrives, total := map[[2]int32]float64{}, make([]float64, len(c.Workloads))
		for i, part := range Parts(c, assigned, SameNode) {
			to := position(c, c.Edges[i].To)
			if to < 0 || part.To == Anywhere {
				continue
			}
			arrives[[2]int32{int32(to), part.To}] += part.BytesPerSecond
		}
		for _, e := range c.Edges {
			if to := position(c, e.To); to >= 0 {
				total[to] += e.BytesPerSecond()
			}
		}
		busiest := 0.0
		for at, sum := range arrives {
			pods := 0.0
			for _, n := range assigned[at[0]] {
				if n == at[1] {
					pods++
				}
			}
			busiest = max(busiest, sum/pods*float64(c.Workloads[at[0]].Replicas)/total[at[0]])
		}
		for _, e := range c.Edges { // a single pod's self-flow reaches no other pod
			if to := position(c, e.To); e.IsSelf() && to >= 0 && c.Workloads[to].Replicas == 1 {
				return
			}
		}
		if want := Measure(c, assigned).Hotspot.Load; !near(busiest, want) {
			t.Errorf("the busiest pod gets %v, want %v", busiest, want)
		}
	})
}
