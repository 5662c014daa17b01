package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/internal/show"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

func profileChecks() []clusterCheck {
	return []clusterCheck{
		{Doc{"config-enabled", groupConfiguration,
			"Whether any profile enables TrafficLocality with a weight.", "error: none does; note: a profile is without it"}, onProfiles(lookEnabled)},
		{Doc{"config-weight", groupConfiguration,
			"Compares the weight of TrafficLocality with those of kube-scheduler's plugins that spread pods. Each plugin gives a node 0 to 100 points, times its weight.",
			"warning: spreading alone outvotes it; note: the spreading plugins together may"}, onProfiles(lookWeight)},
		{Doc{"config-node-sampling", groupConfiguration,
			"Whether all nodes are scored in a cluster of this size (`percentageOfNodesToScore`).", "warning: they are not"}, onProfiles(lookSampling)},
		{Doc{"config-strategy", groupConfiguration,
			"Whether a profile has the strategy NetMARKS.", "note: one has"}, onProfiles(lookStrategy)},
		{Doc{"config-shadow", groupConfiguration,
			"Whether a profile is in shadow mode.", "note: one is"}, onProfiles(lookShadow)},
		{Doc{"config-opt-in", groupConfiguration,
			"Whether anybody has opted in if `optIn` is set.", "warning: nobody has"}, onProfiles(lookOptIn)},
		{Doc{"config-ages", groupConfiguration,
			"Compares `staleAfter` and `expireAfter` with the interval in which the telemetry is read.", "warning: the data goes stale between refreshes"}, onProfiles(lookAges)},
	}
}

// scoring returns the profiles in which TrafficLocality scores, or records what it would.
func (p *parsedScheduler) scoring() (all []schedulerconfig.Profile) {
	for _, profile := range p.profiles {
		if profile.Weight() > 0 {
			all = append(all, profile)
		}
	}
	return all
}

// names are the schedulerNames of the profiles in which TrafficLocality scores.
func (p *parsedScheduler) names() []string {
	names := []string{} // nil would be all
	for _, profile := range p.scoring() {
		names = append(names, profile.Name)
	}
	return names
}

// served are the schedulerNames of all profiles.
func (p *parsedScheduler) served() (names []string) {
	for _, profile := range p.profiles {
		names = append(names, profile.Name)
	}
	return names
}

// edit says where a field of the configuration is set.
func (p *parsedScheduler) edit(profile, field string) string {
	return fmt.Sprintf("Set %s for profile %s in %s, then roll it out: kubectl apply -k . with your overlay, or helm upgrade.", field, profile, p.where)
}

func lookEnabled(_ context.Context, _ *clusterState, p *parsedScheduler) []Result {
	if len(p.scoring()) == 0 {
		return finding(Error, fmt.Sprintf("No profile in %s enables %s with a weight above 0.", p.where, trafficlocality.Name),
			"All pods are placed as by kube-scheduler.", p.edit(p.profiles[0].Name, "plugins.multiPoint.enabled: [{name: TrafficLocality, weight: 5}]"))
	}
	var without []string
	for _, profile := range p.profiles {
		if profile.Weight() == 0 {
			without = append(without, profile.Name)
		}
	}
	if len(without) > 0 {
		return finding(Note, fmt.Sprintf("TrafficLocality is off in profile %s.", listed(without)), "Pods with this schedulerName are placed as by kube-scheduler.", "")
	}
	return allRight("TrafficLocality is enabled in profile %s.", listed(p.names()))
}

func lookWeight(_ context.Context, _ *clusterState, p *parsedScheduler) []Result {
	var results []Result
	for _, profile := range p.scoring() {
		if r, wrong := weigh(&profile); wrong {
			r.Next = p.edit(profile.Name, "weight: 5 of TrafficLocality, as in the shipped configuration,")
			results = append(results, r)
		}
	}
	return or(results, "The weight of TrafficLocality is above those of the plugins that spread pods.")
}

// weigh compares what TrafficLocality can give a node with what the stock plugins that spread
// pods can give another one. Of these, PodTopologySpread gives an empty node its full 100 points
// against one with most pods of a workload; the two of resources seldom differ by as much.
func weigh(p *schedulerconfig.Profile) (r Result, wrong bool) {
	weight := int(p.Weight())
	spread := 0
	if p.SpreadsByDefault {
		spread = int(p.Weights[schedulerconfig.PodTopologySpread])
	}
	resources := int(p.Weights[schedulerconfig.ResourcesFit] + p.Weights[schedulerconfig.ResourcesBalanced])
	points := func(weight int) string { return fmt.Sprintf("%d x 100 = %d", weight, 100*weight) }
	switch {
	case weight <= spread:
		return Result{
			Severity: Warning, What: fmt.Sprintf("In profile %s, the traffic of a pod gives a node up to %s points, and spreading gives an empty node up to %s (PodTopologySpread).", p.Name, points(weight), points(spread)),
			Why: "A workload's second pod is sent away from its peers, whatever they exchange.",
		}, true
	case weight <= spread+resources:
		return Result{
			Severity: Note, What: fmt.Sprintf("In profile %s, the traffic of a pod gives a node up to %s points, and the plugins that spread pods give an empty node up to %s together.", p.Name, points(weight), points(spread+resources)),
			Why: "Where nodes differ much in load, pods are sent away from their peers.",
		}, true
	}
	return r, false
}

