package mesh

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// divide returns what part of its calls to a Service a client at a locality sends to
// each endpoint, by position; all are 0 when they have nowhere to go. It is one of the
// clients.
func (m *Mesh) divide(service *corev1.Service, client locality.Locality, clients, endpoints []locality.Locality) []float64 {
	kind := m.counters.kind
	if p := service.Spec.InternalTrafficPolicy; kind.internal && p != nil && *p == corev1.ServiceInternalTrafficPolicyLocal {
		return evenly(within(locality.Node, client, endpoints), len(endpoints))
	}
	distribution := kind.distributionOf(service)
	rule := m.rules[flowgraph.WorkloadID{Namespace: service.Namespace, Name: service.Name}]
	if setting := zoneAwareness(rule); setting != nil {
		return zoneAware(setting, client, clients, endpoints)
	}
	if entries := distribute(rule); len(entries) > 0 {
		return weighted(entries, client, endpoints)
	}
	if labels, decides := failover(rule, distribution != ""); decides {
		return evenly(nearest(labels, client, endpoints), len(endpoints))
	}
	return evenly(choose(distribution, client, endpoints), len(endpoints))
}

// evenly divides calls over some of n endpoints.
func evenly(chosen []int, n int) []float64 {
	parts := make([]float64, n)
	for _, i := range chosen {
		parts[i] = 1 / float64(len(chosen))
	}
	return parts
}

// distributionOf returns what the mesh makes of the preference that a Service has in its
// field or in Istio's annotation, "" when it has none.
func (k Type) distributionOf(service *corev1.Service) string {
	var written []string
	if field := service.Spec.TrafficDistribution; field != nil {
		written = append(written, *field)
	}
	if k.annotation {
		written = append(written, service.Annotations["networking.istio.io/traffic-distribution"])
	}
	wanted := preference(written)
	switch {
	case k.Closest == "":
		return ""
	case k.Closest != corev1.ServiceTrafficDistributionPreferSameNode && wanted == corev1.ServiceTrafficDistributionPreferSameNode:
		return k.Closest
	}
	return wanted
}

// preference returns the first of the texts that is one, "" when none is.
func preference(texts []string) string {
	for _, text := range texts {
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
	return everywhere(endpoints)
}

func everywhere(endpoints []locality.Locality) []int {
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
