package integration

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// TestShadowAndEvents has three profiles of one scheduler place the same workload: one without
// TrafficLocality, one in which it is in shadow mode and one in which it has its say. The
// first two decide alike, and are batched; the second counts that it would have chosen
// another node; the third's pods have events that say why they are where they are.
func TestShadowAndEvents(t *testing.T) {
	s := newScene(t)
	o := s.options(t, "shadow")
	names := []string{"plain", "shadow", "live"}
	shipped := o.config.Profiles[0]
	o.config.Profiles = nil
	// Without the default constraints, pods are batched.
	spread := schedulerv1.PluginConfig{Name: "PodTopologySpread", Args: runtime.RawExtension{Raw: []byte(
		`{"apiVersion":"kubescheduler.config.k8s.io/v1","kind":"PodTopologySpreadArgs","defaultingType":"List"}`)}}
	for i := range names {
		profile := shipped.DeepCopy()
		profile.SchedulerName = &names[i]
		profile.PluginConfig = []schedulerv1.PluginConfig{spread}
		if names[i] == "plain" {
			enabled := &profile.Plugins.MultiPoint.Enabled
			*enabled = slices.DeleteFunc(*enabled, func(p schedulerv1.Plugin) bool { return p.Name == "TrafficLocality" })
		} else {
			profile.PluginConfig = append(profile.PluginConfig, schedulerv1.PluginConfig{Name: "TrafficLocality", Args: runtime.RawExtension{Raw: fmt.Appendf(nil,
				`{"apiVersion":"config.vicinity.dev/v1","kind":"TrafficLocalityArgs","routing":"Uniform","maxShare":{"node":1,"zone":1},"reserveRoom":false,"shadow":%v}`,
				names[i] == "shadow")}})
		}
		o.config.Profiles = append(o.config.Profiles, *profile)
	}
	a := s.newApp(t)
	var edges []flowgraph.Edge
	for _, name := range names {
		edges = append(edges, flowgraph.Edge{
			From: flowgraph.WorkloadID{Namespace: a.namespace, Name: name}, To: flowgraph.WorkloadID{Namespace: a.namespace, Name: "db"},
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
	a.deploy(t, workload{name: "db", node: crowdedNode, replicas: 4, cpu: "50m"})

	const replicas = 8
	placed := map[string]string{}
	for _, name := range names {
		a.deploy(t, workload{name: name, replicas: replicas, scheduler: name, cpu: "20m"})
		placed[name] = a.spreadOf(t, name)
		t.Logf("%s: %s", name, placed[name])
		if name == "live" {
			break
		}
		if err := s.client.AppsV1().Deployments(a.namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "its pods are gone", func() error { return want("pods", len(a.pods(t, name)), 0) })
	}
	// How many pods are batched depends on how quickly they come, and where pods of one count go
	// on how many are: unit tests compare decision by decision.
	concentrated := fmt.Sprintf("[%d], %d beside db", replicas, replicas)
	if placed["plain"] == concentrated || placed["shadow"] == concentrated || placed["live"] != concentrated {
		t.Errorf("pods by node: %v", placed)
	}
	batched := a.checkShadow(t, scheduler, replicas)
	if batched["plain"] == batched["shadow"] && placed["plain"] != placed["shadow"] {
		t.Errorf("as many pods are batched, and they go elsewhere: %v", placed)
	}
	a.checkEvents(t, replicas)
}

// spreadOf says how many of a workload's pods are on the nodes, and how many where db is.
func (a *app) spreadOf(t *testing.T, name string) string {
	t.Helper()
	byNode := map[string]int{}
	for _, pod := range a.pods(t, name) {
		byNode[pod.Spec.NodeName]++
	}
	var counts []int
	for _, n := range byNode {
		counts = append(counts, n)
	}
	slices.Sort(counts)
	return fmt.Sprintf("%v, %d beside db", counts, byNode[crowdedNode])
}

// checkShadow: each pod is counted once; those that were batched are not looked at, and all
// others would be elsewhere. It returns how many were batched, by profile.
func (a *app) checkShadow(t *testing.T, scheduler *scheduler, replicas int) (batched map[string]int) {
	t.Helper()
	figure := func(name string, labels ...string) int {
		n, err := scheduler.metric(name, labels...)
		if err != nil {
			t.Fatal(err)
		}
		return int(n)
	}
	batched = map[string]int{}
	for _, name := range []string{"plain", "shadow"} {
		batched[name] = figure("scheduler_batch_attempts_total", "profile="+name, "result=hint_used")
	}
	other := figure("vicinity_shadow_decisions_total", "outcome=other")
	notLookedAt := figure("vicinity_shadow_decisions_total", "outcome=not-looked-at")
	if batched["plain"]+batched["shadow"] == 0 || other == 0 || notLookedAt != batched["shadow"] || other+notLookedAt != replicas {
		t.Errorf("%d decisions would be others and %d were not looked at, of %d; batched: %v", other, notLookedAt, replicas, batched)
	}
	workload := "workload=" + a.namespace + "/shadow"
	chosen := figure("vicinity_shadow_workload_bytes_per_second_total", workload, "node=chosen", "within=node")
	preferred := figure("vicinity_shadow_workload_bytes_per_second_total", workload, "node=preferred", "within=node")
	all := figure("vicinity_shadow_workload_bytes_per_second_total", workload, "node=preferred", "within=cluster")
	if chosen != 0 || preferred != other*(10<<20)/replicas || all != preferred {
		t.Errorf("%d B/s stay on the chosen nodes, %d of %d would on others; want 0, and all of %d", chosen, preferred, all, other*(10<<20)/replicas)
	}
	return batched
}

// checkEvents: the API server has an event of each pod of live that was scored, and one of its
// Deployment.
func (a *app) checkEvents(t *testing.T, replicas int) {
	t.Helper()
	eventually(t, "there are events", func() error {
		list, err := a.client.EventsV1().Events(a.namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		pods, advice := 0, 0
		for _, e := range list.Items {
			switch {
			case e.Reason == "PlacedByTraffic" && e.Regarding.Kind == "Pod" && strings.HasPrefix(e.Regarding.Name, "live-") &&
				strings.HasPrefix(e.Note, fmt.Sprintf("By this pod, 1.2 MiB/s of its 1.2 MiB/s are expected to stay on the node (with %s/db). By traffic, %s had rank 1 of ", a.namespace, crowdedNode)):
				pods++
			case e.Reason == "CallsSpread" && e.Regarding.Kind == "Deployment" && e.Regarding.Name == "live" && strings.Contains(e.Note, "divided evenly over 4 pods"):
				advice++
			case e.Reason == "PlacedByTraffic" || e.Reason == "CallsSpread":
				return fmt.Errorf("%s on %s %s: %s", e.Reason, e.Regarding.Kind, e.Regarding.Name, e.Note)
			}
		}
		if pods == 0 || pods > replicas {
			return fmt.Errorf("%d pods of %d have an event", pods, replicas)
		}
		return want("events about its routing", advice, 1)
	})
}
