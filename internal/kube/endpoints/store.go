package endpoints

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

// Store is a Resolver with objects of its own, for those that have no informers: objects
// of a file, or as a recorder sees them. It is safe for concurrent use.
type Store struct {
	Resolver

	informers informers.SharedInformerFactory // never started
}

// NewStore returns a Store without objects.
func NewStore() *Store {
	s := &Store{informers: informers.NewSharedInformerFactory(nil, 0)}
	s.ReadFrom(s.informers)
	return s
}

// LooksUp reports whether objects of a kind are looked up.
func (s *Store) LooksUp(kind string) bool {
	switch kind {
	case "Pod", "Service", "Node", "ReplicaSet":
		return true
	}
	return false
}

// Put applies a change of an object. Objects of kinds that are not looked up are ignored.
func (s *Store) Put(c kube.ObjectChange) error {
	core, apps := s.informers.Core().V1(), s.informers.Apps().V1()
	var informer cache.SharedIndexInformer
	switch c.Object.(type) {
	case *corev1.Pod:
		informer = core.Pods().Informer()
	case *corev1.Service:
		informer = core.Services().Informer()
	case *corev1.Node:
		informer = core.Nodes().Informer()
	case *appsv1.ReplicaSet:
		informer = apps.ReplicaSets().Informer()
	default:
		return nil
	}
	return c.Into(informer.GetIndexer())
}
