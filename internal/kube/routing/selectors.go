package routing

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// servicesByLabel is the index of Services by one label of their selector.
const servicesByLabel = "vicinity.dev/selected-label"

// serviceIndexers is the index by which the Services of a pod are found.
func serviceIndexers() cache.Indexers {
	return cache.Indexers{servicesByLabel: func(object any) ([]string, error) {
		if s, ok := object.(*corev1.Service); ok {
			if key, ok := selecting(s); ok {
				return []string{key.String()}, nil
			}
		}
		return nil, nil
	}}
}

type labelKey struct{ namespace, key, value string }

func (k labelKey) String() string { return k.namespace + "/" + k.key + "=" + k.value }

// selecting returns a label of the pods that a Service selects: any one label of
// the selector will do. ok is false for Services whose calls no proxy divides:
// headless ones, and names of something outside.
func selecting(s *corev1.Service) (key labelKey, ok bool) {
	if len(s.Spec.Selector) == 0 || s.Spec.ClusterIP == corev1.ClusterIPNone || s.Spec.Type == corev1.ServiceTypeExternalName {
		return labelKey{}, false
	}
	first := slices.Min(slices.Collect(maps.Keys(s.Spec.Selector)))
	return labelKey{s.Namespace, first, s.Spec.Selector[first]}, true
}

// selectedBy returns the Services that select a pod, in the order of their names.
func selectedBy(services cache.Indexer, pod *corev1.Pod) []*corev1.Service {
	var found []*corev1.Service
	for key, value := range pod.Labels {
		// The only error is that of an index that does not exist.
		objects, _ := services.ByIndex(servicesByLabel, labelKey{pod.Namespace, key, value}.String())
		for _, object := range objects {
			if s, ok := object.(*corev1.Service); ok && matches(s.Spec.Selector, pod.Labels) {
				found = append(found, s)
			}
		}
	}
	slices.SortFunc(found, func(a, b *corev1.Service) int { return cmp.Compare(a.Name, b.Name) })
	return found
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
