package kube

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
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
	assume    func(*corev1.Service) *corev1.Service
	collector collector
	notes     notes

	all       *Replayable
	nodes     map[string]int32 // positions, by name
	workloads map[flowgraph.WorkloadID]int32
	next      []int32 // by workload: the ordinal of its next pod
	pods      map[objectKey]*tracked
	current   map[objectKey]runtime.Object // all but pods
	roomless  map[objectKey]bool           // nodes that are there but count as not

	services   cache.SharedIndexInformer // as they are assumed to be
	namespaces cache.SharedIndexInformer
	rules      *routing.DestinationRules
	routes     routing.Routes
	reroute    bool    // what routes depend on has changed
	changed    []int32 // workloads whose pods have other labels than before
	where      string
	at         time.Time
	happened   Happened
	adrift     []*tracked // pods whose node was not there when they came
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
	Objects []ObjectChange
}

// ObjectChange is an object that is there, or changed, or gone.
type ObjectChange struct {
	Object  runtime.Object
	Deleted bool
}

// Into takes the change over into a store, such as that of an informer.
func (c ObjectChange) Into(store cache.Indexer) error {
	change := store.Add
	if c.Deleted {
		change = store.Delete
	}
	if err := change(c.Object); err != nil {
		return fmt.Errorf("indexing a %T: %w", c.Object, err)
	}
	return nil
}

// NewHistory returns one of a cluster that is empty. Each Service is taken as
// assume returns it; nil: as it is.
func NewHistory(assume func(*corev1.Service) *corev1.Service) (*History, error) {
	core := informers.NewSharedInformerFactory(nil, 0).Core().V1()
	h := &History{
		assume: assume, all: &Replayable{Cluster: &cluster.Cluster{}}, nodes: map[string]int32{},
		workloads: map[flowgraph.WorkloadID]int32{}, pods: map[objectKey]*tracked{}, current: map[objectKey]runtime.Object{},
		roomless: map[objectKey]bool{},
		services: core.Services().Informer(), namespaces: core.Namespaces().Informer(),
	}
	h.collector.keepReady = true
	var err error
	if h.rules, err = routing.RulesAmong(nil); err != nil {
		return nil, err
	}
	h.routes, err = routing.NewRoutes(core, h.rules, routing.AllPolicies())
	return h, err
}

// SetScale has nodes carry the labels that tell levels. It is for before the first
// change.
func (h *History) SetScale(scale locality.Scale) { h.all.Cluster.Scale = scale }

// Replayable is all that there has been by now: nodes and workloads keep their
// positions, also those that are gone. It changes with Apply. It has no Objects.
func (h *History) Replayable() *Replayable { return h.all }

// Warnings returns what could not be taken over as it is.
func (h *History) Warnings() []Warning {
	return append(slices.Clone(h.collector.notes.list), h.notes.list...)
}

// Begin takes the objects of a cluster, all at one time.
func (h *History) Begin(o *Objects, at time.Time) (Happened, error) {
	h.begin()
	h.at = at
	for _, object := range o.everything() {
		meta, _ := object.(metav1.Object) // all kinds of objects have it
		h.where = fmt.Sprintf("%T %s", object, fullName(meta.GetNamespace(), meta.GetName()))
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
		object, err := h.decode(c.Object)
		if err == nil && object != nil {
			err = h.take(object, c.Type)
		}
		if err != nil {
			return Happened{}, fmt.Errorf("%s: %w", h.where, err)
		}
	}
	return h.end()
}

func (h *History) begin() { h.happened, h.adrift = Happened{}, nil }

// decode reads an object, nil when a replay does not look at it.
func (h *History) decode(raw []byte) (runtime.Object, error) {
	head, err := headerOf(raw)
	if err != nil {
		return nil, err
	}
	c := &h.collector
	c.objects, c.held = Objects{}, 0
	if err := c.add(head, raw); err != nil {
		return nil, err
	}
	all := c.objects.everything()
	if len(all) == 0 {
		return nil, nil
	}
	return all[0], nil
}

