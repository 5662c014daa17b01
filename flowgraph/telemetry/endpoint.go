package telemetry

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// EndpointKind says what an Endpoint names.
type EndpointKind uint8

const (
	// WorkloadEndpoint is the zero value: a workload, which needs no Resolver.
	WorkloadEndpoint EndpointKind = iota
	// ServiceEndpoint is a Service. It stands for the workloads of its ready pods.
	ServiceEndpoint
	// PodEndpoint is a pod. It stands for its workload.
	PodEndpoint
	// ReplicaSetEndpoint is a ReplicaSet. It stands for the Deployment or the Argo Rollout
	// that controls it, or for itself.
	ReplicaSetEndpoint
	// JobEndpoint is a Job. It stands for the CronJob that its name is made of, or for itself.
	JobEndpoint
	// AppEndpoint is the pods of a namespace with a label. Name is "label=value".
	AppEndpoint
	// AddressEndpoint is the IP address of a pod or a Service, in Name. It has no Namespace.
	AddressEndpoint
	// SiteEndpoint is a site (flowgraph.SiteID), which needs no Resolver. Telemetry never
	// names one: it stands for a host or an address that Sites knows.
	SiteEndpoint
	// ConsulServiceEndpoint is a service of Consul. Namespace is a namespace of Consul, whose
	// community edition has "default" alone. It stands for the workloads of the ready pods
	// that are registered under the name.
	ConsulServiceEndpoint
)

// EndpointKinds returns every kind that telemetry may name.
func EndpointKinds() []EndpointKind {
	return []EndpointKind{
		WorkloadEndpoint, ServiceEndpoint, PodEndpoint, ReplicaSetEndpoint, JobEndpoint, AppEndpoint, AddressEndpoint, ConsulServiceEndpoint,
	}
}

// String returns the kind as configurations name it, e.g. "service".
func (k EndpointKind) String() string {
	switch k {
	case WorkloadEndpoint:
		return "workload"
	case ServiceEndpoint:
		return "service"
	case PodEndpoint:
		return "pod"
	case ReplicaSetEndpoint:
		return "replicaset"
	case JobEndpoint:
		return "job"
	case AppEndpoint:
		return "app"
	case AddressEndpoint:
		return "address"
	case SiteEndpoint:
		return "site"
	case ConsulServiceEndpoint:
		return "consul-service"
	}
	return fmt.Sprintf("EndpointKind(%d)", int(k))
}

// Endpoint is one end of a flow as telemetry names it. The zero Endpoint is an end that
// telemetry does not name.
type Endpoint struct {
	Kind EndpointKind
	// Namespace is a namespace of Kubernetes, unless the kind says otherwise. A Service without
	// one is the only Service of its name in the cluster.
	Namespace string
	Name      string
}

// IsZero reports whether the end is not named.
func (e Endpoint) IsZero() bool { return e == Endpoint{} }

// Workload returns the workload or the site that an endpoint of kind WorkloadEndpoint or
// SiteEndpoint names.
func (e Endpoint) Workload() flowgraph.WorkloadID {
	return flowgraph.WorkloadID{Namespace: e.Namespace, Name: e.Name}
}

// EndpointOf returns the endpoint that names a workload.
func EndpointOf(id flowgraph.WorkloadID) Endpoint {
	return Endpoint{Namespace: id.Namespace, Name: id.Name}
}

// SiteEndpointOf returns the endpoint that is a site of the configuration. It is not for what
// labels say: whoever writes them could name one that there is not.
func SiteEndpointOf(site flowgraph.WorkloadID) Endpoint {
	return Endpoint{Kind: SiteEndpoint, Namespace: site.Namespace, Name: site.Name}
}

// NeedsResolver reports whether only a Resolver knows whose the endpoint is.
func (e Endpoint) NeedsResolver() bool { return e.Kind != WorkloadEndpoint && e.Kind != SiteEndpoint }

// App returns the label and its value that an endpoint of kind AppEndpoint names.
func (e Endpoint) App() (label, value string) {
	label, value, _ = strings.Cut(e.Name, "=")
	return label, value
}

// IsValid reports whether there can be something of that name. Kubernetes would refuse
// any other.
func (e Endpoint) IsValid() bool {
	switch e.Kind {
	case AddressEndpoint:
		_, err := netip.ParseAddr(e.Name)
		return e.Namespace == "" && err == nil
	case AppEndpoint:
		const longest = 253 + 1 + 63 + 1 + 63 // prefix/name=value
		label, value := e.App()
		return flowgraph.ValidNamespace(e.Namespace) && label != "" && value != "" && len(e.Name) <= longest
	case SiteEndpoint:
		_, ok := e.Workload().Site()
		return ok
	case ServiceEndpoint, ConsulServiceEndpoint:
		return (e.Namespace == "" || flowgraph.ValidNamespace(e.Namespace)) && flowgraph.ValidName(e.Name)
	}
	return e.Workload().IsValid()
}

// Compare orders by kind, namespace and name.
func (e Endpoint) Compare(o Endpoint) int {
	return cmp.Or(cmp.Compare(e.Kind, o.Kind), cmp.Compare(e.Namespace, o.Namespace), cmp.Compare(e.Name, o.Name))
}

// Share is the part of an endpoint's traffic that is a workload's.
type Share struct {
	Workload flowgraph.WorkloadID
	// Part is above 0 and at most 1.
	Part float64
}

// Resolution is what is known of an endpoint.
type Resolution struct {
	// Shares are the workloads behind the endpoint, each once and in order. Their parts
	// add up to 1. There are none where Reason is not Included.
	Shares []Share
	// Reason says why there are none: NoObjects, UnknownObject, UnknownAddress, NotServing,
	// Ambiguous or External.
	Reason Reason
}

// Resolver knows which workloads are behind endpoints. A source asks it once for each
// refresh, when all queries have been answered; it may look at all pods of the cluster
// to answer, and must not be asked within a scheduling cycle.
type Resolver interface {
	// Resolve returns what is known of each endpoint, in the order of the endpoints. Each of
	// them needs a Resolver.
	Resolve(endpoints []Endpoint) []Resolution
}

// Remember returns a Resolver that asks r, and answers for pods and ReplicaSets that have
// gone what it answered before: rates name a pod until their window has passed. What has not
// been asked for ten times in a row is forgotten. It is for one source, whose refreshes
// follow one another.
func Remember(r Resolver) Resolver { return &memory{resolver: r, known: map[Endpoint]remembered{}} }

// forgetAfter is how many questions a memory of an endpoint lives for that are not about it.
const forgetAfter = 10

// memory is what was known of endpoints.
type memory struct {
	resolver Resolver
	known    map[Endpoint]remembered
	asked    int // questions
}

// remembered is an answer, and the last question that it answers.
type remembered struct {
	Resolution
	at int
}

// Resolve implements Resolver.
func (m *memory) Resolve(endpoints []Endpoint) []Resolution {
	answers := m.resolver.Resolve(endpoints)
	m.asked++
	for i, e := range endpoints {
		if e.Kind != PodEndpoint && e.Kind != ReplicaSetEndpoint {
			continue
		}
		if before, ok := m.known[e]; ok && answers[i].Reason == UnknownObject {
			answers[i] = before.Resolution
		}
		if answers[i].Reason == Included {
			m.known[e] = remembered{answers[i], m.asked}
		}
	}
	maps.DeleteFunc(m.known, func(_ Endpoint, r remembered) bool { return m.asked-r.at >= forgetAfter })
	return answers
}
