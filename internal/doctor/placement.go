package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/show"
)

func placementChecks() []clusterCheck {
	return []clusterCheck{
		{Doc{"topology-labels", groupWorkloads,
			"Whether the nodes have labels with their zone and region (`topology.kubernetes.io/zone`, `/region`).", "warning: only some have; note: none has"}, onObjects(lookLabels, kindNode)},
		{Doc{"workloads-kept-apart", groupWorkloads,
			"Looks for required pod anti-affinity between workloads that exchange traffic.", "warning: there is any"}, onObjects(lookApart, kindPod, kindNamespace)},
		{Doc{"workloads-spread", groupWorkloads,
			"Looks for topology spread with `whenUnsatisfiable: DoNotSchedule`, and required anti-affinity with themselves, in workloads that Vicinity places.", "note: there is any"}, onObjects(lookSpread, kindPod, kindNamespace)},
		{Doc{"workloads-one-node", groupWorkloads,
			"Looks for workloads of several pods that Vicinity placed on one node.", "note: there are any"}, onObjects(lookOneNode, kindPod, kindNode)},
		{Doc{"annotations", groupWorkloads,
			"Looks for values of Vicinity's annotations that are ignored.", "warning: there are any"}, onObjects(lookAnnotations)},
	}
}

func lookLabels(_ context.Context, _ *clusterState, o *Inventory) []Result {
	var results []Result
	for _, l := range []struct{ label, level string }{
		{corev1.LabelTopologyZone, "zone"}, {corev1.LabelTopologyRegion, "region"},
	} {
		var without []string
		for _, node := range o.nodes {
			if node.Labels[l.label] == "" {
				without = append(without, node.Name)
			}
		}
		switch {
		case len(without) == 0 || len(o.nodes) == 0:
		case len(without) == len(o.nodes):
			results = append(results, Result{Severity: Note, What: fmt.Sprintf("No node has the label %s.", l.label),
				Why: "What stays in a " + l.level + " cannot be told apart, and does not count.", Next: "If the cluster has several: kubectl label node NODE " + l.label + "=NAME"})
		default:
			results = append(results, Result{Severity: Warning, What: fmt.Sprintf("Of %d nodes, %d without the label %s: %s.", len(o.nodes), len(without), l.label, listed(without)),
				Why: "Pods on them count as near only to pods on the same node; no traffic is kept in their " + l.level + ".", Next: "kubectl label node " + without[0] + " " + l.label + "=NAME"})
		}
	}
	return or(results, "All %d nodes say their zone and region.", len(o.nodes))
}

// hardTerms are the terms of required anti-affinity of a pod.
func hardTerms(pod *corev1.Pod) []corev1.PodAffinityTerm {
	if a := pod.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		return a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	return nil
}

// covers reports whether a term of a pod is about another one.
func (o *Inventory) covers(term *corev1.PodAffinityTerm, of, other *corev1.Pod) bool {
	inNamespace := slices.Contains(term.Namespaces, other.Namespace) ||
		len(term.Namespaces) == 0 && term.NamespaceSelector == nil && of.Namespace == other.Namespace
	if term.NamespaceSelector != nil && !inNamespace {
		if n, err := o.stores.Informers.Core().V1().Namespaces().Lister().Get(other.Namespace); err == nil {
			inNamespace = selects(term.NamespaceSelector, namespaceLabels(n))
		}
	}
	return inNamespace && selects(term.LabelSelector, other.Labels)
}

// within is how results call the domains of a topology key.
func within(key string) string {
	switch key {
	case corev1.LabelHostname:
		return "node"
	case corev1.LabelTopologyZone:
		return "zone"
	case corev1.LabelTopologyRegion:
		return "region"
	}
	return kube.Printable(key)
}

