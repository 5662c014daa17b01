package history

import (
	"encoding/json"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// templateOf returns a pod from which others like a workload's pods can be made,
// and how many kinds of pods the workload has: during a rollout there are two.
// The most frequent kind is taken, of equally frequent ones the kind with the
// newest pod.
func templateOf(id flowgraph.WorkloadID, pods []*corev1.Pod) (template *corev1.Pod, variants int) {
	if len(pods) == 1 {
		return asTemplate(id, pods[0]), 1
	}
	type variant struct {
		template *corev1.Pod
		count    int
		newest   metav1.Time
	}
	bySpec := map[string]int{}
	var all []variant // in the order of the pods
	for _, pod := range pods {
		stripped := asTemplate(id, pod)
		// The spec of what was read from a file can always be written.
		spec, _ := json.Marshal(&stripped.Spec)
		i, known := bySpec[string(spec)]
		if !known {
			i = len(all)
			bySpec[string(spec)] = i
			all = append(all, variant{template: stripped})
		}
		all[i].count++
		if all[i].newest.Before(&pod.CreationTimestamp) {
			all[i].newest = pod.CreationTimestamp
		}
	}
	best := 0
	for i, v := range all {
		if v.count > all[best].count || v.count == all[best].count && all[best].newest.Before(&v.newest) {
			best = i
		}
	}
	return all[best].template, len(all)
}

// asTemplate returns a copy of a pod without what is its own, and without what a
// replay ignores.
func asTemplate(id flowgraph.WorkloadID, pod *corev1.Pod) *corev1.Pod {
	t := pod.DeepCopy()
	t.ObjectMeta = metav1.ObjectMeta{
		Namespace: id.Namespace, Name: id.Name, GenerateName: id.Name + "-",
		Labels: t.Labels, Annotations: t.Annotations, OwnerReferences: t.OwnerReferences,
	}
	t.OwnerReferences = []metav1.OwnerReference{ownerFor(id, t)}
	for _, own := range [...]string{appsv1.StatefulSetPodNameLabel, appsv1.PodIndexLabel, batchv1.JobCompletionIndexAnnotation} {
		delete(t.Labels, own)
		delete(t.Annotations, own)
	}
	spec := &t.Spec
	spec.NodeName, spec.Hostname, spec.Subdomain, spec.HostnameOverride = "", "", "", nil
	spec.Volumes, spec.ResourceClaims, spec.SchedulingGroup, spec.SchedulingGates = nil, nil, nil, nil
	for _, containers := range [...][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			containers[i].Resources.Claims = nil
		}
	}
	if spec.Resources != nil {
		spec.Resources.Claims = nil
	}
	unpin(spec)
	t.Status = corev1.PodStatus{Phase: corev1.PodPending}
	return t
}

// ownerFor returns the owner by which WorkloadOf finds the workload from any
// pod that is made of the template. A pod that is its own workload would
// otherwise be another one under another name.
func ownerFor(id flowgraph.WorkloadID, template *corev1.Pod) metav1.OwnerReference {
	another := *template
	another.Name += "-0"
	if owner := metav1.GetControllerOf(template); owner != nil && kube.WorkloadOf(&another) == id && !isStatic(template) {
		return *owner
	}
	return metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: id.Name, Controller: new(true)}
}

// unpin takes away what the DaemonSet controller adds to hold a pod to its node.
func unpin(spec *corev1.PodSpec) {
	if spec.Affinity == nil || spec.Affinity.NodeAffinity == nil {
		return
	}
	required := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		return
	}
	for i := range required.NodeSelectorTerms {
		term := &required.NodeSelectorTerms[i]
		term.MatchFields = slices.DeleteFunc(term.MatchFields, func(r corev1.NodeSelectorRequirement) bool {
			return r.Key == metav1.ObjectNameField
		})
	}
}

// excluded lists what the scheduler would mind about a pod and a replay does
// not. There is nothing else.
func excluded(pod *corev1.Pod) []string {
	var what []string
	spec := &pod.Spec
	if slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return objects.BindsToNode(&v) }) {
		what = append(what, "the volumes of a pod")
	}
	if len(spec.ResourceClaims) > 0 {
		what = append(what, "the resource claims of a pod")
	}
	if spec.SchedulingGroup != nil {
		what = append(what, "the pod group of a pod")
	}
	if len(spec.SchedulingGates) > 0 {
		what = append(what, "the scheduling gates of a pod")
	}
	return what
}
