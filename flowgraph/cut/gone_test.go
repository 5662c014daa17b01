package cut

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// TestNodesThatAreGone measures clusters in which nodes are gone, and clusters that never
// had these nodes.
func TestNodesThatAreGone(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		without, to := *c, make([]int32, len(c.Nodes))
		without.Nodes = nil
		at := c.Localities() // what the nodes that are gone tell of the others stays known
		for i := range c.Nodes {
			n := &c.Nodes[i]
			n.Locality, n.Bandwidth, to[i] = at[i], float64(rng.IntN(3)*1000), Outside
			if rng.IntN(3) == 0 {
				n.Gone, n.Bandwidth, n.Allocatable, n.MaxPods = true, 0, cluster.Resources{}, 0
				continue
			}
			to[i] = int32(len(without.Nodes))
			without.Nodes = append(without.Nodes, *n)
		}
		left := func(a cluster.Assignment) (here, there cluster.Assignment) {
			here, there = make(cluster.Assignment, len(a)), make(cluster.Assignment, len(a))
			for w, nodes := range a {
				for _, n := range nodes {
					if to[n] != Outside {
						here[w], there[w] = append(here[w], n), append(there[w], to[n])
					}
				}
			}
			return here, there
		}
		serving, servingThere := left(assigned)
		idle, idleThere := left(cuttest.RandomAssignment(rng, c))
		want, got := Measure(&without, servingThere, idleThere), Measure(c, serving, idle)
		if want.Hotspot.Node != Outside {
			want.Hotspot.Node = 0
		}
		if got.Hotspot.Node != Outside {
			got.Hotspot.Node = 0
		}
		if diff := cmp.Diff(want, got, about()); diff != "" {
			t.Errorf("with nodes that are gone (-without them +got):\n%s", diff)
		}
		// What was before can still be followed on all nodes.
		all := *c
		all.Nodes = slices.Clone(c.Nodes)
		for i := range all.Nodes {
			all.Nodes[i].Gone = false
		}
		wantEdges, _ := Changes(&all, assigned, &all, serving, locality.Zone, Configured)
		gotEdges, _ := Changes(c, assigned, c, serving, locality.Zone, Configured)
		if diff := cmp.Diff(wantEdges, gotEdges, about()); diff != "" {
			t.Errorf("changes from before (-as if none were gone +got):\n%s", diff)
		}
		v, err := NewEvaluator(c, serving, idle)
		if err != nil {
			t.Fatal(err)
		}
		o := v.Outcome()
		o.Hotspot.Node = got.Hotspot.Node
		if diff := cmp.Diff(got, o, about()); diff != "" {
			t.Errorf("the evaluator (-measured +got):\n%s", diff)
		}
	})
}
