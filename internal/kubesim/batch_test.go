package kubesim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
)

// spare is a cluster of nodes with 10 places each and of two workloads: of many pods,
// on[i] of them on node i, and of a pod on each node that tell names.
func spare(on []int, tell ...int32) *history.Replayable {
	c := &cluster.Cluster{Assigned: cluster.Assignment{nil, tell}}
	for i, pods := range on {
		c.Nodes = append(c.Nodes, cluster.Node{
			Locality:    locality.Locality{Node: fmt.Sprint("n", i)},
			Allocatable: cluster.Resources{MilliCPU: 1000, Memory: 1 << 30}, MaxPods: 50,
		})
		c.Assigned[0] = append(c.Assigned[0], slices.Repeat([]int32{int32(i)}, pods)...)
	}
	for w, name := range []string{"many", "tell"} {
		c.Workloads = append(c.Workloads, cluster.Workload{
			ID:       flowgraph.WorkloadID{Namespace: "x", Name: name},
			Replicas: int32(len(c.Assigned[w])), Requests: cluster.Resources{MilliCPU: 100, Memory: 1 << 20},
		})
	}
	return history.Synthetic(c)
}

func batch(t *testing.T, b Batch) ([]*sim.Result, error) {
	t.Helper()
	b.Now = stopped
	if b.Seeds == 0 {
		b.Seeds = 1
	}
	results, err := b.Run(t.Context(), []Run{{Name: "test", Config: configOf(t, 5, "")}})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// TestBatchConsolidates has the real filters decide what fits elsewhere.
func TestBatchConsolidates(t *testing.T) {
	antiAffinity := &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "tell"}},
		}},
	}}
	for name, tc := range map[string]struct {
		change   func(*history.Replayable)
		wantGone []int32
	}{
		"by room alone": {func(*history.Replayable) {}, []int32{0, 1}},
		"a taint ends it": {func(in *history.Replayable) {
			for _, n := range in.Nodes[2:] {
				n.Spec.Taints = []corev1.Taint{{Key: "only", Value: "some", Effect: corev1.TaintEffectNoSchedule}}
			}
		}, []int32{0}},
		"a taint that is tolerated does not": {func(in *history.Replayable) {
			for _, n := range in.Nodes[2:] {
				n.Spec.Taints = []corev1.Taint{{Key: "only", Value: "some", Effect: corev1.TaintEffectNoSchedule}}
			}
			for _, template := range in.Templates {
				template.Spec.Tolerations = []corev1.Toleration{{Key: "only", Operator: corev1.TolerationOpExists}}
			}
		}, []int32{0, 1}},
		"anti-affinity ends it": {func(in *history.Replayable) { // three pods, which need three nodes
			in.Cluster.Assigned[1] = []int32{0, 1, 3}
			in.Cluster.Workloads[1].Replicas = 3
			in.Templates[1].Spec.Affinity = antiAffinity
		}, []int32{0}},
	} {
		t.Run(name, func(t *testing.T) {
			in := spare([]int{1, 2, 4, 6}, 0)
			tc.change(in)
			results, err := batch(t, Batch{Input: in, Order: sim.Consolidation, Seeds: 3})
			if err != nil {
				t.Fatal(err)
			}
			for seed, got := range results {
				if diff := cmp.Diff(tc.wantGone, got.Gone); diff != "" {
					t.Errorf("seed %d: nodes gone (-want +got):\n%s", seed, diff)
				}
				checkConsolidated(t, in.Cluster, got)
			}
		})
	}
}

// checkConsolidated: every pod is there, on a node that is, with room.
func checkConsolidated(t *testing.T, c *cluster.Cluster, got *sim.Result) {
	t.Helper()
	left, pods := got.Cluster(c), make([]int64, len(c.Nodes))
	for w, nodes := range got.Assigned {
		if len(nodes) != int(c.Workloads[w].Replicas) {
			t.Errorf("workload %d has %d pods of %d", w, len(nodes), c.Workloads[w].Replicas)
		}
		for _, n := range nodes {
			pods[n]++
		}
	}
	for i, n := range left.Nodes {
		if pods[i]*100 > n.Allocatable.MilliCPU {
			t.Errorf("node %d has %d pods and %d millicores", i, pods[i], n.Allocatable.MilliCPU)
		}
	}
}

