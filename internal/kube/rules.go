package kube

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// istioRoot is Istio's root namespace, whose rules hold for all others.
const istioRoot = "istio-system"

// rulesOfService is an annotation of Services: with the value ignored no
// DestinationRule counts for calls to one.
const rulesOfService, ignored = "vicinity.dev/destination-rules", "Ignore"

// IgnoreRules has no DestinationRule count for calls to a Service.
func IgnoreRules(service *corev1.Service) {
	metav1.SetMetaDataAnnotation(&service.ObjectMeta, rulesOfService, ignored)
}

// DestinationRules are those of a cluster. Without any, also where it is nil, the
// Services alone decide. Reading is cheap, and safe beside Publish.
type DestinationRules struct{ byHost atomic.Pointer[cache.Indexer] }

// rulesByHost is the index of DestinationRules by the host that they are about.
const rulesByHost = "vicinity.dev/host"

// RuleIndexers is what the store handed to Publish must be indexed by.
func RuleIndexers() cache.Indexers {
	return cache.Indexers{rulesByHost: func(object any) ([]string, error) {
		if r, ok := object.(*DestinationRule); ok {
			return []string{r.host()}, nil
		}
		return nil, nil
	}}
}

// Publish makes the *DestinationRules of a store those that count; nil is none.
func (d *DestinationRules) Publish(store cache.Indexer) {
	if store == nil {
		d.byHost.Store(nil)
		return
	}
	d.byHost.Store(&store)
}

// RulesAmong returns the DestinationRules among objects.
func RulesAmong(objects []runtime.Object) (*DestinationRules, error) {
	store := cache.NewIndexer(cache.MetaNamespaceKeyFunc, RuleIndexers())
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
	d.Publish(store)
	return d, nil
}

// Put takes over a change of one of the rules that RulesAmong was given, or of
// another one.
func (d *DestinationRules) Put(c ObjectChange) error { return c.Into(*d.byHost.Load()) }

// routing returns how calls to a Service are divided where rules cover it, and
// else what the Service itself says, which is configured. Of all that may decide,
// what keeps the least counts.
func (d *DestinationRules) routing(service *corev1.Service, configured affinity.Routing) affinity.Routing {
	choices := d.choices(service)
	if len(choices) == 0 {
		return configured
	}
	least := affinity.SameNode
	for _, c := range choices {
		least = affinity.Least(least, c.routing(configured))
	}
	return least
}

// shares returns where the calls to a Service go from each zone, if all that may
// decide say the same; nil else.
func (d *DestinationRules) shares(service *corev1.Service) cluster.Shares {
	choices := d.choices(service)
	for i := range choices {
		if !slices.EqualFunc(choices[i].shares(), choices[0].shares(), LocalityShare.equal) {
			return nil
		}
	}
	if len(choices) == 0 {
		return nil
	}
	return zoneShares(choices[0].shares())
}

// choices are what may decide for calls to a Service; none where no rule covers it.
// Which rule counts depends on who calls: the one in the caller's namespace before
// that in the Service's before that in the root namespace. Those that hold for some
// callers only are therefore taken together with that which holds for the others.
func (d *DestinationRules) choices(service *corev1.Service) []choice {
	if d == nil || service.Annotations[rulesOfService] == ignored {
		return nil
	}
	store := d.byHost.Load()
	if store == nil {
		return nil
	}
	var own, root, some []*DestinationRule
	for _, host := range hostsOf(service) {
		var ownHere, rootHere []*DestinationRule
		// The only error is that of an index that does not exist.
		objects, _ := (*store).ByIndex(rulesByHost, host)
		for _, object := range objects {
			switch r, ok := object.(*DestinationRule); {
			case !ok:
			case r.isForAll() && r.Namespace == service.Namespace:
				ownHere = append(ownHere, r)
			case r.isForAll() && r.Namespace == istioRoot:
				rootHere = append(rootHere, r)
			default:
				some = append(some, r)
			}
		}
		own, root = firstOf(own, ownHere), firstOf(root, rootHere)
	}
	var choices []choice
	if all := firstOf(own, root); len(all) > 0 {
		slices.SortFunc(all, olderFirst)
		choices = merged(all).choices(service)
	} else if len(some) > 0 {
		choices = []choice{{}} // what the Service says
	}
	for _, r := range some {
		choices = append(choices, r.Spec.choices(service)...)
	}
	return choices
}

// hostsOf returns the hosts of rules that cover a Service, the most specific
// first.
func hostsOf(service *corev1.Service) []string {
	host := service.Name + "." + service.Namespace + "." + istioClusterDomain
	hosts := []string{host}
	for {
		_, parent, found := strings.Cut(host, ".")
		if !found {
			return append(hosts, "*")
		}
		hosts, host = append(hosts, "*."+parent), parent
	}
}

func firstOf(a, b []*DestinationRule) []*DestinationRule {
	if len(a) > 0 {
		return a
	}
	return b
}

func olderFirst(a, b *DestinationRule) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}
