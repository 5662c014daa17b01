package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/doctor"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
	"github.com/vicinity-sched/vicinity/internal/sandbox/metrics"
)

// TestDoctor has doctor look at a healthy installation, of which it must have nothing to say
// but notes, and then at one with a fault planted after the other, which it must find.
func TestDoctor(t *testing.T) {
	d := newPatient(t)
	d.isHealthy(t)
	for _, f := range plantedFaults() {
		t.Run(f.name, func(t *testing.T) {
			undo := f.plant(t, d)
			d.finds(t, f)
			if undo != nil {
				undo()
				d.isHealthy(t)
			}
		})
	}
}

// patient is a healthy installation: manifests/base with the scheduler as a process, two
// workloads that were handed over to it, and a Prometheus that scrapes it.
type patient struct {
	*scene
	app        *app
	scheduler  *scheduler
	prometheus promv1.API // scrapes the scheduler
	client     kubernetes.Interface
	dynamic    dynamic.Interface
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	d := &patient{scene: newScene(t)}
	d.install(t)
	d.deployPrometheus(t)
	d.app = d.newApp(t)
	d.app.deploy(t, workload{name: "db", replicas: 2, cpu: "200m"})
	d.app.deploy(t, workload{name: "web", replicas: 2})
	for _, name := range []string{"db", "web"} {
		d.routeNearest(t, name)
	}
	d.Mesh.SetCalls([]mesh.Call{d.app.call("web", "db")})
	// For as long as the window of the rates, so that the data are not called young.
	d.hadTraffic(t, d.app, "web", "db", 15*time.Second)

	kubeconfig, err := d.cluster.ServiceAccountKubeconfig(t.Context(), systemNamespace, "vicinity-scheduler")
	if err != nil {
		t.Fatal(err)
	}
	o := d.options(t, "patient")
	o.kubeconfig, o.config = kubeconfig, &schedulerv1.KubeSchedulerConfiguration{}
	if err := yaml.UnmarshalStrict([]byte(d.configMap(t).Data["scheduler.yaml"]), o.config); err != nil {
		t.Fatal(err)
	}
	o.config.ClientConnection.Kubeconfig = kubeconfig
	d.scheduler = d.start(t, o)
	d.leads(t, systemNamespace, "vicinity-scheduler")
	d.scrape(t)
	d.scheduler.sees(t, d.app, "web", "db")
	d.app.deploy(t, workload{name: "db", replicas: 2, cpu: "200m", scheduler: "vicinity"})
	d.app.deploy(t, workload{name: "web", replicas: 2, scheduler: "vicinity"})
	d.connect(t)
	return d
}

// deployPrometheus has pods where the shipped configuration says that Prometheus is. Nobody
// calls them.
func (d *patient) deployPrometheus(t *testing.T) {
	t.Helper()
	eventually(t, "the namespace of the test before is gone", func() error {
		_, err := d.scene.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "monitoring"}}, metav1.CreateOptions{})
		return err
	})
	a := &app{scene: d.scene, namespace: "monitoring"}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := a.remove(ctx); err != nil {
			t.Errorf("removing namespace monitoring: %v", err)
		}
		// Other tests make one of this name.
		err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			_, err := d.scene.client.CoreV1().Namespaces().Get(ctx, a.namespace, metav1.GetOptions{})
			return apierrors.IsNotFound(err), nil
		})
		if err != nil {
			t.Errorf("waiting until namespace monitoring is gone: %v", err)
		}
	})
	eventually(t, "the namespace has its ServiceAccount", func() error {
		_, err := d.scene.client.CoreV1().ServiceAccounts(a.namespace).Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
	a.deploy(t, workload{name: "prometheus"})
	a.patch(t, "services", "prometheus", `{"spec":{"ports":[{"name":"http","port":9090,"targetPort":9090}]}}`)
}

// routeNearest has the calls to a workload stay on the node where there is a pod.
func (d *patient) routeNearest(t *testing.T, name string) {
	t.Helper()
	d.app.patch(t, "services", name, `{"spec":{"trafficDistribution":"PreferSameNode"}}`)
}

// scrape starts a Prometheus that scrapes the scheduler, which a relay makes plain HTTP.
func (d *patient) scrape(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scheduler := d.scheduler
	relay := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text, err := scheduler.get("/metrics")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(text))
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = relay.Serve(listener) })
	server, err := metrics.Start(metrics.Options{
		Dir: filepath.Join(d.dir, "scheduler-metrics"), ScrapeInterval: time.Second,
		Targets: []metrics.Target{{Job: "vicinity-scheduler", Address: listener.Addr().String(), MetricsPath: "/metrics"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(server.Stop(), relay.Close()); err != nil {
			t.Errorf("stopping the Prometheus of the scheduler: %v", err)
		}
		serving.Wait()
	})
	d.prometheus = prometheusAt(t, server.URL())
}

func prometheusAt(t *testing.T, url string) promv1.API {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: url})
	if err != nil {
		t.Fatal(err)
	}
	return promv1.NewAPI(client)
}

