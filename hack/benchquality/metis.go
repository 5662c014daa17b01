package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// metisProgram divides a graph into parts of given sizes so that little weight is
// between them. It knows all pods at once, and nothing of what a scheduler heeds
// besides CPU and memory: a reference from outside.
const metisProgram = "gpmetis"

const (
	// maxPodPeers bounds the pods of one workload that a pod of another has an
	// edge to; the pair's traffic is divided over the edges that there are.
	maxPodPeers = 64
	// metisTotal is what weights of a kind add up to, of the 2^31 that METIS
	// counts to.
	metisTotal = 5e8
)

// podGraph has a vertex for each pod that is to be placed, and the traffic
// between any two.
type podGraph struct {
	cluster *cluster.Cluster
	pods    []int32             // workload of each vertex
	peers   []map[int32]float64 // by vertex: traffic with another
	first   []int32             // first vertex of each workload
}

// newPodGraph divides the traffic of two workloads evenly over the pairs of their
// pods. Traffic within a workload, with fixed workloads and with the outside is
// left out.
func newPodGraph(c *cluster.Cluster) *podGraph {
	g := &podGraph{cluster: c, first: make([]int32, len(c.Workloads))}
	position := map[flowgraph.WorkloadID]int{}
	for i, w := range c.Workloads {
		g.first[i] = int32(len(g.pods))
		if w.Fixed {
			continue
		}
		position[w.ID] = i
		for range w.Replicas {
			g.pods = append(g.pods, int32(i))
		}
	}
	g.peers = make([]map[int32]float64, len(g.pods))
	for i := range g.peers {
		g.peers[i] = map[int32]float64{}
	}
	for _, e := range c.Edges {
		from, known := position[e.From]
		to, both := position[e.To]
		if known && both && from != to && e.BytesPerSecond() > 0 {
			g.connect(from, to, e.BytesPerSecond())
		}
	}
	return g
}

func (g *podGraph) connect(many, few int, traffic float64) {
	if g.cluster.Workloads[many].Replicas < g.cluster.Workloads[few].Replicas {
		many, few = few, many
	}
	n, m := g.cluster.Workloads[many].Replicas, g.cluster.Workloads[few].Replicas
	each := min(m, maxPodPeers)
	share := traffic / float64(n) / float64(each)
	for i := range n {
		for j := range each {
			a, b := g.first[many]+i, g.first[few]+(i+j)%m
			g.peers[a][b] += share
			g.peers[b][a] += share
		}
	}
}

// write writes the graph as METIS reads it: in the header the vertices, the
// edges, that both have weights, and that a vertex has two (CPU and memory); then
// a line for each vertex with its weights and its peers, counted from 1, each
// with the edge's weight. Weights are whole numbers from 1 on.
func (g *podGraph) write(w io.Writer) error {
	edges, traffic := 0, 0.0
	cpu, memory := 0.0, 0.0
	for v, peers := range g.peers {
		edges += len(peers)
		for _, t := range peers {
			traffic += t
		}
		requests := g.requests(v)
		cpu, memory = cpu+float64(requests.MilliCPU), memory+float64(requests.Memory)
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%d %d 011 2\n", len(g.pods), edges/2)
	for v, peers := range g.peers {
		requests := g.requests(v)
		fmt.Fprintf(out, "%d %d", scaled(float64(requests.MilliCPU), cpu), scaled(float64(requests.Memory), memory))
		for _, peer := range slices.Sorted(maps.Keys(peers)) {
			fmt.Fprintf(out, " %d %d", peer+1, scaled(peers[peer], traffic))
		}
		fmt.Fprintln(out)
	}
	return out.Flush()
}

func (g *podGraph) requests(vertex int) cluster.Resources {
	return g.cluster.Workloads[g.pods[vertex]].Requests
}

// scaled is the part of a total as a whole number that METIS can add up.
func scaled(value, total float64) int64 {
	if total == 0 {
		return 1
	}
	return max(1, int64(math.Round(value/total*metisTotal)))
}
