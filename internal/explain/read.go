package explain

import (
	"context"
	"fmt"

	"k8s.io/client-go/dynamic"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/recorder"
)

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
	all, unread, err := recorder.ReadObjects(ctx, client, decides, (*objects.Kind).Whole)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Objects: all, Endpoints: endpoints.NewStore()}
	for _, kind := range unread {
		c.Notes = append(c.Notes, fmt.Sprintf("you may not list %s: the decision is explained as if there were none; check with: kubectl auth can-i list %s --all-namespaces", kind, kind))
	}
	for _, object := range all.All(decides) {
		if err := c.Endpoints.Put(kube.ObjectChange{Object: object}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// decides reports whether decisions depend on objects of a kind.
func decides(k *objects.Kind) bool {
	return k.Required || k.LookedUp() || k.Controls() || k.Kind == "AppGroup" || k.Kind == "Sidecar"
}
