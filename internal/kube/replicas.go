package kube

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appslisters "k8s.io/client-go/listers/apps/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Annotations in which a controller of ReplicaSets notes on each of them how
// many pods it wants in all. During a rollout the ReplicaSets' own replicas add
// up to more, and one of them alone says less.
const (
	// DesiredReplicasAnnotation is that of the Deployment controller (k8s.io/kubernetes/pkg/controller/deployment/util).
	DesiredReplicasAnnotation = "deployment.kubernetes.io/desired-replicas"
	// RolloutDesiredReplicasAnnotation is that of Argo Rollouts (utils/annotations), which
	// keeps it up to date on the newest and on the stable ReplicaSet, which are those that
	// get new pods.
	RolloutDesiredReplicasAnnotation = "rollout.argoproj.io/desired-replicas"
)

// Replicas knows how many pods each workload wants, from listers that
// kube-scheduler runs for itself, so that it needs no permission of its own.
type Replicas struct {
	ReplicaSets  appslisters.ReplicaSetLister
	StatefulSets appslisters.StatefulSetLister
}

// Desired returns the number of pods that a workload wants in all, by the
// controller of pod, which is any pod of the workload. ok is false when that is
// no ReplicaSet or StatefulSet (but a DaemonSet, a Job, none at all), or when the
// listers have not got it yet or have a later one of its name. It is false also when a label gives the workload
// another name than its controller has: there may be more controllers with the
// same label, and to find them takes a look at all.
func (r Replicas) Desired(id flowgraph.WorkloadID, pod *corev1.Pod) (n int32, ok bool) {
	if ControllerOf(pod) != id.Name {
		return 0, false
	}
	return r.desiredBy(pod)
}

// desiredBy returns the number of pods that the controller of a pod wants.
func (r Replicas) desiredBy(pod *corev1.Pod) (n int32, ok bool) {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return 0, false
	}
	switch owner.Kind {
	case "ReplicaSet":
		if rs, err := r.ReplicaSets.ReplicaSets(pod.Namespace).Get(owner.Name); err == nil && OwnedBy(owner, rs) {
			return replicasOf(rs), true
		}
	case "StatefulSet":
		if set, err := r.StatefulSets.StatefulSets(pod.Namespace).Get(owner.Name); err == nil && OwnedBy(owner, set) {
			return orOne(set.Spec.Replicas), true
		}
	}
	return 0, false
}

// replicasOf returns how many pods the controller of a ReplicaSet wants in all.
func replicasOf(rs *appsv1.ReplicaSet) int32 {
	annotation := DesiredReplicasAnnotation
	if owner := metav1.GetControllerOfNoCopy(rs); owner != nil && owner.Kind == "Rollout" {
		annotation = RolloutDesiredReplicasAnnotation
	}
	if text, ok := rs.Annotations[annotation]; ok { // an error would be allocated
		if n, err := strconv.ParseInt(text, 10, 32); err == nil && n >= 0 {
			return int32(n)
		}
	}
	return orOne(rs.Spec.Replicas)
}

func orOne(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}
