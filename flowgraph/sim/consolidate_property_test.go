package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// randomFound is a cluster with an assignment that fits: workloads of all sizes, among
// them DaemonSets and pods without controllers, and idle pods.
func randomFound(t *testing.T, rng *rand.Rand) *cluster.Cluster {
	c := halfFull(make([]int, 2+rng.IntN(8))...)
	for i := range c.Nodes {
		n := &c.Nodes[i]
		n.Allocatable = cluster.Resources{MilliCPU: int64(5 + rng.IntN(20)), Memory: int64(5 + rng.IntN(20))}
		n.MaxPods, n.ControlPlane = int32(3+rng.IntN(20)), rng.IntN(10) == 0
	}
	c.Idle = cluster.Assignment{nil}
	f := newFitting(t, c)
	for w := range int32(1 + rng.IntN(8)) {
		add(c, cluster.Workload{Requests: cluster.Resources{MilliCPU: int64(rng.IntN(6)), Memory: int64(rng.IntN(6))}})
		c.Idle = append(c.Idle, nil)
		w++
		workload := &c.Workloads[w]
		workload.Fixed = rng.IntN(4) == 0
		workload.Bare = rng.IntN(10) == 0
		for range 1 + rng.IntN(6) {
			workload.Replicas++
			node := int32(rng.IntN(len(c.Nodes)))
			if !f.fits(w, node) {
				continue
			}
			if _, err := f.firstFit.Place(t.Context(), Pod{w, workload.Replicas}, node); err != nil {
				t.Fatal(err)
			}
			to := &c.Assigned[w]
			if rng.IntN(5) == 0 {
				to = &c.Idle[w]
			}
			*to = append(*to, node)
		}
	}
	return c
}

// count counts pods by workload and node.
func count(all ...cluster.Assignment) map[[2]int32]int {
	n := map[[2]int32]int{}
	for _, a := range all {
		for w, nodes := range a {
			for _, node := range nodes {
				n[[2]int32{int32(w), node}]++
			}
		}
	}
	return n
}

// TestConsolidateKeepsItsPromises checks the accounts of the Placer, which are its own.
func TestConsolidateKeepsItsPromises(t *testing.T) {
	drained, failed, differ := 0, 0, 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		c := randomFound(t, rng)
		placer, again := newFitting(t, c), newFitting(t, c)
		if rng.IntN(2) == 0 {
			placer.avoid[1], again.avoid[1] = 0, 0
		}
		got := consolidate(t, c, seed, placer)
		if diff := cmp.Diff(got, consolidate(t, c, seed, again)); diff != "" {
			t.Errorf("seed %d: the same seed gives another result:\n%s", seed, diff)
		}
		another := newFitting(t, c)
		another.avoid = placer.avoid
		if !cmp.Equal(got.Assigned, consolidate(t, c, seed+1, another).Assigned) {
			differ++
		}
		drained += len(got.Gone)
		if len(got.Gone) < len(c.Nodes)-1 {
			failed++
		}
		checkPods(t, c, got)
		now := count(got.Assigned, got.Idle)
		is := map[[2]int32]int{}
		for pod, node := range placer.at {
			is[[2]int32{pod.Workload, node}]++
		}
		if diff := cmp.Diff(is, now); diff != "" {
			t.Errorf("seed %d: the placer has other pods than the result:\n%s", seed, diff)
		}
		for i := range c.Nodes {
			cpu, memory, pods := placer.taken(int32(i))
			has := c.Nodes[i].Allocatable
			if cpu > has.MilliCPU || memory > has.Memory || pods > c.Nodes[i].MaxPods {
				t.Errorf("seed %d: %d, %d, %d are taken of node %d", seed, cpu, memory, pods, i)
			}
			if gone := slices.Contains(got.Gone, int32(i)); gone == placer.up[i] || gone && (pods > 0 || c.Nodes[i].ControlPlane) {
				t.Errorf("seed %d: node %d is gone: %v; it has %d pods", seed, i, gone, pods)
			}
		}
	}
	if drained < 300 || failed < 50 || differ < 20 {
		t.Errorf("%d nodes are drained, %d consolidations end before the last node, %d differ with the seed", drained, failed, differ)
	}
}

