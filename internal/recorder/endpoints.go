package recorder

import (
	"context"
	"fmt"

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
		options := metav1.ListOptions{Limit: pageSize}
		for {
			page, err := client.Resource(k.GroupVersionResource()).List(ctx, options)
			if err != nil {
				return fmt.Errorf("listing %s, to find the workloads behind what the telemetry names: %w", k.ResourceName(), err)
			}
			for i := range page.Items {
				object, err := k.Keep(&page.Items[i])
				if err != nil {
					return err
				}
				if err := into.Put(kube.ObjectChange{Object: object}); err != nil {
					return err
				}
			}
			if options.Continue = page.GetContinue(); options.Continue == "" {
				break
			}
		}
	}
	return nil
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
