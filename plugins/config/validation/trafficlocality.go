package validation

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation/field"

	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// TrafficLocalityArgs checks defaulted arguments and returns every violated
// rule with its field.
func TrafficLocalityArgs(a *v1.TrafficLocalityArgs) field.ErrorList {
	var errs field.ErrorList
	if a.APIVersion != v1.GroupVersion {
		errs = append(errs, field.NotSupported(field.NewPath("apiVersion"), a.APIVersion, []string{v1.GroupVersion}))
	}
	if a.Kind != v1.TrafficLocalityArgsKind {
		errs = append(errs, field.NotSupported(field.NewPath("kind"), a.Kind, []string{v1.TrafficLocalityArgsKind}))
	}
	if a.Strategy != v1.StrategyGain && a.Strategy != v1.StrategyNetMARKS {
		errs = append(errs, field.NotSupported(field.NewPath("strategy"), a.Strategy,
			[]v1.Strategy{v1.StrategyGain, v1.StrategyNetMARKS}))
	}
	if routings := []v1.Routing{v1.RoutingAuto, v1.RoutingFairLoad, v1.RoutingSameNode, v1.RoutingSameZone, v1.RoutingUniform}; !slices.Contains(routings, a.Routing) {
		errs = append(errs, field.NotSupported(field.NewPath("routing"), a.Routing, routings))
	}
	errs = append(errs, routingPolicies(a, field.NewPath("routingPolicies"))...)
	errs = append(errs, istioMesh(a, field.NewPath("istio"))...)
	errs = append(errs, levels(a)...)
	errs = append(errs, notNegative(a.RequestBytes, field.NewPath("requestBytes"))...)
	errs = append(errs, notNegative(a.SignificantRate, field.NewPath("significantRate"))...)
	errs = append(errs, share(*a.MaxShare.Node, field.NewPath("maxShare", "node"))...)
	errs = append(errs, share(*a.MaxShare.Zone, field.NewPath("maxShare", "zone"))...)
	errs = append(errs, networkCapacity(a.NetworkCapacity, field.NewPath("networkCapacity"))...)
	if a.StaleAfter.Duration <= 0 {
		errs = append(errs, field.Invalid(field.NewPath("staleAfter"), a.StaleAfter.Duration.String(), "must be greater than 0"))
	}
	if a.ExpireAfter.Duration <= a.StaleAfter.Duration {
		errs = append(errs, field.Invalid(field.NewPath("expireAfter"), a.ExpireAfter.Duration.String(), "must be greater than staleAfter"))
	}
	return errs
}

func routingPolicies(a *v1.TrafficLocalityArgs, path *field.Path) field.ErrorList {
	if a.Routing != v1.RoutingAuto {
		if a.RoutingPolicies != nil {
			return field.ErrorList{field.Invalid(path, a.RoutingPolicies, "must not be set unless routing is Auto")}
		}
		return nil
	}
	if len(a.RoutingPolicies) == 0 {
		return field.ErrorList{field.Invalid(path, a.RoutingPolicies, "must not be empty; where none counts, set routing to Uniform")}
	}
	var errs field.ErrorList
	for i, s := range a.RoutingPolicies {
		if !slices.Contains(v1.RoutingPolicies(), s) {
			errs = append(errs, field.NotSupported(path.Index(i), s, v1.RoutingPolicies()))
		}
	}
	return errs
}

func istioMesh(a *v1.TrafficLocalityArgs, path *field.Path) field.ErrorList {
	if a.Istio == nil {
		return nil
	}
	if !slices.Contains(a.RoutingPolicies, v1.RoutingPolicyDestinationRules) {
		return field.ErrorList{field.Forbidden(path, "must not be set unless DestinationRules are among routingPolicies")}
	}
	var errs field.ErrorList
	for _, problem := range content.IsDNS1123Label(a.Istio.RootNamespace) {
		errs = append(errs, field.Invalid(path.Child("rootNamespace"), a.Istio.RootNamespace, problem))
	}
	if s := a.Istio.ZoneAwareLbSetting; s != nil && *s.MinClusterSize < 0 {
		errs = append(errs, field.Invalid(path.Child("zoneAwareLbSetting", "minClusterSize"), *s.MinClusterSize, "must not be negative"))
	}
	return errs
}

func networkCapacity(n *v1.NetworkCapacity, path *field.Path) field.ErrorList {
	if n == nil {
		return nil
	}
	errs := share(*n.MaxUtilization, path.Child("maxUtilization"))
	if n.Unit.Sign() <= 0 {
		errs = append(errs, field.Invalid(path.Child("unit"), n.Unit.String(), "must be greater than 0"))
	}
	if n.Label == "" {
		return errs // what the telemetry says counts
	}
	for _, problem := range content.IsLabelKey(n.Label) {
		errs = append(errs, field.Invalid(path.Child("label"), n.Label, problem))
	}
	return errs
}

func share(v float64, path *field.Path) field.ErrorList {
	if v > 0 && v <= 1 {
		return nil
	}
	return field.ErrorList{field.Invalid(path, v, "must be greater than 0 and at most 1")}
}

func notNegative(q *resource.Quantity, path *field.Path) field.ErrorList {
	if q != nil && q.Sign() < 0 {
		return field.ErrorList{field.Invalid(path, q.String(), "must not be negative")}
	}
	return nil
}
