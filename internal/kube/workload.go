// Package kube translates Kubernetes objects into Vicinity's own types: pods
// into workloads, node labels into localities, controllers into desired
// replicas. No other package does. It reads objects and listers; it owns no
// informer and makes no call to an API server.
package kube

import (
	"cmp"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Labels of pods that name what owns them.
const (
	// rolloutHashLabel is what Argo Rollouts sets in the place of the Deployment
	// controller's pod-template-hash.
	rolloutHashLabel = "rollouts-pod-template-hash"
	// deploymentConfigLabel has the name of OpenShift's DeploymentConfig, whose
	// ReplicationControllers are numbered.
	deploymentConfigLabel = "deploymentconfig"
	// workloadNameLabel is how a user names a workload in Istio's telemetry.
	workloadNameLabel = "service.istio.io/workload-name"
)

// WorkloadOf returns the workload of a pod, found from the pod alone and named
// as Istio names it in source_workload and destination_workload, so that the
// traffic is found again: GetWorkloadMetaFromPod in istio/pkg/kube/util.go. That
// is the label service.istio.io/workload-name, else the top-level controller.
// Several controllers may have the same label; they are one workload.
func WorkloadOf(pod *corev1.Pod) flowgraph.WorkloadID {
	id := flowgraph.WorkloadID{Namespace: pod.Namespace, Name: pod.Labels[workloadNameLabel]}
	if id.Name == "" {
		id.Name = controllerOf(pod)
	}
	return id
}

// controllerOf returns the name of a pod's top-level controller: a ReplicaSet of
// a Deployment or of an Argo Rollout is named after it with the pod template's
// hash behind, a Job of a CronJob with the scheduled time behind. A pod without a
// controller has its own name, and so has one to which a controller gave a name
// that was not generated: the instances of a database that an operator runs, or
// a static pod, which its node owns.
func controllerOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil || pod.GenerateName == "" && !generatesNames(owner) {
		return pod.Name
	}
	name := owner.Name
	switch owner.Kind {
	case "ReplicaSet":
		name = templateOwner(owner.Name, pod.Labels)
	case "ReplicationController":
		name = cmp.Or(pod.Labels[deploymentConfigLabel], owner.Name)
	case "Job":
		name = cronJobOf(owner.Name)
	}
	return cmp.Or(name, pod.Name)
}

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

// cronJobOf cuts the scheduled time off a Job's name: minutes since 1970, before
// Kubernetes 1.21 seconds.
func cronJobOf(job string) string {
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
	return pod.DeletionTimestamp == nil &&
		pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// Serves reports whether a pod that is a peer answers calls, or will soon: a pod that is
// not ready usually becomes so long before it moves. One of unknown phase, whose node does
// not answer, and one that waits after a crash or for an image that cannot be had, may
// never serve.
func Serves(pod *corev1.Pod) bool {
	if pod.Status.Phase == corev1.PodUnknown {
		return false
	}
	for i := range pod.Status.ContainerStatuses {
		if waiting := pod.Status.ContainerStatuses[i].State.Waiting; waiting != nil {
			switch waiting.Reason {
			case "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull": // of the kubelet
				return false
			}
		}
	}
	return true
}

// IsUnreachable reports whether nothing has been heard of a node for so long that its pods
// are not called any more.
func IsUnreachable(node *corev1.Node) bool {
	for i := range node.Spec.Taints {
		if node.Spec.Taints[i].Key == corev1.TaintNodeUnreachable {
			return true
		}
	}
	return false
}

// readyCondition returns what a pod says of being ready, nil when it says nothing.
func readyCondition(pod *corev1.Pod) *corev1.PodCondition {
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
// there, "" where it has none.
func ValuesOf(node *corev1.Node, scale locality.Scale) []string {
	values := make([]string, len(scale))
	for i, label := range scale {
		values[i] = node.Labels[label.Key]
	}
	return values
}
