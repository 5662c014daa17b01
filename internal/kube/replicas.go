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
	// k8s.io/kubernetes/pkg/controller/deployment/util
	desiredReplicas = "deployment.kubernetes.io/desired-replicas"
	// argo-rollouts/utils/annotations. Argo keeps it up to date on the newest and
	// on the stable ReplicaSet, which are those that get new pods.
	rolloutDesiredReplicas = "rollout.argoproj.io/desired-replicas"
)

// Replicas knows how many pods each workload wants, from listers that
// kube-scheduler runs for itself, so that it needs no permission of its own.
type Replicas struct {
	ReplicaSets  appslisters.ReplicaSetLister
	StatefulSets appslisters.StatefulSetLister
}

// Desired returns the number of pods that a workload wants in all; ok is false
// when no ReplicaSet or StatefulSet of that name says so (DaemonSets, Jobs,
// bare pods), or when the listers have not got it yet. pod is any pod of the
// workload; its template hash leads to the ReplicaSet.
func (r Replicas) Desired(id flowgraph.WorkloadID, pod *corev1.Pod) (n int32, ok bool) {
	if hash := hashOf(pod); hash != "" {
		rs, err := r.ReplicaSets.ReplicaSets(id.Namespace).Get(id.Name + "-" + hash)
		if err == nil {
			return replicasOf(rs), true
		}
	}
	if set, err := r.StatefulSets.StatefulSets(id.Namespace).Get(id.Name); err == nil {
		return orOne(set.Spec.Replicas), true
	}
	if rs, err := r.ReplicaSets.ReplicaSets(id.Namespace).Get(id.Name); err == nil {
		return replicasOf(rs), true
	}
	return 0, false
}

func hashOf(pod *corev1.Pod) string {
	if hash := pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey]; hash != "" {
		return hash
	}
	return pod.Labels[rolloutHashLabel]
}

// replicasOf returns how many pods the controller of a ReplicaSet wants in all.
func replicasOf(rs *appsv1.ReplicaSet) int32 {
	annotation := desiredReplicas
	if owner := metav1.GetControllerOfNoCopy(rs); owner != nil && owner.Kind == "Rollout" {
		annotation = rolloutDesiredReplicas
	}
	if n, err := strconv.ParseInt(rs.Annotations[annotation], 10, 32); err == nil && n >= 0 {
		return int32(n)
	}
	return orOne(rs.Spec.Replicas)
}

func orOne(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}
