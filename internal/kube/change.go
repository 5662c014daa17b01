package kube

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// ObjectChange is an object that is there, or changed, or gone.
type ObjectChange struct {
	Object  runtime.Object
	Deleted bool
}

// Into applies the change to a store, such as that of an informer.
func (c ObjectChange) Into(store cache.Indexer) error {
	change := store.Add
	if c.Deleted {
		change = store.Delete
	}
	if err := change(c.Object); err != nil {
		return fmt.Errorf("indexing a %T: %w", c.Object, err)
	}
	return nil
}
