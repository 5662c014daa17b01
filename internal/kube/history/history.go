// Package history follows the objects of a cluster over time, as a recording has them, and
// translates those of one moment: a cluster file is a recording of one moment. It reads
// no file and places no pod.
package history

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// History follows the objects of a cluster through a recording, and says of each
// change what it means for a replay.
//
// A pod arrives when it is added and leaves when it is deleted, finished or
// terminating; it serves when it has a node and does not say that it is not ready.
// Pods without a controller are Fixed, as those of DaemonSets are.
// Pods are made like the newest one of their workload. Nothing about the order of
// objects is assumed: a pod may come before its node or its Service.
type History struct {
	assume   func(*corev1.Service) *corev1.Service
	table    *objects.Table
	decoder  *objects.Decoder
	warnings objects.Warnings

	all       *Replayable
	nodes     map[string]int32 // positions, by name
	workloads map[flowgraph.WorkloadID]int32
	next      []int32 // by workload: the ordinal of its next pod
	pods      map[objectKey]*tracked
	current   map[objectKey]runtime.Object // all but pods

	stores    *objects.Stores // what decides routes; Services as they are assumed to be
	routes    routing.Routes
	reroute   bool    // what routes depend on has changed
	relabeled []int32 // workloads whose pods have other labels than before
	where     string  // the file and the line of the change under way
	at        time.Time
	happened  Happened
	onNodes   []*tracked // pods that have come to a node in this step
}

// tracked is a pod.
type tracked struct {
	object *corev1.Pod
	as     sim.Pod
	// there means that it has arrived and not left, unready that it is not ready.
	there, unready bool
}

// Happened is what a step means for a replay.
type Happened struct {
	Events []sim.Event
	// Objects are changes of what scheduler plugins look up.
	Objects []kube.ObjectChange
}

// New returns the History of a cluster that is empty. assume returns a Service as a
// replay is to take it; nil: as it is.
func New(assume func(*corev1.Service) *corev1.Service) (*History, error) {
	h := &History{
		assume: assume, table: objects.NewTable(), decoder: objects.NewDecoder(),
		all: &Replayable{Cluster: &cluster.Cluster{}}, nodes: map[string]int32{},
		workloads: map[flowgraph.WorkloadID]int32{}, pods: map[objectKey]*tracked{}, current: map[objectKey]runtime.Object{},
	}
	var err error
	if h.stores, err = objects.NewStores(); err != nil {
		return nil, err
	}
	h.routes, err = h.stores.Routes()
	return h, err
}

// SetScale sets the labels of nodes that tell levels. It must be called before the first
// change.
func (h *History) SetScale(scale locality.Scale) { h.all.Cluster.Scale = scale }

// Replayable is all that there has been so far: nodes and workloads keep their
// positions, also those that are gone. It changes with Apply. It has no Objects.
func (h *History) Replayable() *Replayable { return h.all }

// Warnings returns what could not be taken over as it is.
func (h *History) Warnings() []objects.Warning {
	return slices.Concat(h.decoder.Warnings(), h.warnings.List())
}

// Begin takes the objects of a cluster, all at one time.
func (h *History) Begin(o *objects.Objects, at time.Time) (Happened, error) {
	h.begin()
	h.at = at
	for _, object := range o.All(func(*objects.Kind) bool { return true }) {
		meta, _ := object.(metav1.Object) // all kinds of objects have it
		h.where = fmt.Sprintf("%s %s", h.table.KindOf(object).Kind, kube.FullName(meta.GetNamespace(), meta.GetName()))
		if err := h.take(object, recording.Added); err != nil {
			return Happened{}, fmt.Errorf("%s: %w", h.where, err)
		}
	}
	return h.end()
}

// Apply takes the changes of a step. Errors say the line.
func (h *History) Apply(changes []recording.Change) (Happened, error) {
	h.begin()
	for i := range changes {
		c := &changes[i]
		h.where, h.at = fmt.Sprintf("%s:%d", c.File, c.Line), c.At
		object, err := h.decoder.Decode(c.Object)
		if err == nil && object != nil {
			err = h.take(object, c.Type)
		}
		if err != nil {
			return Happened{}, fmt.Errorf("%s: %w", h.where, err)
		}
	}
	return h.end()
}

func (h *History) begin() { h.happened, h.onNodes = Happened{}, nil }

// take takes one change.
func (h *History) take(object runtime.Object, change recording.ChangeType) error {
	switch o := object.(type) {
	case *corev1.Pod:
		return h.pod(o, change)
	case *corev1.Node:
		return h.node(o, change)
	}
	return h.other(object, change)
}

// note counts what is odd about the change under way.
func (h *History) note(text string) { h.warnings.Add(text, h.where) }

// missed says so when what a change is about was not there.
func (h *History) missed(known bool, change recording.ChangeType) {
	switch {
	case known:
	case change == recording.Deleted:
		h.note("an object is deleted that was not there")
	case change == recording.Modified:
		h.note("an object changes that was not there; it is taken as new")
	}
}

// replaced reports whether the object that is deleted is not the one that is there, but an
// earlier one of the same name. Its deletion comes too late to mean anything.
func (h *History) replaced(is runtime.Object, deleted metav1.Object) bool {
	there, ok := is.(metav1.Object)
	if !ok || !kube.IsAnother(there, deleted) {
		return false
	}
	h.note("an object is deleted of whose name there is another one already, which stays")
	return true
}

func (h *History) event(e sim.Event) {
	e.At = h.at
	h.happened.Events = append(h.happened.Events, e)
}

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
		h.note(noRoom)
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

// other takes a change of an object that is neither a node nor a pod.
func (h *History) other(object runtime.Object, change recording.ChangeType) error {
	meta, _ := object.(metav1.Object) // all kinds of objects have it
	kind := h.table.KindOf(object)
	key := objectKey{kind.Kind, meta.GetNamespace(), meta.GetName()}
	was, known := h.current[key]
	gone := change == recording.Deleted
	if gone && known && h.replaced(was, meta) {
		return nil
	}
	h.missed(known, change)
	if gone {
		delete(h.current, key)
	} else {
		h.current[key] = object
	}
	h.reroute = h.reroute || kind.DecidesRouting && (known || !gone)
	if _, ok := object.(*corev1.Service); ok {
		if gone && known {
			return h.serviceGone(key)
		}
		return nil // the others are taken over as they are assumed to be: see route
	}
	if !kind.LookedUp() || gone && !known {
		return nil
	}
	looksUp := kube.ObjectChange{Object: object, Deleted: gone}
	h.happened.Objects = append(h.happened.Objects, looksUp)
	if kind.DecidesRouting {
		return h.stores.Put(looksUp)
	}
	return nil
}
