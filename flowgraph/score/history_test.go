package score

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// TestScoresDoNotDependOnHistory: two Boards have the same nodes and pods, which came in two
// orders, the second beside others that have gone. Both have the same scores.
func TestScoresDoNotDependOnHistory(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 6))
		o := everyLevel()
		o.Anticipate = true
		o.MaxNodeShare, o.MaxZoneShare = []float64{1, 0.66}[rng.IntN(2)], []float64{1, 0.66}[rng.IntN(2)]
		routing := []affinity.Routing{affinity.Uniform, affinity.FairLoad, affinity.SameNode, affinity.SameZone}[rng.IntN(4)]
		type placed struct{ workload, node string }
		var nodes, names []string
		var pods []placed
		for i := range 3 + rng.IntN(8) {
			nodes = append(nodes, fmt.Sprint("n", i))
		}
		desired := map[string]int32{}
		var edges []flowgraph.Edge
		for i := range 2 + rng.IntN(5) {
			names = append(names, fmt.Sprint("w", i))
			desired[names[i]] = int32(1 + rng.IntN(9))
			for range rng.IntN(1 + int(desired[names[i]])) {
				pods = append(pods, placed{names[i], nodes[rng.IntN(len(nodes))]})
			}
			if i > 0 {
				edges = append(edges, calls(names[0], names[i], rng.ExpFloat64()*1e6))
			}
		}
		zones := map[string]string{}
		for _, n := range nodes {
			zones[n] = fmt.Sprint("z", rng.IntN(3))
		}
		build := func(shuffled bool) *scene {
			s := newScene(t, o)
			s.router.routing = routing
			if shuffled {
				gone := s.board.AddNode(Node{})
				s.board.AddPod(gone, served(names[1]))
				s.board.RemovePod(gone, served(names[1]))
				s.board.RemoveNode(gone)
				rng.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
				rng.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
			}
			for _, n := range nodes {
				s.node(n, zones[n])
			}
			for _, p := range pods {
				s.board.AddPod(s.nodes[p.node], served(p.workload))
			}
			for name, n := range desired {
				s.board.SetDesired(workload(name), Desired{Pods: n})
			}
			s.traffic(edges...)
			return s
		}
		a, b := build(false), build(true)
		for _, name := range names {
			want, got := a.points(a.engine.Evaluate(a.request(name, desired[name]))), b.points(b.engine.Evaluate(b.request(name, desired[name])))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d, %v, %s: points (-one order, +the other):\n%s", seed, routing, name, diff)
			}
		}
	}
}
