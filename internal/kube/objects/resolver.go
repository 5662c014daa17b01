package objects

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
)

// Resolver returns what knows, by the objects, which workloads are behind endpoints.
func (o *Objects) Resolver() (telemetry.Resolver, error) {
	store := endpoints.NewStore()
	for _, object := range o.All(func(k *Kind) bool { return store.LooksUp(k.Kind) }) {
		if err := store.Put(kube.ObjectChange{Object: object}); err != nil {
			return nil, err
		}
	}
	return store, nil
}

// DropAddresses takes the addresses from an object: they only say whose traffic is that
// telemetry gives an address for, and a recording has the traffic of workloads.
func DropAddresses(object runtime.Object) {
	switch o := object.(type) {
	case *corev1.Pod:
		o.Status.PodIPs = nil
	case *corev1.Service:
		o.Spec.ClusterIPs = nil
	}
}
