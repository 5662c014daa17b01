// Package history follows the objects of a cluster over time, as a recording has them, and
// translates those of one moment: a cluster file is a recording of one moment. It reads
// no file and places no pod.
package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/coldstart"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// History follows the objects of a cluster through a recording, and says of each
// change what it means for a replay.
//
// A pod arrives when it is added and leaves when it is deleted, finished or
// terminating; it serves when it has a node and does not say that it is not ready.
// Pods without a controller are Fixed, as those of DaemonSets are. Pods are made like the
// newest one of their workload: a rollout under way ends with it. Nothing about the order
// of objects is assumed: a pod may come before its node or its Service.
type History struct {
	assume   func(*corev1.Service) *corev1.Service
	table    *objects.Table
	decoder  *objects.Decoder
	warnings objects.Warnings

	all       *Replayable
	nodes     map[string]int32 // positions, by name
	workloads map[flowgraph.WorkloadID]int32
	followed  []followed // at the positions of workloads
	pods      map[objectKey]*tracked
	current   map[objectKey]runtime.Object // all but pods

	starts   *coldstart.Workloads // nil where nobody asks what new workloads declare
	stores   *objects.Stores      // what is looked up; Services as they are assumed to be
	routes   routing.Routes
	reroute  bool   // what routes depend on has changed
	where    string // the file and the line of the change under way, or the object's name
	at       time.Time
	happened Happened
	touched  []int32    // workloads of whose pods any has changed in this step
	onNodes  []*tracked // pods that have come to a node in this step
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

// Declare has the History follow what is declared of new workloads. It must be called before
// the first change.
func (h *History) Declare(origins []flowgraph.Origin, window time.Duration) {
	h.starts = coldstart.NewWorkloads(coldstart.Options{
		Origins: origins, Window: window, Services: h.stores.Informers.Core().V1().Services().Lister(),
	})
}

// Declared returns what the workloads declare that are new at a time.
func (h *History) Declared(at time.Time) []declared.Workload {
	if h.starts == nil {
		return nil
	}
	all, merged := h.starts.New(at)
	merged()
	return all
}

// declares takes over what an object says of its workload that was one thing and is another.
func (h *History) declares(was, is any) {
	if h.starts == nil {
		return
	}
	h.starts.Changed(was, is)
	for _, problem := range h.starts.NewProblems() {
		h.warnings.Add("what a workload declares is wrong, and counts as far as it is right", problem)
	}
}

// Replayable is all that there has been so far: nodes and workloads keep their
// positions, also those that are gone. It changes with Apply. It has no Objects.
func (h *History) Replayable() *Replayable { return h.all }

// Warnings returns what could not be taken over as it is.
func (h *History) Warnings() []objects.Warning {
	return slices.Concat(h.decoder.Warnings(), h.warnings.List())
}

// Begin takes the objects of a cluster, all at one time: nodes and workloads in the order
// of their names, and so the pods of each workload, shorter names first (db-2 before db-10).
func (h *History) Begin(o *objects.Objects, at time.Time) (Happened, error) {
	h.begin()
	h.at = at
	for _, kind := range h.table.Kinds() {
		all := o.All(func(k *objects.Kind) bool { return k.Kind == kind.Kind })
		slices.SortStableFunc(all, inOrder)
		for _, object := range all {
			if err := h.first(kind.Kind, object); err != nil {
				return Happened{}, err
			}
		}
	}
	return h.end()
}

// inOrder compares objects of one kind.
func inOrder(a, b runtime.Object) int {
	if pod, ok := a.(*corev1.Pod); ok {
		other, _ := b.(*corev1.Pod)
		return cmp.Or(kube.WorkloadOf(pod).Compare(kube.WorkloadOf(other)), byName(pod, other))
	}
	m, _ := a.(metav1.Object) // all kinds of objects have it
	n, _ := b.(metav1.Object)
	return cmp.Or(cmp.Compare(m.GetNamespace(), n.GetNamespace()), cmp.Compare(m.GetName(), n.GetName()))
}

// first takes an object of a cluster that must have it once.
func (h *History) first(kind string, object runtime.Object) error {
	meta, _ := object.(metav1.Object) // all kinds of objects have it
	key := objectKey{kind, meta.GetNamespace(), meta.GetName()}
	h.where = kube.FullName(key.namespace, key.name)
	switch {
	case h.current[key] == nil && h.pods[key] == nil:
	case kind == "Node":
		return fmt.Errorf("two nodes are called %s", h.where)
	default:
		h.note("a " + strings.ToLower(kind) + " is in the input more than once; the first counts")
		return nil
	}
	if pod, ok := object.(*corev1.Pod); ok && !kube.IsPeer(pod) {
		h.note("a finished or terminating pod is left out")
	}
	return h.take(object, recording.Added)
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

func (h *History) begin() { h.happened, h.touched, h.onNodes = Happened{}, nil, nil }

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
		h.declares(was, nil)
	} else {
		h.current[key] = object
		h.declares(was, object)
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
	return h.stores.Put(looksUp)
}
