package integration

import (
	"context"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"

	"github.com/vicinity-sched/vicinity/internal/sandbox"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// filler takes three quarters of a node, so that every other plugin prefers the
// other nodes.
func filler(node string) workload {
	return workload{name: "filler", node: node, cpu: "3", memory: "12Gi"}
}

// TestPlacementByWeight lets web talk to db, which runs on a crowded node, and
// places web anew with TrafficLocality at several weights. The score of the
// crowded node is 75 points lower (NodeResourcesFit); TrafficLocality gives it
// 100 and the other node of its zone 50, times the weight.
func TestPlacementByWeight(t *testing.T) {
	s := newScene(t)
	o := s.options(t, "by-weight")
	shipped := o.config.Profiles[0]
	o.config.Profiles = nil
	for _, weight := range []int32{0, 1, 5} {
		profile := *shipped.DeepCopy()
		name := fmt.Sprint("weight-", weight)
		profile.SchedulerName = &name
		sandbox.SetWeight(&profile, weight)
		o.config.Profiles = append(o.config.Profiles, profile)
	}
	a := s.newApp(t)
	scheduler := s.start(t, o)
	a.deploy(t, filler("zone-b-2"))
	a.deploy(t, workload{name: "db", node: "zone-b-2"})
	a.deploy(t, workload{name: "web", node: "zone-a-1"})
	s.Mesh.SetCalls([]mesh.Call{a.call("web", "db")})
	scheduler.sees(t, a, "web", "db")

	cases := []struct {
		scheduler string
		right     func(node string) bool
		want      string
	}{
		{"weight-0", func(n string) bool { return n != "zone-b-2" }, "any node but the crowded one"},
		{"weight-1", func(n string) bool { return n == "zone-b-1" }, "the other node of its peer's zone"},
		{"weight-5", func(n string) bool { return n == "zone-b-2" }, "its peer's node"},
	}
	for _, c := range cases {
		a.deploy(t, workload{name: "web", node: "zone-a-1"})
		a.deploy(t, workload{name: "web", scheduler: c.scheduler})
		if got := a.nodesOf(t, "web"); !c.right(got) {
			t.Errorf("%s places web on %s, want %s", c.scheduler, got, c.want)
		}
	}
	if n, err := scheduler.metric("vicinity_panics_recovered_total"); err != nil || n != 0 {
		t.Errorf("recovered panics: %v, %v", n, err)
	}
}

// TestNetworkCapacity places web, most of whose traffic is with db, where Prometheus
// says that the network of db's node takes next to nothing.
func TestNetworkCapacity(t *testing.T) {
	s := newScene(t)
	o := s.options(t, "network-capacity")
	bounded := *o.config.Profiles[0].DeepCopy()
	name := "bounded"
	bounded.SchedulerName = &name
	o.config.Profiles = append(o.config.Profiles, bounded)
	for i, args := range []string{"", `"networkCapacity":{},`} {
		one := startOptions{config: &schedulerv1.KubeSchedulerConfiguration{Profiles: o.config.Profiles[i : i+1]}}
		one.byOwnRate(args)
	}
	o.telemetry = func(c *configv1.TelemetryConfiguration) {
		c.NodeNetworks = &configv1.NodeNetworks{Query: `label_replace(vector(1), "node", "zone-b-2", "", "")`}
	}
	a := s.newApp(t)
	scheduler := s.start(t, o)
	calls := []mesh.Call{a.call("web", "db"), a.call("web", "cart"), a.call("web", "auth")}
	calls[0].RequestsPerSecond *= 1.4
	for peer, node := range map[string]string{"db": "zone-b-2", "cart": "zone-a-1", "auth": "zone-c-1"} {
		a.deploy(t, workload{name: peer, node: node})
	}
	a.deploy(t, workload{name: "web", node: "zone-c-2"})
	s.Mesh.SetCalls(calls)
	scheduler.sees(t, a, "web", "db")
	scheduler.sees(t, a, "web", "auth")
	if n, err := scheduler.metric("vicinity_telemetry_refreshes_total", "result=success", "source="+configv1.NodeNetworksName); err != nil || n < 2 {
		t.Errorf("%v refreshes of the networks have succeeded: %v", n, err)
	}
	for _, c := range []struct {
		scheduler string
		beside    bool
	}{{"vicinity", true}, {"bounded", false}} {
		a.deploy(t, workload{name: "web", node: "zone-c-2"})
		a.deploy(t, workload{name: "web", scheduler: c.scheduler})
		if got := a.nodesOf(t, "web"); (got == "zone-b-2") != c.beside {
			t.Errorf("%s places web on %s, which db's node zone-b-2 should be: %v", c.scheduler, got, c.beside)
		}
	}
}

// TestRollingUpdate moves db away while its old pod stays terminating, and then
// restarts web: each of its ReplicaSets must be known as web, and it must go
// where db is, not where it was.
func TestRollingUpdate(t *testing.T) {
	s := newScene(t)
	a := s.newApp(t)
	o := s.options(t, "rolling-update")
	o.byOwnRate("")
	scheduler := s.start(t, o)
	a.deploy(t, workload{name: "db", node: "zone-a-1"})
	a.deploy(t, workload{name: "web", node: "zone-c-1"})
	s.Mesh.SetCalls([]mesh.Call{a.call("web", "db")})
	scheduler.sees(t, a, "web", "db")

	old := a.pods(t, "db")[0]
	a.hold(t, old.Name)
	a.deploy(t, filler("zone-b-2"))
	a.deploy(t, workload{name: "db", node: "zone-b-2"})
	if pod, err := s.client.CoreV1().Pods(a.namespace).Get(t.Context(), old.Name, metav1.GetOptions{}); err != nil || pod.DeletionTimestamp == nil {
		t.Fatalf("the old pod of db is not terminating: %v", err)
	}
	for restart := range 2 {
		a.deploy(t, workload{name: "web", scheduler: "vicinity"})
		if got := a.nodesOf(t, "web"); got != "zone-b-2" {
			t.Errorf("restart %d places web on %s, want zone-b-2, where db is", restart, got)
		}
	}
}

// hold keeps a pod terminating, once it is deleted, until the test ends.
func (a *app) hold(t *testing.T, pod string) {
	t.Helper()
	finalizers := func(ctx context.Context, list string) error {
		_, err := a.client.CoreV1().Pods(a.namespace).Patch(ctx, pod, types.MergePatchType,
			[]byte(`{"metadata":{"finalizers":`+list+`}}`), metav1.PatchOptions{})
		return err
	}
	if err := finalizers(t.Context(), `["vicinity.dev/hold"]`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := finalizers(context.WithoutCancel(t.Context()), `null`); err != nil {
			t.Errorf("letting pod %s go: %v", pod, err)
		}
	})
}

