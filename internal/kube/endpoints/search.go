package endpoints

import (
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// search finds the pods of many endpoints in one look at all of them.
type search struct {
	*objects
	selected  map[string]selections // by namespace
	addresses map[netip.Addr]*addressee
	consul    consul

	serviceNames     map[string][]*corev1.Service // of all namespaces, when it is needed
	serviceAddresses map[netip.Addr]*corev1.Service
}

// selections are found by one of the labels of their selectors, and its value.
type selections map[string]map[string][]*selection

// selection is the pods that an endpoint selects.
type selection struct {
	selector map[string]string
	pods     map[flowgraph.WorkloadID]int // those that serve, by workload
	answer   *telemetry.Resolution
}

// addressee is who has an address.
type addressee struct {
	pods    []*corev1.Pod
	answers []*telemetry.Resolution // an address may be written in several ways
}

func newSearch(o *objects) *search {
	return &search{objects: o, selected: map[string]selections{}, addresses: map[netip.Addr]*addressee{}}
}

// service looks for the pods of a Service.
func (s *search) service(e telemetry.Endpoint, answer *telemetry.Resolution) {
	if e.Namespace == "" {
		switch all := s.servicesNamed(e.Name); len(all) {
		case 0:
			*answer = without(telemetry.UnknownObject)
		case 1:
			s.podsOf(all[0], answer)
		default:
			*answer = without(telemetry.Ambiguous)
		}
		return
	}
	service, err := s.services.Services(e.Namespace).Get(e.Name)
	if err != nil { // of a lister: it is not there
		*answer = without(telemetry.UnknownObject)
		return
	}
	s.podsOf(service, answer)
}

func (s *search) podsOf(service *corev1.Service, answer *telemetry.Resolution) {
	switch {
	case service.Spec.Type == corev1.ServiceTypeExternalName:
		*answer = without(telemetry.External)
	case len(service.Spec.Selector) == 0:
		*answer = without(telemetry.NotServing)
	default:
		s.choose(service.Namespace, service.Spec.Selector, answer)
	}
}

// labelled looks for pods with a label.
func (s *search) labelled(e telemetry.Endpoint, answer *telemetry.Resolution) {
	label, value := e.App()
	s.choose(e.Namespace, map[string]string{label: value}, answer)
}

// choose looks for the pods of a namespace that a selector matches.
func (s *search) choose(namespace string, selector map[string]string, answer *telemetry.Resolution) {
	first := slices.Min(slices.Collect(maps.Keys(selector)))
	in := s.selected[namespace]
	if in == nil {
		in = selections{}
		s.selected[namespace] = in
	}
	if in[first] == nil {
		in[first] = map[string][]*selection{}
	}
	in[first][selector[first]] = append(in[first][selector[first]], &selection{selector, map[flowgraph.WorkloadID]int{}, answer})
}

// address looks for the pod or the Service with an address.
func (s *search) address(e telemetry.Endpoint, answer *telemetry.Resolution) {
	address, err := netip.ParseAddr(e.Name)
	if err != nil {
		*answer = without(telemetry.Invalid)
		return
	}
	if service := s.serviceAt(address.Unmap()); service != nil {
		s.podsOf(service, answer)
		return
	}
	a := s.addresses[address.Unmap()]
	if a == nil {
		a = &addressee{}
		s.addresses[address.Unmap()] = a
	}
	a.answers = append(a.answers, answer)
}

// run looks at all pods and answers.
func (s *search) run() {
	if len(s.selected)+len(s.addresses)+len(s.consul.asked) == 0 {
		return
	}
	all, _ := s.pods.List(labels.Everything()) // a lister of a store has no errors
	for _, pod := range all {
		s.look(pod)
	}
	for _, in := range s.selected {
		in.answer()
	}
	for _, a := range s.addresses {
		for _, answer := range a.answers {
			*answer = a.resolution()
		}
	}
	s.consul.answer()
}

// answer says which workloads the selected pods are of.
func (s selections) answer() {
	for _, byValue := range s {
		for _, all := range byValue {
			for _, of := range all {
				if *of.answer = without(telemetry.NotServing); len(of.pods) > 0 {
					*of.answer = telemetry.Resolution{Shares: shares(of.pods)}
				}
			}
		}
	}
}

// look takes a pod to the endpoints that it is behind.
func (s *search) look(pod *corev1.Pod) {
	if len(s.addresses) > 0 && kube.HasAddress(pod) {
		for _, ip := range pod.Status.PodIPs {
			address, err := netip.ParseAddr(ip.IP)
			if a := s.addresses[address.Unmap()]; err == nil && a != nil {
				a.pods = append(a.pods, pod)
			}
		}
	}
	if len(s.consul.asked) > 0 {
		s.consul.look(s, pod)
	}
	asked, serves := false, false
	for label, byValue := range s.selected[pod.Namespace] {
		for _, of := range byValue[pod.Labels[label]] {
			if !matches(of.selector, pod.Labels) {
				continue
			}
			if !asked {
				asked, serves = true, s.serves(pod)
			}
			if serves {
				of.pods[kube.WorkloadOf(pod)]++
			}
		}
	}
}

// matches reports whether labels have all of a selector's.
func matches(selector, labels map[string]string) bool {
	for label, value := range selector {
		if has, ok := labels[label]; !ok || has != value {
			return false
		}
	}
	return true
}

// resolution is the workload of the pod that has an address for itself. Pods on the
// network of their node share it, also with what is no pod.
func (a *addressee) resolution() telemetry.Resolution {
	switch {
	case len(a.pods) == 0:
		return without(telemetry.UnknownAddress)
	case len(a.pods) > 1 || a.pods[0].Spec.HostNetwork:
		return without(telemetry.Ambiguous)
	}
	return workload(kube.WorkloadOf(a.pods[0]))
}

// servicesNamed returns the Services of a name in all namespaces.
func (s *search) servicesNamed(name string) []*corev1.Service {
	if s.serviceNames == nil {
		s.serviceNames = map[string][]*corev1.Service{}
		all, _ := s.services.List(labels.Everything())
		for _, service := range all {
			s.serviceNames[service.Name] = append(s.serviceNames[service.Name], service)
		}
	}
	return s.serviceNames[name]
}

// serviceAt returns the Service with a cluster address, nil where there is none.
func (s *search) serviceAt(address netip.Addr) *corev1.Service {
	if s.serviceAddresses == nil {
		s.serviceAddresses = map[netip.Addr]*corev1.Service{}
		all, _ := s.services.List(labels.Everything())
		for _, service := range all {
			for _, ip := range service.Spec.ClusterIPs {
				if at, err := netip.ParseAddr(ip); err == nil { // not of a headless one
					s.serviceAddresses[at.Unmap()] = service
				}
			}
		}
	}
	return s.serviceAddresses[address]
}
