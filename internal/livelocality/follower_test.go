package livelocality

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

const namespace = "shop"

// town is a cluster in which everything changes all the time.
type town struct {
	t      *testing.T
	rng    *rand.Rand
	client *fake.Clientset
	f      *Follower
	names  []string // of workloads
	pods   int      // that there ever were
}

func newTown(t *testing.T, seed uint64) *town {
	t.Helper()
	c := &town{t: t, rng: rand.New(rand.NewPCG(seed, 1)), client: fake.NewClientset()}
	c.must(c.client.Tracker().Add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
	for i := range 6 {
		c.must(c.client.Tracker().Add(c.node(i)))
	}
	for i := range 5 {
		c.names = append(c.names, fmt.Sprintf("w%d", i))
		if i > 0 { // no proxy divides the calls to w0
			c.must(c.client.Tracker().Add(c.service(c.names[i])))
		}
	}
	factory := informers.NewSharedInformerFactory(c.client, 0)
	routes, err := routing.NewRoutes(factory.Core().V1(), nil, routing.AllPolicies())
	c.must(err)
	c.f, err = NewFollower(factory.Core().V1(), routes, filling(routes), func(name string) bool { return name == "vicinity" })
	c.must(err)
	if c.f.HasSynced() {
		t.Error("the Follower has synced before the informers run")
	}
	ctx, cancel := context.WithCancel(t.Context())
	factory.StartWithContext(ctx)
	t.Cleanup(func() { cancel(); factory.Shutdown() })
	synctest.Wait()
	if !c.f.HasSynced() {
		t.Error("the Follower has not synced once the informers have")
	}
	return c
}

// filling fills in what routes say.
func filling(routes routing.Routes) func(*cluster.Workload, *corev1.Pod) {
	return func(w *cluster.Workload, pod *corev1.Pod) { routes.Fill(w, pod) }
}

func (c *town) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// pick is one of some values.
func pick[T any](c *town, values ...T) T { return values[c.rng.IntN(len(values))] }

func condition(status corev1.ConditionStatus) (node []corev1.NodeCondition, pod []corev1.PodCondition) {
	return []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status}}, []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
}

func (c *town) node(i int) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", i), Labels: map[string]string{}}}
	if zone := pick(c, "a", "b", "c", ""); zone != "" {
		n.Labels[corev1.LabelTopologyZone] = zone
		n.Labels[corev1.LabelTopologyRegion] = map[string]string{"a": "r1", "b": "r1", "c": "r2"}[zone]
	}
	n.Status.Conditions, _ = condition(pick(c, corev1.ConditionTrue, corev1.ConditionTrue, corev1.ConditionFalse))
	n.Status.Allocatable = corev1.ResourceList{}
	return n
}

func (c *town) service(name string) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": name}, ClusterIP: "10.0.0.1"},
	}
	s.Spec.TrafficDistribution = pick(c, nil, new("PreferSameNode"), new("PreferSameZone"))
	return s
}

func (c *town) pod() *corev1.Pod {
	w := c.names[c.rng.IntN(len(c.names))]
	c.pods++
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: fmt.Sprintf("%s-%d", w, c.pods), UID: types.UID(fmt.Sprint(c.pods)), Labels: map[string]string{"app": w},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: w, Controller: new(true), UID: types.UID(w)}},
		},
		Spec: corev1.PodSpec{NodeName: pick(c, "n0", "n1", "n2", "n3", "n4", "n5", ""), SchedulerName: pick(c, "vicinity", "vicinity", "default-scheduler")},
	}
	p.Status.Phase = corev1.PodRunning
	_, p.Status.Conditions = condition(pick(c, corev1.ConditionTrue, corev1.ConditionTrue, corev1.ConditionFalse))
	return p
}

// happen does something at random.
func (c *town) happen(ctx context.Context) {
	core := c.client.CoreV1()
	pods, err := core.Pods(namespace).List(ctx, metav1.ListOptions{})
	c.must(err)
	var any *corev1.Pod
	if len(pods.Items) > 0 {
		any = &pods.Items[c.rng.IntN(len(pods.Items))]
	}
	switch kind := c.rng.IntN(12); {
	case kind < 6 || any == nil:
		_, err = core.Pods(namespace).Create(ctx, c.pod(), metav1.CreateOptions{})
	case kind == 6:
		err = core.Pods(namespace).Delete(ctx, any.Name, metav1.DeleteOptions{})
	case kind == 7: // it begins or ends to serve, or is finished
		_, any.Status.Conditions = condition(pick(c, corev1.ConditionTrue, corev1.ConditionFalse))
		any.Status.Phase = pick(c, corev1.PodRunning, corev1.PodRunning, corev1.PodSucceeded)
		_, err = core.Pods(namespace).Update(ctx, any, metav1.UpdateOptions{})
	case kind == 8 && any.Spec.NodeName == "": // it is bound
		any.Spec.NodeName = "n1"
		_, err = core.Pods(namespace).Update(ctx, any, metav1.UpdateOptions{})
	case kind == 9:
		_, err = core.Services(namespace).Update(ctx, c.service(c.names[1+c.rng.IntN(len(c.names)-1)]), metav1.UpdateOptions{})
	case kind == 10:
		_, err = core.Nodes().Update(ctx, c.node(c.rng.IntN(6)), metav1.UpdateOptions{})
	case kind == 11: // a node goes, with all pods that are on it, and comes back
		n := c.node(c.rng.IntN(6))
		for _, p := range pods.Items {
			if p.Spec.NodeName == n.Name {
				c.must(core.Pods(namespace).Delete(ctx, p.Name, metav1.DeleteOptions{}))
			}
		}
		c.must(core.Nodes().Delete(ctx, n.Name, metav1.DeleteOptions{}))
		_, err = core.Nodes().Create(ctx, n, metav1.CreateOptions{})
	}
	c.must(err)
	synctest.Wait()
}

