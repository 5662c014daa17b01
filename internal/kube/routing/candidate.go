package routing

import (
	networking "istio.io/api/networking/v1alpha3"
	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// policyCandidate is the part of a traffic policy that decides for one port, and for
// all endpoints or for a subset of them.
type policyCandidate struct {
	balancer *networking.LoadBalancerSettings
	outliers *networking.OutlierDetection
}

// policyCandidates are what may decide for calls to a Service under the rule: of each
// of its ports, for all endpoints and for each of the rule's subsets. The telemetry
// tells neither. There is at least one.
func (r *mergedRule) policyCandidates(service *corev1.Service) []policyCandidate {
	ports := []uint32{0} // of a Service without ports, the rule's for all ports
	if len(service.Spec.Ports) > 0 {
		ports = ports[:0]
		for _, p := range service.Spec.Ports {
			ports = append(ports, uint32(p.Port))
		}
	}
	var all []policyCandidate
	for _, port := range ports {
		whole := policyCandidate{}.overlaid(r.policy, port)
		all = append(all, whole)
		for _, subset := range r.subsets {
			all = append(all, whole.overlaid(subset.GetTrafficPolicy(), port))
		}
	}
	return all
}

// overlaid is the candidate with what a policy sets. The settings of a port replace
// all of the others.
func (c policyCandidate) overlaid(p *networking.TrafficPolicy, port uint32) policyCandidate {
	for _, own := range p.GetPortLevelSettings() {
		if own.GetPort().GetNumber() == port {
			return policyCandidate{own.GetLoadBalancer(), own.GetOutlierDetection()}
		}
	}
	if p.GetLoadBalancer() != nil {
		c.balancer = p.GetLoadBalancer()
	}
	if p.GetOutlierDetection() != nil {
		c.outliers = p.GetOutlierDetection()
	}
	return c
}

// distribute are the entries by which a candidate divides calls, if it does.
func (c policyCandidate) distribute() []*networking.LocalityLoadBalancerSetting_Distribute {
	if c.balancer.GetZoneAwareLbSetting() != nil || isOff(c.balancer.GetLocalityLbSetting().GetEnabled()) {
		return nil
	}
	return c.balancer.GetLocalityLbSetting().GetDistribute()
}

// routing follows the order of GetEffectiveLbSetting in Istio's loadbalancer.go: the
// rule's setting, what the Service says, and the mesh's default, which is failover by
// locality where outliers are detected, unless balancing is zone-aware.
func (c policyCandidate) routing(said affinity.Routing, mesh Mesh) affinity.Routing {
	switch {
	case c.balancer.GetZoneAwareLbSetting() != nil:
		return zoneAware(c.balancer.GetZoneAwareLbSetting())
	case c.balancer.GetLocalityLbSetting() != nil:
		return byLocality(c.balancer.GetLocalityLbSetting(), c.outliers != nil)
	case said != affinity.Uniform:
		return said
	case mesh.ZoneAware != nil:
		if !mesh.ZoneAware.Enabled {
			return affinity.Uniform
		}
		return affinity.FairZone(mesh.ZoneAware.MinClusterSize)
	case c.outliers == nil:
		return affinity.Uniform
	}
	return affinity.SameZone
}

// DefaultMinClusterSize is how many endpoints Envoy's zone-aware routing needs, unless
// minClusterSize says otherwise.
const DefaultMinClusterSize = 6

// zoneAware is what a zoneAwareLbSetting prefers, with or without outlierDetection.
// The labels of its failoverPriority come before the zone.
func zoneAware(s *networking.ZoneAwareLoadBalancerSetting) affinity.Routing {
	if isOff(s.GetEnabled()) {
		return affinity.Uniform
	}
	least := DefaultMinClusterSize
	if n := s.GetMinClusterSize(); n != nil {
		least = int(n.GetValue())
	}
	for _, label := range s.GetFailoverPriority() {
		switch label {
		case NetworkLabel: // whatever shares a zone shares it
		case corev1.LabelHostname:
			return affinity.SameNodeOrAny
		default: // not known of the caller
			return affinity.Uniform
		}
	}
	return affinity.FairZone(least)
}
