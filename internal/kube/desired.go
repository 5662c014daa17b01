package kube

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// DesiredState is what controllers want of a workload.
type DesiredState struct {
	// Pods is how many there are to be in all, at least 1; 0 when nothing is known.
	Pods int32
	// Pod is as the controller makes it, but for its name. It has no containers where
	// the controller's template is not known.
	Pod *corev1.Pod
	// Choice is what the controller says of traffic locality, or else the namespace. What
	// a pod itself says takes precedence.
	Choice Choice
}

// DesiredStates follows what ReplicaSets and StatefulSets want, and what Namespaces say for
// them. The zero value knows of none. It is safe for concurrent use.
//
// Where several controllers want pods of one workload, as during a rollout, the newest
// counts; of two that are as old, the one whose name is last in order.
type DesiredStates struct {
	mu        sync.Mutex
	workloads map[flowgraph.WorkloadID][]controllerState // those that want pods, the newest first
	known     map[controllerKey]flowgraph.WorkloadID     // of the same controllers
	choices   map[string]Choice                          // of namespaces that say something
	observers []DesiredObserver
	followed  []cache.ResourceEventHandlerRegistration
}

// DesiredObserver is told of what changes.
type DesiredObserver interface {
	// DesiredChanged says what is wanted of a workload from now on. It is called for
	// one change at a time, and must not call the DesiredStates.
	DesiredChanged(id flowgraph.WorkloadID, state DesiredState)
}

type controllerKey struct{ kind, namespace, name string }

// controllerState is what one controller wants.
type controllerState struct {
	DesiredState
	key        controllerKey
	uid        types.UID
	since      metav1.Time
	generation int64 // of the object's spec, 0 when unknown
}

// Follow keeps the states up to date with informers' ReplicaSets, StatefulSets and
// Namespaces, from when these are started.
func (d *DesiredStates) Follow(informers ...cache.SharedIndexInformer) error {
	for _, informer := range informers {
		registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    d.Put,
			UpdateFunc: func(_, object any) { d.Put(object) },
			DeleteFunc: d.Delete,
		})
		if err != nil {
			return fmt.Errorf("following what controllers want: %w", err)
		}
		d.mu.Lock()
		d.followed = append(d.followed, registration)
		d.mu.Unlock()
	}
	return nil
}

// HasSynced reports whether all that the followed informers listed at first was taken over.
func (d *DesiredStates) HasSynced() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !slices.ContainsFunc(d.followed, func(r cache.ResourceEventHandlerRegistration) bool { return !r.HasSynced() })
}

// Put takes over what a ReplicaSet or a StatefulSet wants, and what a Namespace says. Other
// objects want nothing.
func (d *DesiredStates) Put(object any) {
	switch o := object.(type) {
	case *corev1.Namespace:
		d.choose(o.Name, ChoiceOf(o.Annotations))
	case *appsv1.ReplicaSet:
		pods := int32(0)
		if orOne(o.Spec.Replicas) > 0 {
			pods = replicasOf(o)
		}
		d.put(o, "ReplicaSet", pods, &o.Spec.Template, o.Spec.Selector)
	case *appsv1.StatefulSet:
		d.put(o, "StatefulSet", orOne(o.Spec.Replicas), &o.Spec.Template, o.Spec.Selector)
	}
}

// Delete forgets what a controller wants, or a Namespace says. It takes tombstones of
// informers too.
func (d *DesiredStates) Delete(object any) {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	switch o := object.(type) {
	case *corev1.Namespace:
		d.choose(o.Name, Unsaid)
	case *appsv1.ReplicaSet:
		d.put(o, "ReplicaSet", 0, nil, nil)
	case *appsv1.StatefulSet:
		d.put(o, "StatefulSet", 0, nil, nil)
	}
}

// Of returns what is wanted of a workload.
func (d *DesiredStates) Of(id flowgraph.WorkloadID) DesiredState {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.of(id)
}

func (d *DesiredStates) of(id flowgraph.WorkloadID) DesiredState {
	controllers := d.workloads[id]
	if len(controllers) == 0 {
		return DesiredState{}
	}
	state := controllers[0].DesiredState
	state.Choice = state.Choice.Or(d.choices[id.Namespace])
	return state
}

// choose takes over what a namespace says.
func (d *DesiredStates) choose(namespace string, choice Choice) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.choices[namespace] == choice {
		return
	}
	if d.choices == nil {
		d.choices = map[string]Choice{}
	}
	if d.choices[namespace] = choice; choice == Unsaid {
		delete(d.choices, namespace)
	}
	for _, id := range slices.SortedFunc(maps.Keys(d.workloads), flowgraph.WorkloadID.Compare) {
		if id.Namespace == namespace {
			d.changed(id)
		}
	}
}

