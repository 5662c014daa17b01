package recorder

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	all, unread, err := ReadObjects(ctx, client, func(k *objects.Kind) bool { return saysDeclared(k) || isOptional(k.Kind) }, (*objects.Kind).Keep)
	if err != nil {
		return nil, fmt.Errorf("finding what new workloads declare: %w", err)
	}
	for _, kind := range unread {
		if k, _, _ := strings.Cut(kind, "."); k != "appgroups" && k != "sidecars" {
			return nil, fmt.Errorf("finding what new workloads declare: listing %s is not allowed; check with: kubectl auth can-i list %s --all-namespaces", kind, kind)
		}
	}
	return DeclaredAmong(all, origins, window)
}

func isOptional(kind string) bool { return kind == "AppGroup" || kind == "Sidecar" }

// saysDeclared reports whether objects of a kind decide what is declared, optional ones apart.
func saysDeclared(k *objects.Kind) bool {
	return slices.Contains([]string{"ReplicaSet", "StatefulSet", "Pod", "Service"}, k.Kind)
}

// DeclaredAmong finds what is declared of new workloads among the objects of a cluster.
func DeclaredAmong(all *objects.Objects, origins []flowgraph.Origin, window time.Duration) (*coldstart.Workloads, error) {
	stores, err := objects.NewStores()
	if err != nil {
		return nil, err
	}
	w := coldstart.NewWorkloads(coldstart.Options{Origins: origins, Window: window, Services: stores.Informers.Core().V1().Services().Lister()})
	for _, service := range objects.Of[*corev1.Service](all) {
		if err := stores.Put(kube.ObjectChange{Object: service}); err != nil {
			return nil, err
		}
	}
	for _, object := range all.All(func(k *objects.Kind) bool { return saysDeclared(k) || isOptional(k.Kind) }) {
		w.Changed(nil, object)
	}
	return w, nil
}
