package kube

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
)

// LocalityAnnotation says whether traffic has a say in where pods are placed. It stands on a
// pod, on the controller of a workload, or on a namespace; the nearest counts.
const LocalityAnnotation = "vicinity.dev/locality"

// Choice is what a LocalityAnnotation says.
type Choice int8

const (
	// Unsaid is that of an object without the annotation, or with another value.
	Unsaid Choice = iota
	// On is that of the value "on".
	On
	// Off is that of the value "off".
	Off
)

// String returns the choice as the annotation has it, "" for Unsaid.
func (c Choice) String() string { return [...]string{"", "on", "off"}[c] }

// Or returns the choice, or another one where it is Unsaid.
func (c Choice) Or(other Choice) Choice {
	if c == Unsaid {
		return other
	}
	return c
}

// ChoiceOf returns what annotations say.
func ChoiceOf(annotations map[string]string) Choice {
	switch annotations[LocalityAnnotation] {
	case "on":
		return On
	case "off":
		return Off
	}
	return Unsaid
}

// Choices finds what counts for a pod, in listers that kube-scheduler runs for itself.
type Choices struct {
	Namespaces   corelisters.NamespaceLister
	ReplicaSets  appslisters.ReplicaSetLister
	StatefulSets appslisters.StatefulSetLister
}

// Of returns what counts for a pod: what itself says, or else its controller, or else its
// namespace. A Deployment's annotations are on its ReplicaSets too; other controllers than
// ReplicaSets and StatefulSets are not looked at.
func (c Choices) Of(pod *corev1.Pod) Choice {
	if choice := ChoiceOf(pod.Annotations); choice != Unsaid {
		return choice
	}
	if controller := c.controllerOf(pod); controller != nil {
		if choice := ChoiceOf(controller.GetAnnotations()); choice != Unsaid {
			return choice
		}
	}
	if namespace, err := c.Namespaces.Get(pod.Namespace); err == nil {
		return ChoiceOf(namespace.Annotations)
	}
	return Unsaid
}

// controllerOf returns the ReplicaSet or StatefulSet of a pod, nil for another one.
func (c Choices) controllerOf(pod *corev1.Pod) metav1.Object {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return nil
	}
	switch owner.Kind {
	case "ReplicaSet":
		if rs, err := c.ReplicaSets.ReplicaSets(pod.Namespace).Get(owner.Name); err == nil && OwnedBy(owner, rs) {
			return rs
		}
	case "StatefulSet":
		if set, err := c.StatefulSets.StatefulSets(pod.Namespace).Get(owner.Name); err == nil && OwnedBy(owner, set) {
			return set
		}
	}
	return nil
}
