package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/sources"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

const groupWorkloads = "The workloads"

func workloadChecks() []clusterCheck {
	return []clusterCheck{
		{Doc{"workloads-handed-over", groupWorkloads,
			"How many workloads ask for Vicinity by `schedulerName`.", "note: none does"}, onObjects(lookHandedOver, kindPod)},
		{Doc{"workloads-routing", groupWorkloads,
			"Looks for Services of workloads that Vicinity places whose calls are divided evenly over all pods, so being close keeps little of them close.",
			"warning: there are any; note: there are any, and no workload is handed over yet"}, onObjects(lookRouting, kindPod, kindService, kindNamespace)},
		{Doc{"workloads-sessions", groupWorkloads,
			"Looks for Services of these workloads with `sessionAffinity: ClientIP`.", "note: there are any"}, onObjects(lookSessions, kindPod, kindService)},
		{Doc{"mesh-routing", groupWorkloads,
			"Whether the routing that a profile assumes is what the mesh of the configured sources does.", "warning: it is not"}, onProfiles(lookMesh)},
	}
}

func lookHandedOver(ctx context.Context, s *clusterState, o *Inventory) []Result {
	names := s.profileNames(ctx)
	ours := o.workloadsOf(names)
	if len(ours) == 0 {
		return finding(Note, "No workload is handed over to Vicinity yet.", "Every pod is placed by another scheduler.",
			fmt.Sprintf(`kubectl -n NAMESPACE patch deployment NAME -p '{"spec":{"template":{"spec":{"schedulerName":%q}}}}'`, first(names, profileByDefault)))
	}
	return allRight("%d of %s are handed over to Vicinity.", len(ours), show.Plural(len(o.workloadsOf(nil)), "workload"))
}

func first(all []string, otherwise string) string {
	if len(all) > 0 {
		return all[0]
	}
	return otherwise
}

// spread is a workload whose calls are divided evenly over its pods.
type spread struct {
	workload
	services []*corev1.Service
	bytes    float64 // per second, of callers that are divided so
	byRule   bool    // a DestinationRule is why
}

// policies are those that the first profile divides calls by; ok is false where it assumes one
// routing for all calls.
func (s *clusterState) policies(ctx context.Context) (p routing.Policies, ok bool) {
	if parsed, err := s.parsedScheduler(ctx); err == nil {
		for _, profile := range parsed.scoring() {
			_, fixed := trafficlocality.FixedRouting(profile.Args)
			return trafficlocality.PoliciesOf(profile.Args), !fixed
		}
	}
	return routing.AllPolicies(), true
}

func lookRouting(ctx context.Context, s *clusterState, o *Inventory) []Result {
	policies, ok := s.policies(ctx)
	if !ok {
		return allRight("The profile assumes one routing for all calls, whatever Services say.")
	}
	severity, of := Warning, "placed by Vicinity"
	names := s.profileNames(ctx)
	if len(o.workloadsOf(names)) == 0 {
		severity, of, names = Note, "in the cluster", nil
	}
	wasteful, err := s.spreads(o, policies, names)
	if err != nil {
		return notChecked(err)
	}
	var results []Result
	for _, byRule := range []bool{false, true} {
		var texts []string
		var one *corev1.Service
		for i := range wasteful {
			if w := &wasteful[i]; w.byRule == byRule {
				texts = append(texts, w.text())
				one = cmp.Or(one, w.services[0])
			}
		}
		if one == nil {
			continue
		}
		r := Result{
			Severity: severity, What: fmt.Sprintf("Calls to workloads %s are divided evenly over all of their pods, wherever these run: Service %s.", of, inOrder(texts)),
			Why:  "Of such calls, a node or zone keeps only the share of the pods that it has. Co-location saves little.",
			Next: fmt.Sprintf(`kubectl -n %s patch service %s --type merge -p '{"spec":{"trafficDistribution":"PreferSameNode"}}'`, one.Namespace, one.Name),
		}
		if byRule {
			r.What = fmt.Sprintf("A DestinationRule has calls to workloads %s divided evenly over all of their pods: Service %s.", of, inOrder(texts))
			r.Next = fmt.Sprintf("Give the rule a localityLbSetting with outlierDetection, or remove the one that is disabled (docs/routing.md): kubectl -n %s get destinationrules -o yaml", one.Namespace)
		}
		results = append(results, r)
	}
	if err := o.without(kindRule); err != nil && policies.DestinationRules {
		results = append(results, notChecked(err)...) // a rule may divide calls otherwise
	}
	return or(results, "Calls to the workloads %s stay close where a pod is close.", of)
}

// text is the name of a Service, with the traffic where that is known.
func (w *spread) text() string {
	name := kube.FullName(w.services[0].Namespace, w.services[0].Name)
	if w.bytes > 0 {
		name += " (" + show.ByteRate(w.bytes) + ")"
	}
	return name
}

