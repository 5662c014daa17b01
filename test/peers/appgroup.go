package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	agv1alpha1 "github.com/diktyo-io/appgroup-api/pkg/apis/appgroup/v1alpha1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Where the plugins look for their objects unless told otherwise.
const (
	crNamespace  = "default"
	appGroupName = "cluster"
)

// selectorOf is a workload's value of the label that names it in its AppGroup.
func selectorOf(workload string) string { return strings.ReplaceAll(workload, "/", ".") }

// label makes pods members of the AppGroup.
func label(c *cluster) {
	for _, w := range c.workloads {
		labels := maps.Clone(w.template.Labels)
		if labels == nil {
			labels = map[string]string{}
		}
		labels[agv1alpha1.AppGroupLabel] = appGroupName
		labels[agv1alpha1.AppGroupSelectorLabel] = selectorOf(w.name)
		w.template.Labels = labels
	}
}

// appGroup declares the whole cluster as one application. Each workload depends
// on those that it calls, and on those that call it too when both is set. Any
// network cost will do: a lower limit would let the plugin's Filter reject nodes,
// but not choose better ones. The status is what their controller makes of it.
func appGroup(c *cluster, algorithm string, both bool) (*agv1alpha1.AppGroup, error) {
	group := &agv1alpha1.AppGroup{
		TypeMeta:   metav1.TypeMeta{APIVersion: agv1alpha1.SchemeGroupVersion.String(), Kind: "AppGroup"},
		ObjectMeta: metav1.ObjectMeta{Namespace: crNamespace, Name: appGroupName, UID: appGroupName, ResourceVersion: "1"},
		Spec:       agv1alpha1.AppGroupSpec{TopologySortingAlgorithm: algorithm},
	}
	position := map[string]int{}
	for i, w := range c.workloads {
		position[w.name] = i
		group.Spec.NumMembers += int32(w.replicas)
		group.Spec.Workloads = append(group.Spec.Workloads, agv1alpha1.AppGroupWorkload{Workload: infoOf(w)})
	}
	depend := func(on, of int, bytesPerSecond float64) {
		w := &group.Spec.Workloads[of]
		w.Dependencies = append(w.Dependencies, agv1alpha1.DependenciesInfo{
			Workload:       group.Spec.Workloads[on].Workload,
			MinBandwidth:   *resource.NewQuantity(int64(math.Ceil(bytesPerSecond)), resource.BinarySI),
			MaxNetworkCost: regionCost,
		})
	}
	for _, e := range c.edges {
		from, fromKnown := position[e.from]
		to, toKnown := position[e.to]
		if !fromKnown || !toKnown || from == to {
			continue // traffic with the outside, or a workload with itself
		}
		depend(to, from, e.bytesPerSecond)
		if both {
			depend(from, to, e.bytesPerSecond)
		}
	}
	var err error
	group.Status.TopologyOrder, err = topologyOrder(group.Spec)
	return group, err
}

// infoOf names a workload. Their controller finds a workload only when name and
// selector are the same.
func infoOf(w *workload) agv1alpha1.AppGroupWorkloadInfo {
	namespace, _, _ := strings.Cut(w.name, "/")
	return agv1alpha1.AppGroupWorkloadInfo{
		APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace, Name: selectorOf(w.name), Selector: selectorOf(w.name),
	}
}

// topologyOrder is the order of deployment that their controller writes into an
// AppGroup's status: that of the sorting algorithm, with indices from 1, for the
// workloads in a dependency; or, where dependencies form a cycle, all workloads as
// they were declared. It is sorted by selector, for TopologicalSort to search in.
func topologyOrder(spec agv1alpha1.AppGroupSpec) (agv1alpha1.AppGroupTopologyList, error) {
	infos := map[string]agv1alpha1.AppGroupWorkloadInfo{}
	var order []string
	for _, w := range spec.Workloads {
		infos[w.Workload.Name] = w.Workload
		order = append(order, w.Workload.Name)
	}
	if sorted, acyclic := kahn(spec.Workloads); acyclic {
		switch spec.TopologySortingAlgorithm {
		case agv1alpha1.AppGroupKahnSort:
		case agv1alpha1.AppGroupReverseKahn:
			slices.Reverse(sorted)
		case agv1alpha1.AppGroupAlternateKahn:
			sorted = alternate(sorted)
		default:
			return nil, fmt.Errorf("sorting algorithm %q: must be %s, %s or %s", spec.TopologySortingAlgorithm,
				agv1alpha1.AppGroupKahnSort, agv1alpha1.AppGroupReverseKahn, agv1alpha1.AppGroupAlternateKahn)
		}
		order = sorted
	}
	var list agv1alpha1.AppGroupTopologyList
	for i, name := range order {
		list = append(list, agv1alpha1.AppGroupTopologyInfo{Workload: infos[name], Index: int32(i + 1)})
	}
	slices.SortFunc(list, func(a, b agv1alpha1.AppGroupTopologyInfo) int {
		return cmp.Compare(a.Workload.Selector, b.Workload.Selector)
	})
	return list, nil
}

// kahn sorts the workloads that take part in a dependency so that each comes
// before those that it depends on: that found last goes first, as in their
// controller. Where that leaves the order to chance, among those that nobody
// depends on, it is by name.
func kahn(workloads agv1alpha1.AppGroupWorkloadList) (sorted []string, acyclic bool) {
	dependencies, dependents := map[string][]string{}, map[string]int{}
	for _, w := range workloads {
		for _, d := range w.Dependencies {
			dependencies[w.Workload.Name] = append(dependencies[w.Workload.Name], d.Workload.Name)
			dependents[d.Workload.Name]++
		}
	}
	var stack []string
	for name := range dependencies {
		if dependents[name] == 0 {
			stack = append(stack, name)
			dependents[name] = 0
		}
	}
	slices.Sort(stack)
	for len(stack) > 0 {
		name := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		sorted = append(sorted, name)
		for _, d := range dependencies[name] {
			if dependents[d]--; dependents[d] == 0 {
				stack = append(stack, d)
			}
		}
	}
	return sorted, len(sorted) == len(dependents)
}

// alternate takes the first, the last, the second, the last but one and so on.
func alternate(sorted []string) []string {
	var out []string
	for i, j := 0, len(sorted)-1; i <= j; i, j = i+1, j-1 {
		out = append(out, sorted[i])
		if i < j {
			out = append(out, sorted[j])
		}
	}
	return out
}
