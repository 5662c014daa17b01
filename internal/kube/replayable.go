package kube

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// maxReplicas bounds what one workload wants: a replay brings every pod.
const maxReplicas = 1_000_000

// Cluster translates the objects for a replay. Nodes and workloads come in the
// order of their names. The warnings say what a replay cannot take over; an
// error says which object makes one impossible. The traffic is not among the
// objects: Cluster.Edges is the caller's to fill.
func (o *Objects) Cluster() (*Replayable, []Warning, error) {
	t := &translation{
		objects: o, position: map[string]int32{}, controllers: newControllers(o),
		result: &Replayable{Cluster: &cluster.Cluster{}},
	}
	var err error
	if t.routes, err = routing.Among(o.lookedUp(), routing.AllPolicies()); err != nil {
		return nil, nil, err
	}
	if err := t.nodes(); err != nil {
		return nil, nil, err
	}
	found := t.group()
	for _, id := range sortedIDs(found) {
		if err := t.workload(id, found[id]); err != nil {
			return nil, nil, fmt.Errorf("workload %s: %w", fullName(id.Namespace, id.Name), err)
		}
	}
	for _, id := range t.controllers.withoutPods(found) {
		t.notes.add("a workload has no pods to make others like them, and is left out", id.String())
	}
	c := t.result.Cluster
	if !slices.ContainsFunc(c.Assigned, func(at []int32) bool { return len(at) > 0 }) {
		c.Assigned = nil
	}
	t.result.Objects = o.lookedUp()
	t.fillTemplates()
	if err := c.Validate(); err != nil {
		return nil, nil, fmt.Errorf("the objects make no cluster: %w", err)
	}
	return t.result, t.notes.list, nil
}

// translation is the state of Cluster.
type translation struct {
	objects     *Objects
	position    map[string]int32 // of a node, by name
	controllers *controllers
	routes      routing.Routes
	notes       notes
	result      *Replayable
}

func (t *translation) nodes() error {
	r := t.result
	r.Nodes = slices.Clone(t.objects.Nodes)
	slices.SortStableFunc(r.Nodes, func(a, b *corev1.Node) int { return cmp.Compare(a.Name, b.Name) })
	for i, node := range r.Nodes {
		if _, known := t.position[node.Name]; known {
			return fmt.Errorf("two nodes are called %s", printable(node.Name))
		}
		has, err := nodeOf(node)
		if err != nil {
			return err
		}
		if has.Allocatable.MilliCPU == 0 || has.Allocatable.Memory == 0 || has.MaxPods == 0 {
			return fmt.Errorf("node %s: status.allocatable must have cpu, memory and pods, but has %d millicores, %d bytes, %d pods",
				printable(node.Name), has.Allocatable.MilliCPU, has.Allocatable.Memory, has.MaxPods)
		}
		t.position[node.Name] = int32(i)
		r.Cluster.Nodes = append(r.Cluster.Nodes, has)
	}
	return nil
}

// nodeOf returns what a replay knows of a node, which may have no room at all.
func nodeOf(node *corev1.Node) (cluster.Node, error) {
	has, err := amounts(node.Status.Allocatable)
	if err != nil {
		return cluster.Node{}, fmt.Errorf("node %s: allocatable %w", printable(node.Name), err)
	}
	pods := node.Status.Allocatable.Pods()
	if !within(pods, math.MaxInt32) {
		return cluster.Node{}, fmt.Errorf("node %s: allocatable pods %s: %w", printable(node.Name), pods, errAmount)
	}
	return cluster.Node{Locality: LocalityOf(node), Allocatable: has, MaxPods: int32(pods.Value())}, nil
}

// group returns the pods that count, in the order of their names, shorter names
// first (db-2 before db-10), by workload.
func (t *translation) group() map[flowgraph.WorkloadID][]*corev1.Pod {
	pods := slices.Clone(t.objects.Pods)
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	found := map[flowgraph.WorkloadID][]*corev1.Pod{}
	for i, pod := range pods {
		switch {
		case i > 0 && pod.Namespace == pods[i-1].Namespace && pod.Name == pods[i-1].Name:
			t.notes.add("a pod is in the input more than once; the first counts", nameOfPod(pod))
			continue
		case !IsPeer(pod):
			t.notes.add("a finished or terminating pod is left out", nameOfPod(pod))
			continue
		}
		if problem := t.controllers.problem(pod); problem != "" {
			t.notes.add(problem, nameOfPod(pod))
		}
		id := WorkloadOf(pod)
		found[id] = append(found[id], pod)
	}
	return found
}

