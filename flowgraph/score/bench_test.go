package score

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// BenchmarkPromises is one cycle after a new snapshot while 10,000 workloads of ten pods and
// 40 edges want one pod more, on 500 nodes: as many are looked at as in any cycle.
func BenchmarkPromises(b *testing.B) {
	const nodes, workloads, edges, pods = 500, 10_000, 200_000, 10
	random := rand.New(rand.NewPCG(1, 2))
	o := everyLevel()
	o.ReserveRoom, o.Anticipate, o.MaxNodeShare, o.MaxZoneShare, o.RequestBytes = true, true, 2./3, 2./3, 1024
	s := newScene(b, o)
	for i := range nodes {
		s.node(fmt.Sprintf("n%d", i), []string{"a", "b", "c"}[i%3])
	}
	name := func(i int) string { return fmt.Sprintf("w%d", i) }
	template := &Template{Requests: Room{MilliCPU: 100, Memory: 128 << 20, Pods: 1}}
	for i := range workloads {
		for range pods {
			s.board.AddPod(int32(random.IntN(nodes)), served(name(i)))
		}
		s.board.SetDesired(workload(name(i)), Desired{Pods: pods + 1, Template: template})
	}
	all := make([]flowgraph.Edge, edges)
	for i := range all {
		all[i] = calls(name(i%workloads), name(random.IntN(workloads)), random.ExpFloat64()*1e6)
	}
	s.traffic(all...)
	for s.engine.Evaluate(s.request("w0", pods+1)); s.engine.Waiting() > 0; {
		s.engine.Evaluate(s.request("w0", pods+1))
	}
	turns := [2]*flowgraph.Snapshot{s.snap, flowgraph.NewSnapshot(2, dataTime, all)}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		s.snap = turns[i%2]
		s.engine.Evaluate(s.request("w0", pods+1))
	}
}
