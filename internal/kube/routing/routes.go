package routing

import (
	"fmt"
	"slices"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Routes tells how calls to workloads are divided, by Services and what decides with
// them. It is safe for use by several goroutines.
type Routes struct {
	services cache.Indexer
	changes  *changes
	routingContext
}

// ByCaller is how calls to a workload are divided, by the namespace of the caller.
type ByCaller struct {
	// Route is for callers of all namespaces without an exception.
	cluster.Route
	// Exceptions are by namespace; nil without any. They are never written to.
	Exceptions map[string]cluster.Route
}

// Everywhere is the same routing for all callers.
func Everywhere(r affinity.Routing) ByCaller { return ByCaller{Route: cluster.Route{Routing: r}} }

// From is the route of calls from a namespace.
func (b ByCaller) From(namespace string) cluster.Route {
	if r, ok := b.Exceptions[namespace]; ok {
		return r
	}
	return b.Route
}

// NewRoutes returns Routes by the Services and Namespaces of informers and by the
// policies that count. It adds an index to the Services, unless they have it, and counts
// the changes from then on. rules may be nil.
func NewRoutes(core coreinformers.Interface, rules *DestinationRules, policies Policies) (Routes, error) {
	services, namespaces := core.Services().Informer().GetIndexer(), core.Namespaces().Lister()
	counted := &changes{byNamespace: map[string]*atomic.Uint64{}}
	if err := counted.follow(core); err != nil {
		return Routes{}, err
	}
	routes := Routes{services, counted, routingContext{policies, rules, func(name string) string {
		namespace, err := namespaces.Get(name)
		if err != nil {
			return "" // there is none
		}
		return namespace.Annotations[TrafficDistributionAnnotation]
	}}}
	if _, ok := services.GetIndexers()[servicesByLabel]; ok {
		return routes, nil
	}
	// An informer that runs takes no indexers but by itself.
	if err := core.Services().Informer().AddIndexers(serviceIndexers()); err != nil {
		return Routes{}, fmt.Errorf("indexing Services by their selectors: %w", err)
	}
	return routes, nil
}

// ByCaller returns how calls to the workload of a pod are divided, for all callers.
// The exceptions are those of the namespaces where rules stand or that rules name.
func (r Routes) ByCaller(callee *corev1.Pod) ByCaller {
	by, _ := r.byCaller(r.calls(callee))
	return by
}

// Fill fills in how calls to a workload are divided, given a pod of it: by no proxy where
// no Service that is not headless selects the pod. It reports whether the Services of the
// workload differ in it.
func (r Routes) Fill(w *cluster.Workload, pod *corev1.Pod) (servicesDiffer bool) {
	all := r.calls(pod)
	by, differ := r.byCaller(all)
	w.Route, w.Exceptions, w.Headless = by.Route, by.Exceptions, len(all) == 0
	return differ
}

func (r Routes) byCaller(all []calls) (by ByCaller, servicesDiffer bool) {
	by.Route, servicesDiffer = r.route(all, anyNamespace)
	var namespaces []string
	for i := range all {
		namespaces = append(namespaces, all[i].namespaces()...)
	}
	slices.Sort(namespaces)
	for _, namespace := range slices.Compact(namespaces) {
		route, differ := r.route(all, namespace)
		servicesDiffer = servicesDiffer || differ
		if route.Equal(by.Route) {
			continue
		}
		if by.Exceptions == nil {
			by.Exceptions = map[string]cluster.Route{}
		}
		by.Exceptions[namespace] = route
	}
	return by, servicesDiffer
}

// calls are to the Services that select a pod.
func (r Routes) calls(callee *corev1.Pod) []calls {
	var all []calls
	for _, s := range selectedBy(r.services, callee) {
		all = append(all, r.callsTo(s))
	}
	return all
}

// route returns how the calls from a namespace are divided by the one of a workload's
// Services that keeps the least, Uniform when there is none: the telemetry does not
// say which Service was called.
func (c routingContext) route(all []calls, caller string) (route cluster.Route, differ bool) {
	for i := range all {
		of := c.routeOf(&all[i], caller)
		if i == 0 {
			route = of
		}
		if of.Equal(route) {
			continue
		}
		differ = true
		route = cluster.Route{Routing: affinity.Least(route.Routing, of.Routing)} // whose shares count is not known
	}
	return route, differ
}