func lookSampling(_ context.Context, s *clusterState, p *parsedScheduler) []Result {
	o := s.Inventory
	if err := o.without(kindNode); err != nil {
		return notChecked(err)
	}
	var results []Result
	for _, profile := range p.scoring() {
		if n := profile.NodesScored(len(o.nodes)); n < len(o.nodes) {
			results = append(results, Result{
				Severity: Warning, What: fmt.Sprintf("In profile %s, kube-scheduler stops looking for nodes after %d of %d.", profile.Name, n, len(o.nodes)),
				Why:  "The few nodes where a pod's peers run are often not among those that are scored.",
				Next: p.edit(profile.Name, "percentageOfNodesToScore: 100"),
			})
		}
	}
	return or(results, "All %d nodes are scored.", len(o.nodes))
}

func lookStrategy(_ context.Context, _ *clusterState, p *parsedScheduler) []Result {
	var results []Result
	for _, profile := range p.scoring() {
		if profile.Args.Strategy == configv1.StrategyNetMARKS {
			results = append(results, Result{
				Severity: Note, What: fmt.Sprintf("Profile %s has the strategy NetMARKS, the published baseline.", profile.Name),
				Why:  "It looks at nodes and bytes only, and knows neither zones nor routing.",
				Next: p.edit(profile.Name, "strategy: Gain"),
			})
		}
	}
	return or(results, "The strategy is Gain.")
}

func lookShadow(_ context.Context, _ *clusterState, p *parsedScheduler) []Result {
	var results []Result
	for _, profile := range p.scoring() {
		if profile.Args.Shadow {
			results = append(results, Result{
				Severity: Note, What: fmt.Sprintf("Profile %s is in shadow mode.", profile.Name),
				Why:  "Its pods are placed as without TrafficLocality; what it would have done is only recorded.",
				Next: "See what it would have saved with vicinity locality --shadow. " + p.edit(profile.Name, "shadow: false"),
			})
		}
	}
	return or(results, "No profile is in shadow mode.")
}

func lookOptIn(_ context.Context, s *clusterState, p *parsedScheduler) []Result {
	o := s.Inventory
	var results []Result
	for _, profile := range p.scoring() {
		if !profile.Args.OptIn {
			continue
		}
		if err := o.without(kindPod, kindNamespace, kindReplicaSet, kindStatefulSet); err != nil {
			return notChecked(err)
		}
		if slices.ContainsFunc(o.pods, func(pod *corev1.Pod) bool {
			return pod.Spec.SchedulerName == profile.Name && kube.IsPeer(pod) && o.choices().Of(pod) == kube.On
		}) {
			continue
		}
		results = append(results, Result{
			Severity: Warning, What: fmt.Sprintf("Profile %s has optIn: true, and no pod with schedulerName %s has opted in.", profile.Name, profile.Name),
			Why:  "All of its pods are placed as by kube-scheduler.",
			Next: "kubectl annotate namespace NAMESPACE " + kube.LocalityAnnotation + "=on",
		})
	}
	return or(results, "No profile waits for somebody to opt in.")
}

// choices find the annotation that counts for a pod.
func (o *Inventory) choices() kube.Choices {
	f := o.stores.Informers
	return kube.Choices{
		Namespaces: f.Core().V1().Namespaces().Lister(), ReplicaSets: f.Apps().V1().ReplicaSets().Lister(), StatefulSets: f.Apps().V1().StatefulSets().Lister(),
	}
}

// fewIntervals are how many refreshes have to fail before data should be stale.
const fewIntervals = 3

func lookAges(ctx context.Context, s *clusterState, p *parsedScheduler) []Result {
	read, err := s.telemetry(ctx)
	if err != nil {
		return withoutTelemetry(err)
	}
	interval := read.Interval.Duration
	var results []Result
	for _, profile := range p.scoring() {
		stale, expire := profile.Args.StaleAfter.Duration, profile.Args.ExpireAfter.Duration
		if stale >= fewIntervals*interval {
			continue
		}
		results = append(results, Result{
			Severity: Warning, What: fmt.Sprintf("In profile %s, data is stale after %s and expires after %s, but is read only every %s.", profile.Name, show.Duration(stale), show.Duration(expire), show.Duration(interval)),
			Why:  "Traffic loses its influence as soon as a refresh or two fail.",
			Next: p.edit(profile.Name, fmt.Sprintf("staleAfter: %s or more, and expireAfter above it,", show.Duration(10*interval))),
		})
	}
	return or(results, "Data is read every %s, well before it is stale.", show.Duration(interval.Round(time.Second)))
}
