package history

import (
	"fmt"
	"io"
	"iter"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

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

// Write writes the cluster as a List in JSON that objects.ReadObjects reads: its nodes,
// what plugins look up, and a pod for each that is wanted, with its node where the
// cluster has one.
func (r *Replayable) Write(w io.Writer) error { return objects.WriteObjects(w, r.all()) }

// all returns copies of all objects.
func (r *Replayable) all() iter.Seq[runtime.Object] {
	return func(yield func(runtime.Object) bool) {
		for _, node := range r.Nodes {
			if !yield(node.DeepCopy()) {
				return
			}
		}
		for _, object := range r.Objects {
			if !yield(object.DeepCopyObject()) {
				return
			}
		}
		for w := range r.Templates {
			if !r.pods(w, yield) {
				return
			}
		}
	}
}

// pods yields the pods of a workload, and reports whether it may go on.
func (r *Replayable) pods(w int, yield func(runtime.Object) bool) bool {
	var at []int32
	if r.Cluster.Assigned != nil {
		at = r.Cluster.Assigned[w]
	}
	for n := range max(int(r.Cluster.Workloads[w].Replicas), len(at)) {
		pod := r.Templates[w].DeepCopy()
		// Padded, because pods are read in the order of their names.
		pod.Name = fmt.Sprintf("%s-%06d", pod.Name, n)
		if n < len(at) {
			pod.Spec.NodeName = r.Nodes[at[n]].Name
		}
		if !yield(pod) {
			return false
		}
	}
	return true
}
