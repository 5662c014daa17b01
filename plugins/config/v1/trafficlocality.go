package v1

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TrafficLocalityArgsKind is the kind of TrafficLocalityArgs.
const TrafficLocalityArgsKind = "TrafficLocalityArgs"

// Strategy selects the score's formula.
type Strategy string

const (
	// StrategyGain scores how much more traffic would stay close under the
	// configured routing.
	StrategyGain Strategy = "Gain"
	// StrategyNetMARKS scores the traffic with the pods that already run on a
	// node, bytes only, as published in NetMARKS (INFOCOM 2021).
	StrategyNetMARKS Strategy = "NetMARKS"
)

// Routing names how calls are divided over a callee's endpoints.
type Routing string

const (
	// RoutingAuto takes for each callee what is configured: see RoutingPolicy.
	RoutingAuto Routing = "Auto"
	// RoutingUniform divides calls evenly over all endpoints.
	RoutingUniform Routing = "Uniform"
	// RoutingFairLoad prefers local endpoints up to their fair share of the
	// load.
	RoutingFairLoad Routing = "FairLoad"
	// RoutingSameNode prefers the endpoints on the node, then those in the zone.
	RoutingSameNode Routing = "SameNode"
	// RoutingSameZone prefers the endpoints in the zone.
	RoutingSameZone Routing = "SameZone"
)

// RoutingPolicy names a place where it may be configured how calls are divided.
type RoutingPolicy string

const (
	// RoutingPolicyInternalTrafficPolicy is the Services' internalTrafficPolicy.
	RoutingPolicyInternalTrafficPolicy RoutingPolicy = "InternalTrafficPolicy"
	// RoutingPolicyTrafficDistribution is the Services' trafficDistribution.
	RoutingPolicyTrafficDistribution RoutingPolicy = "TrafficDistribution"
	// RoutingPolicyAnnotation is the annotation networking.istio.io/traffic-distribution
	// of Services and Namespaces.
	RoutingPolicyAnnotation RoutingPolicy = "TrafficDistributionAnnotation"
	// RoutingPolicyDestinationRules is Istio's DestinationRules.
	RoutingPolicyDestinationRules RoutingPolicy = "DestinationRules"
)

// RoutingPolicies lists all.
func RoutingPolicies() []RoutingPolicy {
	return []RoutingPolicy{RoutingPolicyDestinationRules, RoutingPolicyInternalTrafficPolicy, RoutingPolicyTrafficDistribution, RoutingPolicyAnnotation}
}

