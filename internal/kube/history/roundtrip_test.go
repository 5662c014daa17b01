package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// TestRoundTrip makes Kubernetes objects of random clusters, and the clusters of
// the objects again.
func TestRoundTrip(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		want := randomCluster(rng)
		list := listOf(t, rng, Synthetic(want))
		objects, warnings, err := objects.ReadObjects(bytes.NewReader(list), "list.json")
		if err != nil || len(warnings) > 0 {
			t.Fatalf("seed %d: reading the objects: %v, %v", seed, err, warnings)
		}
		got, warnings, err := Translate(objects)
		if err != nil || len(warnings) > 0 {
			t.Fatalf("seed %d: translating the objects: %v, %v", seed, err, warnings)
		}
		if diff := cmp.Diff(want, got.Cluster); diff != "" {
			t.Fatalf("seed %d: cluster (-want +got):\n%s", seed, diff)
		}
		checkTemplates(t, got)
	}
}

// checkTemplates makes pods of templates as a replay does.
func checkTemplates(t *testing.T, r *Replayable) {
	t.Helper()
	if len(r.Templates) != len(r.Cluster.Workloads) || len(r.Nodes) != len(r.Cluster.Nodes) {
		t.Fatalf("%d templates of %d workloads, %d objects of %d nodes",
			len(r.Templates), len(r.Cluster.Workloads), len(r.Nodes), len(r.Cluster.Nodes))
	}
	for i, n := range r.Cluster.Nodes {
		if got := kube.LocalityOf(r.Nodes[i]); got != n.Locality {
			t.Errorf("node %d is at %v, its object at %v", i, n.Locality, got)
		}
	}
	for i, w := range r.Cluster.Workloads {
		pod := r.Templates[i].DeepCopy()
		pod.Name += "-0"
		if got := kube.WorkloadOf(pod); got != w.ID {
			t.Errorf("a pod of %s is of %s", w.ID, got)
		}
		if pod.Spec.NodeName != "" || pod.UID != "" || pod.ResourceVersion != "" || !kube.IsPeer(pod) {
			t.Errorf("the template of %s has not been stripped: %+v", w.ID, pod)
		}
		if got, err := requestsOf(pod); err != nil || got != w.Requests {
			t.Errorf("a pod of %s asks for %v, %v, want %v", w.ID, got, err, w.Requests)
		}
	}
}

// randomCluster has its nodes and workloads in order, because that is how they
// are read.
func randomCluster(rng *rand.Rand) *cluster.Cluster {
	c := &cluster.Cluster{}
	for i := range 1 + rng.IntN(20) {
		n := cluster.Node{Locality: locality.Locality{Node: fmt.Sprintf("n%02d", i)}, MaxPods: 1 + rng.Int32N(250)}
		n.Allocatable = cluster.Resources{MilliCPU: 1 + rng.Int64N(128_000), Memory: 1 + rng.Int64N(1<<40)}
		if rng.IntN(4) > 0 {
			n.Zone, n.Region = fmt.Sprintf("z%d", rng.IntN(3)), "r"
		}
		c.Nodes = append(c.Nodes, n)
	}
	for i := range 1 + rng.IntN(20) {
		w := cluster.Workload{
			ID:       flowgraph.WorkloadID{Namespace: fmt.Sprintf("ns%d", i/8), Name: fmt.Sprintf("w-%02d", i)},
			Replicas: 1 + rng.Int32N(12), Fixed: rng.IntN(5) == 0,
			Requests: cluster.Resources{MilliCPU: rng.Int64N(4000), Memory: rng.Int64N(1 << 34)},
		}
		if rng.IntN(3) == 0 {
			w.Routing = affinity.SameNode
		}
		w.Fixed = w.Fixed && i > 0
		pods := w.Replicas // of a DaemonSet, those that are there are those that it wants
		if !w.Fixed {
			pods = rng.Int32N(w.Replicas + 3) // up to two more, as during a rollout
		}
		var at []int32
		if i == 0 {
			pods++ // with no pod anywhere, no assignment would be known
		}
		for range pods {
			at = append(at, rng.Int32N(int32(len(c.Nodes))))
		}
		c.Workloads = append(c.Workloads, w)
		c.Assigned = append(c.Assigned, at)
	}
	return c
}

func smallCluster() *cluster.Cluster { return randomCluster(rand.New(rand.NewPCG(3, 3))) }

// listOf writes objects as kubectl does, but in a random order. Each pod has a
// node, or is pending.
func listOf(t *testing.T, rng *rand.Rand, r *Replayable) []byte {
	t.Helper()
	all := append([]runtime.Object{}, r.Objects...)
	for _, node := range r.Nodes {
		all = append(all, node)
	}
	for w, workload := range r.Cluster.Workloads {
		at := r.Cluster.Assigned[w]
		for i := range max(len(at), int(workload.Replicas)) {
			pod := r.Templates[w].DeepCopy()
			pod.Name = fmt.Sprintf("%s-%d", pod.Name, i)
			pod.UID = types.UID(pod.Name)
			if i < len(at) {
				pod.Spec.NodeName = r.Nodes[at[i]].Name
				pod.Status.Phase = corev1.PodRunning
			}
			all = append(all, pod)
		}
		if workload.Fixed {
			all = append(all, &appsv1.DaemonSet{
				TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"},
				ObjectMeta: metav1.ObjectMeta{Namespace: workload.ID.Namespace, Name: workload.ID.Name},
			})
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	text, err := json.MarshalIndent(map[string]any{"apiVersion": "v1", "kind": "List", "items": all}, "", "    ")
	if err != nil {
		t.Fatal(err)
	}
	return text
}
