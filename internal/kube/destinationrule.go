package kube

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// DestinationRule is what an Istio DestinationRule says of how calls are divided.
// What else is in one is not held.
type DestinationRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec DestinationRuleSpec `json:"spec"`
}

// DestinationRuleSpec has Istio's names.
type DestinationRuleSpec struct {
	Host             string         `json:"host,omitempty"`
	TrafficPolicy    *TrafficPolicy `json:"trafficPolicy,omitempty"`
	Subsets          []RuleSubset   `json:"subsets,omitempty"`
	ExportTo         []string       `json:"exportTo,omitempty"`
	WorkloadSelector *Presence      `json:"workloadSelector,omitempty"`
}

// RuleSubset is a part of the endpoints, to which a VirtualService may route.
type RuleSubset struct {
	Name          string         `json:"name,omitempty"`
	TrafficPolicy *TrafficPolicy `json:"trafficPolicy,omitempty"`
}

// TrafficPolicy is how a client's proxy chooses among the endpoints.
type TrafficPolicy struct {
	LoadBalancer      *LoadBalancer       `json:"loadBalancer,omitempty"`
	OutlierDetection  *Presence           `json:"outlierDetection,omitempty"`
	PortLevelSettings []PortTrafficPolicy `json:"portLevelSettings,omitempty"`
}

// PortTrafficPolicy stands in the place of the TrafficPolicy for one port.
type PortTrafficPolicy struct {
	Port struct {
		Number int64 `json:"number,omitempty"`
	} `json:"port"`
	LoadBalancer     *LoadBalancer `json:"loadBalancer,omitempty"`
	OutlierDetection *Presence     `json:"outlierDetection,omitempty"`
}

// LoadBalancer has the two settings of which one may name localities.
type LoadBalancer struct {
	LocalityLbSetting  *LocalitySetting `json:"localityLbSetting,omitempty"`
	ZoneAwareLbSetting *Presence        `json:"zoneAwareLbSetting,omitempty"`
}

// LocalitySetting is Istio's LocalityLoadBalancerSetting.
type LocalitySetting struct {
	Enabled          *bool           `json:"enabled,omitempty"`
	Distribute       []LocalityShare `json:"distribute,omitempty"`
	Failover         []Presence      `json:"failover,omitempty"`
	FailoverPriority []string        `json:"failoverPriority,omitempty"`
}

// Presence stands for an object of which it counts only that it is there.
type Presence struct{}

// DeepCopyObject makes DestinationRule a runtime.Object. Nothing writes to the
// spec of one that has been read.
func (r *DestinationRule) DeepCopyObject() runtime.Object {
	c, meta := *r, &r.ObjectMeta
	meta.DeepCopyInto(&c.ObjectMeta)
	return &c
}

// istioClusterDomain ends the host names of Services.
const istioClusterDomain = "svc.cluster.local"

// host is the full host name that a rule is about. Istio completes names without
// a dot, and no others.
func (r *DestinationRule) host() string {
	if h := r.Spec.Host; h == "*" || h == "" || strings.Contains(h, ".") {
		return h
	}
	return r.Spec.Host + "." + r.Namespace + "." + istioClusterDomain
}

// isForAll reports whether the rule holds for callers of all namespaces and
// workloads, as far as it does not stand in a namespace of callers.
func (r *DestinationRule) isForAll() bool {
	return r.Spec.WorkloadSelector == nil && (len(r.Spec.ExportTo) == 0 || slices.Contains(r.Spec.ExportTo, "*"))
}

// merged is what Istio makes of the rules for one host in one namespace, the
// oldest first: the first traffic policy, and all subsets.
func merged(rules []*DestinationRule) DestinationRuleSpec {
	var spec DestinationRuleSpec
	named := map[string]bool{}
	for _, r := range rules {
		if spec.TrafficPolicy == nil {
			spec.TrafficPolicy = r.Spec.TrafficPolicy
		}
		for _, s := range r.Spec.Subsets {
			if !named[s.Name] {
				named[s.Name] = true
				spec.Subsets = append(spec.Subsets, s)
			}
		}
	}
	return spec
}

