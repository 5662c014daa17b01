package trafficlocality

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	"github.com/vicinity-sched/vicinity/plugins/config"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/config/validation"
)

// DecodeArgs reads the raw arguments that kube-scheduler hands to a plugin
// whose kind it does not know, fills in the defaults, and checks them; nil means
// defaults. Its errors name the field and the rule.
func DecodeArgs(obj runtime.Object) (*configv1.TrafficLocalityArgs, error) {
	args := &configv1.TrafficLocalityArgs{}
	switch raw := obj.(type) {
	case nil:
	case *runtime.Unknown:
		if err := config.DecodeStrict(raw.Raw, args); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("unexpected type %T", obj)
	}
	args.SetDefaults()
	if err := validation.TrafficLocalityArgs(args).ToAggregate(); err != nil {
		return nil, err
	}
	return args, nil
}

// options are the arguments in the form that the plugin wants.
type options struct {
	score.Options
	auto    bool             // the routing is read from the cluster
	routing affinity.Routing // of every callee, unless auto
	network *configv1.NetworkCapacity
	ages    ages
	optIn   bool // pods that say nothing are scheduled without the plugin
}

// admits reports whether the plugin has a say in the placement of pods with a choice.
func (o *options) admits(c kube.Choice) bool {
	return c == kube.On || c == kube.Unsaid && !o.optIn
}

func optionsOf(a *configv1.TrafficLocalityArgs) options {
	o := options{
		Options: score.Options{
			NetMARKS:        a.Strategy == configv1.StrategyNetMARKS,
			RequestBytes:    a.RequestBytes.AsApproximateFloat64(),
			SignificantRate: -1,
			MaxNodeShare:    *a.MaxShare.Node,
			MaxZoneShare:    *a.MaxShare.Zone,
		},
		routing: map[configv1.Routing]affinity.Routing{
			configv1.RoutingFairLoad: affinity.FairLoad,
			configv1.RoutingSameNode: affinity.SameNode,
			configv1.RoutingSameZone: affinity.SameZone,
		}[a.Routing], // Uniform otherwise
		ages:  ages{a.StaleAfter.Duration, a.ExpireAfter.Duration},
		optIn: a.OptIn,
	}
	o.Scale, o.Closeness = scaleOf(a)
	if a.SignificantRate != nil {
		o.SignificantRate = a.SignificantRate.AsApproximateFloat64()
	}
	if o.NetMARKS { // as published
		o.Scale, o.Closeness = nil, []float64{1, 0, 0}
		o.RequestBytes = 0
		if a.SignificantRate == nil {
			o.SignificantRate = score.FixedRate
		}
		return o
	}
	o.auto = a.Routing == configv1.RoutingAuto
	o.Anticipate = *a.ReserveRoom && o.Closeness[0] > 0
	o.ReserveRoom = o.Anticipate
	if o.network = a.NetworkCapacity; o.network != nil {
		o.MaxUtilization = *o.network.MaxUtilization
	}
	return o
}

// nodeLocal reports whether a pod that lands on a node changes the score of that node
// at most.
func (o *options) nodeLocal() bool {
	levels := o.Levels()
	nodeOnly := len(levels) == 0 || len(levels) == 1 && levels[0].Level == locality.Node
	// Under fair load the workload's own pods count, and the best node's gain is what
	// every score is measured against. A node that attracts no more of the workload's
	// pods, or whose network is full, may have been the best. Of room that is kept
	// there is less, or more, elsewhere, and peers are expected where pods are.
	unbound := o.MaxNodeShare == 1 && o.MaxZoneShare == 1 && o.network == nil && !o.Anticipate
	return nodeOnly && unbound && (o.NetMARKS || !o.auto && o.routing == affinity.Uniform)
}

// ScaleOf returns the levels at which a plugin with these arguments tells nodes apart.
func ScaleOf(a *configv1.TrafficLocalityArgs) locality.Scale { return optionsOf(a).Scale }

// ClosenessOf returns what a byte is worth that stays at a level, in [0,1], by the position of
// the level in ScaleOf(a).Levels().
func ClosenessOf(a *configv1.TrafficLocalityArgs) []float64 { return optionsOf(a).Closeness }

// scaleOf returns the levels that arguments name, and the closeness of each, by
// its position.
func scaleOf(a *configv1.TrafficLocalityArgs) (locality.Scale, []float64) {
	named := configv1.Closeness{}
	if a.Cost == nil {
		named = *a.Closeness
	}
	closeness := func(value, cost *float64) float64 {
		if a.Cost != nil {
			return a.Cost.Closeness(*cost)
		}
		return *value
	}
	costs := cmp.Or(a.Cost, &configv1.Cost{})
	type known struct {
		level     locality.Level
		label     string
		closeness float64
	}
	all := []known{
		{level: locality.Node, closeness: closeness(named.Node, costs.Node)},
		{level: locality.Zone, closeness: closeness(named.Zone, costs.Zone)},
		{level: locality.Region, closeness: closeness(named.Region, costs.Region)},
	}
	for _, l := range a.Levels {
		all = append(all, known{label: l.Label, closeness: closeness(l.Closeness, l.Cost)})
	}
	slices.SortStableFunc(all, func(a, b known) int { return cmp.Compare(b.closeness, a.closeness) })
	var scale locality.Scale
	values := make([]float64, len(all))
	nearer, i := locality.Node, 0
	for k, l := range all {
		values[k] = l.closeness
		if l.label == "" {
			nearer, i = l.level, 0
			continue
		}
		scale = append(scale, locality.Label{Level: nearer.Labelled(i), Key: l.label})
		i++
	}
	return scale, values
}

// FixedRouting returns how a plugin with these arguments takes all calls to be divided; ok is
// false where it looks that up (PoliciesOf).
func FixedRouting(a *configv1.TrafficLocalityArgs) (r affinity.Routing, ok bool) {
	o := optionsOf(a)
	return o.routing, !o.auto
}

// PoliciesOf returns the places where a plugin with these arguments looks up how calls are
// divided.
func PoliciesOf(a *configv1.TrafficLocalityArgs) routing.Policies {
	counts := func(p configv1.RoutingPolicy) bool { return slices.Contains(a.RoutingPolicies, p) }
	return routing.Policies{
		InternalTrafficPolicy: counts(configv1.RoutingPolicyInternalTrafficPolicy),
		TrafficDistribution:   counts(configv1.RoutingPolicyTrafficDistribution),
		Annotation:            counts(configv1.RoutingPolicyAnnotation),
		DestinationRules:      counts(configv1.RoutingPolicyDestinationRules),
		Mesh:                  mesh(a.Istio),
	}
}

// mesh translates what Istio's MeshConfig says; nil is nothing.
func mesh(i *configv1.Istio) routing.Mesh {
	if i == nil {
		return routing.Mesh{}
	}
	m := routing.Mesh{RootNamespace: i.RootNamespace}
	if s := i.ZoneAwareLbSetting; s != nil {
		m.ZoneAware = &routing.ZoneAware{Enabled: *s.Enabled, MinClusterSize: int(*s.MinClusterSize)}
	}
	return m
}