// TestSchedulerNames creates pods for either scheduler and for one that does
// not exist.
func TestSchedulerNames(t *testing.T) {
	s := newScene(t)
	a := s.newApp(t)
	s.start(t, s.options(t, "scheduler-names"))
	pods := s.client.CoreV1().Pods(a.namespace)
	names := []string{"default-scheduler", "vicinity", "nobody"}
	const each = 10
	for _, name := range names {
		for i := range each {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(name, "-", i)}, Spec: workload{scheduler: name}.podSpec()}
			if name == "default-scheduler" {
				pod.Spec.SchedulerName = "" // as most pods have it
			}
			if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range names[:2] {
		eventually(t, "the pods of "+name+" are bound by it", func() error {
			var errs []error
			for i := range each {
				by, err := a.boundBy(t.Context(), fmt.Sprint(name, "-", i))
				errs = append(errs, err, want("the scheduler", by, name))
			}
			return errors.Join(errs...)
		})
	}
	for i := range each {
		pod, err := pods.Get(t.Context(), fmt.Sprint("nobody-", i), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if pod.Spec.NodeName != "" {
			t.Errorf("pod %s is bound to %s, but its scheduler does not run", pod.Name, pod.Spec.NodeName)
		}
	}
}

// TestTelemetryAbsent starts a scheduler whose Prometheus was never there.
func TestTelemetryAbsent(t *testing.T) {
	s := newScene(t)
	a := s.newApp(t)
	o := s.options(t, "telemetry-absent")
	o.prometheusURL = fmt.Sprint("http://127.0.0.1:", freePort(t))
	scheduler := s.start(t, o)
	a.deploy(t, workload{name: "web", replicas: 20, scheduler: "vicinity"})
	for _, pod := range a.pods(t, "web") {
		if by, err := a.boundBy(t.Context(), pod.Name); err != nil || by != "vicinity" {
			t.Errorf("pod %s is bound by %q: %v", pod.Name, by, err)
		}
	}
	eventually(t, "two refreshes have failed", func() error {
		n, err := scheduler.metric("vicinity_telemetry_refreshes_total", "result=unreachable")
		if err == nil && n < 2 {
			err = fmt.Errorf("%v refreshes have failed as unreachable", n)
		}
		return err
	})
	if n, err := scheduler.metric("vicinity_cycles_skipped_total", "reason=no-data"); err != nil || n < 20 {
		t.Errorf("%v cycles are counted as without data, want 20 or more: %v", n, err)
	}
	if n := countLines(scheduler.log(t), "Reading telemetry fails"); n != 1 {
		t.Errorf("the failure stands %d times in the log, want once", n)
	}
}
