package endpoints

import (
	"fmt"
	"reflect"

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

	indexers map[string]cache.Indexer // by kind
}

// NewStore returns a Store without objects.
func NewStore() *Store {
	f := informers.NewSharedInformerFactory(nil, 0) // never started
	s := &Store{indexers: map[string]cache.Indexer{
		kindOf(&corev1.Pod{}):        f.Core().V1().Pods().Informer().GetIndexer(),
		kindOf(&corev1.Service{}):    f.Core().V1().Services().Informer().GetIndexer(),
		kindOf(&corev1.Node{}):       f.Core().V1().Nodes().Informer().GetIndexer(),
		kindOf(&appsv1.ReplicaSet{}): f.Apps().V1().ReplicaSets().Informer().GetIndexer(),
	}}
	s.ReadFrom(f)
	return s
}

// kindOf returns the kind of an object, which its type is named after.
func kindOf(object any) string { return reflect.TypeOf(object).Elem().Name() }

// LooksUp reports whether objects of a kind are looked up.
func (s *Store) LooksUp(kind string) bool { return s.indexers[kind] != nil }

// Put applies a change of an object. Objects of kinds that are not looked up are ignored.
func (s *Store) Put(c kube.ObjectChange) error {
	if indexer := s.indexers[kindOf(c.Object)]; indexer != nil {
		return c.Into(indexer)
	}
	return nil
}

// Replace makes a list all objects of a kind. Those of kinds that are not looked up are
// ignored.
func (s *Store) Replace(kind string, list []any) error {
	if indexer := s.indexers[kind]; indexer != nil {
		if err := indexer.Replace(list, ""); err != nil {
			return fmt.Errorf("indexing a list of %s: %w", kind, err)
		}
	}
	return nil
}
