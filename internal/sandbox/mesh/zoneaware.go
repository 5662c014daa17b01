package mesh

import (
	networking "istio.io/api/networking/v1alpha3"
	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// zoneAwareness returns a rule's zone-aware setting, nil when it has none.
func zoneAwareness(r *networkingv1.DestinationRule) *networking.ZoneAwareLoadBalancerSetting {
	if r == nil {
		return nil
	}
	return r.Spec.GetTrafficPolicy().GetLoadBalancer().GetZoneAwareLbSetting()
}

// zoneAware divides calls as Envoy's zone-aware routing does: as many as the endpoints in
// the client's zone can take while all endpoints have the same load, and the others to
// the zones in which there are fewer clients than endpoints, in parts of the whole. It
// divides evenly where there are fewer endpoints than the setting wants (6), where it
// is switched off, and where clients or endpoints are in one zone only.
func zoneAware(s *networking.ZoneAwareLoadBalancerSetting, client locality.Locality, clients, endpoints []locality.Locality) []float64 {
	least := 6
	if s.GetMinClusterSize() != nil {
		least = int(s.GetMinClusterSize().GetValue())
	}
	callers, callees := zones(clients), zones(endpoints)
	if s.GetEnabled() != nil && !s.GetEnabled().GetValue() || len(endpoints) < least || len(callers) < 2 || len(callees) < 2 {
		return evenly(everywhere(endpoints), len(endpoints))
	}
	spare := map[string]float64{} // of the zones that can take more calls than are made there
	all := 0.0
	for zone, part := range callees {
		if more := part - callers[zone]; more > 0 {
			spare[zone] = more
			all += more
		}
	}
	home := client.Domain(locality.Zone)
	kept := min(1, callees[home]/callers[home])
	parts := make([]float64, len(endpoints))
	for i, e := range endpoints {
		zone := e.Domain(locality.Zone)
		part := 0.0
		if zone == home {
			part = kept
		} else if all > 0 {
			part = (1 - kept) * spare[zone] / all
		}
		parts[i] = part / (callees[zone] * float64(len(endpoints)))
	}
	return parts
}

// zones returns which part of the places is in each zone.
func zones(places []locality.Locality) map[string]float64 {
	parts := map[string]float64{}
	for _, at := range places {
		parts[at.Domain(locality.Zone)] += 1 / float64(len(places))
	}
	return parts
}
