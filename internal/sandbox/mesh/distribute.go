package mesh

import (
	"maps"
	"math"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	networkingv1 "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// distribute returns by what weights a rule has calls divided, if it does. Istio asks
// for no detection of outliers here.
func distribute(r *networkingv1.DestinationRule) []*networking.LocalityLoadBalancerSetting_Distribute {
	if r == nil || r.Spec.TrafficPolicy == nil || r.Spec.TrafficPolicy.LoadBalancer == nil {
		return nil
	}
	s := r.Spec.TrafficPolicy.LoadBalancer.LocalityLbSetting
	if s == nil || s.Enabled != nil && !s.Enabled.Value {
		return nil
	}
	return s.Distribute
}

// weighted divides calls as Istio's applyLocalityWeights and Envoy after it do. The
// first entry from the client's locality counts; without one, all endpoints count
// alike. What an entry gives to a place is divided over the localities there by their
// endpoints, in whole numbers rounded up, and over the endpoints of each evenly.
// Localities that it does not name get nothing, and those without endpoints are not
// there, so that the others share what was theirs.
func weighted(entries []*networking.LocalityLoadBalancerSetting_Distribute, client locality.Locality, endpoints []locality.Locality) []float64 {
	at := slices.IndexFunc(entries, func(e *networking.LocalityLoadBalancerSetting_Distribute) bool { return covers(e.From, client) })
	if at < 0 {
		return evenly(everywhere(endpoints), len(endpoints))
	}
	groups := map[locality.Locality][]int{}
	for i, e := range endpoints {
		e.Node = ""
		groups[e] = append(groups[e], i)
	}
	weights, sum := map[locality.Locality]float64{}, 0.0
	for _, place := range slices.Sorted(maps.Keys(entries[at].To)) {
		there, count := map[locality.Locality]float64{}, 0.0
		for group, members := range groups {
			if _, taken := weights[group]; !taken && covers(place, group) {
				there[group] = float64(len(members))
				count += there[group]
			}
		}
		for group, n := range there {
			weights[group] = math.Ceil(n * float64(entries[at].To[place]) / count)
			sum += weights[group]
		}
	}
	parts := make([]float64, len(endpoints))
	for group, weight := range weights {
		for _, i := range groups[group] {
			parts[i] = weight / max(sum, 1) / float64(len(groups[group]))
		}
	}
	return parts
}

// covers reports whether "region/zone/subzone" has a locality in it. The region, and
// what is left out, may be *; no locality here has a subzone.
func covers(place string, at locality.Locality) bool {
	parts := append(strings.SplitN(place, "/", 3), "", "")
	match := func(name, own string) bool { return name == "*" || name == own }
	return match(parts[0], at.Region) && (parts[1] == "" || match(parts[1], at.Zone)) && (parts[2] == "" || parts[2] == "*")
}
