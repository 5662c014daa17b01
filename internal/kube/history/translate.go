package history

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// maxReplicas bounds what one workload wants: a replay brings every pod.
const maxReplicas = 1_000_000

// Translate returns the cluster that objects are of, for a replay. Nodes and workloads
// come in the order of their names. The warnings say what a replay cannot take over; an
// error says which object makes one impossible. The traffic is not among the objects:
// Cluster.Edges is the caller's to fill.
func Translate(o *objects.Objects) (*Replayable, []objects.Warning, error) {
	stores, err := objects.NewStores()
	if err != nil {
		return nil, nil, err
	}
	t := &translation{
		table: objects.NewTable(), nodesByName: map[string]int32{}, result: &Replayable{Cluster: &cluster.Cluster{}},
	}
	t.result.Objects = lookedUp(o)
	for _, object := range t.result.Objects {
		if err := stores.Put(kube.ObjectChange{Object: object}); err != nil {
			return nil, nil, err
		}
	}
	if t.routes, err = stores.Routes(); err != nil {
		return nil, nil, err
	}
	t.controllers = newControllers(t.table, o, stores)
	if err := t.nodes(objects.Of[*corev1.Node](o)); err != nil {
		return nil, nil, err
	}
	found := t.group(objects.Of[*corev1.Pod](o))
	for _, id := range sortedIDs(found) {
		if err := t.workload(id, found[id]); err != nil {
			return nil, nil, fmt.Errorf("workload %s: %w", kube.FullName(id.Namespace, id.Name), err)
		}
	}
	for _, id := range t.controllers.withoutPods(found) {
		t.warnings.Add("a workload has no pods to make others like them, and is left out", id.String())
	}
	c := t.result.Cluster
	if c.Assigned.Pods()+c.Idle.Pods() == 0 {
		c.Assigned = nil
	}
	if c.Idle.Pods() == 0 {
		c.Idle = nil
	}
	t.fillTemplates()
	if err := c.Validate(); err != nil {
		return nil, nil, fmt.Errorf("the objects make no cluster: %w", err)
	}
	return t.result, t.warnings.List(), nil
}

// translation is the state of Translate.
type translation struct {
	table       *objects.Table
	nodesByName map[string]int32 // positions
	controllers *controllers
	routes      routing.Routes
	warnings    objects.Warnings
	result      *Replayable
}

func (t *translation) nodes(all []*corev1.Node) error {
	r := t.result
	r.Nodes = all
	slices.SortStableFunc(r.Nodes, func(a, b *corev1.Node) int { return cmp.Compare(a.Name, b.Name) })
	for i, node := range r.Nodes {
		if _, known := t.nodesByName[node.Name]; known {
			return fmt.Errorf("two nodes are called %s", kube.Printable(node.Name))
		}
		has, err := nodeOf(node)
		if err != nil {
			return err
		}
		if withoutRoom(has) {
			t.warnings.Add(noRoom, kube.Printable(node.Name))
		}
		t.nodesByName[node.Name] = int32(i)
		r.Cluster.Nodes = append(r.Cluster.Nodes, has)
	}
	t.hintAtZones()
	return nil
}

// hintAtZones names the label that had the zone before Kubernetes 1.17, where nodes
// have that one only.
func (t *translation) hintAtZones() {
	for _, node := range t.result.Nodes {
		if node.Labels[corev1.LabelTopologyZone] == "" && node.Labels[corev1.LabelFailureDomainBetaZone] != "" {
			t.warnings.Add("a node has its zone in the label "+corev1.LabelFailureDomainBetaZone+
				", which is not read; label it with "+corev1.LabelTopologyZone, kube.Printable(node.Name))
		}
	}
}

// noRoom says what becomes of a node withoutRoom.
const noRoom = "a node has no allocatable cpu, memory or pods; no pod is placed there"

func withoutRoom(n cluster.Node) bool {
	return n.Allocatable.MilliCPU == 0 || n.Allocatable.Memory == 0 || n.MaxPods == 0
}

// nodeOf returns what a replay knows of a node, which may have no room at all.
func nodeOf(node *corev1.Node) (cluster.Node, error) {
	has, err := kube.ResourcesOf(node.Status.Allocatable)
	if err != nil {
		return cluster.Node{}, fmt.Errorf("node %s: allocatable %w", kube.Printable(node.Name), err)
	}
	pods := node.Status.Allocatable.Pods()
	if !kube.Within(pods, math.MaxInt32) {
		return cluster.Node{}, fmt.Errorf("node %s: allocatable pods %s: %w", kube.Printable(node.Name), pods, kube.ErrAmount)
	}
	return cluster.Node{
		Locality: kube.LocalityOf(node), Allocatable: has, MaxPods: int32(pods.Value()), ControlPlane: isControlPlane(node),
	}, nil
}

// isControlPlane reports whether a node has the label that kubeadm and others give to
// nodes of the control plane, or the one that they gave before Kubernetes 1.24.
func isControlPlane(node *corev1.Node) bool {
	_, is := node.Labels["node-role.kubernetes.io/control-plane"]
	_, was := node.Labels["node-role.kubernetes.io/master"]
	return is || was
}