// choices are what decides for calls to a Service under the rule: of each of its ports,
// for all endpoints and for each of the rule's subsets. The telemetry tells neither.
func (s DestinationRuleSpec) choices(service *corev1.Service) []choice {
	ports := []int64{0} // of a Service without ports, the rule's for all ports
	if len(service.Spec.Ports) > 0 {
		ports = ports[:0]
		for _, p := range service.Spec.Ports {
			ports = append(ports, int64(p.Port))
		}
	}
	var all []choice
	for _, port := range ports {
		whole := choice{}.overlaid(s.TrafficPolicy, port)
		all = append(all, whole)
		for _, subset := range s.Subsets {
			all = append(all, whole.overlaid(subset.TrafficPolicy, port))
		}
	}
	return all
}

// choice is what decides for one port.
type choice struct {
	balancer *LoadBalancer
	outliers *Presence
}

// overlaid is the choice with what a policy sets. The settings of a port replace
// all of the others.
func (c choice) overlaid(p *TrafficPolicy, port int64) choice {
	if p == nil {
		return c
	}
	for _, own := range p.PortLevelSettings {
		if own.Port.Number == port {
			return choice{own.LoadBalancer, own.OutlierDetection}
		}
	}
	if p.LoadBalancer != nil {
		c.balancer = p.LoadBalancer
	}
	if p.OutlierDetection != nil {
		c.outliers = p.OutlierDetection
	}
	return c
}

// routing follows Istio's order: the rule's setting, what the Service says, and
// the mesh's default, which is failover by locality where outliers are detected.
// Zone-aware balancing has no counterpart here.
func (c choice) routing(configured affinity.Routing) affinity.Routing {
	switch {
	case c.balancer != nil && c.balancer.ZoneAwareLbSetting != nil:
		return affinity.Uniform
	case c.balancer != nil && c.balancer.LocalityLbSetting != nil:
		return c.balancer.LocalityLbSetting.routing(c.outliers != nil)
	case configured != affinity.Uniform || c.outliers == nil:
		return configured
	}
	return affinity.SameZone
}

// routing is what the setting prefers. Shares need no detection of outliers; without
// it proxies prefer nothing else, as they would never know when to fail over.
func (s *LocalitySetting) routing(detectsOutliers bool) affinity.Routing {
	switch {
	case s.Enabled != nil && !*s.Enabled:
		return affinity.Uniform
	case len(s.Distribute) > 0:
		return byShares(s.Distribute)
	case !detectsOutliers:
		return affinity.Uniform
	case len(s.FailoverPriority) > 0:
		return byPriority(s.FailoverPriority, len(s.Failover) > 0)
	}
	return affinity.SameZone
}

// byPriority returns what the labels of a failoverPriority prefer. An endpoint is
// the nearer the more of them it shares with the caller, counted from the first to
// the first that differs: a label counts only where all before it are shared too.
// failover has equals told apart by zone.
func byPriority(labels []string, failover bool) affinity.Routing {
	zone, part := false, false
	for _, label := range labels {
		switch label {
		case "topology.istio.io/network", corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaRegion:
			// Whatever shares a zone shares these.
		case corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaZone:
			zone = zone || !part
		case "topology.istio.io/subzone":
			part = true // the rest of the zone comes after others, unless the zone stands before
		case corev1.LabelHostname:
			if zone || failover && !part {
				return affinity.SameNode
			}
			return affinity.SameNodeOrAny
		default: // not known of the caller
			if zone {
				return affinity.SameZone
			}
			return affinity.Uniform
		}
	}
	if zone || failover && !part {
		return affinity.SameZone
	}
	return affinity.Uniform
}
