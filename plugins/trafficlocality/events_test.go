package trafficlocality

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
)

// announced has the cluster's plugin write events, and returns the recorder.
func (c *cluster) announced(args string) *events.FakeRecorder {
	c.Helper()
	recorder := &events.FakeRecorder{Events: make(chan string, 100), Verbose: true}
	d := c.dependencies()
	d.Events = NewEvents(d.Now)
	p, err := Factory(d)(c.Context(), rawArgs(args), handle{informers: c.informers, lister: c.snapshot, recorder: recorder})
	if err != nil {
		c.Fatal(err)
	}
	c.plugin, _ = p.(*Plugin)
	return recorder
}

// bind has a pod scored and bound, and returns the events.
func (c *cluster) bind(r *events.FakeRecorder, pod *v1.Pod, to string) (all []string) {
	c.Helper()
	c.plugin.PreScore(c.Context(), framework.NewCycleState(), pod, c.nodes())
	bound := c.place(pod, to)
	c.update()
	e := c.plugin.events
	e.hasBound(bound)
	select {
	case b := <-e.bound:
		e.tell(c.Context(), b)
	default:
	}
	for len(r.Events) > 0 {
		all = append(all, <-r.Events)
	}
	return all
}

// TestEventsOfOtherThanObservedPeers: calls of a site are not divided over pods, and what is
// declared is told from what was observed.
func TestEventsOfOtherThanObservedPeers(t *testing.T) {
	edge := func(to flowgraph.WorkloadID, origin flowgraph.Origin) flowgraph.Edge {
		return flowgraph.Edge{From: workload("web"), To: to, ObservedAt: dataTime, Rates: flowgraph.Rates{SentBytesPerSecond: 4000}, Origin: origin}
	}
	reversed := func(e flowgraph.Edge) flowgraph.Edge {
		e.From, e.To = e.To, e.From
		return e
	}
	observed := edge(workload("cart"), flowgraph.Observed)
	observed.SentBytesPerSecond = 40
	site := flowgraph.SiteID("orders", "r", "a")
	cases := map[string]struct {
		edge flowgraph.Edge
		want string
	}{
		"a site":               {edge(site, flowgraph.Observed), "By this pod, 0 B/s of its 1.0 KiB/s are expected to stay on the node and 1.0 KiB/s in the zone (with @r:a/orders, shop/cart)."},
		"calls from a site":    {reversed(edge(site, flowgraph.Observed)), "By this pod, 0 B/s of its 1.0 KiB/s are expected"},
		"a declared edge":      {edge(workload("db"), flowgraph.FromAnnotation), "By this pod, 750 B/s of its 1.0 KiB/s (1.0 KiB/s of them declared, not observed) are expected to stay on the node (with shop/db)"},
		"declared without pod": {edge(workload("gone"), flowgraph.FromAnnotation), "By this pod, 0 B/s of its 1.0 KiB/s (1.0 KiB/s of them declared, not observed) are expected"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "")
			snap := flowgraph.NewSnapshot(1, dataTime, []flowgraph.Edge{observed})
			if test.edge.Origin == flowgraph.Observed {
				snap = flowgraph.NewSnapshot(1, dataTime, []flowgraph.Edge{observed, test.edge})
			} else {
				snap = snap.With([]flowgraph.Edge{test.edge})
			}
			c.store.Publish(snap)
			c.desire("web=4 db=4 cart=1")
			c.assign("n1@r/a: db*3; n2@r/a: cart db; n3@r/b:")
			recorder := c.announced("significantRate: 0, maxShare: {node: 1, zone: 1}, reserveRoom: false, routing: Uniform")
			got := c.bind(recorder, c.pod("web"), "n1")
			if len(got) != 1 || !strings.Contains(got[0], test.want) {
				t.Errorf("the events are %q\nwant one, with %q", got, test.want)
			}
		})
	}
}

// TestNoEventByOtherNumbers: after a panic nodes have other numbers than those that the points
// are by.
func TestNoEventByOtherNumbers(t *testing.T) {
	c := newCluster(t, "")
	c.traffic("web -> db 4000B/s")
	c.assign("n1@r/a: db*3; n2@r/a: cart db; n3@r/b:")
	recorder := c.announced("")
	pod := c.pod("web")
	c.plugin.PreScore(c.Context(), framework.NewCycleState(), pod, c.nodes())
	if len(c.plugin.events.waiting.found) != 1 {
		t.Fatal("no event is due")
	}
	c.plugin.reset()
	c.plugin.PreScore(c.Context(), framework.NewCycleState(), c.pod("cart"), c.nodes())
	bound := c.place(pod, "n1")
	e := c.plugin.events
	e.hasBound(bound)
	e.tell(c.Context(), <-e.bound)
	if len(recorder.Events) > 0 {
		t.Errorf("an event was written: %s", <-recorder.Events)
	}
}

