package recorder

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// probe keeps the kinds that can be read. That the others cannot is a note; for
// an API that is not there, it is none.
func (r *Recorder) probe(ctx context.Context, live bool) error {
	for _, k := range objects.NewTable().Kinds() {
		verb, code, err := "list", NotListed, error(nil)
		if _, err = r.o.Client.Resource(k.GroupVersionResource()).List(ctx, metav1.ListOptions{Limit: 1}); err == nil && live {
			verb, code, err = "watch", NotWatched, r.probeWatch(ctx, k)
		}
		switch {
		case err == nil:
			r.kinds = append(r.kinds, k)
		case ctx.Err() != nil:
			return ctx.Err()
		case apierrors.IsForbidden(err) && k.Required:
			return fmt.Errorf("a recording needs to %s %s: %w; check with: kubectl auth can-i %s %s --all-namespaces", verb, k.ResourceName(), err, verb, k.ResourceName())
		case apierrors.IsForbidden(err):
			r.notes.add(Note{Code: code, Resource: k.ResourceName()})
		case apierrors.IsNotFound(err) && !k.Required:
		case apierrors.IsUnauthorized(err):
			return fmt.Errorf("the API server does not accept the credentials: %w; check with: kubectl auth whoami", err)
		default:
			return fmt.Errorf("asking the API server for %s: %w; check with: kubectl get %s --all-namespaces", k.ResourceName(), err, k.ResourceName())
		}
	}
	return nil
}

// probeWatch begins a watch and ends it.
func (r *Recorder) probeWatch(ctx context.Context, k objects.Kind) error {
	second := int64(1)
	w, err := r.o.Client.Resource(k.GroupVersionResource()).Watch(ctx, metav1.ListOptions{TimeoutSeconds: &second})
	if err == nil {
		w.Stop()
	}
	return err
}