func lookApart(ctx context.Context, s *clusterState, o *Inventory) []Result {
	snap := s.traffic()
	if snap == nil {
		return finding(Unchecked, "Not checked: the traffic of the workloads is not known.", "Doctor cannot tell which of the workloads that are kept apart exchange traffic.", "vicinity doctor --prometheus URL")
	}
	served := s.profileNames(ctx)
	byID := map[flowgraph.WorkloadID]*corev1.Pod{}
	for _, w := range o.workloadsOf(nil) {
		byID[w.id] = w.pods[0]
	}
	var results []Result
	more := 0
	const why = "None of this traffic can stay there, whatever the scores are."
	byBytes := func(a, b flowgraph.Edge) int { return cmp.Compare(b.BytesPerSecond(), a.BytesPerSecond()) }
	for _, e := range slices.SortedStableFunc(snap.Edges(), byBytes) {
		from, to := byID[e.From], byID[e.To]
		if from == nil || to == nil || from == to || !slices.Contains(served, from.Spec.SchedulerName) && !slices.Contains(served, to.Spec.SchedulerName) {
			continue
		}
		for _, pair := range [][2]*corev1.Pod{{from, to}, {to, from}} {
			for _, term := range hardTerms(pair[0]) {
				if !o.covers(&term, pair[0], pair[1]) {
					continue
				}
				if len(results) == mostListed {
					more++
					continue
				}
				keeper := kube.WorkloadOf(pair[0])
				results = append(results, Result{
					Severity: Warning, What: fmt.Sprintf("%s and %s exchange %s, but the required anti-affinity of %s lets them share no %s.", e.From, e.To, show.ByteRate(e.BytesPerSecond()), keeper, within(term.TopologyKey)),
					Why:  why,
					Next: "Remove the term, or make it preferred: " + edits(pair[0]),
				})
			}
		}
	}
	if more > 0 {
		results = append(results, Result{Severity: Warning, What: show.Plural(more, "more pair") + " of workloads that exchange less are kept apart as well.", Why: why, Next: "Mend those above, and run vicinity doctor again."})
	}
	return or(results, "No workloads that exchange traffic are kept apart by required anti-affinity.")
}

func lookSpread(ctx context.Context, s *clusterState, o *Inventory) []Result {
	var texts []string
	for _, w := range o.workloadsOf(s.profileNames(ctx)) {
		pod := w.pods[0]
		for _, c := range pod.Spec.TopologySpreadConstraints {
			if c.WhenUnsatisfiable == corev1.DoNotSchedule {
				texts = append(texts, fmt.Sprintf("%s (maxSkew %d by %s)", w.id, c.MaxSkew, within(c.TopologyKey)))
			}
		}
		for _, term := range hardTerms(pod) {
			if o.covers(&term, pod, pod) {
				texts = append(texts, fmt.Sprintf("%s (one pod a %s)", w.id, within(term.TopologyKey)))
			}
		}
	}
	if len(texts) == 0 {
		return allRight("No workload that Vicinity places demands to be spread.")
	}
	return finding(Note, fmt.Sprintf("Workloads that Vicinity places demand to be spread: %s.", listed(texts)),
		"Their pods can follow their peers only as far as that allows.", "If a preference is enough, set whenUnsatisfiable: ScheduleAnyway; maxShare of the profile spreads pods too.")
}

func lookOneNode(ctx context.Context, s *clusterState, o *Inventory) []Result {
	var texts []string
	for _, w := range o.workloadsOf(s.profileNames(ctx)) {
		nodes := map[string]bool{}
		for _, pod := range w.pods {
			nodes[pod.Spec.NodeName] = true
		}
		if node := w.pods[0].Spec.NodeName; len(w.pods) > 1 && len(nodes) == 1 && node != "" {
			texts = append(texts, fmt.Sprintf("%s (%d pods on %s)", w.id, len(w.pods), node))
		}
	}
	if len(texts) == 0 || len(o.nodes) < 2 {
		return allRight("No workload of several pods is on one node alone.")
	}
	return finding(Note, fmt.Sprintf("All pods of a workload are on one node: %s.", listed(texts)),
		"The workload stops when that node does.", "Lower maxShare.node of the profile (docs/configuration.md), or add a topologySpreadConstraint to the workload.")
}