// checkPods compares the pods of each workload with those that were found.
func checkPods(t *testing.T, c *cluster.Cluster, got *Result) {
	t.Helper()
	was, is := count(c.Assigned, c.Idle), count(got.Assigned, got.Idle)
	missing := got.Unschedulable
	for w := range c.Workloads {
		workload, before, after := &c.Workloads[w], 0, 0
		for i := range int32(len(c.Nodes)) {
			key := [2]int32{int32(w), i}
			gone := slices.Contains(got.Gone, i)
			switch {
			case gone && workload.Bare && was[key] > 0:
				t.Errorf("node %d is gone with a pod that has no controller", i)
			case !gone && is[key] < was[key], workload.Fixed && !gone && is[key] != was[key]:
				t.Errorf("workload %d has %d pods on node %d, which stays, and had %d", w, is[key], i, was[key])
			}
			before, after = before+was[key], after+is[key]
		}
		if !workload.Fixed {
			missing -= int(workload.Replicas) - after
			if after < before {
				t.Errorf("workload %d has %d pods, and had %d", w, after, before)
			}
		}
	}
	if missing != 0 {
		t.Errorf("%d pods are unschedulable, which differs from those that are missing by %d", got.Unschedulable, missing)
	}
}

// TestConsolidateAgreesWithCounting has pods of one size only, so that who goes where is
// a matter of counting: nodes as numbers of pods, the first with room takes the next.
func TestConsolidateAgreesWithCounting(t *testing.T) {
	sizes := map[int]int{}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		on := make([]int, 2+rng.IntN(9))
		for i := range on {
			on[i] = rng.IntN(11)
		}
		c := halfFull(on...)
		daemons, places := make([]int, len(on)), make([]int, len(on))
		add(c, cluster.Workload{Fixed: true, Requests: cluster.Resources{MilliCPU: 1}})
		add(c, cluster.Workload{Fixed: true, Bare: true})
		held := make([]bool, len(on))
		for i := range on {
			places[i] = 10 + rng.IntN(6)
			c.Nodes[i].Allocatable.MilliCPU = int64(places[i])
			if places[i] > 10 && rng.IntN(3) > 0 {
				daemons[i] = 1
				c.Assigned[1] = append(c.Assigned[1], int32(i))
			}
			if held[i] = rng.IntN(6) == 0; held[i] {
				c.Assigned[2] = append(c.Assigned[2], int32(i))
			}
		}
		for w := range c.Workloads {
			c.Workloads[w].Replicas = int32(max(len(c.Assigned[w]), 1))
		}
		if len(c.Assigned[0]) == 0 {
			continue
		}
		on, wantGone := drainByCounting(on, daemons, places, held)
		got := consolidate(t, c, seed, newFitting(t, c))
		if diff := cmp.Diff(wantGone, got.Gone); diff != "" {
			t.Fatalf("seed %d: nodes gone (-want +got):\n%s", seed, diff)
		}
		pods := count(got.Assigned[:1])
		for i := range on {
			if pods[[2]int32{0, int32(i)}] != on[i] {
				t.Errorf("seed %d: node %d has %d pods, want %d", seed, i, pods[[2]int32{0, int32(i)}], on[i])
			}
		}
		sizes[len(got.Gone)]++
	}
	if len(sizes) < 5 {
		t.Errorf("the numbers of nodes gone are %v", sizes)
	}
}

// drainByCounting drains nodes that are numbers of pods.
func drainByCounting(on, daemons, places []int, held []bool) (left []int, gone []int32) {
	for {
		candidates := []int{}
		left := 0
		for i := range on {
			if slices.Contains(gone, int32(i)) {
				continue
			}
			left++
			if !held[i] {
				candidates = append(candidates, i)
			}
		}
		if len(candidates) == 0 || left == 1 {
			return on, gone
		}
		node := slices.MinFunc(candidates, func(a, b int) int { // by cross-multiplication
			if d := (on[a]+daemons[a])*places[b] - (on[b]+daemons[b])*places[a]; d != 0 {
				return d
			}
			return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) // as their names
		})
		after := slices.Clone(on)
		for i := range after {
			if i != node && !slices.Contains(gone, int32(i)) {
				moved := min(after[node], places[i]-daemons[i]-after[i])
				after[i], after[node] = after[i]+moved, after[node]-moved
			}
		}
		if after[node] > 0 {
			return on, gone
		}
		on, gone = after, append(gone, int32(node))
	}
}
