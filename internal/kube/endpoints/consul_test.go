package endpoints_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

const (
	injectedLabel     = "consul.hashicorp.com/connect-inject-status: injected"
	connectService    = "consul.hashicorp.com/connect-service"
	kubernetesService = "consul.hashicorp.com/kubernetes-service"
	consulNamespace   = "consul.hashicorp.com/consul-namespace"
)

// in moves an object from the namespace shop to another.
func in(namespace, object string) string {
	return strings.ReplaceAll(object, "namespace: shop", "namespace: "+namespace)
}

// annotated is an object with annotations.
func annotated(object, annotations string) string {
	return strings.Replace(object, "metadata: {", "metadata: {annotations: {"+annotations+"}, ", 1)
}

// service selects the pods with the label app of its name.
func service(name string) string {
	return kubetest.Object("v1", "Service", name, "selector: {app: "+name+"}")
}

// meshed is a ready pod of a StatefulSet with a sidecar of Consul's.
func meshed(name, app string) string {
	return pod(name, "StatefulSet/"+app, "n1", "app: "+app+", "+injectedLabel, ready)
}

// plain is a ready pod of a StatefulSet that nothing says is in the mesh.
func plain(name, app string) string {
	return pod(name, "StatefulSet/"+app, "n1", "app: "+app, ready)
}

func TestConsulServices(t *testing.T) {
	cases := map[string]struct {
		objects []string
		want    map[string]string
	}{
		"the Service that selects a pod is the default": {
			[]string{service("web"), meshed("web-0", "web"), meshed("web-1", "web"), meshed("alone-0", "alone")},
			map[string]string{
				"consul-service default/web": "shop/web 1", "consul-service web": "shop/web 1",
				"consul-service default/alone": "unknown-object", // registered by no Service
				"consul-service default/none":  "unknown-object", "consul-service team/web": "not-serving",
			},
		},
		"the annotation names the service instead": {
			[]string{service("web"), annotated(meshed("web-0", "web"), connectService+": front"), annotated(meshed("alone-0", "alone"), connectService+": solo")},
			map[string]string{"consul-service front": "shop/web 1", "consul-service web": "not-serving", "consul-service solo": "unknown-object"},
		},
		"a pod of several ports is one of each of its Services": {
			[]string{
				service("web"), kubetest.Object("v1", "Service", "web-admin", "selector: {app: web}"),
				annotated(meshed("web-0", "web"), connectService+": 'web,web-admin'"),
			},
			map[string]string{"consul-service web": "shop/web 1", "consul-service web-admin": "shop/web 1"},
		},
		"an annotation chooses among Services": {
			[]string{
				service("web"), kubetest.Object("v1", "Service", "all", "selector: {app: web}"),
				annotated(meshed("web-0", "web"), kubernetesService+": all"),
			},
			map[string]string{"consul-service web": "not-serving", "consul-service all": "shop/web 1"},
		},
		"a Service may be ignored": {
			[]string{strings.Replace(service("web"), "metadata: {", "metadata: {labels: {consul.hashicorp.com/service-ignore: 'true'}, ", 1), meshed("web-0", "web")},
			map[string]string{"consul-service web": "not-serving"},
		},
		"without namespaces of Consul, equal names are one service": {
			[]string{service("web"), meshed("web-0", "web"), in("other", service("web")), in("other", meshed("web-0", "web")), in("other", meshed("web-1", "web"))},
			map[string]string{"consul-service web": "other/web 0.6667, shop/web 0.3333"},
		},
		"namespaces of Consul tell equal names apart": {
			[]string{
				service("web"), annotated(meshed("web-0", "web"), consulNamespace+": k8s-shop"),
				in("other", service("web")), in("other", annotated(meshed("web-0", "web"), consulNamespace+": k8s-other")),
			},
			map[string]string{
				"consul-service k8s-shop/web": "shop/web 1", "consul-service k8s-other/web": "other/web 1", "consul-service web": "not-serving",
			},
		},
		"a pod outside the mesh has no part": {
			[]string{service("web"), meshed("web-0", "web"), in("other", service("web")), in("other", plain("web-0", "web"))},
			map[string]string{"consul-service web": "shop/web 1"},
		},
		"nothing marks pods": {
			[]string{
				service("web"), plain("web-0", "web"), annotated(plain("db-0", "db"), connectService+": base"), service("db"),
				in("other", service("db")), in("other", annotated(plain("db-0", "db"), connectService+": other-base")),
			},
			map[string]string{"consul-service web": "shop/web 1", "consul-service base": "shop/db 1", "consul-service other-base": "other/db 1"},
		},
		"nothing marks pods, and two namespaces have the name": {
			[]string{
				service("web"), plain("web-0", "web"), in("other", service("web")), in("other", plain("web-0", "web")),
				service("db"), plain("db-0", "db"), in("default", service("db")), in("default", plain("db-0", "db")),
			},
			map[string]string{
				"consul-service web": "ambiguous", "consul-service shop/web": "shop/web 1", "consul-service other/web": "other/web 1",
				"consul-service db": "ambiguous", "consul-service shop/db": "shop/db 1",
			},
		},
		"only ready pods serve": {
			[]string{
				service("web"), meshed("web-0", "web"), pod("web-1", "StatefulSet/web", "n2", "app: web, "+injectedLabel, unready),
				service("down"), pod("down-0", "StatefulSet/down", "n2", "app: down, "+injectedLabel, unready),
			},
			map[string]string{"consul-service web": "shop/web 1", "consul-service down": "not-serving"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			all, warnings, err := objects.ReadObjects(strings.NewReader(kubetest.TwoNodes+strings.Join(tc.objects, "")), "consul.yaml")
			if err != nil || len(warnings) > 0 {
				t.Fatalf("error %v, warnings %v", err, warnings)
			}
			r, err := all.Resolver()
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			var asked []telemetry.Endpoint
			for text := range tc.want {
				texts, asked = append(texts, text), append(asked, endpoint(t, text))
			}
			got := map[string]string{}
			for i, resolution := range r.Resolve(asked) {
				got[texts[i]] = written(resolution)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
