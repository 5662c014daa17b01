package objects

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
)

// Objects is the part of a cluster that a replay reads. Nothing else of a cluster file is
// held: no Secrets, no ConfigMaps, and of each object only the fields that a recording
// has. The zero Objects is of an empty cluster.
type Objects struct {
	byType map[reflect.Type][]runtime.Object
}

// Add adds an object, which nobody may write to from now on.
func (o *Objects) Add(object runtime.Object) {
	if o.byType == nil {
		o.byType = map[reflect.Type][]runtime.Object{}
	}
	of := reflect.TypeOf(object)
	o.byType[of] = append(o.byType[of], object)
}

// Of returns the objects of a type, *corev1.Pod for instance, in the order in which they
// were added.
func Of[T runtime.Object](o *Objects) []T {
	all := o.byType[reflect.TypeFor[T]()]
	if len(all) == 0 {
		return nil
	}
	typed := make([]T, len(all))
	for i, object := range all {
		typed[i] = object.(T)
	}
	return typed
}

// All returns all objects of the kinds for which wanted is true, in the order of the
// table. Pods are last.
func (o *Objects) All(wanted func(*Kind) bool) []runtime.Object {
	var all []runtime.Object
	for _, k := range kinds() {
		if wanted(&k) {
			all = append(all, o.byType[k.of]...)
		}
	}
	return all
}
