package kube

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object returns a renamed copy of what Recorded has returned.
func (a *Anonymizer) Object(object runtime.Object) (runtime.Object, error) {
	object = object.DeepCopyObject()
	switch o := object.(type) {
	case *corev1.Node:
		a.nodeObject(o)
	case *corev1.Namespace:
		a.meta(&o.ObjectMeta, a.namespace(o.Name))
	case *schedulingv1.PriorityClass:
		a.meta(&o.ObjectMeta, a.class(o.Name))
	case *corev1.Pod:
		a.pod(o)
	case *corev1.Service:
		a.meta(&o.ObjectMeta, a.name(o.Name))
		o.Spec.Selector = a.labels(o.Spec.Selector)
	case *corev1.ReplicationController:
		a.meta(&o.ObjectMeta, a.name(o.Name))
		o.Spec.Selector = a.labels(o.Spec.Selector)
	case *appsv1.ReplicaSet:
		labels := o.Labels
		if o.Spec.Selector != nil { // which has the hash whatever people do to labels
			labels = o.Spec.Selector.MatchLabels
		}
		a.meta(&o.ObjectMeta, a.controllerName("ReplicaSet", o.Name, labels))
		a.selector(o.Spec.Selector)
	case *appsv1.StatefulSet:
		a.meta(&o.ObjectMeta, a.name(o.Name))
		a.selector(o.Spec.Selector)
	case *appsv1.Deployment:
		a.meta(&o.ObjectMeta, a.name(o.Name))
		a.selector(o.Spec.Selector)
	case *appsv1.DaemonSet:
		a.meta(&o.ObjectMeta, a.name(o.Name))
		a.selector(o.Spec.Selector)
	case *policyv1.PodDisruptionBudget:
		a.meta(&o.ObjectMeta, a.name(o.Name))
		a.selector(o.Spec.Selector)
	case *unstructured.Unstructured:
		return a.destinationRule(o), nil
	default:
		return nil, fmt.Errorf("cannot rename a %T", object)
	}
	return object, nil
}

// meta renames all but the name, which it is given.
func (a *Anonymizer) meta(m *metav1.ObjectMeta, name string) {
	a.owners(m)
	m.Namespace, m.Name, m.Labels = a.namespace(m.Namespace), name, a.labels(m.Labels)
	if m.GenerateName != "" {
		m.GenerateName = name + "-"
	}
	if _, mirror := m.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		m.Annotations[corev1.MirrorPodAnnotationKey] = "anonymized"
	}
}

func (a *Anonymizer) nodeObject(n *corev1.Node) {
	a.meta(&n.ObjectMeta, a.node(n.Name))
	for i := range n.Spec.Taints {
		t := &n.Spec.Taints[i]
		t.Key, t.Value = a.labelKey(t.Key), a.labelValue(t.Key, t.Value)
	}
	n.Status.Allocatable = a.resources(n.Status.Allocatable)
}

func (a *Anonymizer) pod(pod *corev1.Pod) {
	controller := a.name(controllerOf(pod))
	a.meta(&pod.ObjectMeta, a.podName(pod))
	if pod.GenerateName != "" {
		pod.GenerateName = controller + "-"
	}
	spec := &pod.Spec
	spec.NodeName, spec.SchedulerName = a.node(spec.NodeName), a.scheduler(spec.SchedulerName)
	spec.PriorityClassName, spec.NodeSelector = a.class(spec.PriorityClassName), a.labels(spec.NodeSelector)
	spec.Overhead = a.resources(spec.Overhead)
	a.requirements(spec.Resources)
	for _, containers := range [...][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			containers[i].Name = fmt.Sprintf("c%d", i)
			a.requirements(&containers[i].Resources)
			for j := range containers[i].Ports {
				containers[i].Ports[j].HostIP = ""
			}
		}
	}
	for i := range spec.Tolerations {
		t := &spec.Tolerations[i]
		if t.Key != "" {
			t.Key, t.Value = a.labelKey(t.Key), a.labelValue(t.Key, t.Value)
		}
	}
	for i := range spec.TopologySpreadConstraints {
		c := &spec.TopologySpreadConstraints[i]
		c.TopologyKey = a.labelKey(c.TopologyKey)
		a.selector(c.LabelSelector)
		a.keys(c.MatchLabelKeys)
	}
	a.affinity(spec.Affinity)
	a.attached(spec)
}

// attached renames what a replay only counts.
func (a *Anonymizer) attached(spec *corev1.PodSpec) {
	for i := range spec.Volumes {
		v := &spec.Volumes[i]
		v.Name = fmt.Sprintf("v%d", i)
		switch {
		case v.PersistentVolumeClaim != nil:
			v.PersistentVolumeClaim.ClaimName = a.name(v.PersistentVolumeClaim.ClaimName)
		case v.CSI != nil:
			v.CSI.Driver = a.hash("csi", v.CSI.Driver)
		}
	}
	for i := range spec.ResourceClaims {
		spec.ResourceClaims[i].Name = a.name(spec.ResourceClaims[i].Name)
	}
	for i := range spec.SchedulingGates {
		spec.SchedulingGates[i].Name = a.labelKey(spec.SchedulingGates[i].Name)
	}
	if group := spec.SchedulingGroup; group != nil && group.PodGroupName != nil {
		group.PodGroupName = new(a.name(*group.PodGroupName))
	}
}

func (a *Anonymizer) requirements(r *corev1.ResourceRequirements) {
	if r != nil {
		r.Requests, r.Limits = a.resources(r.Requests), a.resources(r.Limits)
	}
}

func (a *Anonymizer) keys(keys []string) {
	for i := range keys {
		keys[i] = a.labelKey(keys[i])
	}
}

func (a *Anonymizer) affinity(all *corev1.Affinity) {
	if all == nil {
		return
	}
	if n := all.NodeAffinity; n != nil {
		if required := n.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
			for i := range required.NodeSelectorTerms {
				a.nodeTerm(&required.NodeSelectorTerms[i])
			}
		}
		for i := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			a.nodeTerm(&n.PreferredDuringSchedulingIgnoredDuringExecution[i].Preference)
		}
	}
	for _, term := range podTerms(all) {
		term.TopologyKey = a.labelKey(term.TopologyKey)
		a.selector(term.LabelSelector)
		a.selector(term.NamespaceSelector)
		a.keys(term.MatchLabelKeys)
		a.keys(term.MismatchLabelKeys)
		for i := range term.Namespaces {
			term.Namespaces[i] = a.namespace(term.Namespaces[i])
		}
	}
}

func (a *Anonymizer) nodeTerm(term *corev1.NodeSelectorTerm) {
	for i := range term.MatchExpressions {
		e := &term.MatchExpressions[i]
		for j := range e.Values {
			e.Values[j] = a.labelValue(e.Key, e.Values[j])
		}
		e.Key = a.labelKey(e.Key)
	}
	for i := range term.MatchFields {
		// There is no other field than metadata.name.
		values := slices.Clone(term.MatchFields[i].Values)
		for j := range values {
			values[j] = a.node(values[j])
		}
		term.MatchFields[i].Values = values
	}
}
