package kube

import (
	"fmt"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Objects is the part of a cluster that a replay looks at. Nothing else of a
// cluster file is held: no Secrets, no ConfigMaps, and of pods and their
// controllers no environment variables, arguments or managed fields.
type Objects struct {
	Nodes                  []*corev1.Node
	Pods                   []*corev1.Pod
	Services               []*corev1.Service
	Namespaces             []*corev1.Namespace
	ReplicationControllers []*corev1.ReplicationController
	ReplicaSets            []*appsv1.ReplicaSet
	StatefulSets           []*appsv1.StatefulSet
	Deployments            []*appsv1.Deployment
	DaemonSets             []*appsv1.DaemonSet
	DestinationRules       []*routing.DestinationRule
}

// Replayable is a cluster from which a replay can start, as numbers and as
// Kubernetes objects.
type Replayable struct {
	Cluster *cluster.Cluster
	// Nodes stand at the positions of Cluster.Nodes.
	Nodes []*corev1.Node
	// Templates has a pod without node, status and UID for each workload, at the
	// positions of Cluster.Workloads. WorkloadOf leads from it, and from copies
	// under other names, to the workload.
	Templates []*corev1.Pod
	// Objects are what scheduler plugins look up: Services, Namespaces,
	// ReplicationControllers, ReplicaSets, StatefulSets and DestinationRules. The default
	// constraints of PodTopologySpread have no effect without them.
	Objects []runtime.Object
}

// Warning is something in a cluster file that a replay cannot take over as it
// is. Equal cases are one Warning.
type Warning struct {
	Text string
	// Count is how many objects it is about.
	Count int
	// Example is the first of them, as the file has them.
	Example string
}

// String returns the warning as one line.
func (w Warning) String() string {
	if w.Count == 1 {
		return fmt.Sprintf("%s: %s", w.Text, w.Example)
	}
	return fmt.Sprintf("%s: %d, the first is %s", w.Text, w.Count, w.Example)
}

// hold adds an object of a kind that is neither Node, Pod nor Service.
func (o *Objects) hold(object runtime.Object) {
	switch object := object.(type) {
	case *corev1.Namespace:
		o.Namespaces = append(o.Namespaces, object)
	case *corev1.ReplicationController:
		o.ReplicationControllers = append(o.ReplicationControllers, object)
	case *appsv1.ReplicaSet:
		o.ReplicaSets = append(o.ReplicaSets, object)
	case *appsv1.StatefulSet:
		o.StatefulSets = append(o.StatefulSets, object)
	case *appsv1.Deployment:
		o.Deployments = append(o.Deployments, object)
	case *appsv1.DaemonSet:
		o.DaemonSets = append(o.DaemonSets, object)
	}
}
