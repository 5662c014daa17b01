package routing

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// anyNamespace is the namespace of callers where no rule stands and that no rule
// names.
const anyNamespace = ""

// calls are those to one Service.
type calls struct {
	to *corev1.Service
	// said is what the Service itself says. It is final where rules have no say.
	said  affinity.Routing
	final bool
	// covering are the rules that cover the Service, by host, the most specific first.
	covering [][]*DestinationRule
}

// callsTo gathers what may decide for calls to a Service.
func (c routingContext) callsTo(service *corev1.Service) calls {
	found := calls{to: service}
	found.said, found.final = c.ofService(service)
	found.final = found.final || !c.policies.DestinationRules || service.Annotations[DestinationRulesAnnotation] == Ignored
	if found.final || c.rules.Store() == nil {
		return found
	}
	for _, host := range hostsOf(service) {
		if rules := c.rules.about(host); len(rules) > 0 {
			found.covering = append(found.covering, rules)
		}
	}
	return found
}

// hostsOf returns the hosts of rules that cover a Service, the most specific first.
func hostsOf(service *corev1.Service) []string {
	host := service.Name + "." + service.Namespace + "." + clusterDomain
	hosts := []string{host}
	for {
		_, parent, found := strings.Cut(host, ".")
		if !found {
			return append(hosts, everyNamespace)
		}
		hosts, host = append(hosts, "*."+parent), parent
	}
}

// namespaces are those whose callers may follow other rules than all others do.
func (c *calls) namespaces() []string {
	var all []string
	for _, rules := range c.covering {
		for _, r := range rules {
			all = append(all, r.Namespace)
			for _, to := range exportedTo(r) {
				if to != ownNamespace && to != everyNamespace {
					all = append(all, to)
				}
			}
		}
	}
	return all
}

// routeOf returns how the calls from a namespace are divided. Of all that may decide,
// that which keeps the least counts, and shares only where all have the same.
func (c routingContext) routeOf(to *calls, caller string) cluster.Route {
	if to.final {
		return cluster.Route{Routing: to.said}
	}
	var candidates []policyCandidate
	for _, r := range ruleFor(to, caller, c.policies.Mesh.rootNamespace()) {
		candidates = append(candidates, r.policyCandidates(to.to)...)
	}
	route := cluster.Route{Routing: candidates[0].routing(to.said, c.policies.Mesh)}
	shared := true
	for _, candidate := range candidates[1:] {
		route.Routing = affinity.Least(route.Routing, candidate.routing(to.said, c.policies.Mesh))
		shared = shared && slices.EqualFunc(candidate.distribute(), candidates[0].distribute(), equalEntries)
	}
	if shared {
		route.Shares = zoneShares(candidates[0].distribute())
	}
	return route
}

// ruleFor returns the rule that the proxies of callers in a namespace follow, as
// PushContext.destinationRule and SidecarScope.DestinationRule of Istio's
// pilot/pkg/model find it: one for their host in their own namespace, or else one in the
// Service's that is exported to them, or else one in the root namespace. Within a
// namespace the most specific host counts. There are several only where it depends on
// the labels of the caller; an empty rule stands for callers without any.
func ruleFor(to *calls, caller, root string) []mergedRule {
	atHome := func(r *DestinationRule) bool { return r.Namespace == caller && holdsAtHome(r) }
	if caller == root {
		// What the root namespace exports comes last, there too.
		atHome = func(r *DestinationRule) bool { return r.Namespace == root && isPrivate(r) }
	}
	if rules := merge(mostSpecific(to.covering, atHome)); len(rules) > 0 {
		return decisive(rules)
	}
	for _, owner := range []string{to.to.Namespace, root} {
		rules := merge(mostSpecific(to.covering, func(r *DestinationRule) bool { return r.Namespace == owner && !isPrivate(r) }))
		rules = slices.DeleteFunc(rules, func(r mergedRule) bool { return !r.reaches(caller) })
		if len(rules) > 0 {
			return decisive(rules)
		}
	}
	return []mergedRule{{}}
}

// mostSpecific returns the rules of one host that are of interest.
func mostSpecific(covering [][]*DestinationRule, interest func(*DestinationRule) bool) []*DestinationRule {
	for _, rules := range covering {
		var found []*DestinationRule
		for _, r := range rules {
			if interest(r) {
				found = append(found, r)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// decisive returns those of the rules of one host in one namespace that may decide:
// each that is for the callers with some labels, and for the others the last of the
// rest.
func decisive(rules []mergedRule) []mergedRule {
	var found []mergedRule
	rest := mergedRule{}
	for _, r := range rules {
		switch {
		case r.forSome && len(r.selector) == 0:
			return append(found, r) // it is for all
		case r.forSome:
			found = append(found, r)
		default:
			rest = r
		}
	}
	return append(found, rest)
}

// mergedRule is what Istio makes of several rules for one host in one namespace.
type mergedRule struct {
	exportTo []string
	// forSome has the rule count for callers with these labels alone.
	forSome  bool
	selector map[string]string
	policy   *networking.TrafficPolicy
	subsets  []*networking.Subset
}

// reaches reports whether the rule is exported to callers outside its namespace.
func (r *mergedRule) reaches(caller string) bool {
	return len(r.exportTo) == 0 || slices.Contains(r.exportTo, everyNamespace) ||
		caller != anyNamespace && slices.Contains(r.exportTo, caller)
}

// merge does what PushContext.mergeDestinationRule does. Rules with a workloadSelector
// come first, then the older ones. A rule is merged into those before it that are
// exported alike, or to fewer namespaces, unless both are for callers with other
// labels: these take over its subsets of other names, and its traffic policy where
// they have none. It counts by itself unless the last one that it was compared with is
// exported alike, or for the same callers.
func merge(rules []*DestinationRule) []mergedRule {
	slices.SortFunc(rules, firstMerged)
	var all []mergedRule
	for _, r := range rules {
		next := mergedRule{
			exportTo: exportedTo(r), forSome: r.Spec.WorkloadSelector != nil, selector: r.Spec.GetWorkloadSelector().GetMatchLabels(),
			policy: r.Spec.TrafficPolicy, subsets: slices.Clone(r.Spec.Subsets),
		}
		alone := true
		for i := range all {
			into := &all[i]
			alike := slices.Equal(into.exportTo, next.exportTo)
			wider := len(into.exportTo) > 0 && containsAll(next.exportTo, into.exportTo)
			sameCallers := into.forSome == next.forSome && maps.Equal(into.selector, next.selector)
			if !alike && !wider || into.forSome && next.forSome && !sameCallers {
				alone = true
				continue
			}
			alone = !alike && !sameCallers
			into.take(next)
		}
		if alone {
			all = append(all, next)
		}
	}
	return all
}

func firstMerged(a, b *DestinationRule) int {
	rank := func(r *DestinationRule) int {
		if r.Spec.WorkloadSelector != nil {
			return 0
		}
		return 1
	}
	return cmp.Or(rank(a)-rank(b), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}

// take merges another rule into this one.
func (r *mergedRule) take(other mergedRule) {
	if r.policy == nil {
		r.policy = other.policy
	}
	own := len(r.subsets)
	for _, s := range other.subsets {
		if !slices.ContainsFunc(r.subsets[:own], func(known *networking.Subset) bool { return known.Name == s.Name }) {
			r.subsets = append(r.subsets, s)
		}
	}
}

func containsAll(set, part []string) bool {
	return !slices.ContainsFunc(part, func(name string) bool { return !slices.Contains(set, name) })
}
