package objects

import (
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/coldstart"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// pointer is a pointer to one of the types of k8s.io/api.
type pointer[T any] interface {
	*T
	heldObject
	metav1.ObjectMetaAccessor
}

// typed is an entry of the table for a kind that k8s.io/api has a type for.
type typed[T any, P pointer[T]] struct {
	group, version, resource string
	required, clusterScoped  bool
	decidesRouting           bool
	// ignored says that objects are recorded, and that a replay does without them.
	ignored bool
	// keep copies the fields that are kept, except for those of all kinds; nil: none.
	keep func(to, from P)
	// check makes of what is kept what checks look at; nil: the same.
	check func(to, from P)
	// anonymize renames what is kept.
	anonymize func(*Anonymizer, P)
	// reuse, informer and wants are nil where a kind has none.
	reuse    func(object, earlier P)
	informer func(informers.SharedInformerFactory) cache.SharedIndexInformer
	wants    func(P) (replicas *int32, says bool)
}

// kind returns the entry of the table.
func (e typed[T, P]) kind() Kind {
	of := reflect.TypeFor[P]()
	gvk := schema.GroupVersionKind{Group: e.group, Version: e.version, Kind: of.Elem().Name()}
	keep := func(from P) P {
		to := P(new(T))
		to.GetObjectKind().SetGroupVersionKind(gvk)
		if m, ok := to.GetObjectMeta().(*metav1.ObjectMeta); ok { // of all types in k8s.io/api
			*m = recordedMeta(from)
		}
		if e.keep != nil {
			e.keep(to, from)
		}
		return to
	}
	k := Kind{
		GroupVersionKind: gvk, Required: e.required, DecidesRouting: e.decidesRouting,
		resource: e.resource, clusterScoped: e.clusterScoped, of: of,
		keep: func(object runtime.Object) runtime.Object { return keep(object.(P)) },
		convert: func(u *unstructured.Unstructured) (runtime.Object, error) {
			object := P(new(T))
			return object, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, object)
		},
		anonymize: func(a *Anonymizer, object runtime.Object) { e.anonymize(a, object.(P)) },
	}
	if !e.ignored {
		k.read = func(raw []byte, _ func(string)) (heldObject, error) {
			object := P(new(T))
			if err := kube.CheckQuantities(raw); err != nil {
				return nil, err
			}
			if err := utiljson.Unmarshal(raw, object); err != nil {
				return nil, err
			}
			return keep(object), nil
		}
	}
	if e.check != nil {
		k.check = func(to, from runtime.Object) { e.check(to.(P), from.(P)) }
	}
	if e.reuse != nil {
		k.reuse = func(object, earlier runtime.Object) { e.reuse(object.(P), earlier.(P)) }
	}
	if e.informer != nil {
		k.store = func(s *Stores, c kube.ObjectChange) error { return c.Into(e.informer(s.Informers).GetIndexer()) }
	}
	if e.wants != nil {
		k.wants = func(controller runtime.Object) (*int32, bool) { return e.wants(controller.(P)) }
	}
	return k
}

// recordedAnnotations are those that are read: how Services, Namespaces and ReplicaSets
// are meant, what a workload declares, and which services of Consul pods are. Others hold what may not leave a cluster: kubectl apply alone notes whole
// objects, environment variables included.
func recordedAnnotations() []string {
	return append(slices.Concat(routing.Annotations(), endpoints.Annotations()),
		corev1.AnnotationTopologyMode, corev1.DeprecatedAnnotationTopologyAwareHints, corev1.MirrorPodAnnotationKey,
		kube.DesiredReplicasAnnotation, kube.RolloutDesiredReplicasAnnotation, kube.LocalityAnnotation,
		coldstart.DeploymentRevisionAnnotation, coldstart.RolloutRevisionAnnotation, coldstart.PeersAnnotation,
	)
}

// recordedMeta is what is kept of the metadata of every kind. The UIDs tell an object from
// a later one of the same name.
func recordedMeta(o metav1.Object) metav1.ObjectMeta {
	m := metav1.ObjectMeta{
		Namespace: o.GetNamespace(), Name: o.GetName(), GenerateName: o.GetGenerateName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion(),
		Labels: o.GetLabels(), CreationTimestamp: o.GetCreationTimestamp(), DeletionTimestamp: o.GetDeletionTimestamp(),
	}
	if annotations := o.GetAnnotations(); annotations != nil {
		for _, key := range recordedAnnotations() {
			if value, ok := annotations[key]; ok {
				metav1.SetMetaDataAnnotation(&m, key, value)
			}
		}
	}
	for _, owner := range o.GetOwnerReferences() {
		m.OwnerReferences = append(m.OwnerReferences, metav1.OwnerReference{
			APIVersion: owner.APIVersion, Kind: owner.Kind, Name: owner.Name, UID: owner.UID, Controller: owner.Controller,
		})
	}
	return m
}

// keepEach returns what keep makes of each element, nil of none.
func keepEach[T any](all []T, keep func(T) T) []T {
	var kept []T
	for _, element := range all {
		kept = append(kept, keep(element))
	}
	return slices.Clip(kept)
}
