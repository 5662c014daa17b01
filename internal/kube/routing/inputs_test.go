package routing_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/kubetest"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// TestRoutingOfEveryInput reads each row of the routing tables as a scheduler does, from a
// recording, from an anonymised recording and from a cluster file: calls are divided alike.
func TestRoutingOfEveryInput(t *testing.T) {
	for name, c := range routing.RoutingCases() {
		t.Run(name, func(t *testing.T) {
			all := documents(t, kubetest.TwoNodes+kubetest.Object("apps/v1", "StatefulSet", "web", "replicas: 1")+
				kubetest.Pod("web-0", "StatefulSet/web", "n1", "app: web, tier: front")+c.Objects)
			live := routeLive(t, all)
			for caller, want := range c.Want {
				if got := live.RouteFrom(caller).Routing; got != want {
					t.Errorf("live, from %s: %v, want %v", caller, got, want)
				}
			}
			if got := routeFromFile(t, all); !got.RoutesEqual(live) {
				t.Errorf("from a cluster file: %+v, live %+v", got, live)
			}
			if got := routeFromRecording(t, all, nil); !got.RoutesEqual(live) {
				t.Errorf("from a recording: %+v, live %+v", got, live)
			}
			got := routeFromRecording(t, all, objects.NewAnonymizer([]byte("key")))
			if got.Routing != live.Routing || len(got.Shares) != len(live.Shares) || got.Headless != live.Headless || len(got.Exceptions) != len(live.Exceptions) {
				t.Errorf("from an anonymised recording: %+v, live %+v", got, live)
			}
		})
	}
}

// documents returns objects as a dynamic client has them.
func documents(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for document := range strings.SplitSeq(text, "---\n") {
		if document == "" {
			continue
		}
		raw, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(raw); err != nil {
			t.Fatalf("%s: %v", document, err)
		}
		all = append(all, u)
	}
	return all
}

// routeLive reads the objects from informers, and the rules as the Watcher does.
func routeLive(t *testing.T, all []*unstructured.Unstructured) *cluster.Workload {
	t.Helper()
	core := informers.NewSharedInformerFactory(nil, 0).Core().V1()
	pod := &corev1.Pod{}
	var rules []runtime.Object
	for _, u := range all {
		var err error
		switch u.GetKind() {
		case "Service":
			service := &corev1.Service{}
			if err = runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, service); err == nil {
				err = core.Services().Informer().GetIndexer().Add(service)
			}
		case "Namespace":
			namespace := &corev1.Namespace{}
			if err = runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, namespace); err == nil {
				err = core.Namespaces().Informer().GetIndexer().Add(namespace)
			}
		case "Pod":
			err = runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, pod)
		case "DestinationRule":
			var rule *routing.DestinationRule
			rule, err = routing.ReadRule(u)
			rules = append(rules, rule)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	published, err := routing.RulesAmong(rules)
	if err != nil {
		t.Fatal(err)
	}
	routes, err := routing.NewRoutes(core, published, routing.AllPolicies())
	if err != nil {
		t.Fatal(err)
	}
	w := &cluster.Workload{}
	routes.Fill(w, pod)
	return w
}

func routeFromFile(t *testing.T, all []*unstructured.Unstructured) *cluster.Workload {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": all})
	if err != nil {
		t.Fatal(err)
	}
	read, unread, err := objects.ReadObjects(bytes.NewReader(raw), "cluster.json")
	if err != nil || len(unread) > 0 {
		t.Fatal(unread, err)
	}
	r, _, err := history.Translate(read)
	if err != nil {
		t.Fatal(err)
	}
	return &r.Cluster.Workloads[0]
}

// routeFromRecording records the objects, with other names if they are to be renamed.
func routeFromRecording(t *testing.T, all []*unstructured.Unstructured, a *objects.Anonymizer) *cluster.Workload {
	t.Helper()
	h, err := history.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]objects.Kind{}
	for _, k := range objects.NewTable().Kinds() {
		byName[k.Kind] = k
	}
	var changes []recording.Change
	for _, u := range all {
		k := byName[u.GetKind()]
		recorded, err := k.Record(u)
		if err == nil && a != nil {
			recorded, err = a.Object(recorded)
		}
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(recorded)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, recording.Change{Type: recording.Added, At: time.Unix(0, 0), Object: raw})
	}
	if _, err := h.Apply(changes); err != nil {
		t.Fatal(err)
	}
	if len(h.Warnings()) > 0 {
		t.Fatal(h.Warnings())
	}
	now, _, err := h.Now(false)
	if err != nil {
		t.Fatal(err)
	}
	w := &h.Replayable().Cluster.Workloads[0]
	if atEnd := &now.Cluster.Workloads[0]; !atEnd.RoutesEqual(w) {
		t.Errorf("along the recording: %+v, at its end %+v", w, atEnd)
	}
	return w
}
