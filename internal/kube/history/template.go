package history

import (
	"cmp"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// byName compares pods of a workload, shorter names first (db-2 before db-10).
func byName(a, b *corev1.Pod) int {
	return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
}

// byAge compares pods of a workload, the oldest first, and those that are as old by name.
// The last one is the pod that others are made like.
func byAge(a, b *tracked) int {
	return cmp.Or(a.object.CreationTimestamp.Compare(b.object.CreationTimestamp.Time), byName(a.object, b.object))
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

// requestsOf returns what kube-scheduler counts for a new pod: the largest need
// of init containers and sidecars, the pod's own resources and the overhead of
// its runtime class are part of it.
func requestsOf(template *corev1.Pod) (cluster.Resources, error) {
	return kube.ResourcesOf(resourcehelper.PodRequests(template, resourcehelper.PodResourcesOptions{}))
}

// isFixed reports whether a replay leaves a workload's pods where they are: those of
// DaemonSets and static pods belong to their nodes, and a pod without a controller that is
// gone is not made again anywhere.
func isFixed(pod *corev1.Pod) bool {
	return isStatic(pod) || isBare(pod) || metav1.GetControllerOfNoCopy(pod).Kind == "DaemonSet"
}

// isBare reports whether nothing makes a pod anew when it is gone.
func isBare(pod *corev1.Pod) bool {
	return metav1.GetControllerOfNoCopy(pod) == nil && !isStatic(pod)
}

// isStatic reports whether a pod stands for one that a kubelet runs from a file.
func isStatic(pod *corev1.Pod) bool {
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return true
	}
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && owner.Kind == "Node"
}
