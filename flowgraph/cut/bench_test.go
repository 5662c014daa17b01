package cut

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
)

func BenchmarkMeasure(b *testing.B) {
	for _, size := range []struct{ nodes, workloads, edges int }{{96, 547, 344}, {5000, 10_000, 200_000}} {
		b.Run(fmt.Sprintf("%d_nodes", size.nodes), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			c := cuttest.RandomCluster(rng, size.nodes, size.workloads, size.edges, 13)
			serving := cuttest.RandomAssignment(rng, c)
			b.ReportAllocs()
			for b.Loop() {
				Measure(c, serving, nil)
			}
		})
	}
}

// BenchmarkMove moves a pod of a workload with 20 edges to another node and back.
func BenchmarkMove(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	c := cuttest.RandomCluster(rng, 5000, 10_000, 100_000, 13)
	serving := cuttest.RandomAssignment(rng, c)
	moves := movesOfTwenty(c, serving)
	v, err := NewEvaluator(c, serving, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		v.Move(moves[i%len(moves)])
		v.Undo()
		i++
	}
}

// movesOfTwenty returns moves of pods whose workloads have 20 edges.
func movesOfTwenty(c *cluster.Cluster, serving cluster.Assignment) []Move {
	edges := map[flowgraph.WorkloadID]int{}
	for _, e := range c.Edges {
		edges[e.From]++
		edges[e.To]++
	}
	var moves []Move
	for w := range c.Workloads {
		if edges[c.Workloads[w].ID] == 20 && len(serving[w]) > 0 {
			moves = append(moves, Move{Workload: int32(w), From: serving[w][0], To: int32(w % len(c.Nodes))})
		}
	}
	return moves
}
