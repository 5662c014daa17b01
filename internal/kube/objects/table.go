package objects

import (
	"fmt"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

// kinds returns every kind that is recorded, in the order in which it is read: what
// others refer to comes first. A new kind is one more entry here.
func kinds() []Kind {
	return []Kind{
		nodeKind(),
		namespaceKind(),
		priorityClassKind(),
		serviceKind(),
		replicationControllerKind(),
		deploymentKind(),
		replicaSetKind(),
		statefulSetKind(),
		daemonSetKind(),
		podDisruptionBudgetKind(),
		destinationRuleKind(),
		appGroupKind(),
		sidecarKind(),
		podKind(),
	}
}

// Kind is all that is known of one kind of objects.
type Kind struct {
	// GroupVersionKind has the version that is recorded.
	schema.GroupVersionKind
	// Required kinds make a recording: without them there is nothing to replay.
	Required bool
	// DecidesRouting says that objects of the kind decide how calls are divided.
	DecidesRouting bool

	versions      []string // that are read, of the same fields
	resource      string
	clusterScoped bool
	of            reflect.Type // of objects of the kind in memory

	// keep returns a new object with the fields that are kept, and no others: a field
	// that the table does not name is not in it, whatever a later Kubernetes adds.
	keep func(runtime.Object) runtime.Object
	// convert returns an object of which keep takes the fields.
	convert func(*unstructured.Unstructured) (runtime.Object, error)
	// check makes of what keep has returned what checks look at; nil where that is the same.
	check func(to, from runtime.Object)
	// anonymize renames in place what keep has returned.
	anonymize func(*Anonymizer, runtime.Object)
	// read returns an object as it is held, from JSON; nil for kinds that a replay
	// ignores. note is told of what is wrong with an object that can be held still.
	read func(raw []byte, note func(string)) (heldObject, error)
	// reuse lets an object have what is equal in an earlier one of the same owner; nil
	// where objects have little in common.
	reuse func(object, earlier runtime.Object)
	// store applies a change to what scheduler plugins look up; nil for kinds that none
	// of them does.
	store func(*Stores, kube.ObjectChange) error
	// wants returns how many pods a controller asks for; nil for kinds that control none.
	wants func(runtime.Object) (replicas *int32, says bool)
}

// heldObject is an object that has been read.
type heldObject interface {
	runtime.Object
	metav1.Object
}

// GroupVersionResource is what the API server calls the objects of the kind.
func (k *Kind) GroupVersionResource() schema.GroupVersionResource {
	return k.GroupVersion().WithResource(k.resource)
}

// ResourceName is the kind as kubectl takes it: "pods", "replicasets.apps".
func (k *Kind) ResourceName() string { return k.GroupVersionResource().GroupResource().String() }

// LookedUp reports whether scheduler plugins look up objects of the kind.
func (k *Kind) LookedUp() bool { return k.store != nil }

// Controls reports whether objects of the kind make pods.
func (k *Kind) Controls() bool { return k.wants != nil }

// Wants returns how many pods a controller asks for. says is false for a kind whose
// objects do not say it; replicas is nil for an object that leaves it to the default.
func (k *Kind) Wants(controller runtime.Object) (replicas *int32, says bool) {
	return k.wants(controller)
}

// Record returns what is recorded of an object that the API server has sent. It shares no
// memory with that object. The resourceVersion is kept, for the caller who watches.
func (k *Kind) Record(u *unstructured.Unstructured) (runtime.Object, error) {
	object, err := k.Keep(u)
	if err == nil {
		DropAddresses(object)
	}
	return object, err
}

// Keep returns what is kept of an object that the API server has sent: what is recorded, and
// the addresses by which endpoints are found.
func (k *Kind) Keep(u *unstructured.Unstructured) (runtime.Object, error) {
	object, err := k.converted(u)
	if err != nil {
		return nil, err
	}
	return k.keep(object), nil
}

// converted returns all of an object, with an error that names it.
func (k *Kind) converted(u *unstructured.Unstructured) (runtime.Object, error) {
	object, err := k.convert(u)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", k.ResourceName(), kube.FullName(u.GetNamespace(), u.GetName()), err)
	}
	return object, nil
}

// Whole returns all of an object that the API server has sent that a scheduler's informers hold
// (kube.Trim): more than is recorded.
func (k *Kind) Whole(u *unstructured.Unstructured) (runtime.Object, error) {
	object, err := k.converted(u)
	if err != nil {
		return nil, err
	}
	object.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	if _, err := kube.Trim(object); err != nil {
		return nil, err
	}
	return object, nil
}

// Checked returns of an object that the API server has sent what the checks of vicinity doctor
// look at: less than is kept of nodes and pods, without what only decisions depend on, and
// some fields besides.
func (k *Kind) Checked(u *unstructured.Unstructured) (runtime.Object, error) {
	from, err := k.converted(u)
	if err != nil {
		return nil, err
	}
	to := k.keep(from)
	if k.check != nil {
		k.check(to, from)
	}
	return to, nil
}

// Named returns an object of which nothing but the name is known, as it is recorded.
func (k *Kind) Named(namespace, name string) (runtime.Object, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(k.GroupVersionKind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return k.Record(u)
}

// Table is every Kind. It is not changed once it is made.
type Table struct {
	kinds    []Kind
	byHeader map[header]int
	byType   map[reflect.Type]int
}

// NewTable returns the Table. Who asks it for each of many objects keeps it.
func NewTable() *Table {
	t := &Table{kinds: kinds(), byHeader: map[header]int{}, byType: map[reflect.Type]int{}}
	for i := range t.kinds {
		k := &t.kinds[i]
		for _, version := range append(k.versions, k.Version) {
			t.byHeader[header{schema.GroupVersion{Group: k.Group, Version: version}.String(), k.Kind}] = i
		}
		t.byType[k.of] = i
	}
	return t
}

// Kinds returns all of them, in the order in which they are recorded.
func (t *Table) Kinds() []Kind { return t.kinds }

// KindOf returns the kind of an object, nil when it is of none in the table.
func (t *Table) KindOf(object runtime.Object) *Kind {
	if i, known := t.byType[reflect.TypeOf(object)]; known {
		return &t.kinds[i]
	}
	return nil
}

// Controller returns the kind of a controller of pods, nil for an owner of any other.
func (t *Table) Controller(owner *metav1.OwnerReference) *Kind {
	if k := t.kindNamed(header{owner.APIVersion, owner.Kind}); k != nil && k.Controls() {
		return k
	}
	return nil
}

func (t *Table) kindNamed(h header) *Kind {
	if i, known := t.byHeader[h]; known {
		return &t.kinds[i]
	}
	return nil
}
