package recorder

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/coldstart"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// ReadDeclared reads the objects of a cluster that say what is declared of new workloads, as
// they are now. AppGroups and Sidecars are left out where the cluster has none, or they
// may not be read.
func ReadDeclared(ctx context.Context, client dynamic.Interface, origins []flowgraph.Origin, window time.Duration) (*coldstart.Workloads, error) {
	stores, err := objects.NewStores()
	if err != nil {
		return nil, err
	}
	w := coldstart.NewWorkloads(coldstart.Options{Origins: origins, Window: window, Services: stores.Informers.Core().V1().Services().Lister()})
	for _, k := range objects.NewTable().Kinds() {
		optional := k.Kind == "AppGroup" || k.Kind == "Sidecar"
		if !optional && k.Kind != "ReplicaSet" && k.Kind != "StatefulSet" && k.Kind != "Pod" && k.Kind != "Service" {
			continue
		}
		options := metav1.ListOptions{Limit: pageSize}
		for {
			page, err := client.Resource(k.GroupVersionResource()).List(ctx, options)
			if optional && (apierrors.IsNotFound(err) || apierrors.IsForbidden(err)) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("listing %s, to find what new workloads declare: %w", k.ResourceName(), err)
			}
			for i := range page.Items {
				object, err := k.Keep(&page.Items[i])
				if err != nil {
					return nil, err
				}
				if k.Kind == "Service" {
					if err := stores.Put(kube.ObjectChange{Object: object}); err != nil {
						return nil, err
					}
				}
				w.Changed(nil, object)
			}
			if options.Continue = page.GetContinue(); options.Continue == "" {
				break
			}
		}
	}
	return w, nil
}
