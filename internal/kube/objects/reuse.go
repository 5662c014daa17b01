package objects

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Sharing keeps in memory once what equal objects of one owner have in common.
type Sharing struct {
	// earlier has the first object of each owner, for the kinds that reuse parts.
	earlier map[ownerKey]runtime.Object
}

type ownerKey struct{ kind, namespace, owner string }

// NewSharing returns a Sharing that has seen no object.
func NewSharing() *Sharing { return &Sharing{earlier: map[ownerKey]runtime.Object{}} }

// Share lets an object of the kind have what is equal in the first object of its owner. Nobody
// may write to either from then on.
func (s *Sharing) Share(k *Kind, object runtime.Object) {
	about, ok := object.(metav1.Object)
	if k.reuse == nil || !ok {
		return
	}
	owner := metav1.GetControllerOfNoCopy(about)
	if owner == nil {
		return
	}
	key := ownerKey{owner.Kind, about.GetNamespace(), owner.Name}
	if earlier, known := s.earlier[key]; known {
		k.reuse(object, earlier)
	} else {
		s.earlier[key] = object
	}
}

// reusePod lets a pod have what is equal in an earlier one, most often all of it: in a
// large cluster that is more than half of what pods take. Nobody writes to objects that
// have been read.
func reusePod(pod, earlier *corev1.Pod) {
	reuseIfEqual(&pod.Labels, earlier.Labels)
	reuseIfEqual(&pod.Annotations, earlier.Annotations)
	reuseIfEqual(&pod.OwnerReferences, earlier.OwnerReferences)
	a, b := &pod.Spec, &earlier.Spec
	reuseIfEqual(&a.Containers, b.Containers)
	reuseIfEqual(&a.InitContainers, b.InitContainers)
	reuseIfEqual(&a.Affinity, b.Affinity)
	reuseIfEqual(&a.Tolerations, b.Tolerations)
	reuseIfEqual(&a.TopologySpreadConstraints, b.TopologySpreadConstraints)
}

func reuseIfEqual[T any](mine *T, earlier T) {
	if reflect.DeepEqual(*mine, earlier) {
		*mine = earlier
	}
}
