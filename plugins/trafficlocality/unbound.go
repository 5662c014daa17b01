package trafficlocality

import (
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// unbound remembers what was found for pods until they are bound: for so many at most, of
// which the oldest are forgotten first, as some are never bound. It is not safe for concurrent
// use.
type unbound[T any] struct {
	most  int
	found map[types.UID]T
	order []types.UID // the oldest first
}

func (u *unbound[T]) has(pod types.UID) bool {
	_, ok := u.found[pod]
	return ok
}

func (u *unbound[T]) put(pod types.UID, found T) {
	if u.found == nil {
		u.found = map[types.UID]T{}
	}
	if !u.has(pod) {
		u.order = append(u.order, pod)
	}
	u.found[pod] = found
	if len(u.order) > u.most {
		delete(u.found, u.order[0])
		u.order = u.order[1:]
	}
}

// take returns what was found for a pod, and forgets it.
func (u *unbound[T]) take(pod types.UID) (found T, ok bool) {
	if found, ok = u.found[pod]; ok {
		delete(u.found, pod)
		u.order = slices.DeleteFunc(u.order, func(id types.UID) bool { return id == pod })
	}
	return found, ok
}

// whenBound tells of each pod of an informer that is bound from now on.
func whenBound(pods cache.SharedIndexInformer, tell func(*v1.Pod)) error {
	_, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: func(old, is any) {
		was, wasPod := old.(*v1.Pod)
		pod, isPod := is.(*v1.Pod)
		if wasPod && isPod && was.Spec.NodeName == "" && pod.Spec.NodeName != "" {
			tell(pod)
		}
	}})
	return err
}
