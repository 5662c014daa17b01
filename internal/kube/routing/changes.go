package routing

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// changes counts what changes the routing of workloads, as far as the events of informers
// say it.
type changes struct {
	mu          sync.Mutex
	byNamespace map[string]*atomic.Uint64 // of callees

	followed []cache.ResourceEventHandlerRegistration
}

// Version tells whether the routing of a namespace's workloads may have changed. The zero
// Version never changes.
type Version struct {
	own   *atomic.Uint64
	rules *DestinationRules
}

// Count returns another number than before when the routing of a workload may have changed
// since. To remember a routing, ask before it is read.
func (v Version) Count() uint64 {
	if v.own == nil {
		return 0
	}
	return v.own.Load() + v.rules.changed()
}

// Version returns that of a namespace.
func (r Routes) Version(namespace string) Version {
	return Version{r.changes.of(namespace), r.rules}
}

// Followed reports whether changes are counted by now: once the informers run and have told
// of all that they listed. Objects that are put into informers that do not run are not.
func (r Routes) Followed() bool {
	for _, f := range r.changes.followed {
		if !f.HasSynced() {
			return false
		}
	}
	return true
}

func (c *changes) of(namespace string) *atomic.Uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.byNamespace[namespace]
	if n == nil {
		n = &atomic.Uint64{}
		c.byNamespace[namespace] = n
	}
	return n
}

// follow counts the events of Services and Namespaces that matter.
func (c *changes) follow(core coreinformers.Interface) error {
	services, err := core.Services().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    c.serviceChanged,
		UpdateFunc: func(was, is any) { c.serviceUpdated(was, is) },
		DeleteFunc: c.serviceChanged,
	})
	if err != nil {
		return fmt.Errorf("following Services: %w", err)
	}
	namespaces, err := core.Namespaces().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    c.namespaceChanged,
		UpdateFunc: func(was, is any) { c.namespaceUpdated(was, is) },
		DeleteFunc: c.namespaceChanged,
	})
	if err != nil {
		return fmt.Errorf("following Namespaces: %w", err)
	}
	c.followed = append(c.followed, services, namespaces)
	return nil
}

func (c *changes) serviceChanged(object any) {
	if s, ok := untombed(object).(*corev1.Service); ok {
		c.of(s.Namespace).Add(1)
	}
}

// serviceUpdated does so unless nothing but the status has changed.
func (c *changes) serviceUpdated(was, is any) {
	a, known := was.(*corev1.Service)
	if b, ok := is.(*corev1.Service); ok && known && maps.Equal(a.Annotations, b.Annotations) && equality.Semantic.DeepEqual(a.Spec, b.Spec) {
		return
	}
	c.serviceChanged(is)
}

func (c *changes) namespaceChanged(object any) {
	if n, ok := untombed(object).(*corev1.Namespace); ok {
		c.of(n.Name).Add(1)
	}
}

func (c *changes) namespaceUpdated(was, is any) {
	a, known := was.(*corev1.Namespace)
	if b, ok := is.(*corev1.Namespace); ok && known && maps.Equal(a.Annotations, b.Annotations) {
		return
	}
	c.namespaceChanged(is)
}

// untombed returns the object that an event is about: of one that was missed, the last
// known state.
func untombed(object any) any {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		return tombstone.Obj
	}
	return object
}
