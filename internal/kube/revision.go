package kube

import (
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// RevisionOf returns the ReplicaSet that a pod of a Deployment or an Argo Rollout is
// of: a rollout ends the pods of all others. It is "" where all pods of the workload
// are alike in this, also where a label names the workload, which may have several
// controllers then.
func RevisionOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil || owner.Kind != "ReplicaSet" || pod.Labels[WorkloadNameLabel] != "" {
		return ""
	}
	return owner.Name
}

// nextRevision is appended to a pod template's hash.
const nextRevision = "-next"

// nextUID is unknown as the former UID is.
func nextUID(uid types.UID) types.UID {
	if uid == "" {
		return ""
	}
	return uid + nextRevision
}

// NextPod returns a pod as a workload has it after its next rollout: of the ReplicaSet
// that NextReplicaSet returns. A pod that is not of a Deployment or an Argo Rollout is
// returned as it is: what ends it makes it anew under the same controller.
func NextPod(pod *corev1.Pod) *corev1.Pod {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil || owner.Kind != "ReplicaSet" {
		return pod
	}
	label, ok := hashLabel(owner.Name, pod.Labels)
	if !ok {
		return pod
	}
	next := pod.DeepCopy()
	hash := pod.Labels[label]
	next.Labels[label] += nextRevision
	for i := range next.OwnerReferences {
		if o := &next.OwnerReferences[i]; o.UID == owner.UID && o.Name == owner.Name {
			o.Name, o.UID = o.Name+nextRevision, nextUID(o.UID)
		}
	}
	for _, selector := range selectorsOf(&next.Spec) {
		renew(selector, label, hash)
	}
	return next
}

// NextReplicaSet returns the ReplicaSet that the next rollout of a Deployment or of an
// Argo Rollout makes, wanting as many pods as this one; nil for any other.
func NextReplicaSet(rs *appsv1.ReplicaSet) *appsv1.ReplicaSet {
	if rs.Spec.Selector == nil {
		return nil
	}
	label, ok := hashLabel(rs.Name, rs.Spec.Selector.MatchLabels)
	if !ok {
		return nil
	}
	next := rs.DeepCopy()
	next.Name, next.UID = rs.Name+nextRevision, nextUID(rs.UID)
	next.CreationTimestamp = metav1.NewTime(rs.CreationTimestamp.Add(time.Second))
	if template := &next.Spec.Template; template.Labels[label] != "" {
		template.Labels[label] += nextRevision
	}
	hash := rs.Spec.Selector.MatchLabels[label]
	for _, selector := range append(selectorsOf(&next.Spec.Template.Spec), next.Spec.Selector) {
		renew(selector, label, hash)
	}
	return next
}

// selectorsOf returns the selectors of pods in a pod's constraints: from its
// matchLabelKeys the API server has put the hash into them.
func selectorsOf(spec *corev1.PodSpec) []*metav1.LabelSelector {
	var all []*metav1.LabelSelector
	for i := range spec.TopologySpreadConstraints {
		all = append(all, spec.TopologySpreadConstraints[i].LabelSelector)
	}
	for _, term := range PodAffinityTerms(spec.Affinity) {
		all = append(all, term.LabelSelector)
	}
	return all
}

// PodAffinityTerms returns the terms of affinity and anti-affinity with other pods, which
// a caller may write to; none for nil.
func PodAffinityTerms(all *corev1.Affinity) []*corev1.PodAffinityTerm {
	if all == nil {
		return nil
	}
	var terms []*corev1.PodAffinityTerm
	add := func(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
		for i := range required {
			terms = append(terms, &required[i])
		}
		for i := range preferred {
			terms = append(terms, &preferred[i].PodAffinityTerm)
		}
	}
	if p := all.PodAffinity; p != nil {
		add(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if p := all.PodAntiAffinity; p != nil {
		add(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	return terms
}

// renew puts the next hash in the place of a pod template's hash.
func renew(selector *metav1.LabelSelector, label, hash string) {
	if selector == nil {
		return
	}
	if selector.MatchLabels[label] == hash {
		selector.MatchLabels[label] += nextRevision
	}
	for i := range selector.MatchExpressions {
		e := &selector.MatchExpressions[i]
		for k := range e.Values {
			if e.Key == label && e.Values[k] == hash {
				e.Values[k] += nextRevision
			}
		}
	}
}

// hashLabel returns the label with the pod template's hash that a ReplicaSet's name
// ends with, the first of those that may have it.
func hashLabel(replicaSet string, labels map[string]string) (label string, ok bool) {
	for _, label := range [...]string{appsv1.DefaultDeploymentUniqueLabelKey, RolloutHashLabel} {
		if hash := labels[label]; hash != "" && strings.HasSuffix(replicaSet, hash) {
			return label, true
		}
	}
	return "", false
}
