package endpoints_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
)

// BenchmarkResolve asks a cluster of 100,000 pods for 5,000 Services and 10,000 pods, as
// one refresh of a large mesh does.
func BenchmarkResolve(b *testing.B) {
	const pods, services = 100_000, 5_000
	store := endpoints.NewStore()
	put := func(object kube.ObjectChange) {
		if err := store.Put(object); err != nil {
			b.Fatal(err)
		}
	}
	put(kube.ObjectChange{Object: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}})
	var asked []telemetry.Endpoint
	for i := range services {
		namespace, name := fmt.Sprint("team-", i%200), fmt.Sprint("service-", i)
		put(kube.ObjectChange{Object: &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": name}},
		}})
		asked = append(asked, telemetry.Endpoint{Kind: telemetry.ServiceEndpoint, Namespace: namespace, Name: name})
	}
	isController := true
	for i := range pods {
		of := i % services
		namespace, app := fmt.Sprint("team-", of%200), fmt.Sprint("service-", of)
		put(kube.ObjectChange{Object: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace, Name: fmt.Sprintf("%s-5d9c-%d", app, i),
				Labels:          map[string]string{"app": app, "version": "v1", "pod-template-hash": "5d9c", "tier": "backend"},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: app + "-5d9c", Controller: &isController}},
			},
			Spec: corev1.PodSpec{NodeName: "n"},
		}})
		if i%10 == 0 {
			asked = append(asked, telemetry.Endpoint{Kind: telemetry.PodEndpoint, Namespace: namespace, Name: fmt.Sprintf("%s-5d9c-%d", app, i)})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		for i, r := range store.Resolve(asked) {
			if r.Reason != telemetry.Included {
				b.Fatalf("%v: %v", asked[i], r.Reason)
			}
		}
	}
}
