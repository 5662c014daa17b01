package integration

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// faultMemory is how much more memory a scheduler may take from the system over
// all that a fault sends it. The answers are limited to 16 MiB and 100,000 series,
// and are decoded as they come; the rest is the garbage collector's headroom.
const faultMemory = 64 << 20

const crowdedNode = "zone-b-2"

// fault is one way in which telemetry goes wrong.
type fault struct {
	name string
	// results are the results of a refresh, any of which says what is wrong.
	results []string
	// answer is what Prometheus answers, and begin and end are called around it.
	answer     func(*faulty) http.HandlerFunc
	begin, end func(*faulty, *testing.T)
	// change changes the configuration.
	change func(*configv1.TelemetryConfiguration)
	// harmless means that pods still follow the traffic in the answer.
	harmless bool
	// lasting means that a recovery cannot be had here.
	lasting bool
}

// faulty is a fault at work.
type faulty struct {
	*app
	fault
	server    *faultServer
	scheduler *scheduler
	profile   string
	tokenFile string
	pods      int
}

func (f *faulty) pod(i int) flowgraph.WorkloadID {
	return flowgraph.WorkloadID{Namespace: f.namespace, Name: fmt.Sprint(f.profile, "-", i)}
}

// traffic has each of the fault's pods talk to db, at so many bytes per second.
func (f *faulty) traffic(value string) string {
	var elements []string
	for i := range 4 {
		elements = append(elements, element(f.pod(i), flowgraph.WorkloadID{Namespace: f.namespace, Name: "db"}, value))
	}
	return strings.Join(elements, ",")
}

// TestTelemetryFaults breaks the telemetry in every way of the table, first when there
// never was an answer, then when there was a good one.
func TestTelemetryFaults(t *testing.T) {
	s := newScene(t)
	a := s.newApp(t)
	a.deploy(t, filler(crowdedNode))
	a.deploy(t, workload{name: "db", node: crowdedNode})
	a.deploy(t, workload{name: "idle", node: "zone-a-1"})
	const atOnce = 4 // they mostly wait
	slots := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i, f := range faults(s.Metrics.URL()) {
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(f.name, func(t *testing.T) {
				(&faulty{app: a, fault: f, profile: fmt.Sprint("fault-", i)}).test(t)
			})
		})
	}
	running.Wait()
}

