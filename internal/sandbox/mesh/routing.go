package mesh

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// divide returns the endpoints, by position, among which a client at a locality
// divides its calls to a Service evenly; none when they have nowhere to go.
func (m *Mesh) divide(service *corev1.Service, client locality.Locality, endpoints []locality.Locality) []int {
	if p := service.Spec.InternalTrafficPolicy; p != nil && *p == corev1.ServiceInternalTrafficPolicyLocal {
		return within(locality.Node, client, endpoints)
	}
	distribution := distributionOf(service)
	rule := m.rules[flowgraph.WorkloadID{Namespace: service.Namespace, Name: service.Name}]
	if labels, decides := failover(rule, distribution != ""); decides {
		return nearest(labels, client, endpoints)
	}
	return choose(distribution, client, endpoints)
}

// distributionOf returns the preference that a Service has in its field or in
// Istio's annotation, "" when it has none.
func distributionOf(service *corev1.Service) string {
	written := []string{service.Annotations["networking.istio.io/traffic-distribution"]}
	if field := service.Spec.TrafficDistribution; field != nil {
		written = []string{*field, written[0]}
	}
	for _, text := range written {
		for _, known := range []string{
			corev1.ServiceTrafficDistributionPreferSameNode, corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferClose,
		} {
			if strings.EqualFold(text, known) {
				return known
			}
		}
	}
	return ""
}

// choose returns the endpoints, by position, among which a client at a locality
// divides its calls evenly under a Service's traffic distribution (KEP-3015;
// "" is uniform over all). A preference that no endpoint meets widens: from the
// node to the zone, from the zone to all.
func choose(distribution string, client locality.Locality, endpoints []locality.Locality) []int {
	widest := locality.Remote
	switch distribution {
	case corev1.ServiceTrafficDistributionPreferSameNode:
		if at := within(locality.Node, client, endpoints); len(at) > 0 {
			return at
		}
		widest = locality.Zone
	case corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferClose:
		widest = locality.Zone
	}
	if widest == locality.Zone {
		if at := within(locality.Zone, client, endpoints); len(at) > 0 {
			return at
		}
	}
	all := make([]int, len(endpoints))
	for i := range all {
		all[i] = i
	}
	return all
}

// within returns the endpoints that share the client's domain at a level.
func within(level locality.Level, client locality.Locality, endpoints []locality.Locality) []int {
	domain := client.Domain(level)
	if domain == "" {
		return nil
	}
	var at []int
	for i, endpoint := range endpoints {
		if endpoint.Domain(level) == domain {
			at = append(at, i)
		}
	}
	return at
}
