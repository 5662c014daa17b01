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

// fitting is a ClusterPlacer that chooses the first node with room, and keeps accounts
// of its own.
type fitting struct {
	firstFit
	t     *testing.T
	c     *cluster.Cluster
	up    []bool
	avoid map[int32]int32 // by workload: a node that it does not tolerate
}

func newFitting(t *testing.T, c *cluster.Cluster) *fitting {
	f := &fitting{firstFit: *newFirstFit(make([]int, len(c.Nodes))...), t: t, c: c, up: make([]bool, len(c.Nodes)), avoid: map[int32]int32{}}
	for i := range f.up {
		f.up[i] = true
	}
	return f
}

func (f *fitting) Place(ctx context.Context, pod Pod, node int32) (Decision, error) {
	for i := int32(0); node == Anywhere && int(i) < len(f.up); i++ {
		if avoid, ok := f.avoid[pod.Workload]; f.up[i] && (!ok || avoid != i) && f.fits(pod.Workload, i) {
			node = i
		}
	}
	if node == Anywhere {
		return Decision{Node: Anywhere}, nil
	}
	if !f.up[node] {
		f.t.Errorf("a pod is placed on node %d, which is gone", node)
	}
	return f.firstFit.Place(ctx, pod, node)
}

func (f *fitting) fits(workload, node int32) bool {
	cpu, memory, pods := f.taken(node)
	n, r := &f.c.Nodes[node], f.c.Workloads[workload].Requests
	return cpu+r.MilliCPU <= n.Allocatable.MilliCPU && memory+r.Memory <= n.Allocatable.Memory && pods < n.MaxPods
}

func (f *fitting) taken(node int32) (cpu, memory int64, pods int32) {
	for pod, at := range f.at {
		if at == node {
			cpu += f.c.Workloads[pod.Workload].Requests.MilliCPU
			memory += f.c.Workloads[pod.Workload].Requests.Memory
			pods++
		}
	}
	return cpu, memory, pods
}

func (f *fitting) Advance(time.Time) {}

func (f *fitting) SetNode(node int32) error {
	f.up[node] = true
	return nil
}

func (f *fitting) RemoveNode(node int32) error {
	if _, _, pods := f.taken(node); pods > 0 || !f.up[node] {
		return errors.New("not empty, or not there")
	}
	f.up[node] = false
	return nil
}

