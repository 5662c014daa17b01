package kube

import corev1 "k8s.io/api/core/v1"

// Serves reports whether a pod that has a node takes calls, as EndpointSlices have it:
// when it says that it is ready. One that says nothing of it does too, unless its phase
// is unknown; without a kubelet, such as in a simulated cluster, nobody says it. The
// pods of a node that does not say that it is ready do not: they are out of reach, and
// their own condition may be older than that. node may be nil, which is not known.
func Serves(pod *corev1.Pod, node *corev1.Node) bool {
	if node != nil {
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
				return false
			}
		}
	}
	if ready := ReadyCondition(pod); ready != nil {
		return ready.Status == corev1.ConditionTrue
	}
	return pod.Status.Phase != corev1.PodUnknown
}

// WillServe reports whether a pod that is a peer answers calls, or will soon: a pod that is
// not ready usually becomes so long before it moves. One of unknown phase, whose node does
// not answer, and one that waits after a crash or for an image that cannot be had, may
// never serve.
func WillServe(pod *corev1.Pod) bool {
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
