package kube

import corev1 "k8s.io/api/core/v1"

// RoutingAnnotations returns the annotations of Services and Namespaces that decide how
// calls are divided.
func RoutingAnnotations() []string { return []string{TrafficDistributionAnnotation, rulesOfService} }

// Differ reports whether the Services of a pod's workload differ in how calls to them are
// divided.
func (r Routes) Differ(pod *corev1.Pod) bool {
	_, differ := r.leastLocal(r.servicesOf(pod))
	return differ
}
