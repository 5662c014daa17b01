package schedperf

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// namespace is where all pods are.
const namespace = "mesh"

const (
	workloads = 500
	callees   = 10 // of each workload: 5,000 edges in all
)

// mesh is the workloads and their traffic, the same in every run.
type mesh struct {
	names []string
	edges []flowgraph.Edge
	peers [][]string // of each workload, the three with the most traffic
}

// newMesh returns a mesh in which each workload calls others at random, at rates
// from 1 KiB/s to 10 MiB/s of which each order of magnitude is as frequent.
func newMesh(workloads, callees int) *mesh {
	random := rand.New(rand.NewPCG(1, 2))
	m := &mesh{}
	for i := range workloads {
		m.names = append(m.names, fmt.Sprintf("workload-%03d", i))
	}
	traffic := make([]map[int]float64, workloads)
	for i := range traffic {
		traffic[i] = map[int]float64{}
	}
	for i := range workloads {
		called := 0
		for _, j := range random.Perm(workloads) {
			if j == i || called == callees {
				continue
			}
			called++
			rate := math.Exp(random.Float64()*math.Log(10<<10)) * (1 << 10)
			traffic[i][j] += rate
			traffic[j][i] += rate
			m.edges = append(m.edges, flowgraph.Edge{
				From:  flowgraph.WorkloadID{Namespace: namespace, Name: m.names[i]},
				To:    flowgraph.WorkloadID{Namespace: namespace, Name: m.names[j]},
				Rates: flowgraph.Rates{SentBytesPerSecond: rate / 5, ReceivedBytesPerSecond: rate * 4 / 5, RequestsPerSecond: rate / 2048},
			})
		}
	}
	for _, of := range traffic {
		m.peers = append(m.peers, m.busiest(of, 3))
	}
	return m
}

// busiest returns the names of the n peers with the most traffic.
func (m *mesh) busiest(traffic map[int]float64, n int) []string {
	var all []int
	for peer := range traffic {
		all = append(all, peer)
	}
	slices.SortFunc(all, func(a, b int) int { return cmp.Or(cmp.Compare(traffic[b], traffic[a]), cmp.Compare(a, b)) })
	var names []string
	for _, peer := range all[:min(n, len(all))] {
		names = append(names, m.names[peer])
	}
	return names
}

// snapshot returns the graph at a time. Rates of different generations differ by a
// few per cent, as those of a live mesh do.
func (m *mesh) snapshot(generation uint64, at time.Time) *flowgraph.Snapshot {
	edges := slices.Clone(m.edges)
	for i := range edges {
		edges[i].ObservedAt = at
		edges[i].SentBytesPerSecond *= 1 + 0.05*math.Sin(float64(generation)+float64(i))
	}
	return flowgraph.NewSnapshot(generation, at, edges)
}
