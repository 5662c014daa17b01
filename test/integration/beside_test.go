package integration

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

// TestNearlyFull has both schedulers fill the same last room at once. Ours is
// slow to bind, so that it has given away room that the other one takes
// meanwhile. The kubelets refuse what does not fit, and every pod must have its
// place in the end.
func TestNearlyFull(t *testing.T) {
	s := newScene(t)
	o := s.options(t, "nearly-full")
	o.config.ClientConnection.QPS, o.config.ClientConnection.Burst = 3, 1
	s.start(t, o)
	a := s.newApp(t)
	nodes, err := s.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes.Items {
		a.deploy(t, workload{name: "filler-" + node.Name, node: node.Name, cpu: "3", memory: "1Gi"})
	}
	// One CPU is left on each of six nodes: five of these pods, thirty in all.
	// Ours has given four or five places of each node away when the other one
	// takes three of one node's.
	ours := workload{name: "ours", replicas: 27, scheduler: "vicinity", cpu: "200m"}
	theirs := workload{name: "theirs", replicas: 3, node: crowdedNode, cpu: "200m"}
	a.submit(t, ours)
	eventually(t, "our pods exist", func() error { return want("pods", len(a.pods(t, ours.name)), int(ours.replicas)) })
	a.submit(t, theirs)
	for _, w := range []workload{ours, theirs} {
		a.rolledOut(t, w)
	}

	all, err := s.client.CoreV1().Pods(a.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	requested, refused := map[string]*resource.Quantity{}, 0
	for _, pod := range all.Items {
		if pod.Status.Phase == corev1.PodFailed {
			refused++
			continue
		}
		sum := requested[pod.Spec.NodeName]
		if sum == nil {
			sum = &resource.Quantity{}
			requested[pod.Spec.NodeName] = sum
		}
		sum.Add(pod.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU])
	}
	for _, node := range nodes.Items {
		if got, room := requested[node.Name], node.Status.Allocatable[corev1.ResourceCPU]; got.Cmp(room) != 0 {
			t.Errorf("pods of %s run on %s, which has %s", got, node.Name, &room)
		}
	}
	if refused == 0 {
		t.Error("no pod was refused by its node: the schedulers have not met")
	}
	t.Logf("%d pods were refused by their node", refused)
}

// TestFailOver kills the leader of two. The other one must take over with the
// graph that it has read as a standby, and nobody else's lease may move.
func TestFailOver(t *testing.T) {
	s := newScene(t)
	a := s.newApp(t)
	name := "fail-over"
	start := func(process string) *scheduler {
		o := s.options(t, process)
		o.config.Profiles[0].SchedulerName = &name
		electSoon(&o)
		o.config.LeaderElection.ResourceNamespace, o.config.LeaderElection.ResourceName = a.namespace, name
		return s.start(t, o)
	}
	leader := start("leader")
	first := s.leads(t, a.namespace, name)
	standby := start("standby")
	stock := s.lease(t, metav1.NamespaceSystem, "kube-scheduler")

	a.deploy(t, filler(crowdedNode))
	a.deploy(t, workload{name: "db", node: crowdedNode})
	a.deploy(t, workload{name: "web", node: "zone-a-1"})
	s.Mesh.SetCalls([]mesh.Call{a.call("web", "db")})
	standby.sees(t, a, "web", "db")
	if n, err := standby.metric("vicinity_graph_edges"); err != nil || n == 0 {
		t.Errorf("the standby's graph has %v edges: %v", n, err)
	}

	leader.process.Kill()
	a.deploy(t, workload{name: "web", scheduler: name})
	if got := a.nodesOf(t, "web"); got != crowdedNode {
		t.Errorf("after the fail-over web is placed on %s, want %s, where db is", got, crowdedNode)
	}
	if n, err := standby.metric("vicinity_cycles_skipped_total", "reason=no-data"); err != nil || n != 0 {
		t.Errorf("%v cycles were without a graph: %v", n, err)
	}
	if holder := s.leads(t, a.namespace, name); holder == first {
		t.Errorf("%s still holds the lease", holder)
	}
	now := s.lease(t, metav1.NamespaceSystem, "kube-scheduler")
	if *now.HolderIdentity != *stock.HolderIdentity || *now.LeaseTransitions != *stock.LeaseTransitions {
		t.Errorf("the lease of kube-scheduler went from %s to %s", *stock.HolderIdentity, *now.HolderIdentity)
	}
}

// electSoon has a scheduler elect its leader, and replace one that is gone
// within seconds.
func electSoon(o *startOptions) {
	elects := true
	e := &o.config.LeaderElection
	e.LeaderElect = &elects
	e.LeaseDuration, e.RenewDeadline, e.RetryPeriod = metav1.Duration{Duration: 4 * time.Second}, metav1.Duration{Duration: 3 * time.Second}, metav1.Duration{Duration: 500 * time.Millisecond}
}

// podBound waits until a pod of the scheduler's name that is created now is bound.
func (a *app) podBound(t *testing.T, name, scheduler string) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: workload{scheduler: scheduler}.podSpec()}
	if _, err := a.client.CoreV1().Pods(a.namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, fmt.Sprintf("pod %s is bound", name), func() error {
		pod, err := a.client.CoreV1().Pods(a.namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err == nil && pod.Spec.NodeName == "" {
			err = errors.New("it waits")
		}
		return err
	})
}
