package objects

import (
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
)

// podDisruptionBudgetKind is ignored by a replay, which evicts nothing.
func podDisruptionBudgetKind() Kind {
	return typed[policyv1.PodDisruptionBudget, *policyv1.PodDisruptionBudget]{
		group: policyv1.GroupName, version: "v1", resource: "poddisruptionbudgets", ignored: true,
		keep: func(to, from *policyv1.PodDisruptionBudget) {
			to.Spec = policyv1.PodDisruptionBudgetSpec{
				MinAvailable: from.Spec.MinAvailable, MaxUnavailable: from.Spec.MaxUnavailable, Selector: from.Spec.Selector,
			}
			to.Status.DisruptionsAllowed = from.Status.DisruptionsAllowed
		},
		anonymize: func(a *Anonymizer, b *policyv1.PodDisruptionBudget) {
			a.meta(&b.ObjectMeta, a.name(b.Name))
			a.selector(b.Spec.Selector)
			percentage(b.Spec.MinAvailable)
			percentage(b.Spec.MaxUnavailable)
		},
	}.kind()
}

// priorityClassKind is ignored by a replay: a pod's priority is in its spec.
func priorityClassKind() Kind {
	return typed[schedulingv1.PriorityClass, *schedulingv1.PriorityClass]{
		group: schedulingv1.GroupName, version: "v1", resource: "priorityclasses", clusterScoped: true, ignored: true,
		keep: func(to, from *schedulingv1.PriorityClass) {
			to.Value, to.GlobalDefault, to.PreemptionPolicy = from.Value, from.GlobalDefault, from.PreemptionPolicy
		},
		anonymize: func(a *Anonymizer, c *schedulingv1.PriorityClass) { a.meta(&c.ObjectMeta, a.class(c.Name)) },
	}.kind()
}
