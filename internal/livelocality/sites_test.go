package livelocality

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// TestReportOfSites: a site is in no namespace, and nothing divides the calls to it or from it.
func TestReportOfSites(t *testing.T) {
	core := informers.NewSharedInformerFactory(fake.NewClientset(), 0).Core().V1()
	routes, err := routing.NewRoutes(core, nil, routing.AllPolicies())
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFollower(core, routes, filling(routes), func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	f.Put([]*corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{corev1.LabelTopologyZone: "a", corev1.LabelTopologyRegion: "r"}}}},
		[]*corev1.Pod{{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", UID: "1"}, Spec: corev1.PodSpec{NodeName: "n1"},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
		}})
	web := flowgraph.WorkloadID{Namespace: namespace, Name: "web"}
	at := time.Unix(0, 0)
	edge := func(from, to flowgraph.WorkloadID) flowgraph.Edge {
		return flowgraph.Edge{From: from, To: to, ObservedAt: at, Rates: flowgraph.Rates{SentBytesPerSecond: 100}}
	}
	r := f.Report(flowgraph.NewSnapshot(1, at, []flowgraph.Edge{edge(web, flowgraph.SiteID("db", "r", "a")), edge(flowgraph.SiteID("users", "r", "b"), web)}))
	if len(r.Namespaces) != 1 || r.Namespaces[0].Name != namespace || r.Namespaces[0].Distance.Total() != 200 {
		t.Errorf("the namespaces are %+v", r.Namespaces)
	}
	for _, e := range r.Edges {
		if e.IsDivided {
			t.Errorf("the calls of %s to %s are divided by %s", e.From, e.To, e.Routing)
		}
	}
	if BetweenZones(&r.Distances[All]) != 100 || r.Distances[All].Within[1] != 100 {
		t.Errorf("the distance is %+v", r.Distances[All])
	}
}
