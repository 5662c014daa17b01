// Package kube translates Kubernetes objects into Vicinity's own types: pods
// into workloads, node labels into localities, controllers into desired
// replicas. It has only what a scheduler may link: clusters as files and as
// recordings are the business of packages objects and history. It reads objects
// and listers; it owns no informer and makes no call to an API server.
package kube

import (
	"cmp"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Labels of pods that name what owns them.
const (
	// RolloutHashLabel is what Argo Rollouts sets instead of the Deployment
	// controller's pod-template-hash.
	RolloutHashLabel = "rollouts-pod-template-hash"
	// DeploymentConfigLabel holds the name of OpenShift's DeploymentConfig, whose
	// ReplicationControllers are numbered.
	DeploymentConfigLabel = "deploymentconfig"
	// WorkloadNameLabel is how a user names a workload in Istio's telemetry.
	WorkloadNameLabel = "service.istio.io/workload-name"
)

// WorkloadOf returns the workload of a pod, found from the pod alone and named
// as Istio names it in source_workload and destination_workload, so that the
// traffic is found again: GetWorkloadMetaFromPod in istio/pkg/kube/util.go. That
// is the label service.istio.io/workload-name, else the top-level controller.
// Several controllers may have the same label; they are one workload.
func WorkloadOf(pod *corev1.Pod) flowgraph.WorkloadID {
	id := flowgraph.WorkloadID{Namespace: pod.Namespace, Name: pod.Labels[WorkloadNameLabel]}
	if id.Name == "" {
		id.Name = ControllerOf(pod)
	}
	return id
}

// ControllerOf returns the name of a pod's top-level controller: a ReplicaSet of
// a Deployment or of an Argo Rollout is named after it with the pod template's
// hash behind, a Job of a CronJob with the scheduled time behind. A pod without a
// controller has its own name, and so has one to which a controller gave a name
// that was not generated: the instances of a database that an operator runs, or
// a static pod, which its node owns.
func ControllerOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil || pod.GenerateName == "" && !generatesNames(owner) {
		return pod.Name
	}
	name := owner.Name
	switch owner.Kind {
	case "ReplicaSet":
		name = templateOwner(owner.Name, pod.Labels)
	case "ReplicationController":
		name = cmp.Or(pod.Labels[DeploymentConfigLabel], owner.Name)
	case "Job":
		name = CronJobOf(owner.Name)
	}
	return cmp.Or(name, pod.Name)
}

// IsAnother reports whether two objects of one kind and name are known to be two: one was
// deleted and the other made later. Files need not have UIDs or times of creation.
func IsAnother(a, b metav1.Object) bool {
	created, later := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	return differ(a.GetUID(), b.GetUID()) || !created.IsZero() && !later.IsZero() && !created.Equal(&later)
}

// OwnedBy reports whether an owner of a name may be the object of that name: a later one
// under the same name is another.
func OwnedBy(owner *metav1.OwnerReference, object metav1.Object) bool {
	return !differ(owner.UID, object.GetUID())
}

// differ reports whether two UIDs are known and not the same.
func differ(a, b types.UID) bool { return a != "" && b != "" && a != b }

// generatesNames reports whether an owner is one of Kubernetes' own controllers
// of pods. All of them generate names, also where a file does not say so.
func generatesNames(owner *metav1.OwnerReference) bool {
	switch owner.Kind {
	case "ReplicaSet", "StatefulSet", "DaemonSet":
		return owner.APIVersion == appsv1.SchemeGroupVersion.String()
	case "Job":
		return owner.APIVersion == batchv1.SchemeGroupVersion.String()
	case "ReplicationController":
		return owner.APIVersion == corev1.SchemeGroupVersion.String()
	}
	return false
}

// templateOwner cuts the pod template's hash off a ReplicaSet's name.
func templateOwner(replicaSet string, labels map[string]string) string {
	if label, ok := hashLabel(replicaSet, labels); ok {
		return strings.TrimSuffix(replicaSet, "-"+labels[label])
	}
	return replicaSet
}

// CronJobOf cuts the scheduled time off a Job's name: minutes since 1970, before
// Kubernetes 1.21 seconds.
func CronJobOf(job string) string {
	name, time, ok := cutLast(job, "-")
	if !ok || len(time) < 8 || len(time) > 10 || strings.Trim(time, "0123456789") != "" {
		return job
	}
	return name
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i > 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// IsPeer reports whether a pod takes part in its workload's traffic for as long
// as a placement matters: it is neither on its way out nor finished.
func IsPeer(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && !IsFinished(pod)
}

// IsFinished reports whether a pod has ended for good: it takes no room on its node any more,
// and a scheduler does not hold it.
func IsFinished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// HasAddress reports whether the addresses in a pod's status are still its own: those of a
// finished pod may be another's already.
func HasAddress(pod *corev1.Pod) bool {
	return !IsFinished(pod)
}

// ReadyCondition returns a pod's condition Ready, nil when it has none.
func ReadyCondition(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady {
			return c
		}
	}
	return nil
}

// LocalityOf returns the position of a node by its standard topology labels.
func LocalityOf(node *corev1.Node) locality.Locality {
	return locality.Locality{
		Node:   node.Name,
		Zone:   node.Labels[corev1.LabelTopologyZone],
		Region: node.Labels[corev1.LabelTopologyRegion],
	}
}

// ValuesOf returns a node's values of the labels of a scale, by their position
// there, "" where it has none; nil for a scale without labels.
func ValuesOf(node *corev1.Node, scale locality.Scale) []string {
	var values []string
	for _, label := range scale {
		values = append(values, node.Labels[label.Key])
	}
	return values
}
