package objects

import (
	"fmt"

	"k8s.io/client-go/informers"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// Stores is what scheduler plugins look objects up in, without an API server: informers
// that are never started, and DestinationRules.
type Stores struct {
	Informers informers.SharedInformerFactory
	Rules     *routing.DestinationRules

	table *Table
}

// NewStores returns Stores without objects.
func NewStores() (*Stores, error) {
	rules, err := routing.RulesAmong(nil)
	if err != nil {
		return nil, err
	}
	return &Stores{Informers: informers.NewSharedInformerFactory(nil, 0), Rules: rules, table: NewTable()}, nil
}

// Put applies a change of an object. It is an error when no plugin looks up its kind.
func (s *Stores) Put(c kube.ObjectChange) error {
	k := s.table.KindOf(c.Object)
	if k == nil || !k.LookedUp() {
		return fmt.Errorf("no plugin looks up a %T", c.Object)
	}
	return k.store(s, c)
}

// Routes returns how calls are divided by the Services, Namespaces and DestinationRules
// in the Stores, as they are at the time of each question.
func (s *Stores) Routes() (routing.Routes, error) {
	return routing.NewRoutes(s.Informers.Core().V1(), s.Rules, routing.AllPolicies())
}

// Routes returns how calls are divided by the objects and the policies that count, and the
// informers that have what decides it.
func (o *Objects) Routes(policies routing.Policies) (routing.Routes, *Stores, error) {
	stores, err := NewStores()
	if err != nil {
		return routing.Routes{}, nil, err
	}
	for _, object := range o.All(func(k *Kind) bool { return k.DecidesRouting }) {
		if err := stores.Put(kube.ObjectChange{Object: object}); err != nil {
			return routing.Routes{}, nil, err
		}
	}
	routes, err := routing.NewRoutes(stores.Informers.Core().V1(), stores.Rules, policies)
	return routes, stores, err
}
