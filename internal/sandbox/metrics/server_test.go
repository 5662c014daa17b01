package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"
)

// TestMain fails when any test's Server leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newTarget serves text at /proxies/metrics only and returns its address.
func newTarget(t *testing.T, text string) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/proxies/metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, text)
	})
	target := httptest.NewServer(mux)
	t.Cleanup(target.Close)
	return target.Listener.Addr().String()
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stop fails the test when something was wrong or Stop does not return.
func stop(t *testing.T, s *Server) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Stop() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Stop: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Stop does not return")
	}
}

func newClient(t *testing.T, s *Server) promv1.API {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := api.NewClient(api.Config{Address: s.URL(), RoundTripper: transport})
	if err != nil {
		t.Fatal(err)
	}
	return promv1.NewAPI(client)
}

// query runs an instant query until it has an answer.
func query(t *testing.T, client promv1.API, promQL string) model.Vector {
	t.Helper()
	// Prometheus looks for new targets every 5 s.
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		value, warnings, err := client.Query(t.Context(), promQL, time.Now())
		if err != nil || len(warnings) > 0 {
			t.Fatalf("query %s: %v, warnings %q", promQL, err, warnings)
		}
		if vector, ok := value.(model.Vector); ok && len(vector) > 0 {
			return vector
		}
		if time.Now().After(deadline) {
			t.Fatalf("query %s: no answer in 30 s", promQL)
		}
	}
}

func TestServer(t *testing.T) {
	mesh := newTarget(t, `
# TYPE traffic_bytes_total counter
traffic_bytes_total{namespace="shop",pod="web-1",job="its-own-job",instance="its-own-instance"} 42
`)
	app := newTarget(t, "app_requests_total 7\n")
	dir := t.TempDir()
	s := start(t, Options{Dir: dir, ScrapeInterval: 250 * time.Millisecond, Targets: []Target{
		{Job: "mesh", Address: mesh, MetricsPath: "/proxies/metrics"},
		{Job: "app: one", Address: app, MetricsPath: "/proxies/metrics"},
		{Job: "broken", Address: app, MetricsPath: "/elsewhere"},
	}})
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("URL %s is not on the loopback interface", s.URL())
	}
	client := newClient(t, s)
	query(t, client, "count(up) == 3") // every target has been read once

	cases := map[string]struct {
		promQL string
		want   model.Metric
		value  model.SampleValue
	}{
		"a target's own labels win": {
			promQL: "traffic_bytes_total", value: 42,
			want: model.Metric{
				"__name__": "traffic_bytes_total", "namespace": "shop", "pod": "web-1",
				"job": "its-own-job", "instance": "its-own-instance",
			},
		},
		"a target without labels of its own": {
			promQL: "app_requests_total", value: 7,
			want: model.Metric{"__name__": "app_requests_total", "job": "app: one", "instance": model.LabelValue(app)},
		},
		"a target that is up":   {promQL: `sum by (job) (up{job="mesh"})`, value: 1, want: model.Metric{"job": "mesh"}},
		"a target that is down": {promQL: `sum by (job) (up{job="broken"})`, value: 0, want: model.Metric{"job": "broken"}},
		"several scrapes": {
			promQL: "sum by (job) (count_over_time(app_requests_total[1m]) > bool 2) == 1", value: 1,
			want: model.Metric{"job": "app: one"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := query(t, client, tc.promQL)
			if len(got) != 1 || got[0].Value != tc.value {
				t.Errorf("%s = %v, want one sample of %v", tc.promQL, got, tc.value)
			}
			if diff := cmp.Diff(tc.want, got[0].Metric); diff != "" {
				t.Errorf("labels of %s (-want +got):\n%s", tc.promQL, diff)
			}
		})
	}
	t.Run("what a client asks beside queries", func(t *testing.T) { askAround(t, client) })

	stop(t, s)
	if _, _, err := client.Query(t.Context(), "up", time.Now()); err == nil {
		t.Error("the API still answers after Stop")
	}

	// The directory is free for another server, which finds what was stored.
	again := start(t, Options{Dir: dir, ScrapeInterval: time.Second})
	got := query(t, newClient(t, again), "last_over_time(traffic_bytes_total[1h])")
	if len(got) != 1 || got[0].Value != 42 {
		t.Errorf("after a restart on the same directory: %v, want one sample of 42", got)
	}
	stop(t, again)
}

