package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
)

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// town is a cluster that is built by hand.
type town struct {
	*objects.Objects
	replicaSets map[string]*appsv1.ReplicaSet
	pods        int
	edges       []flowgraph.Edge
	declared    []flowgraph.Edge
}

func newTown() *town {
	return &town{Objects: &objects.Objects{}, replicaSets: map[string]*appsv1.ReplicaSet{}}
}

func (c *town) node(name, zone string) {
	c.Add(&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelHostname: name, corev1.LabelTopologyZone: zone, corev1.LabelTopologyRegion: "r",
		}},
		Status: corev1.NodeStatus{
			Allocatable: corev1.ResourceList{"cpu": resource.MustParse("4"), "memory": resource.MustParse("16Gi"), "pods": resource.MustParse("20")},
			Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	})
}

// deployment adds a ReplicaSet of a Deployment that wants so many pods.
func (c *town) deployment(name string, replicas int32) {
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name + "-6f7d9", UID: types.UID(name),
			Annotations:     map[string]string{"deployment.kubernetes.io/desired-replicas": fmt.Sprint(replicas)},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: name, Controller: new(true)}},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name, "pod-template-hash": "6f7d9"}},
				Spec: corev1.PodSpec{SchedulerName: "vicinity", Containers: []corev1.Container{{Name: "app", Image: "app", Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("1Gi")},
				}}}},
			},
		},
	}
	c.replicaSets[name] = rs
	c.Add(rs)
	c.Add(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": name}, ClusterIP: "10.0.0.1", ClusterIPs: []string{"10.0.0.1"}, Ports: []corev1.ServicePort{{Port: 80}}},
	})
}

// pod adds a pod of a Deployment on a node and returns it.
func (c *town) pod(name, node string) *corev1.Pod {
	c.pods++
	rs := c.replicaSets[name]
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: fmt.Sprintf("%s-%d", rs.Name, c.pods), GenerateName: rs.Name + "-", UID: types.UID(fmt.Sprint(c.pods)),
			Labels:          rs.Spec.Template.Labels,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: rs.Name, UID: rs.UID, Controller: new(true)}},
		},
		Spec: *rs.Spec.Template.Spec.DeepCopy(),
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	if pod.Spec.NodeName = node; node == "" {
		pod.Status = corev1.PodStatus{Phase: corev1.PodPending}
	}
	c.Add(pod)
	return pod
}

func (c *town) calls(from, to string, bytes float64) {
	id := func(name string) flowgraph.WorkloadID { return flowgraph.WorkloadID{Namespace: "shop", Name: name} }
	c.edges = append(c.edges, flowgraph.Edge{From: id(from), To: id(to), ObservedAt: testNow, Rates: flowgraph.Rates{SentBytesPerSecond: bytes, RequestsPerSecond: 10}})
}

