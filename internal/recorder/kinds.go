package recorder

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

// kind is a kind of objects that is recorded.
type kind struct {
	schema.GroupVersionResource
	// new returns an object of the kind; nil where Go has no type for it.
	new func() runtime.Object
	// required kinds make a recording: without them there is nothing to replay.
	required bool
}

// kinds returns what is recorded, in the order in which it is read: what others
// refer to comes first.
func kinds() []kind {
	core, apps := schema.GroupVersion{Version: "v1"}, schema.GroupVersion{Group: "apps", Version: "v1"}
	return []kind{
		{core.WithResource("nodes"), func() runtime.Object { return &corev1.Node{} }, true},
		{core.WithResource("namespaces"), func() runtime.Object { return &corev1.Namespace{} }, false},
		{schedulingv1.SchemeGroupVersion.WithResource("priorityclasses"), func() runtime.Object { return &schedulingv1.PriorityClass{} }, false},
		{core.WithResource("services"), func() runtime.Object { return &corev1.Service{} }, false},
		{core.WithResource("replicationcontrollers"), func() runtime.Object { return &corev1.ReplicationController{} }, false},
		{apps.WithResource("deployments"), func() runtime.Object { return &appsv1.Deployment{} }, false},
		{apps.WithResource("replicasets"), func() runtime.Object { return &appsv1.ReplicaSet{} }, false},
		{apps.WithResource("statefulsets"), func() runtime.Object { return &appsv1.StatefulSet{} }, false},
		{apps.WithResource("daemonsets"), func() runtime.Object { return &appsv1.DaemonSet{} }, false},
		{policyv1.SchemeGroupVersion.WithResource("poddisruptionbudgets"), func() runtime.Object { return &policyv1.PodDisruptionBudget{} }, false},
		{schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "destinationrules"}, nil, false},
		{core.WithResource("pods"), func() runtime.Object { return &corev1.Pod{} }, true},
	}
}

// name is the kind as kubectl takes it.
func (k kind) name() string { return k.GroupResource().String() }

// slim makes an object what is recorded of it.
func (k kind) slim(u *unstructured.Unstructured) (runtime.Object, error) {
	var object runtime.Object = u
	if k.new != nil {
		object = k.new()
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, object); err != nil {
			return nil, fmt.Errorf("%s %s/%s: %w", k.name(), u.GetNamespace(), u.GetName(), err)
		}
	}
	if object = kube.Recorded(object); object == nil {
		return nil, fmt.Errorf("%s %s/%s: is a %s", k.name(), u.GetNamespace(), u.GetName(), u.GetKind())
	}
	return object, nil
}

// probe keeps the kinds that can be read. That the others cannot is a note; for
// an API that is not there, it is none.
func (r *Recorder) probe(ctx context.Context, live bool) error {
	for _, k := range kinds() {
		verb, err := "list", error(nil)
		if _, err = r.o.Client.Resource(k.GroupVersionResource).List(ctx, metav1.ListOptions{Limit: 1}); err == nil && live {
			verb, err = "watch", r.probeWatch(ctx, k)
		}
		switch {
		case err == nil:
			r.kinds = append(r.kinds, k)
		case ctx.Err() != nil:
			return ctx.Err()
		case apierrors.IsForbidden(err) && k.required:
			return fmt.Errorf("a recording needs to %s %s: %w; check with: kubectl auth can-i %s %s --all-namespaces", verb, k.name(), err, verb, k.name())
		case apierrors.IsForbidden(err):
			r.notes.add(fmt.Sprintf("%s are not recorded: %s is forbidden", k.name(), verb))
		case apierrors.IsNotFound(err) && !k.required:
		case apierrors.IsUnauthorized(err):
			return fmt.Errorf("the API server does not accept the credentials: %w; check with: kubectl auth whoami", err)
		default:
			return fmt.Errorf("asking the API server for %s: %w; check with: kubectl get %s --all-namespaces", k.name(), err, k.name())
		}
	}
	return nil
}

// probeWatch begins a watch and ends it.
func (r *Recorder) probeWatch(ctx context.Context, k kind) error {
	second := int64(1)
	w, err := r.o.Client.Resource(k.GroupVersionResource).Watch(ctx, metav1.ListOptions{TimeoutSeconds: &second})
	if err == nil {
		w.Stop()
	}
	return err
}

// named returns an object of which nothing but the name is known.
func (k kind) named(namespace, name string) runtime.Object {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(k.GroupVersion().String())
	u.SetKind("DestinationRule")
	u.SetNamespace(namespace)
	u.SetName(name)
	if k.new == nil {
		return u
	}
	object := k.new()
	if about, err := meta.Accessor(object); err == nil {
		about.SetNamespace(namespace)
		about.SetName(name)
	}
	return kube.Recorded(object) // which sets apiVersion and kind
}