// TrafficLocalityArgs are the arguments of the TrafficLocality plugin in one
// profile of a KubeSchedulerConfiguration.
type TrafficLocalityArgs struct {
	metav1.TypeMeta `json:",inline"`

	// Strategy is Gain (default) or NetMARKS.
	Strategy Strategy `json:"strategy,omitempty"`
	// Routing is what the Gain strategy assumes: Auto (default), or one of the others
	// for every callee. NetMARKS knows no routing.
	Routing Routing `json:"routing,omitempty"`
	// RoutingPolicies are the policies that count when the routing is Auto (default:
	// all): those that the proxies honour which divide the calls.
	RoutingPolicies []RoutingPolicy `json:"routingPolicies,omitempty"`
	// Istio repeats what Istio's MeshConfig says of the routing, where that differs from
	// its defaults: the MeshConfig is not read. It needs DestinationRules among
	// RoutingPolicies.
	Istio *Istio `json:"istio,omitempty"`
	// Closeness is what a byte is worth that stays within a level. NetMARKS
	// looks at nodes only.
	Closeness *Closeness `json:"closeness,omitempty"`
	// Cost says the same by what a byte costs; it stands in the place of Closeness.
	Cost *Cost `json:"cost,omitempty"`
	// Levels are those of node labels, five at most, beside node, zone and region.
	// Which level is nearer follows from their closeness, or their cost.
	Levels []Level `json:"levels,omitempty"`
	// RequestBytes is the number of bytes that one request counts beside its
	// own size, so that many small calls have weight (default 1Ki). NetMARKS
	// counts bytes only.
	RequestBytes *resource.Quantity `json:"requestBytes,omitempty"`
	// SignificantRate is the traffic of one pod, in bytes per second, at which
	// the plugin has half of its full say; a pod with much less is left to the
	// other plugins. By default its say is the mean, over all workloads with traffic,
	// of its rate relative to that of one of their pods, 1 at most.
	SignificantRate *resource.Quantity `json:"significantRate,omitempty"`
	// MaxShare is how many of a workload's pods may be drawn to one place.
	MaxShare *MaxShare `json:"maxShare,omitempty"`
	// ReserveRoom looks ahead to the pods that controllers want but that are not
	// placed yet (default true). They draw their peers' pods to where they will match,
	// and room near their peers is kept for them: a pod that would make less of a
	// node's room than they is not drawn there, also one without any traffic.
	// NetMARKS does not look ahead.
	ReserveRoom *bool `json:"reserveRoom,omitempty"`
	// NetworkCapacity bounds what is drawn to a node by what its network takes. It is
	// off unless it is set. NetMARKS knows none.
	NetworkCapacity *NetworkCapacity `json:"networkCapacity,omitempty"`
	// OptIn restricts the plugin to pods that ask for it: those with the annotation
	// vicinity.dev/locality: "on", of their own, of their workload's controller or of their
	// namespace (default false: all pods but those with "off").
	OptIn bool `json:"optIn,omitempty"`
	// Shadow has the plugin compute and record what it would do, without any influence
	// (default false): see vicinity locality --shadow.
	Shadow bool `json:"shadow,omitempty"`
	// Events has it write events on pods that are bound, and on workloads whose calls are
	// divided so that being close brings little (default true; never in shadow mode).
	Events *bool `json:"events,omitempty"`
	// StaleAfter is the age of the telemetry from which its influence falls
	// (default 5m).
	StaleAfter *metav1.Duration `json:"staleAfter,omitempty"`
	// ExpireAfter is the age at which it has none left (default 30m).
	ExpireAfter *metav1.Duration `json:"expireAfter,omitempty"`
}

// Istio is the part of Istio's MeshConfig that decides how calls are divided.
type Istio struct {
	// RootNamespace is the mesh's root namespace, whose DestinationRules count where
	// neither the caller's namespace nor the Service's has one (default istio-system).
	RootNamespace string `json:"rootNamespace,omitempty"`
	// ZoneAwareLbSetting is the mesh-wide zone-aware load balancing, of which there is
	// none by default.
	ZoneAwareLbSetting *ZoneAwareLbSetting `json:"zoneAwareLbSetting,omitempty"`
}

// ZoneAwareLbSetting has the fields of Istio's ZoneAwareLoadBalancerSetting that count.
type ZoneAwareLbSetting struct {
	// Enabled is false where the setting turns zone-aware balancing, and failover by
	// locality, off (default true).
	Enabled *bool `json:"enabled,omitempty"`
	// MinClusterSize is how many endpoints a Service needs for it (default 6).
	MinClusterSize *int32 `json:"minClusterSize,omitempty"`
}

// Closeness is what a byte is worth that stays within a level, each in [0,1]
// and not more than that of a nearer level.
type Closeness struct {
	// Node is the worth of a byte that stays on the node (default 1).
	Node *float64 `json:"node,omitempty"`
	// Zone is the worth of a byte that stays in the zone (default 0.5).
	Zone *float64 `json:"zone,omitempty"`
	// Region is the worth of a byte that stays in the region (default 0.1).
	Region *float64 `json:"region,omitempty"`
}

// Cost is what a byte costs whose ends share a level and no nearer one, in any
// unit, not less than at the nearer level. A byte's closeness is the part of the
// cost of a remote one that it saves: (remote - cost) / remote.
type Cost struct {
	// Node is the cost of a byte that stays on the node (default 0).
	Node *float64 `json:"node,omitempty"`
	// Zone is the cost of a byte that leaves the node and stays in the zone.
	Zone *float64 `json:"zone,omitempty"`
	// Region is the cost of a byte that leaves the zone and stays in the region.
	Region *float64 `json:"region,omitempty"`
	// Remote is the cost of a byte that leaves the region, more than 0.
	Remote *float64 `json:"remote,omitempty"`
}

// Closeness is the closeness of a level with some cost.
func (c *Cost) Closeness(cost float64) float64 { return (*c.Remote - cost) / *c.Remote }

