package recorder

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
		err := list(ctx, client.Resource(k.GroupVersionResource()), k.Keep, func(object runtime.Object) error { return into.Put(kube.ObjectChange{Object: object}) })
		if err != nil {
			return fmt.Errorf("listing %s, to find the workloads behind what the telemetry names: %w; check with: kubectl get %s --all-namespaces", k.ResourceName(), err, k.ResourceName())
		}
	}
	return nil
}

// Reading is what is read of an object: (*objects.Kind).Keep, what a recording and finding
// endpoints need, (*objects.Kind).Checked or (*objects.Kind).Whole.
type Reading func(*objects.Kind, *unstructured.Unstructured) (runtime.Object, error)

// ReadObjects reads the objects of a cluster of all kinds that are wanted, as they are now. unread are the kinds that are not required and that
// nobody may list; kinds that the cluster does not have are not among them.
func ReadObjects(ctx context.Context, client dynamic.Interface, wanted func(*objects.Kind) bool, read Reading) (all *objects.Objects, unread []string, err error) {
	all, err = ReadAllowed(ctx, client, wanted, read, func(k *objects.Kind, err error) error {
		if k.Required {
			return notListed(k, err)
		}
		unread = append(unread, k.ResourceName())
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return all, unread, nil
}

// ReadAllowed is ReadObjects for a reader that can do without any kind. refused is told of each
// kind that nobody may list; an error that it returns ends the reading.
func ReadAllowed(ctx context.Context, client dynamic.Interface, wanted func(*objects.Kind) bool, read Reading, refused func(*objects.Kind, error) error) (*objects.Objects, error) {
	all, sharing := &objects.Objects{}, objects.NewSharing()
	for _, k := range objects.NewTable().Kinds() {
		if !wanted(&k) {
			continue
		}
		shared := func(u *unstructured.Unstructured) (runtime.Object, error) {
			object, err := read(&k, u)
			if err == nil {
				sharing.Share(&k, object)
			}
			return object, err
		}
		err := list(ctx, client.Resource(k.GroupVersionResource()), shared, func(object runtime.Object) error { all.Add(object); return nil })
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case apierrors.IsNotFound(err) && !k.Required:
		case apierrors.IsForbidden(err):
			if err := refused(&k, err); err != nil {
				return nil, err
			}
		case apierrors.IsUnauthorized(err):
			return nil, fmt.Errorf("the API server does not accept the credentials: %w; check with: kubectl auth whoami", err)
		default:
			return nil, notListed(&k, err)
		}
	}
	return all, nil
}

func notListed(k *objects.Kind, err error) error {
	return fmt.Errorf("listing %s: %w; check with: kubectl get %s --all-namespaces", k.ResourceName(), err, k.ResourceName())
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
