package kube

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// TrafficDistributionAnnotation is Istio's name for the field of a Service, from before there
// was one. The field counts when it is set.
const TrafficDistributionAnnotation = "networking.istio.io/traffic-distribution"

// Settings are what may say how calls are divided. Which of them count depends on
// the proxies that divide.
type Settings struct {
	// InternalTrafficPolicy and TrafficDistribution (KEP-3015) are fields of Services.
	InternalTrafficPolicy, TrafficDistribution bool
	// Annotation is Istio's, of Services and of their Namespaces, for the same purpose.
	Annotation bool
	// DestinationRules are Istio's too.
	DestinationRules bool
}

// AllSettings has every one count.
func AllSettings() Settings { return Settings{true, true, true, true} }

// RoutingOf returns how calls to a Service are divided over its endpoints, as
// far as the Service itself says.
func RoutingOf(service *corev1.Service) affinity.Routing {
	return surroundings{settings: AllSettings()}.routing(service)
}

// surroundings are what decides with a Service how calls to it are divided.
type surroundings struct {
	settings Settings
	rules    *DestinationRules
	// annotation returns Istio's annotation of a Namespace; nil is of none.
	annotation func(namespace string) string
}

// routing follows the settings: with the policy Local calls never leave the node;
// rules come before the field, this before the annotation, and that of the Service
// before that of its Namespace.
func (s surroundings) routing(service *corev1.Service) affinity.Routing {
	spec := &service.Spec
	if policy := spec.InternalTrafficPolicy; s.settings.InternalTrafficPolicy && policy != nil && *policy == corev1.ServiceInternalTrafficPolicyLocal {
		return affinity.SameNode
	}
	routing := affinity.Uniform
	if s.settings.TrafficDistribution && spec.TrafficDistribution != nil {
		routing = distributed(*spec.TrafficDistribution)
	}
	if s.settings.Annotation && routing == affinity.Uniform {
		annotation := service.Annotations[TrafficDistributionAnnotation]
		if annotation == "" && s.annotation != nil {
			annotation = s.annotation(service.Namespace)
		}
		routing = distributed(annotation)
	}
	if s.settings.DestinationRules {
		return s.rules.routing(service, routing)
	}
	return routing
}

// PreferNothing has a Service say by Istio's annotation that calls are divided
// evenly, so that the annotation of its Namespace does not count.
func PreferNothing(service *corev1.Service) {
	metav1.SetMetaDataAnnotation(&service.ObjectMeta, TrafficDistributionAnnotation, "Any")
}

func distributed(distribution string) affinity.Routing {
	for routing, names := range map[affinity.Routing][]string{
		affinity.SameNode: {corev1.ServiceTrafficDistributionPreferSameNode},
		affinity.SameZone: {corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferClose},
	} {
		for _, name := range names {
			if strings.EqualFold(distribution, name) {
				return routing
			}
		}
	}
	return affinity.Uniform
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

// leastLocal returns how calls are divided by the one of a workload's Services
// that keeps the least, Uniform when there is none: the telemetry does not say
// which Service was called.
func (s surroundings) leastLocal(services []*corev1.Service) (least affinity.Routing, differ bool) {
	for i, service := range services {
		routing := s.routing(service)
		if i == 0 {
			least = routing
		}
		differ = differ || routing != least
		least = affinity.Least(least, routing)
	}
	return least, differ
}

// shares returns where the calls from each zone go where a workload has one Service, and
// a rule of Istio's says it; nil else.
func (s surroundings) shares(services []*corev1.Service) cluster.Shares {
	if len(services) != 1 || !s.settings.DestinationRules {
		return nil
	}
	return s.rules.shares(services[0])
}

// Routes tells how calls to workloads are divided, by an informer's Services and
// what surrounds them.
type Routes struct {
	services cache.Indexer
	surroundings
}

// servicesByLabel is the index of an informer's Services by one label of their
// selector.
const servicesByLabel = "vicinity.dev/selected-label"

// NewRoutes returns Routes by the Services and Namespaces of informers and by the
// settings that count. It adds an index to the Services, unless they have it. rules
// may be nil.
func NewRoutes(core coreinformers.Interface, rules *DestinationRules, settings Settings) (Routes, error) {
	services, namespaces := core.Services().Informer(), core.Namespaces().Lister()
	routes := Routes{services.GetIndexer(), surroundings{settings, rules, func(name string) string {
		namespace, err := namespaces.Get(name)
		if err != nil {
			return "" // there is none
		}
		return namespace.Annotations[TrafficDistributionAnnotation]
	}}}
	if _, ok := routes.services.GetIndexers()[servicesByLabel]; ok {
		return routes, nil
	}
	err := services.AddIndexers(cache.Indexers{servicesByLabel: func(object any) ([]string, error) {
		s, ok := object.(*corev1.Service)
		if !ok {
			return nil, nil
		}
		key, ok := selecting(s)
		if !ok {
			return nil, nil
		}
		return []string{key.String()}, nil
	}})
	if err != nil {
		return Routes{}, fmt.Errorf("indexing Services by their selectors: %w", err)
	}
	return routes, nil
}

// Of returns how calls to the workload of a pod are divided. Of Services that
// differ it takes the one that keeps less.
func (r Routes) Of(pod *corev1.Pod) affinity.Routing {
	routing, _ := r.leastLocal(r.servicesOf(pod))
	return routing
}

// Route fills in how calls to a workload are divided, given a pod of it.
func (r Routes) Route(w *cluster.Workload, pod *corev1.Pod) {
	services := r.servicesOf(pod)
	w.Routing, _ = r.leastLocal(services)
	w.Shares = r.shares(services)
}

func (r Routes) servicesOf(pod *corev1.Pod) []*corev1.Service {
	var found []*corev1.Service
	for key, value := range pod.Labels {
		// The only error is that of an index that does not exist.
		objects, _ := r.services.ByIndex(servicesByLabel, labelKey{pod.Namespace, key, value}.String())
		for _, object := range objects {
			if s, ok := object.(*corev1.Service); ok && matches(s.Spec.Selector, pod.Labels) {
				found = append(found, s)
			}
		}
	}
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
