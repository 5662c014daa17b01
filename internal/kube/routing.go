package kube

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// RoutingOf returns how calls to a Service are divided over its endpoints, as
// far as its trafficDistribution (KEP-3015) and internalTrafficPolicy say: with
// Local, calls never leave the node. A preference for the zone is the same rule
// at the level of zones.
func RoutingOf(service *corev1.Service) affinity.Routing {
	spec := &service.Spec
	if spec.InternalTrafficPolicy != nil && *spec.InternalTrafficPolicy == corev1.ServiceInternalTrafficPolicyLocal {
		return affinity.SameNode
	}
	if d := spec.TrafficDistribution; d != nil && *d == corev1.ServiceTrafficDistributionPreferSameNode {
		return affinity.SameNode
	}
	return affinity.Uniform
}

// services finds the Services that select a pod by one of its labels.
type services map[labelKey][]*corev1.Service

type labelKey struct{ namespace, key, value string }

// newServices leaves out those whose calls no proxy divides: headless ones, and
// names of something outside.
func newServices(all []*corev1.Service) services {
	by := services{}
	for _, s := range all {
		if len(s.Spec.Selector) == 0 || s.Spec.ClusterIP == corev1.ClusterIPNone || s.Spec.Type == corev1.ServiceTypeExternalName {
			continue
		}
		// Any one label of the selector will do.
		first := slices.Min(slices.Collect(maps.Keys(s.Spec.Selector)))
		key := labelKey{s.Namespace, first, s.Spec.Selector[first]}
		by[key] = append(by[key], s)
	}
	return by
}

// of returns the Services that select a pod, in the order of their names.
func (by services) of(pod *corev1.Pod) []*corev1.Service {
	var found []*corev1.Service
	for key, value := range pod.Labels {
		for _, s := range by[labelKey{pod.Namespace, key, value}] {
			if matches(s.Spec.Selector, pod.Labels) {
				found = append(found, s)
			}
		}
	}
	slices.SortFunc(found, func(a, b *corev1.Service) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// routing returns how calls to a workload are divided. Of Services that differ
// the telemetry does not say which one was called: then the routing is taken
// that keeps less.
func (t *translation) routing(id flowgraph.WorkloadID, template *corev1.Pod) affinity.Routing {
	var uniform, sameNode bool
	for _, s := range t.services.of(template) {
		if RoutingOf(s) == affinity.SameNode {
			sameNode = true
		} else {
			uniform = true
		}
	}
	if uniform && sameNode {
		t.notes.add("the Services of a workload differ in their trafficDistribution; Uniform is assumed", id.String())
	}
	if sameNode && !uniform {
		return affinity.SameNode
	}
	return affinity.Uniform
}

// matches reports whether labels have all of a selector's.
func matches(selector, labels map[string]string) bool {
	for key, value := range selector {
		if has, ok := labels[key]; !ok || has != value {
			return false
		}
	}
	return true
}
