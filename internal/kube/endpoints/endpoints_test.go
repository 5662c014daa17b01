package endpoints_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// endpoint reads "kind namespace/name"; without a slash there is no namespace.
func endpoint(t *testing.T, text string) telemetry.Endpoint {
	t.Helper()
	kind, of, _ := strings.Cut(text, " ")
	namespace, name, ok := strings.Cut(of, "/")
	if !ok {
		namespace, name = "", of
	}
	for _, k := range telemetry.EndpointKinds() {
		if k.String() == kind {
			return telemetry.Endpoint{Kind: k, Namespace: namespace, Name: name}
		}
	}
	t.Fatalf("no kind of endpoint is called %s", kind)
	return telemetry.Endpoint{}
}

// written is a resolution as "shop/web 0.5, shop/api 0.5", or its reason.
func written(r telemetry.Resolution) string {
	if r.Reason != telemetry.Included {
		return r.Reason.String()
	}
	var all []string
	for _, s := range r.Shares {
		all = append(all, fmt.Sprintf("%v %.4g", s.Workload, s.Part))
	}
	return strings.Join(all, ", ")
}

// pod is a pod on a node, with an address.
func pod(name, owner, node, labels, status string) string {
	return kubetest.Pod(name, owner, "", fmt.Sprintf("%s|spec: {nodeName: %s, containers: [{name: a}]}, status: {%s}", labels, node, status))
}

const (
	ready   = `phase: Running, conditions: [{type: Ready, status: "True"}]`
	unready = `phase: Running, conditions: [{type: Ready, status: "False"}]`
)

// shop has three Deployments behind Services, a canary of one of them, what Argo Rollouts
// and CronJobs make, and things that are hard to tell.
func shop() string {
	return strings.Join([]string{
		kubetest.TwoNodes,
		`---
{apiVersion: v1, kind: Node, metadata: {name: sick}, status: {conditions: [{type: Ready, status: "Unknown"}]}}
`,
		kubetest.Object("v1", "Service", "web", "selector: {app: web}, clusterIPs: [10.96.0.1], clusterIP: 10.96.0.1"),
		kubetest.Object("v1", "Service", "db", "selector: {app: db}, clusterIP: None, clusterIPs: [None]"),
		kubetest.Object("v1", "Service", "down", "selector: {app: down}"),
		kubetest.Object("v1", "Service", "outside", "type: ExternalName, externalName: example.com"),
		kubetest.Object("v1", "Service", "byhand", "ports: [{port: 80}]"),
		strings.ReplaceAll(kubetest.Object("v1", "Service", "web", "selector: {app: web}"), "namespace: shop", "namespace: other"),
		pod("web-5d9c-a", "ReplicaSet/web-5d9c", "n1", "app: web, pod-template-hash: 5d9c", ready+", podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]"),
		pod("web-5d9c-b", "ReplicaSet/web-5d9c", "n2", "app: web, pod-template-hash: 5d9c", ready+", podIPs: [{ip: 10.0.0.2}]"),
		pod("web-5d9c-c", "ReplicaSet/web-5d9c", "n2", "app: web, pod-template-hash: 5d9c", unready),
		pod("web-5d9c-d", "ReplicaSet/web-5d9c", "sick", "app: web, pod-template-hash: 5d9c", ready),
		pod("web-canary-77-a", "ReplicaSet/web-canary-77", "n1", "app: web, pod-template-hash: '77'", ready),
		pod("db-0", "StatefulSet/db", "n1", "app: db", ready+", podIPs: [{ip: 10.0.0.3}]"),
		pod("down-1", "StatefulSet/down", "n1", "app: down", unready),
		pod("roll-66-a", "ReplicaSet/roll-66", "n1", "app: roll, rollouts-pod-template-hash: '66'", ready),
		pod("report-27800000-x", "Job/report-27800000", "n1", "app: report", "phase: Succeeded, podIPs: [{ip: 10.0.0.3}]"),
		pod("named", "", "n1", "app: named, service.istio.io/workload-name: given", ready),
		pod("twin-1", "", "n1", "app: twin", ready+", podIPs: [{ip: 10.0.0.9}]"),
		pod("twin-2", "", "n1", "app: twin", ready+", podIPs: [{ip: 10.0.0.9}]"),
		strings.Replace(pod("agent", "DaemonSet/agent", "n1", "app: agent", ready+", podIPs: [{ip: 192.168.0.1}]"), "spec: {", "spec: {hostNetwork: true, ", 1),
		replicaSet("web-5d9c", "Deployment/web", "app: web, pod-template-hash: 5d9c"),
		replicaSet("roll-66", "Rollout/roll", "app: roll, rollouts-pod-template-hash: '66'"),
		replicaSet("alone", "", "app: alone"),
	}, "")
}

func replicaSet(name, owner, labels string) string {
	rs := kubetest.Object("apps/v1", "ReplicaSet", name, "replicas: 1, selector: {matchLabels: {"+labels+"}}, template: {metadata: {labels: {"+labels+"}}}")
	if owner == "" {
		return rs
	}
	return kubetest.Owned(rs, owner)
}

