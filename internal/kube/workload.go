// Package kube translates Kubernetes objects into Vicinity's own types: pods
// into workloads, node labels into localities, controllers into desired
// replicas. No other package does. It reads objects and listers; it owns no
// informer and makes no call to an API server.
package kube

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// rolloutHashLabel is what Argo Rollouts sets in the place of the Deployment
// controller's pod-template-hash.
const rolloutHashLabel = "rollouts-pod-template-hash"

// WorkloadOf returns the top-level controller of a pod, found from the pod
// alone: a ReplicaSet of a Deployment or of an Argo Rollout is named after it
// with the pod template's hash behind, a Job of a CronJob with the scheduled
// minute behind. Istio's injector uses the same rules for its
// source_workload and destination_workload. A pod without a controller is its
// own workload, and so is a static pod, which its node owns.
func WorkloadOf(pod *corev1.Pod) flowgraph.WorkloadID {
	id := flowgraph.WorkloadID{Namespace: pod.Namespace, Name: pod.Name}
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return id
	}
	id.Name = owner.Name
	switch owner.Kind {
	case "Node": // of a static pod
		id.Name = pod.Name
	case "ReplicaSet":
		id.Name = templateOwner(owner.Name, pod.Labels)
	case "Job":
		id.Name = cronJobOf(owner.Name)
	}
	return id
}

// templateOwner cuts the pod template's hash off a ReplicaSet's name.
func templateOwner(replicaSet string, labels map[string]string) string {
	for _, label := range [...]string{appsv1.DefaultDeploymentUniqueLabelKey, rolloutHashLabel} {
		if hash := labels[label]; hash != "" {
			if name, ok := strings.CutSuffix(replicaSet, "-"+hash); ok && name != "" {
				return name
			}
		}
	}
	return replicaSet
}

// cronJobOf cuts the scheduled time, in minutes since 1970, off a Job's name.
// Eight digits are the years 1989 to 2160.
func cronJobOf(job string) string {
	name, minutes, ok := cutLast(job, "-")
	if !ok || len(minutes) != 8 || strings.Trim(minutes, "0123456789") != "" {
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

// LocalityOf returns the position of a node by its standard topology labels.
func LocalityOf(node *corev1.Node) locality.Locality {
	return locality.Locality{
		Node:   node.Name,
		Zone:   node.Labels[corev1.LabelTopologyZone],
		Region: node.Labels[corev1.LabelTopologyRegion],
	}
}
