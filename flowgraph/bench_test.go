package flowgraph

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// The size of the benchmarks' graph.
const (
	benchWorkloads = 10_000
	benchEdges     = 200_000
)

func benchFlows(at time.Time) []Flow {
	rng := rand.New(rand.NewPCG(1, 2))
	ids := make([]WorkloadID, benchWorkloads)
	for i := range ids {
		ids[i] = WorkloadID{fmt.Sprintf("team-%d", i%100), fmt.Sprintf("service-%d", i)}
	}
	flows := make([]Flow, 0, benchEdges)
	seen := map[edgeKey]bool{}
	for len(flows) < benchEdges {
		key := edgeKey{ids[len(flows)%benchWorkloads], ids[rng.IntN(benchWorkloads)]}
		if !seen[key] {
			seen[key] = true
			flows = append(flows, Flow{From: key.from, To: key.to, Rates: Rates{rng.ExpFloat64() * 1e6, rng.ExpFloat64() * 1e6, 100}, ObservedAt: at})
		}
	}
	return flows
}

// BenchmarkObserve smooths a graph of 10,000 workloads and 200,000 edges with as
// many new flows.
func BenchmarkObserve(b *testing.B) {
	flows, g := benchFlows(start), NewGraph(Options{HalfLife: time.Minute})
	at := start
	for b.Loop() {
		at = at.Add(30 * time.Second)
		for i := range flows {
			flows[i].ObservedAt = at
		}
		g.Observe(at, flows)
	}
}

// BenchmarkSnapshot builds a snapshot of that graph and says how much memory one
// keeps, the workloads' names excepted, which the graph holds.
func BenchmarkSnapshot(b *testing.B) {
	g := NewGraph(Options{HalfLife: time.Minute})
	g.Observe(start, benchFlows(start))
	before := heap()
	kept := g.Snapshot()
	size := heap() - before
	for b.Loop() {
		g.Snapshot()
	}
	b.ReportMetric(float64(size)/1e6, "MB/snapshot")
	runtime.KeepAlive(kept)
	runtime.KeepAlive(g)
}

// heap returns how many bytes are in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
