package routing

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Parts of traffic policies, and rules for the host web.
const (
	outliers = "outlierDetection: {consecutive5xxErrors: 5}"
	off      = "loadBalancer: {localityLbSetting: {enabled: false}}"
	toZone   = "{host: web, trafficPolicy: {" + outliers + "}}"
	toNode   = "{host: web, trafficPolicy: {" + outliers + ", loadBalancer: {localityLbSetting: {failoverPriority: [topology.kubernetes.io/zone, kubernetes.io/hostname]}}}}"
	toAny    = "{host: web, trafficPolicy: {" + off + "}}"
)

// locally is a rule for web with a localityLbSetting, and with outlierDetection.
func locally(setting string) string {
	return "{host: web, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN, localityLbSetting: " + setting + "}, " + outliers + "}}"
}

// decoded is a rule of a namespace as DecodeRule returns it, the older the lower its
// day.
func decoded(t testing.TB, namespace, name string, day int, spec string) (*DestinationRule, error) {
	t.Helper()
	text, err := yaml.YAMLToJSON(fmt.Appendf(nil,
		"{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {namespace: %s, name: %s, creationTimestamp: 2026-01-%02dT00:00:00Z}, spec: %s}",
		namespace, name, day, spec))
	if err != nil {
		t.Fatal(err)
	}
	return DecodeRule(text)
}

// rule is one that must be decoded.
func rule(t testing.TB, namespace, name string, day int, spec string) *DestinationRule {
	t.Helper()
	r, err := decoded(t, namespace, name, day, spec)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// service is shop/<name> for the pods app=web, with more in its spec.
func service(t testing.TB, name, spec string) *corev1.Service {
	t.Helper()
	s := &corev1.Service{}
	if err := yaml.Unmarshal([]byte("{selector: {app: web}, "+spec+"}"), &s.Spec); err != nil {
		t.Fatal(err)
	}
	s.Namespace, s.Name = "shop", name
	return s
}

// web is a pod of shop that the Service selects.
func web() *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Labels: map[string]string{"app": "web", "tier": "front"}}}
}

// among are the Routes that a scheduler makes, by objects and all policies.
func among(t testing.TB, objects ...runtime.Object) Routes {
	t.Helper()
	return under(t, AllPolicies(), objects...)
}

// under are the Routes that a scheduler makes, by objects and some policies.
func under(t testing.TB, policies Policies, objects ...runtime.Object) Routes {
	t.Helper()
	core := informers.NewSharedInformerFactory(nil, 0).Core().V1()
	rules, err := RulesAmong(objects)
	if err != nil {
		t.Fatal(err)
	}
	routes, err := NewRoutes(core, rules, policies)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		switch object.(type) {
		case *corev1.Service:
			err = core.Services().Informer().GetIndexer().Add(object)
		case *corev1.Namespace:
			err = core.Namespaces().Informer().GetIndexer().Add(object)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return routes
}

// asked is how calls from a namespace are divided, found for these callers alone and not
// among the exceptions of a workload.
func asked(routes Routes, caller string) cluster.Route {
	route, _ := routes.route(routes.calls(web()), caller)
	return route
}