func (f *faulty) test(t *testing.T) {
	f.server = newFaultServer(t)
	f.tokenFile = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(f.tokenFile, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.setFault(t)
	o := f.options(t, f.profile)
	f.configure(o, "")
	o.prometheusURL = f.server.URL
	o.telemetry = func(c *configv1.TelemetryConfiguration) {
		c.Interval = &metav1.Duration{Duration: time.Second}
		c.Prometheus.Timeout = &metav1.Duration{Duration: 2 * time.Second}
		c.Prometheus.TLS = &configv1.TLS{CAFile: f.server.CAFile}
		c.Prometheus.BearerTokenFile = f.tokenFile
		limit, series := resource.MustParse("16Mi"), int32(100_000)
		c.Prometheus.MaxBodyBytes, c.Prometheus.MaxSeries = &limit, &series
		if f.change != nil {
			f.change(c)
		}
	}
	f.scheduler = f.start(t, o)

	f.waitForFault(t, 2)
	f.place(t, f.harmless)
	if f.lasting {
		return
	}
	f.recover(t)
	f.place(t, true)
	goroutines, memory := f.metric(t, "go_goroutines"), f.metric(t, "go_memstats_sys_bytes")

	f.setFault(t)
	f.waitForFault(t, 2)
	f.place(t, true)
	f.recover(t)
	f.place(t, true)
	f.checkProcess(t, goroutines, memory)
}

// configure gives the scheduler a profile of the fault's own.
func (f *faulty) configure(o startOptions, args string) {
	o.config.Profiles[0].SchedulerName = &f.profile
	o.byOwnRate(args)
}

// byOwnRate has a pod's rate count by itself: the few others that there are have
// as much. args are further arguments, each with a comma after it.
func (o startOptions) byOwnRate(args string) {
	o.config.Profiles[0].PluginConfig = []schedulerv1.PluginConfig{{Name: "TrafficLocality", Args: runtime.RawExtension{Raw: []byte(
		`{"apiVersion":"config.vicinity.dev/v1","kind":"TrafficLocalityArgs",` + args + `"significantRate":"16Ki"}`)}}}
}

func (f *faulty) setFault(t *testing.T) {
	if f.answer != nil {
		f.server.answer(f.answer(f))
	}
	if f.begin != nil {
		f.begin(f, t)
	}
}

// waitForFault waits until so many more refreshes had the fault's result.
func (f *faulty) waitForFault(t *testing.T, more int) {
	t.Helper()
	before := f.counted(t)
	eventually(t, fmt.Sprint("the metric says ", f.results), func() error {
		if n := f.counted(t); n < before+float64(more) {
			return fmt.Errorf("%v refreshes, %v before", n, before)
		}
		return nil
	})
}

// counted returns how many refreshes had one of the fault's results.
func (f *faulty) counted(t *testing.T) (n float64) {
	t.Helper()
	for _, result := range f.results {
		n += f.metric(t, "vicinity_telemetry_refreshes_total", "result="+result)
	}
	return n
}

// recover ends the fault and waits for two good refreshes. At most the refresh
// that was under way may still fail: the effect is back within two intervals.
func (f *faulty) recover(t *testing.T) {
	t.Helper()
	failed := func() float64 {
		all := f.metric(t, "vicinity_telemetry_refreshes_total")
		return all - f.metric(t, "vicinity_telemetry_refreshes_total", "result=success")
	}
	f.server.answer(vector(f.traffic("1000000")))
	if f.end != nil {
		f.end(f, t)
	}
	failures, successes := failed(), f.metric(t, "vicinity_telemetry_refreshes_total", "result=success")
	eventually(t, "the telemetry has recovered", func() error {
		if n := f.metric(t, "vicinity_telemetry_refreshes_total", "result=success"); n < successes+2 {
			return fmt.Errorf("%v good refreshes, %v before", n, successes)
		}
		return nil
	})
	if more := failed() - failures; more > 1 {
		t.Errorf("%v refreshes have failed after the recovery", more)
	}
}

// place creates a pod that talks to db, which runs on the node that all other
// plugins like least.
func (f *faulty) place(t *testing.T, byTraffic bool) {
	t.Helper()
	w := workload{scheduler: f.profile, cpu: "1m", memory: "1Mi"}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: f.pod(f.pods).Name}, Spec: w.podSpec()}
	f.pods++
	t.Cleanup(func() { // a node takes 110 pods
		if err := f.client.CoreV1().Pods(f.namespace).Delete(context.WithoutCancel(t.Context()), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
			t.Error(err)
		}
	})
	if node := schedule(t, f.client, pod); (node == crowdedNode) != byTraffic {
		t.Errorf("pod %d is placed on %s; by traffic: %v", f.pods-1, node, byTraffic)
	}
}