// Observe has an observer told of all that is wanted, and of what changes from then on.
func (d *DesiredStates) Observe(o DesiredObserver) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.observers = append(d.observers, o)
	d.tell(o)
}

// Tell tells an observer once more of all that is wanted, after it has forgotten what it
// was told before. Nothing changes meanwhile.
func (d *DesiredStates) Tell(o DesiredObserver, forget func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	forget()
	d.tell(o)
}

// tell tells in the order of the workloads' names, so that a replay has always the same
// result.
func (d *DesiredStates) tell(o DesiredObserver) {
	for _, id := range slices.SortedFunc(maps.Keys(d.workloads), flowgraph.WorkloadID.Compare) {
		o.DesiredChanged(id, d.of(id))
	}
}

// put takes over what one controller wants, unless that is what it wanted before: most
// updates of a controller are of its status.
func (d *DesiredStates) put(controller metav1.Object, kind string, pods int32, template *corev1.PodTemplateSpec, selector *metav1.LabelSelector) {
	key := controllerKey{kind, controller.GetNamespace(), controller.GetName()}
	d.mu.Lock()
	defer d.mu.Unlock()
	id, known := d.known[key]
	if !known && pods <= 0 {
		return
	}
	choice := ChoiceOf(controller.GetAnnotations())
	is := controllerState{key: key, uid: controller.GetUID(), since: controller.GetCreationTimestamp(), generation: controller.GetGeneration()}
	if known {
		was := d.workloads[id][d.indexOf(id, key)]
		if pods == was.Pods && choice == was.Choice && is.uid == was.uid && is.generation != 0 && is.generation == was.generation {
			return
		}
	}
	ofID := id
	if pods > 0 {
		is.DesiredState = DesiredState{pods, PodOf(controller, kind, template, selector), choice}
		if ofID = WorkloadOf(is.Pod); ControllerOf(is.Pod) != ofID.Name {
			pods = 0 // as in Replicas.Desired: there may be more controllers of that name
		}
	}
	if known && (pods <= 0 || ofID != id) {
		d.remove(id, key)
	}
	if pods > 0 {
		d.insert(ofID, is)
	}
}

// remove forgets a controller of a workload.
func (d *DesiredStates) remove(id flowgraph.WorkloadID, key controllerKey) {
	delete(d.known, key)
	i := d.indexOf(id, key)
	left := slices.Delete(d.workloads[id], i, i+1)
	if d.workloads[id] = left; len(left) == 0 {
		delete(d.workloads, id)
	}
	if i == 0 {
		d.changed(id)
	}
}

// insert adds a controller of a workload, or replaces what it wanted before.
func (d *DesiredStates) insert(id flowgraph.WorkloadID, is controllerState) {
	if d.workloads == nil {
		d.workloads, d.known = map[flowgraph.WorkloadID][]controllerState{}, map[controllerKey]flowgraph.WorkloadID{}
	}
	controllers := d.workloads[id]
	was := d.of(id)
	if i := d.indexOf(id, is.key); i >= 0 {
		controllers = slices.Delete(controllers, i, i+1)
	}
	at, _ := slices.BinarySearchFunc(controllers, is, newerFirst)
	d.workloads[id], d.known[is.key] = slices.Insert(controllers, at, is), id
	if d.of(id) != was {
		d.changed(id)
	}
}

func newerFirst(a, b controllerState) int {
	return cmp.Or(b.since.Compare(a.since.Time), cmp.Compare(b.key.name, a.key.name), cmp.Compare(b.key.kind, a.key.kind))
}

func (d *DesiredStates) indexOf(id flowgraph.WorkloadID, key controllerKey) int {
	return slices.IndexFunc(d.workloads[id], func(c controllerState) bool { return c.key == key })
}

// changed tells the observers what is wanted of a workload.
func (d *DesiredStates) changed(id flowgraph.WorkloadID) {
	for _, o := range d.observers {
		o.DesiredChanged(id, d.of(id))
	}
}

// PodOf returns a pod as a controller makes it. Where its template is not known,
// the labels are those that the controller looks for.
func PodOf(controller metav1.Object, kind string, template *corev1.PodTemplateSpec, selector *metav1.LabelSelector) *corev1.Pod {
	is := true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: controller.GetNamespace(), Labels: template.Labels, Annotations: template.Annotations,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: appsv1.SchemeGroupVersion.String(), Kind: kind,
				Name: controller.GetName(), UID: controller.GetUID(), Controller: &is,
			}},
		},
		Spec: template.Spec,
	}
	if pod.Labels == nil && selector != nil {
		pod.Labels = selector.MatchLabels
	}
	return pod
}
