package recorder

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// ReadEndpoints reads the objects of a cluster that say which workloads are behind
// endpoints, as they are now.
func ReadEndpoints(ctx context.Context, client dynamic.Interface, into *endpoints.Store) error {
	for _, k := range objects.NewTable().Kinds() {
		if !into.LooksUp(k.Kind) {
			continue
		}
		err := list(ctx, client, k, (*objects.Kind).Keep, func(object runtime.Object) error { return into.Put(kube.ObjectChange{Object: object}) })
		if err != nil {
			return fmt.Errorf("listing %s, to find the workloads behind what the telemetry names: %w; check with: kubectl get %s --all-namespaces", k.ResourceName(), err, k.ResourceName())
		}
	}
	return nil
}

// Reading is what is read of an object: (*objects.Kind).Keep, what a recording and finding
// endpoints need, or (*objects.Kind).Whole.
type Reading func(*objects.Kind, *unstructured.Unstructured) (runtime.Object, error)

// ReadObjects reads the objects of a cluster of all kinds that are wanted, as they are now. unread are the kinds that are not required and that
// nobody may list; kinds that the cluster does not have are not among them.
func ReadObjects(ctx context.Context, client dynamic.Interface, wanted func(*objects.Kind) bool, read Reading) (all *objects.Objects, unread []string, err error) {
	all = &objects.Objects{}
	for _, k := range objects.NewTable().Kinds() {
		if !wanted(&k) {
			continue
		}
		err := list(ctx, client, k, read, func(object runtime.Object) error { all.Add(object); return nil })
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case apierrors.IsNotFound(err) && !k.Required:
		case apierrors.IsForbidden(err) && !k.Required:
			unread = append(unread, k.ResourceName())
		case apierrors.IsUnauthorized(err):
			return nil, nil, fmt.Errorf("the API server does not accept the credentials: %w; check with: kubectl auth whoami", err)
		default:
			return nil, nil, fmt.Errorf("listing %s: %w; check with: kubectl get %s --all-namespaces", k.ResourceName(), err, k.ResourceName())
		}
	}
	return all, unread, nil
}

// list hands over the objects of a kind, page by page.
func list(ctx context.Context, client dynamic.Interface, k objects.Kind, read Reading, each func(runtime.Object) error) error {
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := client.Resource(k.GroupVersionResource()).List(ctx, options)
		if err != nil {
			return err
		}
		for i := range page.Items {
			object, err := read(&k, &page.Items[i])
			if err != nil {
				return err
			}
			if err := each(object); err != nil {
				return err
			}
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

// keep returns what is recorded of an object, with what endpoints are found by where there
// are any.
func (r *Recorder) keep(k *objects.Kind, u *unstructured.Unstructured) (runtime.Object, error) {
	if r.o.Endpoints == nil {
		return k.Record(u)
	}
	return k.Keep(u)
}

// lookUp keeps what the sources look endpoints up in up to date.
func (r *Recorder) lookUp(c kube.ObjectChange) error {
	if r.o.Endpoints == nil {
		return nil
	}
	return r.o.Endpoints.Put(c)
}
