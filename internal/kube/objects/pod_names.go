package objects

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

func (a *Anonymizer) pod(pod *corev1.Pod) {
	DropAddresses(pod)
	controller := a.name(kube.ControllerOf(pod))
	a.meta(&pod.ObjectMeta, a.podName(pod))
	if pod.GenerateName != "" {
		pod.GenerateName = controller + "-"
	}
	spec := &pod.Spec
	spec.NodeName, spec.SchedulerName = a.node(spec.NodeName), a.scheduler(spec.SchedulerName)
	spec.PriorityClassName, spec.NodeSelector = a.class(spec.PriorityClassName), a.nodeLabels(spec.NodeSelector)
	spec.Overhead = a.resources(spec.Overhead)
	a.requirements(spec.Resources)
	for _, containers := range [...][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			containers[i].Name = fmt.Sprintf("c%d", i)
			containers[i].Image = a.image(completeImage(containers[i].Image))
			a.requirements(&containers[i].Resources)
			for j := range containers[i].Ports {
				containers[i].Ports[j].HostIP = ""
			}
		}
	}
	for i := range spec.Tolerations {
		t := &spec.Tolerations[i]
		if t.Key != "" {
			t.Key, t.Value = a.labelKey(t.Key), a.nodeValue(t.Key, t.Value)
		} else {
			t.Value = known(t.Value)
		}
	}
	for i := range spec.TopologySpreadConstraints {
		c := &spec.TopologySpreadConstraints[i]
		c.TopologyKey = a.labelKey(c.TopologyKey)
		a.selector(c.LabelSelector)
		a.keys(c.MatchLabelKeys)
	}
	a.affinity(spec.Affinity)
	a.attached(spec)
}

// completeImage is a container's image as ImageLocality looks for it on nodes.
func completeImage(name string) string {
	if name == "" || strings.LastIndex(name, ":") > strings.LastIndex(name, "/") {
		return name
	}
	return name + ":latest"
}

// attached renames what a replay only counts.
func (a *Anonymizer) attached(spec *corev1.PodSpec) {
	for i := range spec.Volumes {
		v := &spec.Volumes[i]
		v.Name = fmt.Sprintf("v%d", i)
		switch {
		case v.PersistentVolumeClaim != nil:
			v.PersistentVolumeClaim.ClaimName = a.name(v.PersistentVolumeClaim.ClaimName)
		case v.CSI != nil:
			v.CSI.Driver = a.hash("csi", v.CSI.Driver)
		}
	}
	for i := range spec.ResourceClaims {
		spec.ResourceClaims[i].Name = a.name(spec.ResourceClaims[i].Name)
	}
	for i := range spec.SchedulingGates {
		spec.SchedulingGates[i].Name = a.labelKey(spec.SchedulingGates[i].Name)
	}
	if group := spec.SchedulingGroup; group != nil && group.PodGroupName != nil {
		group.PodGroupName = new(a.name(*group.PodGroupName))
	}
}

func (a *Anonymizer) requirements(r *corev1.ResourceRequirements) {
	if r != nil {
		r.Requests, r.Limits = a.resources(r.Requests), a.resources(r.Limits)
	}
}

func (a *Anonymizer) keys(keys []string) {
	for i := range keys {
		keys[i] = a.labelKey(keys[i])
	}
}

func (a *Anonymizer) affinity(all *corev1.Affinity) {
	if all == nil {
		return
	}
	if n := all.NodeAffinity; n != nil {
		if required := n.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
			for i := range required.NodeSelectorTerms {
				a.nodeTerm(&required.NodeSelectorTerms[i])
			}
		}
		for i := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			a.nodeTerm(&n.PreferredDuringSchedulingIgnoredDuringExecution[i].Preference)
		}
	}
	for _, term := range kube.PodAffinityTerms(all) {
		term.TopologyKey = a.labelKey(term.TopologyKey)
		a.selector(term.LabelSelector)
		a.selector(term.NamespaceSelector)
		a.keys(term.MatchLabelKeys)
		a.keys(term.MismatchLabelKeys)
		for i := range term.Namespaces {
			term.Namespaces[i] = a.namespace(term.Namespaces[i])
		}
	}
}

func (a *Anonymizer) nodeTerm(term *corev1.NodeSelectorTerm) {
	for i := range term.MatchExpressions {
		e := &term.MatchExpressions[i]
		for j := range e.Values {
			e.Values[j] = a.nodeValue(e.Key, e.Values[j])
		}
		e.Key = a.labelKey(e.Key)
	}
	for i := range term.MatchFields {
		// There is no other field than metadata.name.
		term.MatchFields[i].Key = known(term.MatchFields[i].Key, metav1.ObjectNameField)
		values := slices.Clone(term.MatchFields[i].Values)
		for j := range values {
			values[j] = a.node(values[j])
		}
		term.MatchFields[i].Values = values
	}
}

// podName renames a pod; the old owners and labels are still there. A pod that is
// its own workload is renamed as that.
func (a *Anonymizer) podName(pod *corev1.Pod) string {
	controller := kube.ControllerOf(pod)
	if controller == pod.Name {
		return a.name(pod.Name)
	}
	owner := metav1.GetControllerOfNoCopy(pod)
	if ordinal, ok := strings.CutPrefix(pod.Name, owner.Name+"-"); ok && owner.Kind == "StatefulSet" {
		if ordinal != "" && strings.Trim(ordinal, "0123456789") == "" {
			return a.name(controller) + "-" + ordinal
		}
	}
	return a.name(controller) + strings.TrimPrefix(a.hash("pod", pod.Name), "pod")
}
