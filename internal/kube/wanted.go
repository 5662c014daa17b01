package kube

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Wanted is what controllers want of a workload.
type Wanted struct {
	// Pods is how many there are to be in all, at least 1.
	Pods int32
	// Pod is as the controller makes it, but for its name. It has no containers
	// where the controller's template is not known.
	Pod *corev1.Pod

	since metav1.Time
}

// Wanted returns what all ReplicaSets and StatefulSets want that want any pods, by
// workload. During a rollout the newest ReplicaSet counts.
func (r Replicas) Wanted() map[flowgraph.WorkloadID]Wanted {
	// Neither lister returns an error: they read memory.
	sets, _ := r.ReplicaSets.List(labels.Everything())
	stateful, _ := r.StatefulSets.List(labels.Everything())
	all := make(map[flowgraph.WorkloadID]Wanted, len(sets)+len(stateful))
	add := func(pods int32, since metav1.Time, pod *corev1.Pod) {
		if pods <= 0 {
			return
		}
		id := WorkloadOf(pod)
		if other, known := all[id]; !known || other.since.Before(&since) {
			all[id] = Wanted{pods, pod, since}
		}
	}
	for _, rs := range sets {
		if orOne(rs.Spec.Replicas) > 0 {
			add(replicasOf(rs), rs.CreationTimestamp, podOf(rs, "ReplicaSet", &rs.Spec.Template, rs.Spec.Selector))
		}
	}
	for _, set := range stateful {
		add(orOne(set.Spec.Replicas), set.CreationTimestamp, podOf(set, "StatefulSet", &set.Spec.Template, set.Spec.Selector))
	}
	return all
}

// podOf returns a pod as a controller makes it. Where its template is not known,
// the labels are those that the controller looks for.
func podOf(controller metav1.Object, kind string, template *corev1.PodTemplateSpec, selector *metav1.LabelSelector) *corev1.Pod {
	is := true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: controller.GetNamespace(), Labels: template.Labels,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: appsv1.SchemeGroupVersion.String(), Kind: kind,
				Name: controller.GetName(), UID: controller.GetUID(), Controller: &is,
			}},
		},
		Spec: template.Spec,
	}
	if pod.Labels == nil && selector != nil {
		pod.Labels = selector.MatchLabels
	}
	return pod
}
