package routing

import (
	"context"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
)

// versionStep is something that happens to a cluster.
type versionStep struct {
	name string
	do   func(ctx context.Context) error
	same bool // it decides nothing for the workloads of shop
}

func versionSteps(client kubernetes.Interface, rules *DestinationRules) []versionStep {
	core, node := client.CoreV1(), corev1.ServiceTrafficDistributionPreferSameNode
	prefers := func(s *corev1.Service) { s.Spec.TrafficDistribution = &node }
	create := func(namespace string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := core.Services(namespace).Create(ctx, serviceIn(namespace), metav1.CreateOptions{})
			return err
		}
	}
	update := func(change func(*corev1.Service)) func(context.Context) error {
		return func(ctx context.Context) error {
			s := serviceIn("shop")
			change(s)
			_, err := core.Services("shop").Update(ctx, s, metav1.UpdateOptions{})
			return err
		}
	}
	updateNamespace := func(meta metav1.ObjectMeta) func(context.Context) error {
		return func(ctx context.Context) error {
			meta.Name = "shop"
			_, err := core.Namespaces().Update(ctx, &corev1.Namespace{ObjectMeta: meta}, metav1.UpdateOptions{})
			return err
		}
	}
	return []versionStep{
		{name: "nothing", do: func(context.Context) error { return nil }, same: true},
		{name: "a Service elsewhere", do: create("other"), same: true},
		{name: "its labels and status", same: true, do: update(func(s *corev1.Service) {
			s.Labels = map[string]string{"a": "b"}
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}
		})},
		{name: "what it prefers", do: update(prefers)},
		{name: "its annotation", do: update(func(s *corev1.Service) { prefers(s); PreferNothing(s) })},
		{name: "its end", do: func(ctx context.Context) error {
			return core.Services("shop").Delete(ctx, "web", metav1.DeleteOptions{})
		}},
		{name: "another", do: create("shop")},
		{name: "labels of the Namespace", do: updateNamespace(metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}), same: true},
		{name: "annotations of the Namespace", do: updateNamespace(metav1.ObjectMeta{Annotations: map[string]string{TrafficDistributionAnnotation: "PreferSameZone"}})},
		{name: "rules", do: func(context.Context) error { rules.publish(nil); return nil }},
	}
}

func serviceIn(namespace string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}},
	}
}

// TestVersion: the count of a namespace moves with what decides for its workloads, and with
// nothing else.
func TestVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		client := fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, serviceIn("shop"))
		factory := informers.NewSharedInformerFactory(client, 0)
		rules := &DestinationRules{}
		routes, err := NewRoutes(factory.Core().V1(), rules, AllPolicies())
		if err != nil {
			t.Fatal(err)
		}
		if routes.Followed() {
			t.Error("changes are said to be followed before the informers run")
		}
		factory.StartWithContext(ctx)
		synctest.Wait()
		if !routes.Followed() {
			t.Error("changes are not followed once the informers run")
		}
		version := routes.Version("shop")
		for _, step := range versionSteps(client, rules) {
			before := version.Count()
			if err := step.do(ctx); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			synctest.Wait()
			if same := version.Count() == before; same != step.same {
				t.Errorf("%s: the count is the same: %v, want %v", step.name, same, step.same)
			}
		}
		cancel()
		factory.Shutdown()
	})
}
