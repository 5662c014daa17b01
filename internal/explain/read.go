package explain

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// pageSize is how many objects one answer of the API server has.
const pageSize = 500

// Cluster is what was read of a cluster.
type Cluster struct {
	Objects *objects.Objects
	// Endpoints finds the workloads behind endpoints of the telemetry.
	Endpoints *endpoints.Store
	// Notes say what could not be read.
	Notes []string
}

// ReadCluster lists the objects of a cluster that a scheduler looks at, as they are now. It
// changes nothing there.
func ReadCluster(ctx context.Context, client dynamic.Interface) (*Cluster, error) {
	c := &Cluster{Objects: &objects.Objects{}, Endpoints: endpoints.NewStore()}
	for _, k := range objects.NewTable().Kinds() {
		if !k.Required && !k.LookedUp() && !k.Controls() {
			continue // no decision depends on them
		}
		if err := c.readKind(ctx, client, &k); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Cluster) readKind(ctx context.Context, client dynamic.Interface, k *objects.Kind) error {
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := client.Resource(k.GroupVersionResource()).List(ctx, options)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case apierrors.IsNotFound(err) && !k.Required: // the cluster does not have the kind
			return nil
		case apierrors.IsForbidden(err) && !k.Required:
			c.Notes = append(c.Notes, fmt.Sprintf("you may not list %s: the decision is explained as if there were none; check with: kubectl auth can-i list %s --all-namespaces", k.ResourceName(), k.ResourceName()))
			return nil
		case apierrors.IsUnauthorized(err):
			return fmt.Errorf("the API server does not accept the credentials: %w; check with: kubectl auth whoami", err)
		default:
			return fmt.Errorf("listing %s: %w; check with: kubectl get %s --all-namespaces", k.ResourceName(), err, k.ResourceName())
		}
		for i := range page.Items {
			object, err := k.Whole(&page.Items[i])
			if err != nil {
				return err
			}
			c.Objects.Add(object)
			if err := c.Endpoints.Put(kube.ObjectChange{Object: object}); err != nil {
				return err
			}
		}
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}