// workload adds one, with at least one pod.
func (t *translation) workload(id flowgraph.WorkloadID, pods []*corev1.Pod) error {
	template, variants := templateOf(id, pods)
	w := cluster.Workload{ID: id, Fixed: isFixed(pods[0])}
	if t.routes.Fill(&w, template) {
		t.notes.add("the Services of a workload differ in how calls to them are divided; that which keeps less is assumed", id.String())
	}
	wants, err := t.controllers.desired(id, pods)
	if err != nil {
		return err
	}
	if wants == 0 {
		t.notes.add("a workload wants no pods but has some, and is left out", id.String())
		return nil
	}
	w.Replicas = wants
	if w.Requests, err = requestsOf(template); err != nil {
		return err
	}
	if variants > 1 && !w.Fixed {
		t.notes.add("the pods of a workload differ (a rollout?); the replay makes all of them like most of them", id.String())
	}
	c := t.result.Cluster
	c.Workloads = append(c.Workloads, w)
	c.Assigned = append(c.Assigned, t.assigned(pods))
	t.result.Templates = append(t.result.Templates, template)
	if !w.Fixed {
		for _, pod := range pods {
			for _, what := range excluded(pod) {
				t.notes.add("the replay ignores "+what, nameOfPod(pod))
			}
		}
	}
	return nil
}

// fillTemplates gives the controllers among the objects that are looked up the
// templates of their workloads: those that were read are not held.
func (t *translation) fillTemplates() {
	byID := make(map[flowgraph.WorkloadID]corev1.PodSpec, len(t.result.Templates))
	for i, template := range t.result.Templates {
		byID[t.result.Cluster.Workloads[i].ID] = template.Spec
	}
	for i, object := range t.result.Objects {
		switch o := object.(type) {
		case *appsv1.ReplicaSet:
			filled := *o
			filled.Spec.Template.Spec = byID[WorkloadOf(podOf(o, "ReplicaSet", &o.Spec.Template, o.Spec.Selector))]
			t.result.Objects[i] = &filled
		case *appsv1.StatefulSet:
			filled := *o
			filled.Spec.Template.Spec = byID[WorkloadOf(podOf(o, "StatefulSet", &o.Spec.Template, o.Spec.Selector))]
			t.result.Objects[i] = &filled
		}
	}
}

// assigned returns the nodes of a workload's pods.
func (t *translation) assigned(pods []*corev1.Pod) []int32 {
	var nodes []int32
	for _, pod := range pods {
		if pod.Spec.NodeName == "" {
			continue
		}
		node, known := t.position[pod.Spec.NodeName]
		if !known {
			t.notes.add("a pod is on a node that is not in the input; it counts as not assigned", nameOfPod(pod))
			continue
		}
		nodes = append(nodes, node)
	}
	return nodes
}

// requestsOf returns what kube-scheduler counts for a new pod: the largest need
// of init containers and sidecars, the pod's own resources and the overhead of
// its runtime class are part of it.
func requestsOf(template *corev1.Pod) (cluster.Resources, error) {
	return amounts(resourcehelper.PodRequests(template, resourcehelper.PodResourcesOptions{}))
}

// isFixed reports whether a replay leaves a workload's pods where they are:
// those of DaemonSets and static pods belong to their nodes, and a pod without
// a controller that is gone is not made again anywhere.
func isFixed(pod *corev1.Pod) bool {
	if isStatic(pod) {
		return true
	}
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil {
		return pod.Spec.NodeName != ""
	}
	return owner.Kind == "DaemonSet"
}

// isStatic reports whether a pod stands for one that a kubelet runs from a file.
func isStatic(pod *corev1.Pod) bool {
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return true
	}
	owner := metav1.GetControllerOfNoCopy(pod)
	return owner != nil && owner.Kind == "Node"
}

func sortedIDs[V any](m map[flowgraph.WorkloadID]V) []flowgraph.WorkloadID {
	ids := make([]flowgraph.WorkloadID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, flowgraph.WorkloadID.Compare)
	return ids
}

// lookedUp returns what scheduler plugins look up, in the order of kinds and
// names.
func (o *Objects) lookedUp() []runtime.Object {
	var all []runtime.Object
	all = appendSorted(all, o.Namespaces)
	all = appendSorted(all, o.Services)
	all = appendSorted(all, o.ReplicationControllers)
	all = appendSorted(all, o.ReplicaSets)
	all = appendSorted(all, o.StatefulSets)
	return appendSorted(all, o.DestinationRules)
}

func appendSorted[T interface {
	runtime.Object
	metav1.Object
}](all []runtime.Object, objects []T) []runtime.Object {
	objects = slices.Clone(objects)
	slices.SortStableFunc(objects, func(a, b T) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	for _, object := range objects {
		all = append(all, object)
	}
	return all
}