// TestPlacerAfterAnUndoneDrain compares the decisions of a placer whose drain was undone
// with those of one that has never drained.
func TestPlacerAfterAnUndoneDrain(t *testing.T) {
	in := spare([]int{9, 10, 10}, 0) // none of node 0 fits elsewhere
	drained, fresh := newPlacerFor(t, in), newPlacerFor(t, in)
	result, err := sim.Consolidate(t.Context(), in.Cluster, rand.New(rand.NewPCG(1, 0)), drained)
	if err != nil || result.Gone != nil || len(result.Took) == 0 {
		t.Fatalf("%d nodes gone, %d decisions, %v; want a drain that fails", len(result.Gone), len(result.Took), err)
	}
	if diff := cmp.Diff(in.Cluster.Assigned, result.Assigned); diff != "" {
		t.Errorf("assignment (-found +got):\n%s", diff)
	}
	for w, nodes := range in.Cluster.Assigned {
		for i, n := range nodes {
			if _, err := fresh.Place(t.Context(), sim.Pod{Workload: int32(w), Ordinal: int32(i)}, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(nodesOf(t, fresh), nodesOf(t, drained)); diff != "" {
		t.Errorf("the scheduler's nodes (-never drained +got):\n%s", diff)
	}
}

// nodesOf tells what the scheduler's snapshot has of each node.
func nodesOf(t *testing.T, p *Placer) map[string]string {
	t.Helper()
	all, err := p.engine.snapshot.NodeInfos().List()
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[string]string{}
	for _, info := range all {
		var pods []string
		for _, pod := range info.GetPods() {
			pods = append(pods, pod.GetPod().Name)
		}
		slices.Sort(pods)
		nodes[info.Node().Name] = fmt.Sprint(pods, info.GetRequested().GetMilliCPU(), info.GetRequested().GetMemory())
	}
	return nodes
}

func newPlacerFor(t *testing.T, in *history.Replayable) *Placer {
	t.Helper()
	p, err := New(t.Context(), in, Options{Config: configOf(t, 5, ""), Now: stopped})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestBatchRollsOutAgain does by hand what several rollouts are.
func TestBatchRollsOutAgain(t *testing.T) {
	c := pairs(6)
	c.Assigned = replay(t, c, sim.Random, 1, configOf(t, 0, "")).Assigned
	c.Assigned[0] = c.Assigned[0][1:] // a pod is missing
	c.Idle = make(cluster.Assignment, len(c.Workloads))
	c.Idle[1], c.Assigned[1] = c.Assigned[1][:1], c.Assigned[1][1:]
	c.Workloads[2].Requests.MilliCPU = 4001 // fits nowhere: both of its pods stay
	in := history.Synthetic(c)
	once, err := batch(t, Batch{Input: in, Order: sim.Rollout, First: 7})
	if err != nil {
		t.Fatal(err)
	}
	thrice, err := batch(t, Batch{Input: in, Order: sim.Rollout, Rollouts: 3, First: 7})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 0))
	at, want := *c, &sim.Result{}
	for i := range 3 {
		events, err := sim.Events(&at, sim.Rollout, rng)
		if err != nil {
			t.Fatal(err)
		}
		placer := newPlacerWith(t, &at, Options{Config: configOf(t, 5, ""), Rollout: true})
		r, err := sim.Run(t.Context(), &at, events, placer)
		if err != nil {
			t.Fatal(err)
		}
		at.Assigned, at.Idle = r.Assigned, r.Idle
		want.Assigned, want.Idle = r.Assigned, r.Idle
		want.Took, want.Unschedulable = append(want.Took, r.Took...), want.Unschedulable+r.Unschedulable
		if diff := cmp.Diff(want, once[0]); i == 0 && diff != "" {
			t.Errorf("one rollout (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(want, thrice[0]); diff != "" {
		t.Errorf("three rollouts (-want +got):\n%s", diff)
	}
	pods := 2 * len(c.Workloads)
	if got := thrice[0]; got.Unschedulable != 6 || len(got.Took) != 3*pods || got.Assigned.Pods() != pods || got.Idle != nil {
		t.Errorf("%d pods are unschedulable, %d decisions, %d pods serve, %d do not; want 2 in each rollout, %d, %d and none",
			got.Unschedulable, len(got.Took), got.Assigned.Pods(), got.Idle.Pods(), 3*pods, pods)
	}
	if diff := cmp.Diff(c.Assigned[2], thrice[0].Assigned[2]); diff != "" {
		t.Errorf("pods that cannot be replaced (-found +got):\n%s", diff)
	}
	if cmp.Equal(once[0].Assigned, thrice[0].Assigned) {
		t.Error("the second and third rollout move nothing")
	}
}

func TestBatchRefuses(t *testing.T) {
	in := spare([]int{1, 1})
	if _, err := batch(t, Batch{Input: in, Order: sim.Random, Rollouts: 2}); err == nil || !strings.Contains(err.Error(), "order random") {
		t.Errorf("error %v of rollouts in another order", err)
	}
	in.Cluster.Assigned = nil
	if _, err := batch(t, Batch{Input: in, Order: sim.Consolidation}); err == nil || !strings.Contains(err.Error(), "no assignment") {
		t.Errorf("error %v without an assignment", err)
	}
}