func consolidate(t *testing.T, c *cluster.Cluster, seed uint64, placer ClusterPlacer) *Result {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	got, err := Consolidate(t.Context(), c, rand.New(rand.NewPCG(seed, 0)), placer)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// halfFull has nodes of 10 places each, of which each pod takes one of CPU, and memory
// without bounds. Node i has on[i] pods of workload a.
func halfFull(on ...int) *cluster.Cluster {
	c := &cluster.Cluster{
		Workloads: []cluster.Workload{{ID: flowgraph.WorkloadID{Namespace: "x", Name: "a"}, Requests: cluster.Resources{MilliCPU: 1}}},
		Assigned:  cluster.Assignment{nil},
	}
	for i, pods := range on {
		c.Nodes = append(c.Nodes, cluster.Node{
			Locality:    locality.Locality{Node: fmt.Sprint("n", i)},
			Allocatable: cluster.Resources{MilliCPU: 10, Memory: 1000}, MaxPods: 100,
		})
		for range pods {
			c.Assigned[0] = append(c.Assigned[0], int32(i))
		}
	}
	c.Workloads[0].Replicas = int32(max(len(c.Assigned[0]), 1))
	return c
}

// add adds a workload with pods on some nodes.
func add(c *cluster.Cluster, w cluster.Workload, on ...int32) {
	w.ID = flowgraph.WorkloadID{Namespace: "x", Name: string(rune('a' + len(c.Workloads)))}
	w.Replicas = int32(len(on))
	c.Workloads, c.Assigned = append(c.Workloads, w), append(c.Assigned, on)
}

// consolidateCase is a cluster that is consolidated, and what is left of it.
type consolidateCase struct {
	on       []int
	change   func(*cluster.Cluster, *fitting)
	wantGone []int32
	want     cluster.Assignment // of workload a and of those that change adds
}

func consolidateCases() map[string]consolidateCase {
	onePlace := cluster.Resources{MilliCPU: 1}
	return map[string]consolidateCase{
		"while the pods fit": {
			on: []int{3, 2, 8, 1}, wantGone: []int32{3, 1}, // then 3 pods have 2 places
			want: cluster.Assignment{{0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2}},
		},
		"ties are broken by name": {
			on: []int{2, 2, 2}, wantGone: []int32{0, 2}, want: cluster.Assignment{{1, 1, 1, 1, 1, 1}},
		},
		"the last node stays, even if it is empty": {
			on: []int{0, 0}, wantGone: []int32{0}, want: cluster.Assignment{nil},
			change: func(c *cluster.Cluster, _ *fitting) { c.Workloads[0].Fixed = true },
		},
		"the larger share counts": {
			on: []int{3, 2}, wantGone: []int32{0}, want: cluster.Assignment{{1, 1, 1, 1, 1}, {1}},
			change: func(c *cluster.Cluster, _ *fitting) {
				add(c, cluster.Workload{Requests: cluster.Resources{Memory: 500}}, 1)
			},
		},
		"DaemonSets count and vanish": {
			on: []int{2, 4, 3}, wantGone: []int32{2, 1}, want: cluster.Assignment{{0, 0, 0, 0, 0, 0, 0, 0, 0}, {0}},
			change: func(c *cluster.Cluster, _ *fitting) {
				add(c, cluster.Workload{Fixed: true, Requests: cluster.Resources{Memory: 450}}, 0, 2)
				c.Nodes[2].Allocatable.Memory = 3000
			},
		},
		"pods without a controller hold their nodes": {
			on: []int{1, 2, 3}, wantGone: []int32{1}, want: cluster.Assignment{{0, 0, 0, 2, 2, 2}, {0, 2}},
			change: func(c *cluster.Cluster, _ *fitting) {
				add(c, cluster.Workload{Fixed: true, Bare: true, Requests: onePlace}, 0, 2)
			},
		},
		"the control plane stays": {
			on: []int{0, 3}, want: cluster.Assignment{{1, 1, 1}},
			change: func(c *cluster.Cluster, f *fitting) {
				c.Nodes[0].ControlPlane = true
				f.avoid[0] = 0 // its taint
			},
		},
		"a node without room stays": {
			on: []int{0, 3, 4}, wantGone: []int32{1}, want: cluster.Assignment{{2, 2, 2, 2, 2, 2, 2}},
			change: func(c *cluster.Cluster, _ *fitting) { c.Nodes[0].Allocatable.Memory, c.Nodes[0].MaxPods = 0, 0 },
		},
		"what fits nowhere ends it": {
			on: []int{3, 1, 2}, want: cluster.Assignment{{0, 0, 0, 1, 2, 2}, {1}},
			change: func(c *cluster.Cluster, f *fitting) {
				add(c, cluster.Workload{Requests: cluster.Resources{Memory: 10}}, 1)
				c.Nodes[0].Allocatable.Memory = 9
				f.avoid[1] = 2
			},
		},
	}
}

func TestConsolidate(t *testing.T) {
	for name, tc := range consolidateCases() {
		t.Run(name, func(t *testing.T) {
			c := halfFull(tc.on...)
			placer := newFitting(t, c)
			if tc.change != nil {
				tc.change(c, placer)
			}
			for seed := range uint64(5) {
				placer := &fitting{*newFirstFit(make([]int, len(c.Nodes))...), t, c, slices.Clone(placer.up), placer.avoid}
				got := consolidate(t, c, seed, placer)
				if diff := cmp.Diff(tc.wantGone, got.Gone); diff != "" {
					t.Errorf("nodes gone (-want +got):\n%s", diff)
				}
				for _, nodes := range got.Assigned {
					slices.Sort(nodes)
				}
				if diff := cmp.Diff(tc.want, got.Assigned); diff != "" {
					t.Errorf("assignment (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestConsolidateUndoes has a node whose serving and idle pods fit elsewhere all but one.
func TestConsolidateUndoes(t *testing.T) {
	c := halfFull(2, 8, 9)
	add(c, cluster.Workload{Fixed: true, Requests: cluster.Resources{Memory: 1}}, 0, 1)
	c.Idle = cluster.Assignment{{0, 0}, {0}}
	c.Workloads[0].Replicas += 2
	for seed := range uint64(20) {
		placer := newFitting(t, c)
		got := consolidate(t, c, seed, placer)
		if len(got.Took) != 4 || got.Unschedulable != 0 {
			t.Errorf("%d decisions, %d pods unschedulable, want 4, of which the last finds no node", len(got.Took), got.Unschedulable)
		}
		got.Took = nil
		if diff := cmp.Diff(&Result{Assigned: c.Assigned, Idle: c.Idle}, got); diff != "" {
			t.Fatalf("after a drain that failed (-found +got):\n%s", diff)
		}
		untouched := newFitting(t, c)
		events := completed(c, rand.New(rand.NewPCG(seed, 0)))
		if _, err := Run(t.Context(), c, slices.Values(events), untouched); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(untouched.at, placer.at); diff != "" || !placer.up[0] {
			t.Errorf("the placer's pods (-found +got):\n%s", diff)
		}
	}
}

// TestConsolidateCompletesFirst places what is missing before it drains, and what did
// not serve serves once it has moved.
func TestConsolidateCompletesFirst(t *testing.T) {
	c := halfFull(9, 5)
	c.Workloads[0].Replicas = 20
	c.Idle = cluster.Assignment{{1}}
	got := consolidate(t, c, 1, newFitting(t, c))
	if got.Unschedulable != 0 || got.Gone != nil || len(got.Assigned[0]) != 19 || len(got.Idle[0]) != 1 {
		t.Errorf("%d pods serve, %d do not, %d fit nowhere, nodes %v are gone; want 19, 1 and no other", len(got.Assigned[0]), len(got.Idle[0]), got.Unschedulable, got.Gone)
	}
	c.Workloads[0].Replicas = 21
	if got := consolidate(t, c, 1, newFitting(t, c)); got.Unschedulable != 1 {
		t.Errorf("%d pods fit nowhere, want 1", got.Unschedulable)
	}
	c = halfFull(2, 5)
	c.Idle = cluster.Assignment{{0}}
	c.Workloads[0].Replicas = 8
	if got := consolidate(t, c, 1, newFitting(t, c)); len(got.Assigned[0]) != 8 || got.Idle != nil || !slices.Equal(got.Gone, []int32{0}) {
		t.Errorf("%v serve, %v do not, %v are gone; want 8 and node 0", got.Assigned, got.Idle, got.Gone)
	}
}

func TestConsolidateRefuses(t *testing.T) {
	c := halfFull(1, 1)
	c.Assigned = nil
	rng := rand.New(rand.NewPCG(1, 0))
	if _, err := Consolidate(t.Context(), c, rng, newFitting(t, c)); err == nil || !strings.Contains(err.Error(), "consolidation: the input has no assignment") {
		t.Errorf("error %v", err)
	}
	if _, err := Events(halfFull(1), Consolidation, rng); err == nil || !strings.Contains(err.Error(), "order consolidation") {
		t.Errorf("error %v of Events", err)
	}
	for _, order := range []Order{Consolidation, ScaleOut} {
		run := NewTimeline(TimelineOptions{Cluster: halfFull(1), Order: order})
		if err := run.Step(t.Context(), &Step{}); err == nil || !strings.Contains(err.Error(), "order "+order.String()) {
			t.Errorf("error %v of a Timeline", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	c = halfFull(1, 1)
	if _, err := Consolidate(ctx, c, rng, &cancelling{newFitting(t, c), cancel}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "draining node n0") {
		t.Errorf("error %v after the end of the context", err)
	}
}

// cancelling ends the context when a node goes.
type cancelling struct {
	*fitting
	cancel func()
}

func (c *cancelling) RemoveNode(node int32) error {
	c.cancel()
	return c.fitting.RemoveNode(node)
}

// TestConsolidateMovesInARandomOrder has two kinds of pods for the places of two nodes.
func TestConsolidateMovesInARandomOrder(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(10) {
		c := halfFull(3, 7, 7)
		add(c, cluster.Workload{Requests: cluster.Resources{MilliCPU: 1}}, 0, 0, 0)
		got := consolidate(t, c, seed, newFitting(t, c))
		if !slices.Equal(got.Gone, []int32{0}) {
			t.Fatalf("nodes %v are gone, want node 0", got.Gone)
		}
		seen[fmt.Sprint(got.Assigned)] = true
	}
	if len(seen) < 2 {
		t.Error("ten seeds give one result")
	}
}

func TestResultCluster(t *testing.T) {
	c := halfFull(1, 1, 1)
	add(c, cluster.Workload{Fixed: true}, 0, 1, 2)
	add(c, cluster.Workload{Fixed: true}, 1)
	c.Idle = cluster.Assignment{nil, {1}, nil}
	c.Workloads[1].Replicas = 4
	c.Nodes[1].Bandwidth = 5
	if got := (&Result{}).Cluster(c); got != c {
		t.Error("another cluster is returned when no node is gone")
	}
	got := (&Result{Gone: []int32{1}}).Cluster(c)
	want := cluster.Node{Locality: c.Nodes[1].Locality, Gone: true}
	if diff := cmp.Diff([]cluster.Node{c.Nodes[0], want, c.Nodes[2]}, got.Nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	for w, wants := range []int32{3, 2, 0} {
		if got.Workloads[w].Replicas != wants {
			t.Errorf("workload %d wants %d pods, want %d", w, got.Workloads[w].Replicas, wants)
		}
	}
	if c.Nodes[1].Gone || c.Workloads[1].Replicas != 4 {
		t.Error("the input has changed")
	}
}
