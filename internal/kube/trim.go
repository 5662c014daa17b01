package kube

import (
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Trim takes from an object what no scheduler plugin and no part of Vicinity reads, so that
// an informer holds less: of any object managedFields and the annotation in which kubectl
// notes the object as it was applied; of the containers of pods, ReplicaSets and StatefulSets
// what they run, their environment, their probes and lifecycle; of ReplicaSets that want no
// pods, of which each Deployment keeps ten, the template's spec. It is a cache.TransformFunc
// and changes the object, which nobody else holds yet. What an extender is sent is short of
// the same: a scheduler with extenders must keep all.
func Trim(object any) (any, error) {
	about, err := meta.Accessor(object)
	if err != nil {
		return object, nil //nolint:nilerr // a tombstone, which is as it is
	}
	about.SetManagedFields(nil)
	if annotations := about.GetAnnotations(); annotations[corev1.LastAppliedConfigAnnotation] != "" {
		delete(annotations, corev1.LastAppliedConfigAnnotation)
		about.SetAnnotations(annotations)
	}
	switch o := object.(type) {
	case *corev1.Pod:
		trimSpec(&o.Spec)
		shareAmounts(o)
	case *appsv1.ReplicaSet:
		if orOne(o.Spec.Replicas) <= 0 {
			o.Spec.Template.Spec = corev1.PodSpec{} // when it wants some again, all of it comes anew
		}
		trimSpec(&o.Spec.Template.Spec)
	case *appsv1.StatefulSet:
		trimSpec(&o.Spec.Template.Spec)
		o.Spec.VolumeClaimTemplates = nil
	}
	return object, nil
}

// shareAmounts has the status of a container, as long as nothing has resized it, hold the
// amounts of the spec instead of equal ones, which take kilobytes. Who changes an object that an informer holds, copies it before.
func shareAmounts(pod *corev1.Pod) {
	spec := map[string]*corev1.ResourceRequirements{}
	for _, containers := range [...][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			spec[containers[i].Name] = &containers[i].Resources
		}
	}
	for _, statuses := range [...][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range statuses {
			status := &statuses[i]
			of := spec[status.Name]
			if of == nil {
				continue
			}
			share(&status.AllocatedResources, of.Requests)
			if status.Resources != nil {
				share(&status.Resources.Requests, of.Requests)
				share(&status.Resources.Limits, of.Limits)
			}
		}
	}
}

func share(list *corev1.ResourceList, other corev1.ResourceList) {
	if *list != nil && other != nil && maps.EqualFunc(*list, other, func(a, b resource.Quantity) bool { return a.Format == b.Format && a.Cmp(b) == 0 }) {
		*list = other
	}
}

func trimSpec(spec *corev1.PodSpec) {
	spec.Volumes = slices.Clone(spec.Volumes) // without the room in which the decoder lets slices grow
	for _, containers := range [...][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			trimContainer(&containers[i])
		}
	}
}

func trimContainer(c *corev1.Container) {
	c.Command, c.Args, c.WorkingDir = nil, nil, ""
	c.Env, c.EnvFrom = nil, nil
	c.LivenessProbe, c.ReadinessProbe, c.StartupProbe, c.Lifecycle = nil, nil, nil, nil
	c.TerminationMessagePath, c.TerminationMessagePolicy = "", ""
}
