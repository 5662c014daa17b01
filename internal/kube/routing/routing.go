// Package routing reads how calls between workloads are divided over the pods of the
// called one: from Services, their Namespaces and Istio's DestinationRules to the
// route of an edge. Which rule counts depends on who calls, so that a route belongs
// to a workload and the namespace of its callers. The package watches DestinationRules
// for a scheduler; it neither measures traffic nor scores.
package routing

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// TrafficDistributionAnnotation is Istio's annotation for what the Service field
// trafficDistribution says. The field takes precedence.
const TrafficDistributionAnnotation = "networking.istio.io/traffic-distribution"

// AnyDistribution is the value of the annotation that prefers no endpoint.
const AnyDistribution = "Any"

// Policies are the places where it may be configured how calls are divided. Which of
// them count depends on the proxies that divide the calls.
type Policies struct {
	// InternalTrafficPolicy and TrafficDistribution (KEP-3015) are fields of Services.
	InternalTrafficPolicy, TrafficDistribution bool
	// Annotation is Istio's, of Services and of their Namespaces, for the same purpose.
	Annotation bool
	// DestinationRules are Istio's too.
	DestinationRules bool
	// Mesh is what Istio's MeshConfig says. It counts with DestinationRules.
	Mesh Mesh
}

// Mesh is the part of Istio's MeshConfig that decides how calls are divided. The
// MeshConfig itself is not read: these settings repeat it.
type Mesh struct {
	// RootNamespace has the rules that hold where neither the caller's namespace nor
	// the Service's has one; "" is istio-system.
	RootNamespace string
	// ZoneAware is the mesh's zoneAwareLbSetting; nil is none.
	ZoneAware *ZoneAware
}

// ZoneAware is Istio's zoneAwareLbSetting for a whole mesh.
type ZoneAware struct {
	// Enabled is false where the setting turns zone-aware balancing off, and with it
	// the mesh's failover by locality.
	Enabled bool
	// MinClusterSize is how many endpoints it needs.
	MinClusterSize int
}

// AllPolicies are all of them, with Istio's defaults for the mesh.
func AllPolicies() Policies { return Policies{true, true, true, true, Mesh{}} }

// rootNamespace is where the rules for all namespaces stand.
func (m Mesh) rootNamespace() string {
	if m.RootNamespace == "" {
		return "istio-system"
	}
	return m.RootNamespace
}

// Of returns how calls to a Service are divided over its endpoints, as far as the
// Service itself says.
func Of(service *corev1.Service) affinity.Routing {
	routing, _ := routingContext{policies: AllPolicies()}.ofService(service)
	return routing
}

// PreferNothing makes a Service say by Istio's annotation that calls are divided
// evenly, so that the annotation of its Namespace does not count.
func PreferNothing(service *corev1.Service) {
	metav1.SetMetaDataAnnotation(&service.ObjectMeta, TrafficDistributionAnnotation, AnyDistribution)
}

// DestinationRulesAnnotation is an annotation of Services: with the value Ignored no
// DestinationRule, and nothing that the mesh says, counts for calls to one.
const DestinationRulesAnnotation = "vicinity.dev/destination-rules"

// Ignored is the one value that the annotation vicinity.dev/destination-rules can have.
const Ignored = "Ignore"

// Annotations returns the annotations of Services and Namespaces that decide how calls are
// divided.
func Annotations() []string {
	return []string{TrafficDistributionAnnotation, DestinationRulesAnnotation}
}

// IgnoreRules excepts the calls to a Service from all DestinationRules.
func IgnoreRules(service *corev1.Service) {
	metav1.SetMetaDataAnnotation(&service.ObjectMeta, DestinationRulesAnnotation, Ignored)
}

// routingContext is what decides, with a Service, how calls to it are divided.
type routingContext struct {
	policies Policies
	rules    *DestinationRules
	// annotation returns Istio's annotation of a Namespace; nil is of none.
	annotation func(namespace string) string
}

// ofService is what a Service and its Namespace say. With internalTrafficPolicy Local
// that is final: calls never leave the node. The field takes precedence over the
// annotation, and that of the Service over that of its Namespace.
func (c routingContext) ofService(service *corev1.Service) (routing affinity.Routing, final bool) {
	spec := &service.Spec
	if p := spec.InternalTrafficPolicy; c.policies.InternalTrafficPolicy && p != nil && *p == corev1.ServiceInternalTrafficPolicyLocal {
		return affinity.SameNode, true
	}
	if c.policies.TrafficDistribution && spec.TrafficDistribution != nil {
		routing = distributed(*spec.TrafficDistribution)
	}
	if !c.policies.Annotation || routing != affinity.Uniform {
		return routing, false
	}
	annotation := service.Annotations[TrafficDistributionAnnotation]
	if annotation == "" && c.annotation != nil {
		annotation = c.annotation(service.Namespace)
	}
	return distributed(annotation), false
}

// distributed is what a value of trafficDistribution prefers; unknown values prefer
// nothing.
func distributed(distribution string) affinity.Routing {
	switch {
	case strings.EqualFold(distribution, corev1.ServiceTrafficDistributionPreferSameNode):
		return affinity.SameNode
	case strings.EqualFold(distribution, corev1.ServiceTrafficDistributionPreferSameZone),
		strings.EqualFold(distribution, corev1.ServiceTrafficDistributionPreferClose):
		return affinity.SameZone
	}
	return affinity.Uniform
}