// explain explains a subject by a configuration of some weight and arguments.
func (c *town) explain(t *testing.T, s *Subject, weight int, args string) *Result {
	t.Helper()
	config, err := schedulerconfig.Parse("scheduler.yaml", fmt.Appendf(nil, `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: vicinity
  plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: %d}]}}
  pluginConfig: [{name: TrafficLocality, args: {%s}}]
`, weight, args))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Explain(t.Context(), Options{
		Subject: s, Objects: c.Objects, Config: config, ConfigName: "scheduler.yaml", Now: testNow,
		Past: &telemetrysetup.Past{
			Snapshot: flowgraph.NewSnapshot(1, testNow, c.edges).With(c.declared), Networks: &flowgraph.NodeNetworkStore{}, From: testNow.Add(-time.Hour), Refreshes: 28,
			SeenBy:    func(_, _ flowgraph.WorkloadID) []string { return []string{"istio-sidecar"} },
			Tolerance: telemetrysetup.Tolerance{Phase: 0.3, Before: 0.016},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// simple is a town in which cart talks to db, on n1, and n3 is full.
func simple() *town {
	c := newTown()
	for i, zone := range []string{"a", "a", "b"} {
		c.node(fmt.Sprint("n", i+1), zone)
	}
	for _, name := range []string{"db", "full"} {
		c.deployment(name, 1)
	}
	c.deployment("cart", 2)
	c.pod("db", "n1")
	for range 4 {
		c.pod("full", "n3")
	}
	c.calls("cart", "db", 1<<20)
	return c
}

func TestExplainPod(t *testing.T) {
	c := simple()
	running := c.pod("cart", "n2")
	s, err := FindPod(c.Objects, "shop", running.Name)
	if err != nil {
		t.Fatal(err)
	}
	r := c.explain(t, s, 5, "")
	if got := r.Chosen.Nodes; len(got) != 1 || got[0] != "n1" {
		t.Errorf("it would go to %v, want n1, where db is", got)
	}
	if got := r.WithoutLocality.Nodes; len(got) != 1 || got[0] != "n2" {
		t.Errorf("with weight 0 it would go to %v, want n2, which is empty without it", got)
	}
	if r.Current == nil || r.Current.Nodes[0] != "n2" || r.Current.Rank != 2 || r.Current.Of != 2 || r.Pod.Wanted != 2 {
		t.Errorf("it is on %+v, of %d", r.Current, r.Pod.Wanted)
	}
	full := r.Nodes[2]
	if full.Name != "n3" || full.Filter != "NodeResourcesFit" || !strings.Contains(strings.Join(full.Reasons, ""), "cpu") {
		t.Errorf("the last node is %+v", full)
	}
	edge := r.Edges[0]
	if edge.Peer != "shop/db" || edge.Direction != "calls" || edge.Sources[0] != "istio-sidecar" || edge.PeerPods != 1 || edge.Share != 1 || edge.Routing != "Uniform" {
		t.Errorf("the edge is %+v", edge)
	}
	if l := edge.Local; l == nil || l.Node != 0 || l.Zone != 1 || l.Region != 1 {
		t.Errorf("of the edge stays %+v: the pod is still on n2", l)
	}
	var table, js bytes.Buffer
	r.WriteTable(&table, 10)
	for _, part := range []string{
		"explained as if it were pending again", "is on           n2, rank 2 of 2", "would go to     n1,", "with weight 0   n2,", "100.0 %",
		"tolerance: rates equal the scheduler's where traffic is steady; otherwise within 30.0 %", "NodeResourcesFit   n3", "calls shop/db: ", "node ", "28 past refreshes",
	} {
		if !strings.Contains(table.String(), part) {
			t.Errorf("%q is not in\n%s", part, &table)
		}
	}
	if err := r.WriteJSON(&js); err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(js.Bytes(), &back); err != nil || back.Schema != Schema || back.Chosen.Total != r.Chosen.Total {
		t.Errorf("the JSON reads back as %+v: %v", back, err)
	}
}

// TestExplainWorkload explains the next pod of a workload, each that it has, and one of a workload
// that has none.
// TestExplainDeclared: an edge that is declared counts, and is not among those of the telemetry.
func TestExplainDeclared(t *testing.T) {
	c := simple()
	c.deployment("web", 1)
	c.declared = []flowgraph.Edge{{
		From: flowgraph.WorkloadID{Namespace: "shop", Name: "web"}, To: flowgraph.WorkloadID{Namespace: "shop", Name: "db"},
		ObservedAt: testNow, Rates: flowgraph.Rates{SentBytesPerSecond: 1 << 20}, Origin: flowgraph.FromAnnotation,
	}}
	s, err := FindWorkload(c.Objects, "shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	r := c.explain(t, s, 5, "")
	if got := r.Chosen.Nodes; len(got) != 1 || got[0] != "n1" {
		t.Errorf("it would go to %v, want n1, where db is", got)
	}
	if r.Graph.Edges != 1 || len(r.Edges) != 1 || r.Edges[0].Origin != "annotation" {
		t.Errorf("the graph has %d edges, the workload %+v", r.Graph.Edges, r.Edges)
	}
}

func TestExplainWorkload(t *testing.T) {
	c := simple()
	c.pod("cart", "n2")
	pending := c.pod("cart", "")
	s, err := FindWorkload(c.Objects, "shop", "cart")
	if err != nil {
		t.Fatal(err)
	}
	r := c.explain(t, s, 5, "")
	if len(r.Pods) != 2 || r.Pods[0].Node != "n2" || r.Pods[0].Chosen.Nodes[0] != "n1" || r.Pods[1].Name != pending.Name || r.Pods[1].Node != "" {
		t.Errorf("the pods are %+v", r.Pods)
	}
	if r.Chosen.Nodes[0] != "n1" || r.Current != nil {
		t.Errorf("the next one would go to %+v, is on %+v", r.Chosen, r.Current)
	}
	c.deployment("idle", 3)
	if s, err = FindWorkload(c.Objects, "shop", "idle"); err != nil {
		t.Fatal(err)
	}
	if r := c.explain(t, s, 5, ""); r.Locality.Skipped != "no-traffic" || r.Locality.Why == "" || len(r.Edges) != 0 || r.Chosen.Of != 2 {
		t.Errorf("a workload without pods and traffic is explained as %+v, %+v", r.Locality, r.Chosen)
	}
	if _, err := FindWorkload(c.Objects, "shop", "nobody"); err == nil || !strings.Contains(err.Error(), "there is no workload shop/nobody") || strings.Contains(err.Error(), "--namespace") {
		t.Errorf("a workload that is not there: %v", err)
	}
	if _, err := FindWorkload(c.Objects, "default", "cart"); err == nil || !strings.Contains(err.Error(), "there is one in another namespace: add --namespace shop") {
		t.Errorf("a workload in another namespace: %v", err)
	}
	if _, err := FindPod(c.Objects, "shop", "nobody"); err == nil || !strings.Contains(err.Error(), "kubectl get pods --namespace shop") {
		t.Errorf("a pod that is not there: %v", err)
	}
}

// TestAnnotations: what decides whether traffic counts is named, and what means nothing too.
func TestAnnotations(t *testing.T) {
	c := simple()
	running := c.pod("cart", "n2")
	running.Annotations = map[string]string{"vicinity.dev/locality": "no"}
	c.replicaSets["cart"].Annotations["vicinity.dev/locality"] = "off"
	c.Add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{"vicinity.dev/locality": "on"}}})
	s, err := FindPod(c.Objects, "shop", running.Name)
	if err != nil {
		t.Fatal(err)
	}
	r := c.explain(t, s, 5, "")
	notes := strings.Join(r.Notes, "\n")
	for _, part := range []string{
		`the pod has the annotation vicinity.dev/locality: "no", which is ignored: it must be "on" or "off"`,
		`ReplicaSet cart-6f7d9 has the annotation vicinity.dev/locality: "off"`,
	} {
		if !strings.Contains(notes, part) {
			t.Errorf("%q is not in\n%s", part, notes)
		}
	}
	if strings.Contains(notes, "namespace shop") || r.Locality.Skipped != "off" {
		t.Errorf("locality is %+v:\n%s", r.Locality, notes)
	}
}

// TestWeightZero: where the plugin is off, nothing of it is said, and both choices are the same.
func TestWeightZero(t *testing.T) {
	c := simple()
	s, err := FindWorkload(c.Objects, "shop", "cart")
	if err != nil {
		t.Fatal(err)
	}
	r := c.explain(t, s, 0, "")
	if r.Locality.Skipped != "off" || fmt.Sprint(r.Chosen) != fmt.Sprint(r.WithoutLocality) {
		t.Errorf("explained as %+v, %+v and %+v", r.Locality, r.Chosen, r.WithoutLocality)
	}
}

// TestResultsAddUp: in random towns, what is printed adds up to the scores, and what is said of the
// weight 0 is what a configuration with it chooses.
func TestResultsAddUp(t *testing.T) {
	scored := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 0))
		c := randomTown(rng)
		args := []string{"", "reserveRoom: false", "routing: FairLoad", "maxShare: {node: 0.34, zone: 0.5}", "strategy: NetMARKS"}[rng.IntN(5)]
		find := func() *Subject {
			s, err := FindWorkload(c.Objects, "shop", "w0")
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		r := c.explain(t, find(), 5, args)
		for _, n := range r.Nodes {
			what := fmt.Sprintf("seed %d: %+v of %+v", seed, n, r.Locality)
			var sum int64
			for _, s := range n.Scores {
				sum += s
			}
			if sum != n.Total {
				t.Fatalf("the scores add up to %d: %s", sum, what)
			}
			if n.Filter != "" || r.Locality.Skipped != "" {
				continue
			}
			if got := n.Scores["TrafficLocality"]; got != 5*int64(n.Points) {
				t.Fatalf("the score is %d: %s", got, what)
			}
			gain := 0.0
			for _, p := range n.Peers {
				levels := 0.0
				for _, l := range p.Levels {
					levels += l.Placed + l.Anticipated
				}
				if math.Abs(levels-p.Gain) > 1e-6*math.Abs(p.Gain) {
					t.Fatalf("the levels add up to %g: %s", levels, what)
				}
				gain += p.Gain
			}
			if math.Abs(gain-n.Gain) > 1e-3+1e-6*math.Abs(n.Gain) {
				t.Fatalf("the peers add up to %g: %s", gain, what)
			}
			if math.Abs(n.GainPoints+n.RoomPoints-float64(n.Points)) > 0.5+1e-6 {
				t.Fatalf("the points do not add up: %s", what)
			}
			counts := max(n.Gain, 0)
			if len(n.Vetoes) > 0 {
				counts = 0
			}
			if l := r.Locality; l.BestGain > 0 && math.Abs(n.GainPoints-100*l.Significance*l.Influence*counts/l.BestGain) > 1e-3 {
				t.Fatalf("the gain does not make the points: %s", what)
			}
			if n.Points > 0 {
				scored++
			}
		}
		if off := c.explain(t, find(), 0, args); fmt.Sprint(off.Chosen) != fmt.Sprint(r.WithoutLocality) {
			t.Errorf("seed %d: with weight 0 it would go to %+v, explained as %+v", seed, off.Chosen, r.WithoutLocality)
		}
	}
	if scored < 100 {
		t.Errorf("only %d nodes have points", scored)
	}
}

// randomTown has pods of some workloads on nodes of three zones.
func randomTown(rng *rand.Rand) *town {
	c := newTown()
	nodes := 3 + rng.IntN(8)
	for i := range nodes {
		c.node(fmt.Sprint("n", i), fmt.Sprint("z", rng.IntN(3)))
	}
	workloads := 3 + rng.IntN(4)
	for w := range workloads {
		name := fmt.Sprint("w", w)
		wanted := 1 + rng.IntN(5)
		c.deployment(name, int32(wanted))
		for range rng.IntN(wanted + 1) {
			c.pod(name, fmt.Sprint("n", rng.IntN(nodes)))
		}
	}
	for range 1 + rng.IntN(8) {
		c.calls(fmt.Sprint("w", rng.IntN(workloads)), fmt.Sprint("w", rng.IntN(workloads)), rng.ExpFloat64()*1e6)
	}
	return c
}
