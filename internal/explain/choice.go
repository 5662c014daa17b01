package explain

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// annotations says what the objects say of traffic locality that decide it for the pod, the nearest
// first, and which of them mean nothing.
func (x *explainer) annotations() {
	pod := x.Subject.Pod
	said := x.annotation("the pod", pod)
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		for _, controller := range x.controllers(owner.Kind) {
			if controller.GetNamespace() == pod.Namespace && controller.GetName() == owner.Name && kube.OwnedBy(owner, controller) && !said {
				said = x.annotation(owner.Kind+" "+owner.Name, controller)
			}
		}
	}
	for _, namespace := range objects.Of[*corev1.Namespace](x.Objects) {
		if namespace.Name == pod.Namespace && !said {
			said = x.annotation("namespace "+namespace.Name, namespace)
		}
	}
	for _, other := range objects.Of[*corev1.Pod](x.Objects) {
		if x.Subject.Node == "" && other.Namespace == pod.Namespace && other.Name == pod.Name && other.Spec.NodeName != "" {
			x.note(fmt.Sprintf("a pod of this name runs on %s: the one that is explained takes its place", other.Spec.NodeName))
		}
	}
}

// controllers returns the objects of a kind whose annotations count.
func (x *explainer) controllers(kind string) (all []metav1.Object) {
	switch kind {
	case "ReplicaSet":
		for _, rs := range objects.Of[*appsv1.ReplicaSet](x.Objects) {
			all = append(all, rs)
		}
	case "StatefulSet":
		for _, set := range objects.Of[*appsv1.StatefulSet](x.Objects) {
			all = append(all, set)
		}
	}
	return all
}

// annotation notes what an object says, and reports whether that counts.
func (x *explainer) annotation(what string, object metav1.Object) bool {
	value, says := object.GetAnnotations()[kube.LocalityAnnotation]
	counts := kube.ChoiceOf(object.GetAnnotations()) != kube.Unsaid
	switch {
	case counts:
		x.note(fmt.Sprintf("%s has the annotation %s: %q", what, kube.LocalityAnnotation, value))
	case says:
		x.note(fmt.Sprintf("%s has the annotation %s: %q, which is ignored: it must be \"on\" or \"off\"", what, kube.LocalityAnnotation, value))
	}
	return counts
}
