package integration

import (
	"context"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

func appGroups() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "appgroup.diktyo.x-k8s.io", Version: "v1alpha1", Resource: "appgroups"}
}

func sidecars() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "networking.istio.io", Version: "v1", Resource: "sidecars"}
}

// TestColdStarts deploys workloads that have never sent a byte. Each declares in another way
// that it exchanges traffic with db, whose node is so crowded that all other plugins prefer
// the other nodes.
func TestColdStarts(t *testing.T) {
	s := newScene(t)
	client, err := dynamic.NewForConfig(s.cluster.RESTConfig())
	if err != nil {
		t.Fatal(err)
	}
	install(t, client, appGroups(), "AppGroup")
	install(t, client, sidecars(), "Sidecar")
	a := s.newApp(t)
	a.declare(t, client)
	o := s.options(t, "cold-starts")
	o.byOwnRate("")
	o.args = []string{"--v=2"}
	scheduler := s.start(t, o)
	for _, kind := range []string{"AppGroups", "Sidecars"} {
		eventually(t, kind+" are read", func() error {
			return want("lines that say so", countLines(scheduler.log(t), `"`+kind+` are read"`), 1)
		})
	}
	a.deploy(t, filler("zone-b-2"))
	a.deploy(t, workload{name: "db", node: "zone-b-2", labels: grouped("d")})
	a.deploy(t, workload{name: "shop-v1", node: "zone-c-1", labels: map[string]string{"service.istio.io/canonical-name": "shop"}})
	s.Mesh.SetCalls([]mesh.Call{a.call("shop-v1", "db")})
	scheduler.sees(t, a, "shop-v1", "db")

	cases := []struct {
		workload
		kind string // in the metric
	}{
		{workload{name: "silent"}, ""},
		{workload{name: "wrong", annotations: map[string]string{"vicinity.dev/peers": "db=fast"}}, ""},
		{workload{name: "annotated", annotations: map[string]string{"vicinity.dev/peers": "db=1Mi/s"}}, "annotation"},
		{workload{name: "grouped", labels: grouped("g")}, "appgroup"},
		{workload{name: "allowed"}, "sidecar"},
		{workload{name: "shop-v2", labels: map[string]string{"service.istio.io/canonical-name": "shop"}}, "inherited"},
	}
	for _, c := range cases {
		c.scheduler = "vicinity"
		a.deploy(t, c.workload)
		if got := a.nodesOf(t, c.name); (got == "zone-b-2") != (c.kind != "") {
			t.Errorf("%s is placed on %s; on zone-b-2, beside db: want %v", c.name, got, c.kind != "")
		}
		if n, err := scheduler.metric("vicinity_cycles_informed_total", "kind="+c.kind); c.kind != "" && (err != nil || n < 1) {
			t.Errorf("%v cycles were informed by %s: %v", n, c.kind, err)
		}
	}
	line := "Deployment " + a.namespace + "/wrong: annotation vicinity.dev/peers:"
	eventually(t, "the log says what is wrong", func() error {
		return want("lines", countLines(scheduler.log(t), line), 1)
	})
	if n, err := scheduler.metric("vicinity_panics_recovered_total"); err != nil || n != 0 {
		t.Errorf("recovered panics: %v, %v", n, err)
	}
	if log := scheduler.log(t); strings.Contains(log, "cannot be decoded") {
		t.Error("an object could not be decoded")
	}
}

// grouped are the labels of a member of the AppGroup.
func grouped(selector string) map[string]string {
	return map[string]string{"appgroup.diktyo.x-k8s.io": "all", "appgroup.diktyo.x-k8s.io.workload": selector}
}

// declare creates an AppGroup and a Sidecar.
func (a *app) declare(t *testing.T, client dynamic.Interface) {
	t.Helper()
	member := func(selector string) map[string]any {
		return map[string]any{"kind": "Deployment", "name": "any", "selector": selector}
	}
	_, first := client.Resource(appGroups()).Namespace(a.namespace).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "appgroup.diktyo.x-k8s.io/v1alpha1", "kind": "AppGroup", "metadata": map[string]any{"name": "all"},
		"spec": map[string]any{"numMembers": int64(2), "topologySortingAlgorithm": "KahnSort", "workloads": []any{map[string]any{
			"workload":     member("g"),
			"dependencies": []any{map[string]any{"workload": member("d"), "minBandwidth": "100Mi", "maxNetworkCost": int64(20)}},
		}}},
	}}, metav1.CreateOptions{})
	_, second := client.Resource(sidecars()).Namespace(a.namespace).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": map[string]any{"name": "allowed"},
		"spec": map[string]any{
			"workloadSelector": map[string]any{"labels": map[string]any{"app": "allowed"}},
			"egress":           []any{map[string]any{"hosts": []any{"istio-system/*", "./db." + a.namespace + ".svc.cluster.local"}}},
		},
	}}, metav1.CreateOptions{})
	if err := errors.Join(first, second); err != nil {
		t.Fatal(err)
	}
}

// install creates a kind, of which the API server keeps every field, until the test ends, and
// waits until it is served.
func install(t *testing.T, client dynamic.Interface, of schema.GroupVersionResource, kind string) {
	t.Helper()
	kinds := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	name := of.Resource + "." + of.Group
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"group": of.Group, "scope": "Namespaced",
			"names": map[string]any{"kind": kind, "plural": of.Resource, "singular": strings.ToLower(kind)},
			"versions": []any{map[string]any{
				"name": of.Version, "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
	eventually(t, "the kind "+kind+" is created", func() error { // it may still be on its way out
		_, err := kinds.Create(t.Context(), definition, metav1.CreateOptions{})
		return err
	})
	t.Cleanup(func() {
		if err := kinds.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("removing the kind %s: %v", kind, err)
		}
	})
	eventually(t, "the API server has the kind "+kind, func() error {
		_, err := client.Resource(of).List(t.Context(), metav1.ListOptions{})
		return err
	})
}