// askAround makes the small requests that need the parts which NewAPI may be
// given as nil.
func askAround(t *testing.T, client promv1.API) {
	ctx := t.Context()
	if info, err := client.Buildinfo(ctx); err != nil || info.Version == "" {
		t.Errorf("build info: %+v, %v", info, err)
	}
	if _, err := client.Flags(ctx); err != nil {
		t.Errorf("flags: %v", err)
	}
	if _, err := client.Config(ctx); err != nil {
		t.Errorf("config: %v", err)
	}
	if stats, err := client.TSDB(ctx); err != nil || stats.HeadStats.NumSeries == 0 {
		t.Errorf("TSDB statistics: %+v, %v", stats.HeadStats, err)
	}
	targets, err := client.Targets(ctx)
	if err != nil || len(targets.Active) != 3 {
		t.Errorf("targets: %+v, %v, want 3 that are active", targets.Active, err)
	}
	metadata, err := client.Metadata(ctx, "traffic_bytes_total", "")
	if err != nil || len(metadata["traffic_bytes_total"]) != 1 || metadata["traffic_bytes_total"][0].Type != promv1.MetricTypeCounter {
		t.Errorf("metadata: %+v, %v, want a counter", metadata, err)
	}
	jobs, _, err := client.LabelValues(ctx, "job", nil, time.Now().Add(-time.Hour), time.Now())
	if diff := cmp.Diff(model.LabelValues{"app: one", "broken", "its-own-job", "mesh"}, jobs); diff != "" || err != nil {
		t.Errorf("values of label job: %v (-want +got):\n%s", err, diff)
	}
}

func TestStartFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		dir     string
		targets []Target
		want    string
	}{
		"the directory is a file":         {dir: file, want: "opening the storage"},
		"the directory is in a file":      {dir: filepath.Join(file, "prometheus"), want: "opening the storage"},
		"a target without a job":          {targets: []Target{{Address: "127.0.0.1:1"}}, want: "starting to scrape"},
		"targets of a job with two paths": {targets: []Target{{Job: "mesh", Address: "127.0.0.1:1"}, {Job: "mesh", Address: "127.0.0.1:2", MetricsPath: "/other"}}, want: `"mesh"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.dir == "" {
				tc.dir = t.TempDir()
			}
			s, err := Start(Options{Dir: tc.dir, ScrapeInterval: time.Second, Targets: tc.targets})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error = %v, want it to say %q", err, tc.want)
			}
			if s != nil {
				t.Errorf("a server in spite of error %v", err)
			}
			if tc.targets == nil {
				return
			}
			// What was open before the mistake was found is closed again.
			stop(t, start(t, Options{Dir: tc.dir, ScrapeInterval: time.Second}))
		})
	}
}

func TestStopAtOnce(t *testing.T) {
	stop(t, start(t, Options{Dir: t.TempDir(), ScrapeInterval: time.Second}))
	stop(t, &Server{}) // as after a Start that failed in its first step
}

// TestRelabelling scrapes a target whose labels come from what discovery knows of it.
func TestRelabelling(t *testing.T) {
	app := newTarget(t, "app_requests_total 7\n")
	s := start(t, Options{Dir: t.TempDir(), ScrapeInterval: 250 * time.Millisecond, Targets: []Target{{
		Job: "pods", Address: app, MetricsPath: "/proxies/metrics",
		Discovered: map[string]string{"__meta_kubernetes_namespace": "shop", "__meta_kubernetes_pod_label_app": "cart"},
		Relabelling: []string{
			"{source_labels: [__meta_kubernetes_namespace], target_label: namespace}",
			"{regex: __meta_kubernetes_pod_label_(.+), action: labelmap}",
		},
	}}})
	defer stop(t, s)
	got := query(t, newClient(t, s), "app_requests_total")
	want := model.Metric{"__name__": "app_requests_total", "job": "pods", "instance": model.LabelValue(app), "namespace": "shop", "app": "cart"}
	if diff := cmp.Diff(want, got[0].Metric); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}
