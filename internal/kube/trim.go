package kube

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
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

func trimSpec(spec *corev1.PodSpec) {
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
