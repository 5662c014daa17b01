package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/show"
)

func schedulerNameChecks() []clusterCheck {
	return []clusterCheck{
		{Doc{"scheduler-name-unserved", groupConfiguration,
			"Looks for pods more than a minute old that no scheduler has looked at, because nobody serves their `schedulerName`.", "error: there are any"}, onObjects(lookUnserved, kindPod)},
		{Doc{"scheduler-name-unused", groupConfiguration,
			"Whether pods ask for each profile in which TrafficLocality scores.", "note: none does"}, onProfiles(lookUnused)},
		{Doc{"pods-pending", groupConfiguration,
			"Looks for pods of Vicinity's profiles that are more than a minute old and fit on no node, and why.", "warning: there are any"}, onObjects(lookPending, kindPod)},
	}
}

// podName is how results call a pod.
func podName(pod *corev1.Pod) string { return kube.FullName(pod.Namespace, pod.Name) }

func lookUnserved(ctx context.Context, s *clusterState, o *Inventory) []Result {
	waiting := map[string][]string{}
	first := map[string]*corev1.Pod{}
	var names []string
	for _, pod := range o.pods {
		// A scheduler that serves the name notes what it has decided in this condition.
		scheduled, pending := s.isPending(pod)
		if !pending || scheduled != nil {
			continue
		}
		name := pod.Spec.SchedulerName
		if first[name] == nil {
			first[name], names = pod, append(names, name)
		}
		waiting[name] = append(waiting[name], podName(pod))
	}
	slices.Sort(names)
	served := s.servedNames(ctx)
	var results []Result
	for _, name := range names {
		r := Result{Severity: Error, Why: "Pods whose schedulerName nobody serves stay Pending for ever."}
		other := s.servedBy(ctx, name)
		switch {
		case slices.Contains(served, name):
			r.What = fmt.Sprintf("No scheduler looks at the pods with schedulerName %s, though Vicinity should serve it: %s.", name, listed(waiting[name]))
			r.Next = "Resolve scheduler-pods and scheduler-leads first. " + schedulerLog
		case other != nil:
			r.What = fmt.Sprintf("No scheduler looks at the pods with schedulerName %s, though Deployment %s should serve it: %s.", name, deploymentName(other), listed(waiting[name]))
			r.Next = "vicinity doctor --scheduler " + deploymentName(other)
		default:
			r.What = fmt.Sprintf("Nobody serves schedulerName %s, for which pods wait: %s.", kube.Printable(name), listed(waiting[name]))
			r.Next = fmt.Sprintf("Set schedulerName to one that is served (%s, or default-scheduler) in the pod template: %s", listed(served), edits(first[name]))
		}
		results = append(results, r)
	}
	return or(results, "Somebody serves every schedulerName that pods ask for.")
}

func lookUnused(_ context.Context, s *clusterState, p *parsedScheduler) []Result {
	o := s.Inventory
	if err := o.without(kindPod); err != nil {
		return notChecked(err)
	}
	names := p.names()
	if len(o.workloadsOf(names)) == 0 {
		return doesNotApply("no workload is handed over to Vicinity yet (workloads-handed-over)")
	}
	var results []Result
	for _, name := range names {
		if len(o.workloadsOf([]string{name})) > 0 {
			continue
		}
		results = append(results, Result{Severity: Note, What: fmt.Sprintf("No pod asks for profile %s.", name), Why: "The profile places nothing.",
			Next: "Set schedulerName: " + name + " in the pod templates of the workloads that are meant for it, or remove the profile."})
	}
	return or(results, "Pods ask for every profile.")
}

func lookPending(ctx context.Context, s *clusterState, o *Inventory) []Result {
	served := s.profileNames(ctx)
	byReason := map[string][]*corev1.Pod{}
	var reasons []string
	for _, pod := range o.pods {
		scheduled, pending := s.isPending(pod)
		if !pending || scheduled == nil || !slices.Contains(served, pod.Spec.SchedulerName) {
			continue
		}
		if byReason[scheduled.Message] == nil {
			reasons = append(reasons, scheduled.Message)
		}
		byReason[scheduled.Message] = append(byReason[scheduled.Message], pod)
	}
	slices.SortFunc(reasons, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(byReason[b]), len(byReason[a])), cmp.Compare(a, b))
	})
	var results []Result
	for i, reason := range reasons {
		if i == mostListed {
			results = append(results, Result{
				Severity: Warning, What: fmt.Sprintf("There are %s why pods of Vicinity's profiles are Pending.", show.Plural(len(reasons)-i, "more reason")),
				Why: "No node can take these pods either.", Next: "kubectl get pods -A --field-selector status.phase=Pending",
			})
			break
		}
		pods := byReason[reason]
		var names []string
		for _, pod := range pods {
			names = append(names, podName(pod))
		}
		results = append(results, Result{
			Severity: Warning, What: fmt.Sprintf("Pods of Vicinity's profiles are Pending: %s. %s", listed(names), fullStop(reason)),
			Why:  "No node can take them. TrafficLocality only ranks the nodes that can, and never excludes one.",
			Next: "kubectl -n " + pods[0].Namespace + " describe pod " + pods[0].Name,
		})
	}
	return or(results, "No pod of Vicinity's profiles is Pending.")
}