// everything lists all objects, pods last.
func (o *Objects) everything() []runtime.Object {
	var all []runtime.Object
	all = appendAll(all, o.Nodes)
	all = appendAll(all, o.Namespaces)
	all = appendAll(all, o.Services)
	all = appendAll(all, o.ReplicationControllers)
	all = appendAll(all, o.ReplicaSets)
	all = appendAll(all, o.StatefulSets)
	all = appendAll(all, o.Deployments)
	all = appendAll(all, o.DaemonSets)
	all = appendAll(all, o.DestinationRules)
	return appendAll(all, o.Pods)
}

func appendAll[T runtime.Object](all []runtime.Object, objects []T) []runtime.Object {
	for _, object := range objects {
		all = append(all, object)
	}
	return all
}

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
func (h *History) note(text string) { h.notes.add(text, h.where) }

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
		h.all.Cluster.Nodes = append(h.all.Cluster.Nodes, cluster.Node{Locality: LocalityOf(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})})
	}
	return i
}

// node takes a change of a node. The last state of one that is gone is kept at
// its position.
func (h *History) node(node *corev1.Node, change recording.ChangeType) error {
	key := objectKey{kind: "Node", name: node.Name}
	was, known := h.current[key]
	h.missed(known || h.roomless[key], change)
	delete(h.roomless, key)
	i := h.nodeAt(node.Name)
	down := func() {
		if known {
			delete(h.current, key)
			h.event(sim.Event{Kind: sim.NodeDown, Node: i})
		}
	}
	if change == recording.Deleted {
		down()
		return nil
	}
	has, err := nodeOf(node)
	if err != nil {
		return err
	}
	has.Labels = ValuesOf(node, h.all.Cluster.Scale)
	if has.Allocatable.MilliCPU == 0 || has.Allocatable.Memory == 0 || has.MaxPods == 0 {
		h.note("a node without allocatable cpu, memory or pods counts as not there")
		h.roomless[key] = true
		down()
		return nil
	}
	if old, ok := was.(*corev1.Node); ok && sameNode(old, node) {
		return nil
	}
	h.current[key], h.all.Nodes[i], h.all.Cluster.Nodes[i] = node, node, has
	h.event(sim.Event{Kind: sim.NodeUp, Node: i})
	return nil
}

// sameNode reports whether a node is the same to a scheduler.
func sameNode(a, b *corev1.Node) bool {
	return reflect.DeepEqual(a.Labels, b.Labels) && reflect.DeepEqual(a.Annotations, b.Annotations) &&
		reflect.DeepEqual(a.Spec, b.Spec) && reflect.DeepEqual(a.Status.Allocatable, b.Status.Allocatable)
}

// other takes a change of what is neither a node nor a pod.
func (h *History) other(object runtime.Object, change recording.ChangeType) error {
	meta, _ := object.(metav1.Object) // all kinds of objects have it
	key := objectKey{reflect.TypeOf(object).Elem().Name(), meta.GetNamespace(), meta.GetName()}
	_, known := h.current[key]
	h.missed(known, change)
	if change == recording.Deleted {
		delete(h.current, key)
	} else {
		h.current[key] = object
	}
	switch key.kind {
	case "Service":
		h.reroute = true
		if change == recording.Deleted && known {
			h.serviceGone(key)
		}
	case "Deployment", "DaemonSet": // no plugin looks them up
	default:
		if change == recording.Deleted && !known {
			return nil
		}
		changed := ObjectChange{object, change == recording.Deleted}
		h.happened.Objects = append(h.happened.Objects, changed)
		return h.reroutes(changed)
	}
	return nil
}

// reroutes takes over a change of what routes depend on beside Services.
func (h *History) reroutes(c ObjectChange) error {
	switch c.Object.(type) {
	case *corev1.Namespace:
		h.reroute = true
		return c.Into(h.namespaces.GetIndexer())
	case *routing.DestinationRule:
		h.reroute = true
		return c.Into(h.rules.Store())
	}
	return nil
}