// resolutions are what is expected of endpoints in shop.
func resolutions() map[string]string {
	return map[string]string{
		"workload shop/anything":     "shop/anything 1",
		"service shop/web":           "shop/web 0.6667, shop/web-canary 0.3333",
		"service shop/db":            "shop/db 1",
		"service shop/down":          "not-serving",
		"service shop/outside":       "external",
		"service shop/byhand":        "not-serving",
		"service shop/none":          "unknown-object",
		"service other/web":          "not-serving",
		"service db":                 "shop/db 1",
		"service web":                "ambiguous",
		"service none":               "unknown-object",
		"pod shop/web-5d9c-c":        "shop/web 1",
		"pod shop/roll-66-a":         "shop/roll 1",
		"pod shop/report-27800000-x": "shop/report 1",
		"pod shop/named":             "shop/given 1",
		"pod shop/gone":              "unknown-object",
		"pod other/db-0":             "unknown-object",
		"replicaset shop/web-5d9c":   "shop/web 1",
		"replicaset shop/roll-66":    "shop/roll 1",
		"replicaset shop/alone":      "shop/alone 1",
		"replicaset shop/gone":       "unknown-object",
		"job shop/report-27800000":   "shop/report 1",
		"job shop/once":              "shop/once 1",
		"app shop/app=web":           "shop/web 0.6667, shop/web-canary 0.3333",
		"app shop/app=down":          "not-serving",
		"app other/app=web":          "not-serving",
		"address 10.0.0.1":           "shop/web 1",
		"address fd00::1":            "shop/web 1",
		"address ::ffff:10.0.0.1":    "shop/web 1",
		"address 10.0.0.3":           "shop/db 1",
		"address 10.0.0.9":           "ambiguous",
		"address 10.96.0.1":          "shop/web 0.6667, shop/web-canary 0.3333",
		"address 192.168.0.1":        "ambiguous",
		"address 8.8.8.8":            "unknown-address",
	}
}

func TestResolve(t *testing.T) {
	all, warnings, err := objects.ReadObjects(strings.NewReader(shop()), "shop.yaml")
	if err != nil || len(warnings) > 0 {
		t.Fatalf("error %v, warnings %v", err, warnings)
	}
	file, err := all.Resolver()
	if err != nil {
		t.Fatal(err)
	}
	live := &endpoints.Resolver{}
	factory := informers.NewSharedInformerFactory(nil, 0)
	live.ReadFrom(factory)
	fill(t, factory, all)
	for name, r := range map[string]telemetry.Resolver{"of a file": file, "of informers": live} {
		t.Run(name, func(t *testing.T) {
			want, got := resolutions(), map[string]string{}
			var asked []telemetry.Endpoint
			for text := range want {
				asked = append(asked, endpoint(t, text))
				got[text] = written(r.Resolve(asked[len(asked)-1:])[0])
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("one by one (-want +got):\n%s", diff)
			}
			i := 0
			together := r.Resolve(asked)
			for _, e := range asked {
				if alone := written(r.Resolve([]telemetry.Endpoint{e})[0]); written(together[i]) != alone {
					t.Errorf("%v: %s among others, %s alone", e, written(together[i]), alone)
				}
				i++
			}
		})
	}
}

// fill puts objects into the indexers of a factory, as its informers would.
func fill(t *testing.T, f informers.SharedInformerFactory, all *objects.Objects) {
	t.Helper()
	for _, p := range objects.Of[*corev1.Pod](all) {
		put(t, f.Core().V1().Pods().Informer().GetIndexer().Add(p))
	}
	for _, s := range objects.Of[*corev1.Service](all) {
		put(t, f.Core().V1().Services().Informer().GetIndexer().Add(s))
	}
	for _, n := range objects.Of[*corev1.Node](all) {
		put(t, f.Core().V1().Nodes().Informer().GetIndexer().Add(n))
	}
	for _, object := range all.All(func(k *objects.Kind) bool { return k.Kind == "ReplicaSet" }) {
		put(t, f.Apps().V1().ReplicaSets().Informer().GetIndexer().Add(object))
	}
}

func put(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWithoutObjects(t *testing.T) {
	r := &endpoints.Resolver{}
	if got := written(r.Resolve([]telemetry.Endpoint{endpoint(t, "pod shop/web")})[0]); got != "no-objects" || r.HasSynced() {
		t.Errorf("%s, synced %v", got, r.HasSynced())
	}
}

// TestStoreFollows: what is put and deleted shows at once.
func TestStoreFollows(t *testing.T) {
	all, _, err := objects.ReadObjects(strings.NewReader(shop()), "shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	store := endpoints.NewStore()
	web := endpoint(t, "service shop/web")
	steps := []struct {
		kind    string
		deleted bool
		want    string
	}{
		{"Pod", false, "unknown-object"},
		{"Service", false, "shop/web 0.75, shop/web-canary 0.25"}, // nothing is known of the sick node
		{"Node", false, "shop/web 0.6667, shop/web-canary 0.3333"},
		{"Pod", true, "not-serving"},
		{"Service", true, "unknown-object"},
	}
	for _, step := range steps {
		for _, object := range all.All(func(k *objects.Kind) bool { return k.Kind == step.kind }) {
			if err := store.Put(kube.ObjectChange{Object: object, Deleted: step.deleted}); err != nil {
				t.Fatal(err)
			}
		}
		if got := written(store.Resolve([]telemetry.Endpoint{web})[0]); got != step.want {
			t.Errorf("after %+v: %s", step, got)
		}
	}
}