// group returns the pods that count, in the order of their names, shorter names
// first (db-2 before db-10), by workload.
func (t *translation) group(pods []*corev1.Pod) map[flowgraph.WorkloadID][]*corev1.Pod {
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	found := map[flowgraph.WorkloadID][]*corev1.Pod{}
	for i, pod := range pods {
		switch {
		case i > 0 && pod.Namespace == pods[i-1].Namespace && pod.Name == pods[i-1].Name:
			t.warnings.Add("a pod is in the input more than once; the first counts", nameOf(pod))
			continue
		case !kube.IsPeer(pod):
			t.warnings.Add("a finished or terminating pod is left out", nameOf(pod))
			continue
		}
		if problem := t.controllers.problem(pod); problem != "" {
			t.warnings.Add(problem, nameOf(pod))
		}
		id := kube.WorkloadOf(pod)
		found[id] = append(found[id], pod)
	}
	return found
}

// workload adds one, with at least one pod.
func (t *translation) workload(id flowgraph.WorkloadID, pods []*corev1.Pod) error {
	template, variants := templateOf(id, pods)
	w := cluster.Workload{ID: id, Fixed: isFixed(pods[0]), Bare: isBare(pods[0])}
	if differ := t.routes.Fill(&w, template); differ {
		t.warnings.Add("the Services of a workload differ in how calls to them are divided; that which keeps less is assumed", w.ID.String())
	}
	wants, err := t.controllers.desired(id, pods)
	if err != nil {
		return err
	}
	if wants == 0 {
		t.warnings.Add("a workload wants no pods but has some, and is left out", id.String())
		return nil
	}
	w.Replicas = wants
	if w.Requests, err = requestsOf(template); err != nil {
		return err
	}
	if variants > 1 && !w.Fixed {
		t.warnings.Add("the pods of a workload differ (a rollout?); the replay makes all of them like most of them", id.String())
	}
	c := t.result.Cluster
	c.Workloads = append(c.Workloads, w)
	serving, idle := t.assigned(pods)
	c.Assigned, c.Idle = append(c.Assigned, serving), append(c.Idle, idle)
	t.result.Templates = append(t.result.Templates, template)
	if !w.Fixed {
		for _, pod := range pods {
			for _, what := range excluded(pod) {
				t.warnings.Add("the replay ignores "+what, nameOf(pod))
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
			filled.Spec.Template.Spec = byID[kube.WorkloadOf(kube.PodOf(o, "ReplicaSet", &o.Spec.Template, o.Spec.Selector))]
			t.result.Objects[i] = &filled
		case *appsv1.StatefulSet:
			filled := *o
			filled.Spec.Template.Spec = byID[kube.WorkloadOf(kube.PodOf(o, "StatefulSet", &o.Spec.Template, o.Spec.Selector))]
			t.result.Objects[i] = &filled
		}
	}
}

// assigned returns the nodes of a workload's pods: those that serve, and the others.
func (t *translation) assigned(pods []*corev1.Pod) (serving, idle []int32) {
	for _, pod := range pods {
		if pod.Spec.NodeName == "" {
			continue
		}
		node, known := t.nodesByName[pod.Spec.NodeName]
		if !known {
			t.warnings.Add("a pod is on a node that is not in the input; it counts as not assigned", nameOf(pod))
			continue
		}
		if kube.Serves(pod, t.result.Nodes[node]) {
			serving = append(serving, node)
			continue
		}
		t.warnings.Add("a pod is not ready: it takes room and no calls; a pod that is replayed counts as ready", nameOf(pod))
		idle = append(idle, node)
	}
	return serving, idle
}

// requestsOf returns what kube-scheduler counts for a new pod: the largest need
// of init containers and sidecars, the pod's own resources and the overhead of
// its runtime class are part of it.
func requestsOf(template *corev1.Pod) (cluster.Resources, error) {
	return kube.ResourcesOf(resourcehelper.PodRequests(template, resourcehelper.PodResourcesOptions{}))
}

// isFixed reports whether a replay leaves a workload's pods where they are:
// those of DaemonSets and static pods belong to their nodes, and a pod without
// a controller that is gone is not made again anywhere.
func isFixed(pod *corev1.Pod) bool {
	if isStatic(pod) {
		return true
	}
	if isBare(pod) {
		return pod.Spec.NodeName != ""
	}
	return metav1.GetControllerOfNoCopy(pod).Kind == "DaemonSet"
}

// isBare reports whether nothing makes a pod anew when it is gone.
func isBare(pod *corev1.Pod) bool {
	return metav1.GetControllerOfNoCopy(pod) == nil && !isStatic(pod)
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
func lookedUp(o *objects.Objects) []runtime.Object {
	all := o.All((*objects.Kind).LookedUp)
	slices.SortStableFunc(all, func(a, b runtime.Object) int {
		// All kinds of objects have metadata; those of one kind stand together.
		if reflect.TypeOf(a) != reflect.TypeOf(b) {
			return 0
		}
		m, _ := a.(metav1.Object)
		n, _ := b.(metav1.Object)
		return cmp.Or(cmp.Compare(m.GetNamespace(), n.GetNamespace()), cmp.Compare(m.GetName(), n.GetName()))
	})
	return all
}
