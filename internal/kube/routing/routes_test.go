package routing

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// routesCase is a row: Services as YAML, and what they make of calls to a pod with the
// labels app=web, tier=front.
type routesCase struct {
	services []string
	want     affinity.Routing
}

func routesCases() map[string]routesCase {
	return map[string]routesCase{
		"no Service":                  {nil, affinity.Uniform},
		"no preference":               {[]string{"spec: {selector: {app: web}}"}, affinity.Uniform},
		"same node":                   {[]string{"spec: {selector: {app: web}, trafficDistribution: PreferSameNode}"}, affinity.SameNode},
		"same zone":                   {[]string{"spec: {selector: {app: web}, trafficDistribution: PreferSameZone}"}, affinity.SameZone},
		"both labels":                 {[]string{"spec: {selector: {app: web, tier: front}, trafficDistribution: PreferClose}"}, affinity.SameZone},
		"a label that it has not":     {[]string{"spec: {selector: {app: web, tier: back}, trafficDistribution: PreferClose}"}, affinity.Uniform},
		"of another namespace":        {[]string{"metadata: {namespace: other}\nspec: {selector: {app: web}, trafficDistribution: PreferClose}"}, affinity.Uniform},
		"Istio's annotation":          {[]string{"metadata: {annotations: {networking.istio.io/traffic-distribution: prefersamenode}}\nspec: {selector: {app: web}}"}, affinity.SameNode},
		"the field before it":         {[]string{"metadata: {annotations: {networking.istio.io/traffic-distribution: PreferSameNode}}\nspec: {selector: {app: web}, trafficDistribution: PreferSameZone}"}, affinity.SameZone},
		"an unknown value":            {[]string{"spec: {selector: {app: web}, trafficDistribution: example.com/own}"}, affinity.Uniform},
		"the policy Local":            {[]string{"spec: {selector: {app: web}, internalTrafficPolicy: Local}"}, affinity.SameNode},
		"one more, without":           {[]string{"spec: {selector: {app: web}, trafficDistribution: PreferSameNode}", "spec: {selector: {tier: front}}"}, affinity.Uniform},
		"one more, headless":          {[]string{"spec: {selector: {app: web}, trafficDistribution: PreferSameNode}", "spec: {selector: {tier: front}, clusterIP: None}"}, affinity.SameNode},
		"one more, of the zone":       {[]string{"spec: {selector: {app: web}, trafficDistribution: PreferSameNode}", "spec: {selector: {tier: front}, trafficDistribution: PreferSameZone}"}, affinity.SameZone},
		"one more, of the zone first": {[]string{"spec: {selector: {app: web}, trafficDistribution: PreferSameZone}", "spec: {selector: {tier: front}, trafficDistribution: PreferSameNode}"}, affinity.SameZone},
	}
}

// TestRoutes has Services before the index and after.
func TestRoutes(t *testing.T) {
	for name, c := range routesCases() {
		t.Run(name, func(t *testing.T) {
			core := informers.NewSharedInformerFactory(nil, 0).Core().V1()
			// Replay fills the store before, a scheduler after.
			routes, err := NewRoutes(core, nil, AllPolicies())
			if err != nil {
				t.Fatal(err)
			}
			for i, text := range c.services {
				s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
				if err := yaml.UnmarshalStrict([]byte(text), s); err != nil {
					t.Fatal(err)
				}
				s.Name = string(rune('a' + i))
				if err := core.Services().Informer().GetIndexer().Add(s); err != nil {
					t.Fatal(err)
				}
			}
			again, err := NewRoutes(core, nil, AllPolicies())
			if err != nil {
				t.Fatal(err)
			}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Labels: map[string]string{"app": "web", "tier": "front"}}}
			for _, r := range []Routes{routes, again} {
				if got := r.ByCaller(pod).From("shop").Routing; got != c.want {
					t.Errorf("got %v, want %v", got, c.want)
				}
			}
		})
	}
}

// TestRoutesOfAFilledStore adds the index to a store that has Services already.
func TestRoutesOfAFilledStore(t *testing.T) {
	core := informers.NewSharedInformerFactory(nil, 0).Core().V1()
	node := corev1.ServiceTrafficDistributionPreferSameNode
	err := core.Services().Informer().GetIndexer().Add(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, TrafficDistribution: &node},
	})
	if err != nil {
		t.Fatal(err)
	}
	routes, err := NewRoutes(core, nil, AllPolicies())
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Labels: map[string]string{"app": "web"}}}
	if got := routes.ByCaller(pod).From("shop").Routing; got != affinity.SameNode {
		t.Errorf("got %v, want SameNode", got)
	}
}

// TestRoutesOfAnAnnotatedNamespace: what the Service says comes first, also when it
// says that nothing is preferred.
func TestRoutesOfAnAnnotatedNamespace(t *testing.T) {
	core := informers.NewSharedInformerFactory(nil, 0).Core().V1()
	err := core.Namespaces().Informer().GetIndexer().Add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "shop", Annotations: map[string]string{TrafficDistributionAnnotation: "PreferSameZone"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	routes, err := NewRoutes(core, nil, AllPolicies())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*corev1.Service)
		want   affinity.Routing
	}{
		"the Service says nothing": {func(*corev1.Service) {}, affinity.SameZone},
		"the field": {func(s *corev1.Service) {
			node := corev1.ServiceTrafficDistributionPreferSameNode
			s.Spec.TrafficDistribution = &node
		}, affinity.SameNode},
		"nothing preferred": {PreferNothing, affinity.Uniform},
	} {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}},
		}
		c.change(service)
		if err := core.Services().Informer().GetIndexer().Add(service); err != nil {
			t.Fatal(err)
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Labels: map[string]string{"app": "web"}}}
		if got := routes.ByCaller(pod).From("shop").Routing; got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
