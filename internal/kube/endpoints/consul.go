package endpoints

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// What Consul's connect-inject reads from pods and Services, and writes to them.
const (
	// injectStatusLabel has the value injected on each pod that has got a sidecar.
	injectStatusLabel = "consul.hashicorp.com/connect-inject-status"
	injected          = "injected"
	// ignoreLabel keeps a Service, if "true", from registering its pods.
	ignoreLabel = "consul.hashicorp.com/service-ignore"
	// consulServiceAnnotation names the service of a pod instead of the Service that selects
	// it. A list of names, one for each port, does not.
	consulServiceAnnotation = "consul.hashicorp.com/connect-service"
	// registeringServiceAnnotation names the one Service by which a pod is registered.
	registeringServiceAnnotation = "consul.hashicorp.com/kubernetes-service"
	// consulNamespaceAnnotation has the pod's namespace in Consul, where there are several.
	consulNamespaceAnnotation = "consul.hashicorp.com/consul-namespace"

	defaultConsulNamespace = "default"
)

// Annotations returns the annotations of pods that decide which services of Consul they are
// registered as.
func Annotations() []string {
	return []string{consulServiceAnnotation, registeringServiceAnnotation, consulNamespaceAnnotation}
}

// consul finds the pods that are registered under names of Consul's.
type consul struct {
	asked    map[consulName]*registration
	services map[string]registering // by namespace, when it is needed
	marked   bool                   // some pod of the cluster has the injector's mark
}

// consulName is the name of a service in Consul.
type consulName struct{ namespace, name string }

// registering is the Services that register pods, by one of the labels of their selectors
// and its value.
type registering map[string]map[string][]*corev1.Service

// registration is the pods that are registered under a name.
type registration struct {
	answers []*telemetry.Resolution
	// exists says that something has the name, whether it serves or not.
	exists bool
	// marked are the pods that serve and have the injector's mark, unmarked the others, and
	// namespaces are where the latter are.
	marked, unmarked map[flowgraph.WorkloadID]int
	namespaces       map[string]bool
}

// ask looks for the pods of a service of Consul.
func (c *consul) ask(s *search, e telemetry.Endpoint, answer *telemetry.Resolution) {
	name := consulName{cmp.Or(e.Namespace, defaultConsulNamespace), e.Name}
	r := c.asked[name]
	if r == nil {
		r = &registration{
			exists: len(s.servicesNamed(e.Name)) > 0, marked: map[flowgraph.WorkloadID]int{}, unmarked: map[flowgraph.WorkloadID]int{},
			namespaces: map[string]bool{},
		}
		if c.asked == nil {
			c.asked = map[consulName]*registration{}
		}
		c.asked[name] = r
	}
	r.answers = append(r.answers, answer)
}

// look takes a pod to the names that it is registered under.
func (c *consul) look(s *search, pod *corev1.Pod) {
	isMarked := pod.Labels[injectStatusLabel] == injected
	c.marked = c.marked || isMarked
	for name := range c.namesOf(s, pod) {
		for _, namespace := range consulNamespaces(pod, isMarked) {
			r := c.asked[consulName{namespace, name}]
			if r == nil {
				continue
			}
			r.exists = true
			switch {
			case !s.serves(pod):
			case isMarked:
				r.marked[kube.WorkloadOf(pod)]++
			default:
				r.unmarked[kube.WorkloadOf(pod)]++
				r.namespaces[pod.Namespace] = true
			}
		}
	}
}

// consulNamespaces returns in which namespaces of Consul a pod may be registered. Where there
// are several, connect-inject notes it on each pod. Of pods that it has not marked nobody
// knows whether there are: they are then in that of the same name as in Kubernetes.
func consulNamespaces(pod *corev1.Pod, isMarked bool) []string {
	noted := pod.Annotations[consulNamespaceAnnotation]
	switch {
	case noted != "":
		return []string{noted}
	case isMarked || pod.Namespace == defaultConsulNamespace:
		return []string{defaultConsulNamespace}
	}
	return []string{defaultConsulNamespace, pod.Namespace}
}

// namesOf returns the names that a pod is registered under: that of its annotation, or those
// of the Services that select it. Without a Service it is not registered.
func (c *consul) namesOf(s *search, pod *corev1.Pod) map[string]bool {
	given := pod.Annotations[consulServiceAnnotation]
	if strings.Contains(given, ",") {
		given = ""
	}
	var names map[string]bool
	for label, byValue := range c.registering(s, pod.Namespace) {
		for _, service := range byValue[pod.Labels[label]] {
			only, isGiven := pod.Annotations[registeringServiceAnnotation]
			if isGiven && only != service.Name || !matches(service.Spec.Selector, pod.Labels) {
				continue
			}
			if names == nil {
				names = map[string]bool{}
			}
			names[cmp.Or(given, service.Name)] = true
		}
	}
	return names
}

// registering returns the Services of a namespace that register pods.
func (c *consul) registering(s *search, namespace string) registering {
	if in, ok := c.services[namespace]; ok {
		return in
	}
	in := registering{}
	all, _ := s.services.Services(namespace).List(labels.Everything()) // a lister of a store has no errors
	for _, service := range all {
		selector := service.Spec.Selector
		if len(selector) == 0 || service.Spec.Type == corev1.ServiceTypeExternalName || service.Labels[ignoreLabel] == "true" {
			continue
		}
		first := slices.Min(slices.Collect(maps.Keys(selector)))
		if in[first] == nil {
			in[first] = map[string][]*corev1.Service{}
		}
		in[first][selector[first]] = append(in[first][selector[first]], service)
	}
	if c.services == nil {
		c.services = map[string]registering{}
	}
	c.services[namespace] = in
	return in
}

// answer says which workloads the names stand for.
func (c *consul) answer() {
	for _, r := range c.asked {
		for _, answer := range r.answers {
			*answer = r.resolution(c.marked)
		}
	}
}

// resolution is the workloads of the pods that are registered. A Service of the same name
// outside the mesh must not have a part in the traffic: where connect-inject marks pods, only
// marked ones count. Where it marks none, or something else registers them, pods of several
// namespaces may or may not be of the same service.
func (r *registration) resolution(someAreMarked bool) telemetry.Resolution {
	pods := r.marked
	if !someAreMarked {
		if len(r.namespaces) > 1 {
			return without(telemetry.Ambiguous)
		}
		pods = r.unmarked
	}
	switch {
	case len(pods) > 0:
		return telemetry.Resolution{Shares: shares(pods)}
	case r.exists:
		return without(telemetry.NotServing)
	}
	return without(telemetry.UnknownObject)
}