// Level is a level whose domains are the nodes with one value of a label, within
// the domains of the wider levels.
type Level struct {
	// Label is the label's key.
	Label string `json:"label"`
	// Closeness is what a byte is worth that stays within the level: more than 0,
	// less than that of the node, and unlike that of any other level.
	Closeness *float64 `json:"closeness,omitempty"`
	// Cost is what a byte costs whose ends share the level and no nearer one; it
	// stands in the place of Closeness where Cost does for the other levels.
	Cost *float64 `json:"cost,omitempty"`
}

// MaxShare is the share of a workload's pods, each in (0,1], up to which a node or
// a zone draws more of them; one pod always. Beyond it the traffic there has no say
// for this workload, so that the loss of one place does not take it down whole. It
// is no limit: the other plugins may still choose the place.
type MaxShare struct {
	// Node is that of a node (default 0.66: two thirds; 1 with NetMARKS, as published).
	Node *float64 `json:"node,omitempty"`
	// Zone is that of a zone (default as of a node).
	Zone *float64 `json:"zone,omitempty"`
}

// NetworkCapacity says how much a node's network takes, and how much of that may be
// drawn there.
type NetworkCapacity struct {
	// Label is the node label with the capacity in each direction, a Kubernetes
	// quantity in units of Unit. For a node that has none, or no quantity, and without a
	// label here, what the telemetry says counts (nodeNetworks of
	// TelemetryConfiguration); of which neither says anything is not bounded.
	Label string `json:"label,omitempty"`
	// Unit is what the label counts, in bits per second (default 1; 1M for megabits).
	Unit *resource.Quantity `json:"unit,omitempty"`
	// MaxUtilization is the part of the capacity, in (0,1], up to which pods are drawn
	// to the node (default 0.8): telemetry knows not all that a node sends and receives,
	// and nothing of bursts.
	MaxUtilization *float64 `json:"maxUtilization,omitempty"`
}

// RenamedFields returns the names of fields as they are now by those that they had
// before, for errors that help.
func (*TrafficLocalityArgs) RenamedFields() map[string]string {
	return map[string]string{"honours": "routingPolicies"}
}

// SetDefaults fills in every field that is not set.
func (a *TrafficLocalityArgs) SetDefaults() {
	setDefault(&a.APIVersion, GroupVersion)
	setDefault(&a.Kind, TrafficLocalityArgsKind)
	setDefault(&a.Strategy, StrategyGain)
	setDefault(&a.Routing, RoutingAuto)
	if a.Routing == RoutingAuto && a.RoutingPolicies == nil {
		a.RoutingPolicies = RoutingPolicies()
	}
	if i := a.Istio; i != nil {
		setDefault(&i.RootNamespace, "istio-system")
		if s := i.ZoneAwareLbSetting; s != nil {
			pointerDefault(&s.Enabled, true)
			pointerDefault(&s.MinClusterSize, 6)
		}
	}
	if a.Cost != nil {
		pointerDefault(&a.Cost.Node, 0)
	} else {
		if a.Closeness == nil {
			a.Closeness = &Closeness{}
		}
		pointerDefault(&a.Closeness.Node, 1)
		pointerDefault(&a.Closeness.Zone, 0.5)
		pointerDefault(&a.Closeness.Region, 0.1)
	}
	pointerDefault(&a.RequestBytes, resource.MustParse("1Ki"))
	if a.MaxShare == nil {
		a.MaxShare = &MaxShare{}
	}
	most := 0.66
	if a.Strategy == StrategyNetMARKS {
		most = 1 // as published
	}
	pointerDefault(&a.MaxShare.Node, most)
	pointerDefault(&a.MaxShare.Zone, most)
	pointerDefault(&a.ReserveRoom, true)
	pointerDefault(&a.Events, true)
	if n := a.NetworkCapacity; n != nil {
		pointerDefault(&n.Unit, resource.MustParse("1"))
		pointerDefault(&n.MaxUtilization, 0.8)
	}
	pointerDefault(&a.StaleAfter, metav1.Duration{Duration: 5 * time.Minute})
	pointerDefault(&a.ExpireAfter, metav1.Duration{Duration: 30 * time.Minute})
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func pointerDefault[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}
