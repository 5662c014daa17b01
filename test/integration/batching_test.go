package integration

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// TestBatching has kube-scheduler's opportunistic batching place the pods of one
// workload, where the plugin signs them and where it does not. Both must fill the
// peer's node, as far as they have room there, and then go elsewhere.
func TestBatching(t *testing.T) {
	s := newScene(t)
	// Without the default constraints PodTopologySpread signs too.
	spread := schedulerv1.PluginConfig{Name: "PodTopologySpread", Args: runtime.RawExtension{Raw: []byte(
		`{"apiVersion":"kubescheduler.config.k8s.io/v1","kind":"PodTopologySpreadArgs","defaultingType":"List"}`)}}
	locality := func(closeness string) schedulerv1.PluginConfig {
		return schedulerv1.PluginConfig{Name: "TrafficLocality", Args: runtime.RawExtension{Raw: []byte(
			`{"apiVersion":"config.vicinity.dev/v1","kind":"TrafficLocalityArgs","routing":"Uniform","maxShare":{"node":1,"zone":1},"reserveRoom":false,"significantRate":"16Ki","closeness":{` + closeness + `}}`)}}
	}
	const nodeOnly, everyLevel = `"zone":0,"region":0`, ``
	cases := []struct {
		name   string
		config []schedulerv1.PluginConfig
		shares bool
	}{
		{"signed", []schedulerv1.PluginConfig{spread, locality(nodeOnly)}, true},
		{"not-signed", []schedulerv1.PluginConfig{spread, locality(everyLevel)}, false},
		{"spread-by-default", []schedulerv1.PluginConfig{locality(nodeOnly)}, false},
	}
	o := s.options(t, "batching")
	shipped := o.config.Profiles[0]
	o.config.Profiles = nil
	for _, c := range cases {
		profile := *shipped.DeepCopy()
		profile.SchedulerName, profile.PluginConfig = &c.name, c.config
		o.config.Profiles = append(o.config.Profiles, profile)
	}
	a := s.newApp(t)
	var edges []flowgraph.Edge
	for _, c := range cases {
		edges = append(edges, flowgraph.Edge{
			From: flowgraph.WorkloadID{Namespace: a.namespace, Name: c.name}, To: flowgraph.WorkloadID{Namespace: a.namespace, Name: "db"},
			Rates: flowgraph.Rates{SentBytesPerSecond: 10 << 20},
		})
	}
	o.prometheusURL = constantPrometheus(t, edges)
	scheduler := s.start(t, o)
	eventually(t, "the graph is there", func() error {
		n, err := scheduler.metric("vicinity_graph_edges")
		return errors.Join(err, want("edges", int(n), len(edges)))
	})
	a.deploy(t, filler(crowdedNode))
	a.deploy(t, workload{name: "db", node: crowdedNode})
	room := s.room(t, crowdedNode)
	for _, c := range cases {
		w := workload{name: c.name, replicas: 20, scheduler: c.name}
		a.deploy(t, w)
		there := 0
		for _, pod := range a.pods(t, w.name) {
			if pod.Spec.NodeName == crowdedNode {
				there++
			}
		}
		shared, err := scheduler.metric("scheduler_batch_attempts_total", "profile="+c.name, "result=hint_used")
		if err := errors.Join(err, want("pods on the peer's node", there, room)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if (shared > 0) != c.shares {
			t.Errorf("%s: %v decisions are shared with the pod before, want some: %v", c.name, shared, c.shares)
		}
		t.Logf("%s: %v of %d decisions are shared", c.name, shared, w.replicas)
		// The next one needs the room.
		if err := s.client.AppsV1().Deployments(a.namespace).Delete(t.Context(), w.name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "its pods are gone", func() error { return want("pods", len(a.pods(t, w.name)), 0) })
	}
}

// room returns how many pods of 100m of CPU a node takes beside those that it has.
func (s *scene) room(t *testing.T, name string) int {
	t.Helper()
	node, err := s.client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods, err := s.client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + name})
	if err != nil {
		t.Fatal(err)
	}
	free := node.Status.Allocatable.Cpu().MilliValue()
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodRunning {
			free -= pod.Spec.Containers[0].Resources.Requests.Cpu().MilliValue()
		}
	}
	return int(free / 100)
}