// spreads returns the workloads with two serving pods or more whose calls are divided evenly,
// those with most traffic first; of all that are called by pods of the schedulers, or are
// theirs, where the traffic is known.
func (s *clusterState) spreads(o *Inventory, policies routing.Policies, schedulers []string) ([]spread, error) {
	routes, _, err := o.all.Routes(policies)
	if err != nil {
		return nil, err
	}
	byServices := policies
	byServices.DestinationRules = false
	without, _, err := o.all.Routes(byServices)
	if err != nil {
		return nil, err
	}
	ours := map[flowgraph.WorkloadID]bool{}
	for _, w := range o.workloadsOf(schedulers) {
		ours[w.id] = true
	}
	to := callersOf(s.traffic(), ours)
	var all []spread
	for _, w := range o.workloadsOf(nil) {
		callers, isCalled := to[w.id]
		services := o.servicesOf(w.pods[0])
		if !ours[w.id] && !isCalled || len(services) == 0 || countServing(w.pods) < 2 {
			continue
		}
		by, rest := routes.ByCaller(w.pods[0]), without.ByCaller(w.pods[0])
		found := spread{workload: w, services: services}
		if !isCalled && s.traffic() == nil && by.Routing == affinity.Uniform && by.Shares == nil {
			found.byRule = rest.Routing != affinity.Uniform
			all = append(all, found)
			continue
		}
		for namespace, bytes := range callers {
			if route := by.From(namespace); route.Routing == affinity.Uniform && route.Shares == nil {
				found.bytes += bytes
				found.byRule = found.byRule || rest.From(namespace).Routing != affinity.Uniform
			}
		}
		if found.bytes > 0 {
			all = append(all, found)
		}
	}
	slices.SortStableFunc(all, func(a, b spread) int { return cmp.Compare(b.bytes, a.bytes) })
	return all, nil
}

// callersOf returns, of each workload, what it exchanges with its callers, by their namespace,
// where either end is one of ours.
func callersOf(snap *flowgraph.Snapshot, ours map[flowgraph.WorkloadID]bool) map[flowgraph.WorkloadID]map[string]float64 {
	all := map[flowgraph.WorkloadID]map[string]float64{}
	if snap == nil {
		return all
	}
	for e := range snap.Edges() {
		if !ours[e.From] && !ours[e.To] || e.From.IsSite() {
			continue
		}
		if all[e.To] == nil {
			all[e.To] = map[string]float64{}
		}
		all[e.To][e.From.Namespace] += e.BytesPerSecond()
	}
	return all
}

func countServing(pods []*corev1.Pod) (n int) {
	for _, pod := range pods {
		if serves(pod) {
			n++
		}
	}
	return n
}

// servicesOf are the Services that select a pod and whose calls a proxy divides, by name.
func (o *Inventory) servicesOf(pod *corev1.Pod) (services []*corev1.Service) {
	if o.selecting == nil {
		o.selecting = servicesByLabel(objects.Of[*corev1.Service](o.all))
	}
	for key, value := range pod.Labels {
		for _, service := range o.selecting[label{pod.Namespace, key, value}] {
			if isSubset(service.Spec.Selector, pod.Labels) {
				services = append(services, service)
			}
		}
	}
	slices.SortFunc(services, func(a, b *corev1.Service) int { return cmp.Compare(a.Name, b.Name) })
	return services
}

// label is one that a pod in a namespace has.
type label struct{ namespace, key, value string }

// servicesByLabel returns the Services whose calls a proxy divides, each by one of the labels
// that it selects: a cluster has too many to compare each with each workload.
func servicesByLabel(all []*corev1.Service) map[label][]*corev1.Service {
	by := map[label][]*corev1.Service{}
	for _, s := range all {
		if s.Spec.ClusterIP == corev1.ClusterIPNone || s.Spec.Type == corev1.ServiceTypeExternalName || len(s.Spec.Selector) == 0 {
			continue
		}
		key := slices.Min(slices.Collect(maps.Keys(s.Spec.Selector)))
		at := label{s.Namespace, key, s.Spec.Selector[key]}
		by[at] = append(by[at], s)
	}
	return by
}

func isSubset(part, of map[string]string) bool {
	for key, value := range part {
		if has, ok := of[key]; !ok || has != value {
			return false
		}
	}
	return true
}

func lookSessions(ctx context.Context, s *clusterState, o *Inventory) []Result {
	var names []string
	for _, w := range o.workloadsOf(s.profileNames(ctx)) {
		for _, service := range o.servicesOf(w.pods[0]) {
			if service.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
				names = append(names, kube.FullName(service.Namespace, service.Name))
			}
		}
	}
	if len(names) == 0 {
		return allRight("No Service of theirs keeps sessions.")
	}
	return finding(Note, fmt.Sprintf("Service %s has sessionAffinity: ClientIP.", listed(names)),
		"A client keeps its pod for the session, also after a nearer one has started. It follows the placement only later.", "Leave it if the application needs sessions; otherwise set sessionAffinity: None.")
}

func lookMesh(ctx context.Context, s *clusterState, p *parsedScheduler) []Result {
	read, err := s.telemetry(ctx)
	if err != nil {
		return withoutTelemetry(err)
	}
	var results []Result
	for _, source := range read.Sources {
		do, ok := sources.RoutingSetting(string(source.Type))
		if !ok {
			continue
		}
		for _, profile := range p.scoring() {
			a := profile.Args
			if a.Strategy != configv1.StrategyGain || a.Routing != configv1.RoutingAuto || !slices.Contains(a.RoutingPolicies, configv1.RoutingPolicyTrafficDistribution) {
				continue
			}
			results = append(results, Result{
				Severity: Warning, What: fmt.Sprintf("Profile %s takes calls to be divided as Services ask, which the mesh of source %s does not do.", profile.Name, source.Name),
				Why:  "Pods are placed for calls that do not stay close.",
				Next: p.edit(profile.Name, do+" (docs/routing.md)"),
			})
		}
	}
	return or(results, "The routing that is assumed is not known to differ from what the mesh does.")
}
