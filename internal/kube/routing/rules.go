package routing

import (
	"fmt"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// DestinationRules are those of a cluster. Without any, also where it is nil, the
// Services and the mesh alone decide. Reading is cheap, and safe beside publish.
type DestinationRules struct {
	byHost  atomic.Pointer[cache.Indexer]
	changes atomic.Uint64
}

// rulesByHost is the index of DestinationRules by the host that they are about. Those
// that could not be decoded are about "".
const rulesByHost = "vicinity.dev/host"

// ruleIndexers is what the store handed to publish must be indexed by.
func ruleIndexers() cache.Indexers {
	return cache.Indexers{rulesByHost: func(object any) ([]string, error) {
		if r, ok := object.(*DestinationRule); ok {
			return []string{hostOf(r)}, nil
		}
		return nil, nil
	}}
}

// publish makes the *DestinationRules of a store those that count; nil is none.
func (d *DestinationRules) publish(store cache.Indexer) {
	defer d.changes.Add(1)
	if store == nil {
		d.byHost.Store(nil)
		return
	}
	d.byHost.Store(&store)
}

// Store is what was published, nil when that is nothing.
func (d *DestinationRules) Store() cache.Indexer {
	if d == nil {
		return nil
	}
	if store := d.byHost.Load(); store != nil {
		return *store
	}
	return nil
}

// changed counts what was published, and the changes of that as far as a Watcher tells.
func (d *DestinationRules) changed() uint64 {
	if d == nil {
		return 0
	}
	return d.changes.Load()
}

// Skipped is how many rules are left out because they could not be decoded.
func (d *DestinationRules) Skipped() int {
	if d.Store() == nil {
		return 0
	}
	return len(d.about(""))
}

// RulesAmong returns the DestinationRules among objects.
func RulesAmong(objects []runtime.Object) (*DestinationRules, error) {
	store := cache.NewIndexer(cache.MetaNamespaceKeyFunc, ruleIndexers())
	for _, object := range objects {
		r, ok := object.(*DestinationRule)
		if !ok {
			continue
		}
		if err := store.Add(r); err != nil {
			return nil, fmt.Errorf("indexing DestinationRule %s/%s: %w", r.Namespace, r.Name, err)
		}
	}
	d := &DestinationRules{}
	d.publish(store)
	return d, nil
}

// about returns the rules that are about a host.
func (d *DestinationRules) about(host string) []*DestinationRule {
	// The only error is that of an index that does not exist.
	objects, _ := d.Store().ByIndex(rulesByHost, host)
	var rules []*DestinationRule
	for _, object := range objects {
		if r, ok := object.(*DestinationRule); ok {
			rules = append(rules, r)
		}
	}
	return rules
}
