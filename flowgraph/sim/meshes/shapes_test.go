package meshes

import (
	"math"
	"slices"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// topShare is the share of the traffic on the largest tenth of the edges.
func topShare(c *cluster.Cluster) float64 {
	var all []float64
	for _, e := range c.Edges {
		all = append(all, e.BytesPerSecond())
	}
	slices.Sort(all)
	var top, total float64
	for i, v := range all {
		total += v
		if i >= len(all)-len(all)/10 {
			top += v
		}
	}
	return top / total
}

func TestStar(t *testing.T) {
	c := generate(t, "star", 1, 50)
	hub := c.Workloads[0]
	if len(c.Workloads) != 51 || len(c.Edges) != 50 || hub.Replicas != 13 {
		t.Errorf("%d workloads, %d edges, %d replicas of the hub", len(c.Workloads), len(c.Edges), hub.Replicas)
	}
	for i, e := range c.Edges {
		if e.From != c.Workloads[1+i].ID || e.To != hub.ID || e.From == hub.ID {
			t.Errorf("edge %s to %s", e.From, e.To)
		}
	}
	// No leaf can have a node for itself and the whole hub.
	if whole := int64(hub.Replicas) * hub.Requests.MilliCPU; whole <= c.Nodes[0].Allocatable.MilliCPU {
		t.Errorf("the hub fits onto one node: %d of %d millicores", whole, c.Nodes[0].Allocatable.MilliCPU)
	}
}

func TestDeepTree(t *testing.T) {
	for seed := range uint64(5) {
		c := generate(t, "deep-tree", seed, 300)
		depth := map[flowgraph.WorkloadID]int{c.Workloads[0].ID: 1}
		deepest := 0
		for i, e := range c.Edges {
			if _, known := depth[e.From]; !known || e.To != c.Workloads[i+1].ID {
				t.Errorf("edge %s to %s is not one of a tree", e.From, e.To)
			}
			depth[e.To] = depth[e.From] + 1
			deepest = max(deepest, depth[e.To])
			if e.RequestsPerSecond != 100 {
				t.Errorf("edge %s to %s: %v requests per second", e.From, e.To, e.RequestsPerSecond)
			}
		}
		if len(depth) != 300 || deepest < 90 || deepest > 150 {
			t.Errorf("seed %d: %d workloads, %d deep, want 300 and about 120", seed, len(depth), deepest)
		}
	}
}

func TestHeavyTailed(t *testing.T) {
	for seed := range uint64(5) {
		c := generate(t, "heavy-tailed", seed, 10_000)
		position := map[flowgraph.WorkloadID]int{}
		for i, w := range c.Workloads {
			position[w.ID] = i
		}
		callers := make([]int, len(c.Workloads))
		tcp := 0
		for _, e := range c.Edges {
			if position[e.To] >= position[e.From] {
				t.Fatalf("edge %s to %s: does not go back", e.From, e.To)
			}
			callers[position[e.To]]++
			if e.RequestsPerSecond == 0 {
				tcp++
			}
		}
		if got := topShare(c); got < 0.6 || got > 0.85 {
			t.Errorf("seed %d: a tenth of the edges carries %.2f of the traffic", seed, got)
		}
		// Of a power law with the exponent 2.25, a fourth of the size is exceeded
		// 4^1.25 times as often.
		atLeast := func(k int) (n float64) {
			for _, count := range callers {
				if count >= k {
					n++
				}
			}
			return n
		}
		if exponent := 1 + math.Log(atLeast(8)/atLeast(32))/math.Log(4); exponent < 1.9 || exponent > 2.6 {
			t.Errorf("seed %d: the in-degrees have the exponent %.2f", seed, exponent)
		}
		if mean := float64(len(c.Edges)) / float64(len(c.Workloads)); mean < 2.2 || mean > 2.5 {
			t.Errorf("seed %d: %.2f edges for each workload", seed, mean)
		}
		if tcp == 0 || tcp > len(c.Edges)/2 {
			t.Errorf("seed %d: %d of %d edges are TCP", seed, tcp, len(c.Edges))
		}
		checkReplicas(t, c, callers)
	}
}

// checkReplicas compares workloads with and without callers.
func checkReplicas(t *testing.T, c *cluster.Cluster, callers []int) {
	t.Helper()
	var called, rest, countCalled, countRest float64
	for i, w := range c.Workloads {
		if w.Replicas > tailMaxReplicas {
			t.Errorf("%s has %d replicas", w.ID, w.Replicas)
		}
		if callers[i] >= 8 {
			called, countCalled = called+float64(w.Replicas), countCalled+1
		} else if callers[i] == 0 {
			rest, countRest = rest+float64(w.Replicas), countRest+1
		}
	}
	if called/countCalled < 2*rest/countRest {
		t.Errorf("popular workloads have %.1f replicas, the others %.1f", called/countCalled, rest/countRest)
	}
}

func TestLogNormal(t *testing.T) {
	rng := seeded(1)
	below, within, fourth := 0, 0, 0
	for range 10_000 {
		v := logNormal(rng, 100, 1)
		if v < 100 {
			below++
		}
		if v > 100/math.E && v < 100*math.E {
			within++
		}
		digits := v / math.Pow10(int(math.Floor(math.Log10(v)))-3)
		if math.Abs(digits-math.Round(digits)) > 1e-6 {
			t.Fatalf("%v has more than four digits", v)
		}
		if math.Mod(math.Round(digits), 10) != 0 {
			fourth++
		}
	}
	if fourth < 8800 || fourth > 9200 {
		t.Errorf("%d of 10000 have a fourth digit that is not 0", fourth)
	}
	if below < 4800 || below > 5200 || within < 6600 || within > 7050 {
		t.Errorf("%d of 10000 are below the median, %d within one sigma", below, within)
	}
}
