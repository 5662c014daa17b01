package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// firstFit is a Placer that fills the nodes in their order, and notes what it is
// told.
type firstFit struct {
	room  []int // free places by node
	at    map[Pod]int32
	notes []string
}

func newFirstFit(room ...int) *firstFit { return &firstFit{room: room, at: map[Pod]int32{}} }

func (f *firstFit) Place(_ context.Context, pod Pod, node int32) (Decision, error) {
	if _, there := f.at[pod]; there {
		return Decision{}, errors.New("placed twice")
	}
	if node == Anywhere {
		node = int32(slices.IndexFunc(f.room, func(free int) bool { return free > 0 }))
	}
	f.notes = append(f.notes, fmt.Sprintf("+%d.%d@%d", pod.Workload, pod.Ordinal, node))
	if node >= 0 {
		f.room[node]--
		f.at[pod] = node
	}
	return Decision{Node: node, Took: time.Second}, nil
}

func (f *firstFit) Remove(pod Pod) error {
	node, there := f.at[pod]
	if !there {
		return errors.New("not placed")
	}
	f.notes = append(f.notes, fmt.Sprintf("-%d.%d", pod.Workload, pod.Ordinal))
	f.room[node]++
	delete(f.at, pod)
	return nil
}

func (f *firstFit) Observe(traffic *flowgraph.Snapshot) {
	f.notes = append(f.notes, fmt.Sprintf("%d edges", traffic.EdgeCount()))
}

// testCluster has two nodes, a workload a of 2 pods, a fixed one and a workload
// c of 1 pod.
func testCluster() *cluster.Cluster {
	node := func(name string) cluster.Node {
		return cluster.Node{Locality: locality.Locality{Node: name}, Allocatable: cluster.Resources{MilliCPU: 1000, Memory: 1000}, MaxPods: 10}
	}
	workload := func(name string, replicas int32, fixed bool) cluster.Workload {
		return cluster.Workload{ID: flowgraph.WorkloadID{Namespace: "x", Name: name}, Replicas: replicas, Fixed: fixed}
	}
	c := &cluster.Cluster{
		Nodes:     []cluster.Node{node("n0"), node("n1")},
		Workloads: []cluster.Workload{workload("a", 2, false), workload("fixed", 2, true), workload("c", 1, false)},
		Assigned:  cluster.Assignment{{1, 1}, {0, 1}, {0}},
	}
	c.Edges = []flowgraph.Edge{{From: c.Workloads[0].ID, To: c.Workloads[2].ID, Rates: flowgraph.Rates{SentBytesPerSecond: 1}}}
	return c
}