func TestEvents(t *testing.T) {
	const args = "significantRate: 0, maxShare: {node: 1, zone: 1}, reserveRoom: false, routing: "
	cases := map[string]struct {
		routing, traffic string
		to               string
		want             []string // parts of each event
	}{
		// A pod of web exchanges 2000 B/s with db's four, and 200 B/s with cart's one.
		"the best node": {
			"SameNode", "web -> db 4000B/s; web -> cart 400B/s", "n1",
			[]string{"Normal PlacedByTraffic Scoring By this pod, 2.0 KiB/s of its 2.1 KiB/s are expected to stay on the node (with shop/db) and 2.1 KiB/s in the zone. By traffic, n1 had rank 1 of 3 with "},
		},
		"another zone": {
			"SameNode", "web -> db 4000B/s; web -> cart 400B/s", "n3",
			[]string{"By this pod, 0 B/s of its 2.1 KiB/s are expected to stay on the node. By traffic, n3 had rank 3 of 3 with 10 of 100 points."},
		},
		"only in the zone": {
			"SameNode", "web -> cart 400B/s", "n1",
			[]string{"By this pod, 0 B/s of its 200 B/s are expected to stay on the node and 200 B/s in the zone (with shop/cart). By traffic, n1 had rank 2 of 3 with "},
		},
		"calls are spread": {
			"Uniform", "web -> db 4000B/s; web -> cart 400B/s", "n1",
			[]string{
				"By this pod, 1.5 KiB/s of its 2.1 KiB/s are expected to stay on the node (with shop/db)",
				"Normal CallsSpread Scoring Calls of shop/web to shop/db, 2.0 KiB/s of the 2.1 KiB/s of a pod of shop/web, are divided evenly over 4 pods, wherever these run: next to one of them, 25.0 % of a pod's calls stay on the node. ",
			},
		},
		"few endpoints":    {"Uniform", "web -> cart 4000B/s", "n2", []string{"PlacedByTraffic"}},
		"only requests":    {"Uniform", "web -> db 40req/s", "n1", []string{"Normal PlacedByTraffic Scoring By traffic, n1 had rank 1 of 3 with 100 of 100 points."}},
		"without traffic":  {"Uniform", "db -> cart 4000B/s", "n1", nil},
		"a node of nobody": {"Uniform", "web -> db 4000B/s", "elsewhere", nil},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "")
			c.traffic(test.traffic)
			c.desire("web=2 db=4 cart=1")
			c.assign("n1@r/a: db*3; n2@r/a: cart db; n3@r/b:")
			recorder := c.announced(args + test.routing)
			pod := c.pod("web")
			if test.to == "elsewhere" {
				c.cache.AddNode(klog.Background(), node("elsewhere", "", ""))
			}
			got := c.bind(recorder, pod, test.to)
			if len(got) != len(test.want) {
				t.Fatalf("events %q, want %d", got, len(test.want))
			}
			for i, want := range test.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("the event is %q\nwant %q", got[i], want)
				}
			}
		})
	}
}

// TestEventsAfterOthersArePlaced: the pod is on the Board by the time the event is worked out,
// and is not counted as another one.
func TestEventsAfterOthersArePlaced(t *testing.T) {
	c := newCluster(t, "")
	c.traffic("web -> web 2000B/s")
	c.desire("web=3")
	c.assign("n1: web; n2:")
	recorder := c.announced(allOfIt + ", reserveRoom: false, routing: Uniform")
	pod := c.pod("web")
	c.plugin.PreScore(t.Context(), framework.NewCycleState(), pod, c.nodes())
	bound := c.place(pod, "n1")
	c.update()
	c.plugin.PreScore(t.Context(), framework.NewCycleState(), c.pod("web"), c.nodes())
	c.plugin.events.hasBound(bound)
	c.plugin.events.tell(t.Context(), <-c.plugin.events.bound)
	// Each of three pods has two thirds of it at one end or the other, half of that with one
	// of the others.
	if got := <-recorder.Events; !strings.Contains(got, "By this pod, 666.7 B/s of its 1.3 KiB/s are expected to stay") {
		t.Errorf("the event is %q", got)
	}
}

// TestEventsAreLimited: a burst, then one a second; and one about its routing a day for each
// workload. Pods that are never bound do not add up.
func TestEventsAreLimited(t *testing.T) {
	c := newCluster(t, "")
	c.traffic("web -> db 4000B/s")
	c.desire("db=4")
	c.assign("n1: db*4; n2:")
	recorder := c.announced(allOfIt + ", reserveRoom: false, routing: Uniform, expireAfter: 100h")
	placed, spread := 0, 0
	burst := func(pods int) string {
		placed, spread = 0, 0
		for range pods {
			for _, event := range c.bind(recorder, c.pod("web"), "n1") {
				if strings.Contains(event, ReasonPlaced) {
					placed++
				} else {
					spread++
				}
			}
		}
		return fmt.Sprint(placed, " ", spread)
	}
	if got := burst(40); got != "30 1" {
		t.Errorf("at first: %s events, want 30 1", got)
	}
	c.now = c.now.Add(3500 * time.Millisecond)
	if got := burst(10); got != "3 0" {
		t.Errorf("3.5 seconds later: %s events, want 3 0", got)
	}
	c.now = c.now.Add(24 * time.Hour)
	if got := burst(1); got != "1 1" {
		t.Errorf("a day later: %s events, want 1 1", got)
	}
	for range 500 {
		c.now = c.now.Add(time.Second)
		c.plugin.PreScore(t.Context(), framework.NewCycleState(), c.pod("web"), c.nodes())
	}
	if e := c.plugin.events; len(e.waiting.found) != 2*eventBurst || len(e.waiting.order) != 2*eventBurst {
		t.Errorf("%d pods wait, in the order of %d", len(e.waiting.found), len(e.waiting.order))
	}
}