// connect makes the clients that doctor uses.
func (d *patient) connect(t *testing.T) {
	t.Helper()
	d.client, d.dynamic = d.as(t, rest.ImpersonationConfig{})
}

// as returns clients of somebody. They fail the test when anything but a review is written.
func (d *patient) as(t *testing.T, whom rest.ImpersonationConfig) (kubernetes.Interface, dynamic.Interface) {
	t.Helper()
	config := rest.CopyConfig(d.cluster.RESTConfig())
	config.Impersonate = whom
	config.QPS, config.Burst = 500, 1000
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodGet && r.URL.Path != "/apis/authorization.k8s.io/v1/subjectaccessreviews" {
				t.Errorf("doctor writes: %s %s", r.Method, r.URL.Path)
			}
			return next.RoundTrip(r)
		})
	})
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	untyped, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return typed, untyped
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// examine runs the checks at a time from now.
func (d *patient) examine(t *testing.T, f *plantedFault) doctor.Report {
	t.Helper()
	c := doctor.Cluster{
		Client: d.client, Inventory: doctor.ReadInventory(t.Context(), d.dynamic), Metrics: d.prometheus, Version: "v0.1.0",
		Traffic: func() *flowgraph.Snapshot {
			return flowgraph.NewSnapshot(1, time.Now(), []flowgraph.Edge{{
				From: flowgraph.WorkloadID{Namespace: d.app.namespace, Name: "web"}, To: flowgraph.WorkloadID{Namespace: d.app.namespace, Name: "db"},
				Rates: flowgraph.Rates{SentBytesPerSecond: 2 << 20},
			}})
		},
		Now: func() time.Time { return time.Now().Add(f.later) },
	}
	if f.change != nil {
		f.change(t, d, &c)
	}
	return doctor.Run(t.Context(), doctor.ClusterChecks(c), nil)
}

// isHealthy waits until doctor has nothing to say but notes.
func (d *patient) isHealthy(t *testing.T) {
	t.Helper()
	eventually(t, "doctor finds nothing wrong", func() error {
		var wrong []string
		for _, r := range d.examine(t, &plantedFault{}).Results {
			if r.Severity > doctor.Note {
				wrong = append(wrong, fmt.Sprintf("%s: %v: %s", r.Check, r.Severity, r.What))
			}
		}
		if len(wrong) > 0 {
			return errors.New(strings.Join(wrong, "\n"))
		}
		return nil
	})
}

// finds waits until doctor finds a fault.
func (d *patient) finds(t *testing.T, f plantedFault) {
	t.Helper()
	named := strings.NewReplacer("APP", d.app.namespace).Replace(f.names)
	eventually(t, "doctor finds it", func() error {
		var said []string
		for _, r := range d.examine(t, &f).Results {
			if r.Check != f.check {
				continue
			}
			if r.Severity == f.severity && strings.Contains(r.What, named) && (r.Next != "" || f.severity < doctor.Unchecked) {
				t.Logf("%v: %s %s %s", r.Severity, r.What, r.Why, r.Next)
				return nil
			}
			said = append(said, fmt.Sprintf("%v: %s", r.Severity, r.What))
		}
		return fmt.Errorf("check %s says %q", f.check, said)
	})
}