func replay(t *testing.T, c *cluster.Cluster, order Order, seed uint64, placer Placer) *Result {
	t.Helper()
	events, err := Events(c, order, rand.New(rand.NewPCG(seed, 0)))
	if err != nil {
		t.Fatal(err)
	}
	result, err := Run(t.Context(), c, events, placer)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestRecordedOrder(t *testing.T) {
	placer := newFirstFit(3, 3)
	got := replay(t, testCluster(), Recorded, 0, placer)
	want := "1 edges, +1.0@0, +1.1@1, +0.0@0, +0.1@0, +2.0@1"
	if notes := strings.Join(placer.notes, ", "); notes != want {
		t.Errorf("the placer saw\n%s, want\n%s", notes, want)
	}
	if diff := cmp.Diff(&Result{Assigned: cluster.Assignment{{0, 0}, {0, 1}, {1}}, Took: []time.Duration{time.Second, time.Second, time.Second}}, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestRolloutReplacesPodAfterPod(t *testing.T) {
	placer := newFirstFit(2, 9)
	got := replay(t, testCluster(), Rollout, 0, placer)
	found := "1 edges, +0.0@1, +0.1@1, +1.0@0, +1.1@1, +2.0@0"
	notes := strings.Join(placer.notes, ", ")
	if !strings.HasPrefix(notes, found) {
		t.Fatalf("the placer saw\n%s, want it to begin with\n%s", notes, found)
	}
	// Node 0 is full while c's old pod is there; its surge goes to node 1.
	for _, part := range []string{"+0.2@1, -0.0, +0.3@1, -0.1", "+2.1@1, -2.0"} {
		if !strings.Contains(strings.ReplaceAll(notes, "@0", "@1"), part) {
			t.Errorf("%s is not in %s", part, notes)
		}
	}
	for w, pods := range (cluster.Assignment{{0, 0}, {0, 0}, {0}}) {
		if len(got.Assigned[w]) != len(pods) {
			t.Errorf("workload %d ends with %d pods, want %d", w, len(got.Assigned[w]), len(pods))
		}
	}
}

func TestRolloutKeepsWhatCannotBeReplaced(t *testing.T) {
	got := replay(t, testCluster(), Rollout, 0, newFirstFit(2, 3)) // no place is free
	if got.Unschedulable != 3 {
		t.Errorf("%d pods are unschedulable, want all 3", got.Unschedulable)
	}
	if diff := cmp.Diff(testCluster().Assigned, got.Assigned); diff != "" {
		t.Errorf("assignment (-want +got):\n%s", diff)
	}
}

func TestUnschedulablePodsAreCounted(t *testing.T) {
	got := replay(t, testCluster(), Recorded, 0, newFirstFit(2, 1))
	if got.Unschedulable != 2 || len(got.Assigned[0])+len(got.Assigned[2]) != 1 {
		t.Errorf("%d unschedulable, assignment %v; want 2, and one pod placed", got.Unschedulable, got.Assigned)
	}
}

// TestScaleOut: the pods that were found stay, and only those that are missing arrive.
func TestScaleOut(t *testing.T) {
	c := testCluster()
	c.Workloads[0].Replicas, c.Assigned[0] = 5, []int32{1, 0}
	events, err := Events(c, ScaleOut, rand.New(rand.NewPCG(1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	missing, found := 0, 0
	for e := range events {
		switch {
		case e.Kind != Arrive:
		case e.Node == Anywhere:
			missing++
		case missing > 0:
			t.Errorf("%v was found, and comes after one that is missing", e.Pod)
		default:
			found++
		}
	}
	wantMissing, wantFound := 0, 0
	for w := range c.Workloads {
		wantFound += len(c.Assigned[w])
		if !c.Workloads[w].Fixed {
			wantMissing += max(int(c.Workloads[w].Replicas)-len(c.Assigned[w]), 0)
		}
	}
	if missing != wantMissing || found != wantFound || missing < 3 {
		t.Errorf("%d pods are missing and %d found, want %d and %d", missing, found, wantMissing, wantFound)
	}
	for w := range c.Workloads {
		c.Workloads[w].Replicas = max(int32(len(c.Assigned[w])), 1)
		for len(c.Assigned[w]) < int(c.Workloads[w].Replicas) {
			c.Assigned[w] = append(c.Assigned[w], 0)
		}
	}
	if _, err := Events(c, ScaleOut, rand.New(rand.NewPCG(1, 0))); err == nil || !strings.Contains(err.Error(), "has the pods that it wants") {
		t.Errorf("with no pod missing the error is %v", err)
	}
}

func TestOrdersAreReproducibleAndDiffer(t *testing.T) {
	c := testCluster()
	c.Workloads[0].Replicas, c.Assigned[0] = 20, nil
	for _, order := range Orders() {
		if order == Consolidation {
			continue // has no events
		}
		seen := map[string]bool{}
		for seed := range uint64(10) {
			first, second := newFirstFit(99, 99), newFirstFit(99, 99)
			replay(t, c, order, seed, first)
			replay(t, c, order, seed, second)
			if diff := cmp.Diff(first.notes, second.notes); diff != "" {
				t.Fatalf("%v, seed %d: two replays differ:\n%s", order, seed, diff)
			}
			arrivals := len(slices.DeleteFunc(slices.Clone(first.notes), func(s string) bool { return s[0] != '+' }))
			if arrivals < 23 {
				t.Errorf("%v: %d pods arrive, want 23 or more", order, arrivals)
			}
			seen[strings.Join(first.notes, " ")] = true
		}
		if many := len(seen) > 1; many != order.Seeded() {
			t.Errorf("%v: %d different sequences from 10 seeds", order, len(seen))
		}
	}
}

func TestEventsRefuseARolloutFromNothing(t *testing.T) {
	c := testCluster()
	c.Assigned = nil
	if _, err := Events(c, Rollout, rand.New(rand.NewPCG(1, 1))); err == nil || !strings.Contains(err.Error(), "no assignment") {
		t.Errorf("error %v", err)
	}
}

func TestRunNamesThePod(t *testing.T) {
	events := slices.Values([]Event{{Pod: Pod{2, 7}, Node: 1}, {Pod: Pod{2, 7}, Node: 1}})
	_, err := Run(t.Context(), testCluster(), events, newFirstFit(9, 9))
	if err == nil || !strings.Contains(err.Error(), "pod 7 of x/c arrives twice") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, testCluster(), events, newFirstFit(9, 9)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after the end of the context", err)
	}
}

func TestOrderNames(t *testing.T) {
	for _, o := range Orders() {
		if got, err := ParseOrder(o.String()); err != nil || got != o {
			t.Errorf("ParseOrder(%q) = %v, %v", o, got, err)
		}
	}
	if _, err := ParseOrder("sideways"); err == nil || !strings.Contains(err.Error(), "random") {
		t.Errorf("error %v, want it to name the orders", err)
	}
}
