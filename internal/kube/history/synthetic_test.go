package history

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// TestSyntheticIsReadBack translates objects back with the functions that read
// those of real clusters.
func TestSyntheticIsReadBack(t *testing.T) {
	c := &cluster.Cluster{
		Nodes: []cluster.Node{
			{Locality: locality.Locality{Node: "n0", Zone: "a", Region: "r"}, Allocatable: cluster.Resources{MilliCPU: 4000, Memory: 1 << 33}, MaxPods: 110},
			{Locality: locality.Locality{Node: "n1"}, Allocatable: cluster.Resources{MilliCPU: 1, Memory: 1}, MaxPods: 1},
		},
		Workloads: []cluster.Workload{
			{ID: flowgraph.WorkloadID{Namespace: "x", Name: "web"}, Replicas: 3, Requests: cluster.Resources{MilliCPU: 250, Memory: 1 << 28}, Route: cluster.Route{Routing: affinity.SameNode}},
			{ID: flowgraph.WorkloadID{Namespace: "y", Name: "db-synthetic"}, Replicas: 1},
		},
	}
	r := Synthetic(c)
	for i, n := range c.Nodes {
		room := r.Nodes[i].Status.Allocatable
		got := cluster.Node{
			Locality:    kube.LocalityOf(r.Nodes[i]),
			Allocatable: cluster.Resources{MilliCPU: room.Cpu().MilliValue(), Memory: room.Memory().Value()}, MaxPods: int32(room.Pods().Value()),
		}
		if diff := cmp.Diff(n, got); diff != "" {
			t.Errorf("node %d (-want +got):\n%s", i, diff)
		}
	}
	apps := informers.NewSharedInformerFactory(nil, 0).Apps().V1()
	services := map[flowgraph.WorkloadID]*corev1.Service{}
	for _, object := range r.Objects {
		switch o := object.(type) {
		case *appsv1.ReplicaSet:
			if err := apps.ReplicaSets().Informer().GetIndexer().Add(o); err != nil {
				t.Fatal(err)
			}
		case *corev1.Service:
			services[flowgraph.WorkloadID{Namespace: o.Namespace, Name: o.Name}] = o
		}
	}
	replicas := kube.Replicas{ReplicaSets: apps.ReplicaSets().Lister(), StatefulSets: apps.StatefulSets().Lister()}
	for i, w := range c.Workloads {
		template := r.Templates[i]
		if got := kube.WorkloadOf(template); got != w.ID {
			t.Errorf("the template of %s is of %s", w.ID, got)
		}
		if n, ok := replicas.Desired(w.ID, template); !ok || n != w.Replicas {
			t.Errorf("%s wants %d pods (%v), want %d", w.ID, n, ok, w.Replicas)
		}
		requests := template.Spec.Containers[0].Resources.Requests
		if got := (cluster.Resources{MilliCPU: requests.Cpu().MilliValue(), Memory: requests.Memory().Value()}); got != w.Requests {
			t.Errorf("a pod of %s asks for %+v, want %+v", w.ID, got, w.Requests)
		}
		if got := routing.Of(services[w.ID]); got != w.Routing {
			t.Errorf("calls to %s are routed %v, want %v", w.ID, got, w.Routing)
		}
	}
}