// TestEventsFollowPods: an informer tells of the pod that is bound, and Run writes the event
// until it is stopped.
func TestEventsFollowPods(t *testing.T) {
	pod := (&cluster{}).pod("web")
	client := fake.NewClientset(pod)
	c := newCluster(t, "")
	c.informers = informers.NewSharedInformerFactory(client, 0)
	c.traffic("web -> db 20MiB/s")
	c.assign("n1: db; n2:")
	recorder := c.announced(allOfIt)
	if status := c.plugin.PreScore(t.Context(), framework.NewCycleState(), pod, c.nodes()); !status.IsSuccess() {
		t.Fatal(status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { c.plugin.events.Run(ctx); close(ended) }()
	c.informers.StartWithContext(ctx)
	c.informers.WaitForCacheSyncWithContext(ctx)
	bound := pod.DeepCopy()
	bound.Spec.NodeName = "n1"
	if _, err := client.CoreV1().Pods(namespace).Update(ctx, bound, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case event := <-recorder.Events:
		if !strings.Contains(event, "n1 had rank 1 of 2") {
			t.Errorf("the event is %q", event)
		}
	case <-time.After(time.Minute): // only a defect takes this long
		t.Error("there is no event")
	}
	cancel()
	<-ended
	c.informers.Shutdown()
}

// TestEventsPanic: the process goes on, and the Board is made anew.
func TestEventsPanic(t *testing.T) {
	c := newCluster(t, "")
	c.traffic("web -> db 1MiB/s")
	c.assign("n1: db; n2:")
	recorder := c.announced(allOfIt)
	replicas := c.plugin.replicas
	pod := c.pod("web")
	c.plugin.PreScore(t.Context(), framework.NewCycleState(), pod, c.nodes())
	c.plugin.replicas.ReplicaSets = nil
	c.plugin.events.hasBound(c.place(pod, "n1"))
	c.plugin.events.tell(t.Context(), <-c.plugin.events.bound)
	c.plugin.replicas = replicas
	c.update()
	if len(recorder.Events) != 0 || count(t, c.metrics.panicsTotal) != 1 {
		t.Errorf("%d events, %d panics", len(recorder.Events), count(t, c.metrics.panicsTotal))
	}
	if got := c.scoreText(c.pod("web")); got != "n1=100 n2=0" {
		t.Errorf("afterwards the scores are %s", got)
	}
}

// TestWhoseEvents: no event where nobody wants one, and the workload is what is above.
func TestWhoseEvents(t *testing.T) {
	c := newCluster(t, "")
	for args, want := range map[string]bool{"": true, "events: true": true, "events: false": false} {
		c.announced(args)
		if got := c.plugin.events != nil; got != want {
			t.Errorf("%q: events are written: %v", args, got)
		}
	}
	isController := true
	deployment := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "d", Controller: &isController}
	c.add(&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web-" + templateHash, OwnerReferences: []metav1.OwnerReference{deployment}}})
	for name, want := range map[string]string{"web": "Deployment web", "cart": "ReplicaSet cart-" + templateHash} {
		ref, ok := c.plugin.controllerOf(c.pod(name)).(*v1.ObjectReference)
		if !ok || ref.Kind+" "+ref.Name != want || ref.Namespace != namespace {
			t.Errorf("%s: %+v, want %s", name, ref, want)
		}
	}
	alone := c.pod("alone")
	alone.OwnerReferences = nil
	if got := c.plugin.controllerOf(alone); got != alone {
		t.Errorf("a pod without a controller: %v", got)
	}
}

// TestEventsCostNothing: where there are none, or none is due, a cycle allocates nothing for
// them.
func TestEventsCostNothing(t *testing.T) {
	c := newCluster(t, "")
	c.traffic("web -> db 1MiB/s")
	c.assign("n1: db; n2:")
	pod, numbers := c.pod("web"), []int32{0, 1}
	c.announced(allOfIt)
	c.scores(pod, c.nodes())
	result := &score.Result{Basis: score.ByGain}
	due := c.plugin.events
	due.budget = 0
	other := c.pod("web")
	for name, e := range map[string]*Events{"off": nil, "not due": due} {
		if n := testing.AllocsPerRun(100, func() { e.note(c.plugin, other, result, numbers) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if len(due.waiting.found) != 1 {
		t.Errorf("%d pods are noted", len(due.waiting.found))
	}
}