// outcome is what a replay says of the cluster as it is.
func (c *town) outcome(ctx context.Context, edges []flowgraph.Edge) (*cut.Outcome, *history.Replayable) {
	core := c.client.CoreV1()
	var all objects.Objects
	nodes, err := core.Nodes().List(ctx, metav1.ListOptions{})
	c.must(err)
	pods, err := core.Pods("").List(ctx, metav1.ListOptions{})
	c.must(err)
	services, err := core.Services("").List(ctx, metav1.ListOptions{})
	c.must(err)
	for i := range nodes.Items {
		all.Add(&nodes.Items[i])
	}
	for i := range pods.Items {
		all.Add(&pods.Items[i])
	}
	for i := range services.Items {
		all.Add(&services.Items[i])
	}
	r, _, err := history.Translate(&all)
	c.must(err)
	r.Cluster.Edges = edges
	return cut.Measure(r.Cluster, r.Cluster.Assigned, r.Cluster.Idle), r
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(1, math.Abs(a), math.Abs(b)) }

// TestAgreesWithReplay: after whatever has happened, the Follower says of the cluster what a
// replay of the same objects does, and what a Follower that begins now would.
func TestAgreesWithReplay(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			c := newTown(t, seed)
			var edges []flowgraph.Edge
			for _, from := range append([]string{"gone"}, c.names[:4]...) { // w4 is silent
				for _, to := range c.names[:4] {
					e := flowgraph.Edge{From: flowgraph.WorkloadID{Namespace: namespace, Name: from}, To: flowgraph.WorkloadID{Namespace: namespace, Name: to}}
					e.SentBytesPerSecond, e.ReceivedBytesPerSecond = 1000*c.rng.Float64(), 1000*c.rng.Float64()
					edges = append(edges, e)
				}
			}
			snap := flowgraph.NewSnapshot(1, time.Unix(0, 0), edges)
			for step := range 60 {
				c.happen(t.Context())
				m := c.f.Measure(snap)
				c.compare(m, edges)
				fresh := &Follower{routes: c.f.routes, fill: c.f.fill, ours: c.f.ours, nodes: c.f.nodes, workloads: map[flowgraph.WorkloadID]*members{}, changed: map[flowgraph.WorkloadID]bool{}}
				for id, w := range c.f.workloads {
					fresh.workloads[id] = &members{pods: w.pods}
				}
				if again := fresh.Measure(snap); !near(again.Distances[Ours].Total(), m.Distances[Ours].Total()) || again.Serving != m.Serving || again.Silent != m.Silent {
					t.Errorf("a Follower that begins now says\n%+v, want\n%+v", again, m)
				}
				if t.Failed() {
					t.Fatalf("seed %d, step %d", seed, step)
				}
			}
		})
	}
}

// compare compares a measurement with a replay and, by pods, with a count.
func (c *town) compare(m *Measurement, edges []flowgraph.Edge) {
	c.t.Helper()
	o, r := c.outcome(c.t.Context(), edges)
	all := m.Distances[All]
	local := 0.0
	for k, level := range locality.Levels() {
		local += all.Within[k]
		if at, ok := o.Level(level); ok && !near(local, at.Local[cut.Configured]) {
			c.t.Errorf("%v: %v stay, want %v", level, local, at.Local[cut.Configured])
		}
	}
	if outside := all.Unserved + all.External; !near(all.Total(), o.Total) || !near(outside, o.Unserved+o.External) {
		c.t.Errorf("of %v, %v have an end without pods, want %v of %v", all.Total(), outside, o.Unserved+o.External, o.Total)
	}
	serving, silent := 0, 0
	for w, nodes := range r.Cluster.Assigned {
		serving += len(nodes)
		if r.Cluster.Workloads[w].ID.Name == "w4" {
			silent += len(nodes)
		}
	}
	if m.Serving[All] != serving || m.Silent[All] != silent {
		c.t.Errorf("%d pods serve, %d of them silent, want %d and %d", m.Serving[All], m.Silent[All], serving, silent)
	}
	if ours := c.ours(edges); !near(m.Distances[Ours].Total(), ours) {
		c.t.Errorf("%v is traffic of workloads that Vicinity has placed, want %v", m.Distances[Ours].Total(), ours)
	}
}

// ours is the traffic of workloads all of whose serving pods have Vicinity as scheduler.
func (c *town) ours(edges []flowgraph.Edge) (total float64) {
	pods, err := c.client.CoreV1().Pods(namespace).List(c.t.Context(), metav1.ListOptions{})
	c.must(err)
	schedulers := map[string][]string{}
	for _, p := range pods.Items {
		node, err := c.client.CoreV1().Nodes().Get(c.t.Context(), cmp.Or(p.Spec.NodeName, "none"), metav1.GetOptions{})
		if err != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Conditions[0].Status != corev1.ConditionTrue || node.Status.Conditions[0].Status != corev1.ConditionTrue {
			continue
		}
		schedulers[p.Labels["app"]] = append(schedulers[p.Labels["app"]], p.Spec.SchedulerName)
	}
	isOurs := func(w string) bool {
		return len(schedulers[w]) > 0 && !slices.Contains(schedulers[w], "default-scheduler")
	}
	for _, e := range edges {
		if isOurs(e.From.Name) || isOurs(e.To.Name) {
			total += e.BytesPerSecond()
		}
	}
	return total
}
