package history

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// nodeAt returns the position of a node, Anywhere for no name. A node may be named
// by a pod before it is there.
func (h *History) nodeAt(name string) int32 {
	if name == "" {
		return sim.Anywhere
	}
	i, known := h.nodes[name]
	if !known {
		i = int32(len(h.all.Nodes))
		h.nodes[name] = i
		h.all.Nodes = append(h.all.Nodes, nil)
		h.all.Cluster.Nodes = append(h.all.Cluster.Nodes, cluster.Node{Locality: kube.LocalityOf(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})})
	}
	return i
}

// node takes a change of a node. The last state of one that is gone is kept at
// its position.
func (h *History) node(node *corev1.Node, change recording.ChangeType) error {
	key := objectKey{kind: "Node", name: node.Name}
	was, known := h.current[key]
	if change == recording.Deleted && known && h.replaced(was, node) {
		return nil
	}
	h.missed(known, change)
	i := h.nodeAt(node.Name)
	if change == recording.Deleted {
		if known {
			delete(h.current, key)
			h.event(sim.Event{Kind: sim.NodeDown, Node: i})
		}
		return nil
	}
	has, err := nodeOf(node)
	if err != nil {
		return err
	}
	has.Labels = kube.ValuesOf(node, h.all.Cluster.Scale)
	if withoutRoom(has) {
		h.note("a node has no allocatable cpu, memory or pods; no pod is placed there")
	}
	if hidesZone(node) {
		h.note("a node has its zone in the label " + corev1.LabelFailureDomainBetaZone + ", which is not read; label it with " + corev1.LabelTopologyZone)
	}
	h.current[key] = node
	old, _ := was.(*corev1.Node)
	if old == nil || !sameNode(old, node) {
		h.all.Nodes[i], h.all.Cluster.Nodes[i] = node, has
		h.event(sim.Event{Kind: sim.NodeUp, Node: i})
	}
	if old == nil || !reflect.DeepEqual(old.Status.Conditions, node.Status.Conditions) {
		h.nodeReady(node.Name)
	}
	return nil
}

// nodeReady says of the pods on a node whether they are ready when that has changed
// with the node.
func (h *History) nodeReady(name string) {
	var on []*tracked
	for _, t := range h.pods {
		if t.there && t.object.Spec.NodeName == name {
			on = append(on, t)
		}
	}
	slices.SortFunc(on, func(a, b *tracked) int {
		return cmp.Or(cmp.Compare(a.as.Workload, b.as.Workload), cmp.Compare(a.as.Ordinal, b.as.Ordinal))
	})
	for _, t := range on {
		h.ready(t)
	}
}

// nodeNow returns a node as it is at the moment, nil when there is none of the name.
func (h *History) nodeNow(name string) *corev1.Node {
	node, _ := h.current[objectKey{kind: "Node", name: name}].(*corev1.Node)
	return node
}

// sameNode reports whether a node is the same to a scheduler.
func sameNode(a, b *corev1.Node) bool {
	return reflect.DeepEqual(a.Labels, b.Labels) && reflect.DeepEqual(a.Annotations, b.Annotations) &&
		reflect.DeepEqual(a.Spec, b.Spec) && reflect.DeepEqual(a.Status.Allocatable, b.Status.Allocatable) &&
		reflect.DeepEqual(a.Status.Images, b.Status.Images)
}

// hidesZone reports whether a node has its zone only in the label that had it before
// Kubernetes 1.17.
func hidesZone(node *corev1.Node) bool {
	return node.Labels[corev1.LabelTopologyZone] == "" && node.Labels[corev1.LabelFailureDomainBetaZone] != ""
}

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