func (f *faulty) metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	n, err := f.scheduler.metric(name, labels...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// checkProcess looks at what two faults have left behind in the scheduler.
func (f *faulty) checkProcess(t *testing.T, goroutines, memory float64) {
	t.Helper()
	if n := f.metric(t, "vicinity_panics_recovered_total"); n != 0 {
		t.Errorf("%v panics were recovered", n)
	}
	const headroom = 5 // the API server's watches and our own request
	eventually(t, "no goroutine is left", func() error {
		if n := f.metric(t, "go_goroutines"); n > goroutines+headroom {
			return fmt.Errorf("there are %v, there were %v", n, goroutines)
		}
		return nil
	})
	if more := f.metric(t, "go_memstats_sys_bytes") - memory; more > faultMemory {
		t.Errorf("the second fault took %.0f MiB", more/(1<<20))
	}
	if f.harmless {
		return
	}
	// An outage is one line in the log for each way in which it shows.
	lines := 0
	for _, result := range f.results {
		lines += countLines(f.scheduler.log(t), fmt.Sprintf("reason=%q", result))
	}
	if lines < 2 || lines > 2*len(f.results) {
		t.Errorf("the two faults stand %d times in the log:\n%s", lines, f.scheduler.log(t))
	}
}

// TestTelemetryExpires lets the data of a Prometheus that is gone expire.
func TestTelemetryExpires(t *testing.T) {
	s := newScene(t)
	a := s.newApp(t)
	a.deploy(t, filler(crowdedNode))
	a.deploy(t, workload{name: "db", node: crowdedNode})
	f := &faulty{app: a, profile: "expiry", server: newFaultServer(t)}
	f.server.answer(vector(f.traffic("1000000")))
	o := f.options(t, f.profile)
	f.configure(o, `"staleAfter":"5s","expireAfter":"10s",`)
	o.prometheusURL = f.server.URL
	o.telemetry = func(c *configv1.TelemetryConfiguration) {
		c.Interval = &metav1.Duration{Duration: time.Second}
		c.Prometheus.TLS = &configv1.TLS{CAFile: f.server.CAFile}
	}
	f.scheduler = f.start(t, o)
	eventually(t, "the graph is there", func() error {
		return want("the number of edges", f.metric(t, "vicinity_graph_edges"), 4)
	})
	f.place(t, true)
	f.server.close()
	eventually(t, "the data have expired", func() error {
		if age := f.metric(t, "vicinity_graph_age_seconds"); age < 10 {
			return fmt.Errorf("they are %v s old", age)
		}
		return nil
	})
	f.place(t, false)
	if n := f.metric(t, "vicinity_cycles_skipped_total", "reason=expired"); n != 1 {
		t.Errorf("%v cycles are counted as with expired data, want 1", n)
	}
	f.server.listen(t)
	eventually(t, "the data are new again", func() error {
		if age := f.metric(t, "vicinity_graph_age_seconds"); age > 4 {
			return fmt.Errorf("they are %v s old", age)
		}
		return nil
	})
	f.place(t, true)
}

// TestNodeDeleted deletes the node that a pod's peer runs on.
func TestNodeDeleted(t *testing.T) {
	s := newScene(t)
	a := s.newApp(t)
	node, err := s.client.CoreV1().Nodes().Get(t.Context(), "zone-a-1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	doomed := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "zone-a-doomed", Labels: node.Labels, Annotations: node.Annotations}, Spec: node.Spec, Status: node.Status}
	doomed.Labels[corev1.LabelHostname] = doomed.Name
	nodes := s.client.CoreV1().Nodes()
	if _, err := nodes.Create(t.Context(), doomed, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := nodes.Delete(context.WithoutCancel(t.Context()), doomed.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	db := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: "db"}, Spec: workload{}.podSpec()}
	db.Spec.NodeName = doomed.Name
	if _, err := s.client.CoreV1().Pods(a.namespace).Create(t.Context(), db, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	f := &faulty{app: a, profile: "node-deleted", server: newFaultServer(t)}
	f.server.answer(vector(f.traffic("1000000")))
	o := f.options(t, f.profile)
	f.configure(o, "")
	o.prometheusURL = f.server.URL
	o.telemetry = func(c *configv1.TelemetryConfiguration) { c.Prometheus.TLS = &configv1.TLS{CAFile: f.server.CAFile} }
	f.scheduler = f.start(t, o)
	eventually(t, "the graph is there", func() error {
		return want("the number of edges", f.metric(t, "vicinity_graph_edges"), 4)
	})
	place := func() string {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: f.pod(f.pods).Name}, Spec: workload{scheduler: f.profile}.podSpec()}
		f.pods++
		return schedule(t, s.client, pod)
	}
	if got := place(); got != doomed.Name {
		t.Errorf("placed on %s, want %s, where the peer runs", got, doomed.Name)
	}
	if err := nodes.Delete(t.Context(), doomed.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	// The scheduler hears of it a little later than we do, and keeps db's pod in
	// its cache.
	eventually(t, "a pod is placed on a node that exists", func() error {
		if got := place(); got == doomed.Name {
			return fmt.Errorf("placed on %s, which is gone", got)
		}
		return nil
	})
	if n := f.metric(t, "vicinity_panics_recovered_total"); n != 0 {
		t.Errorf("%v panics were recovered", n)
	}
}
