package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
	"github.com/vicinity-sched/vicinity/internal/sandbox/metrics"
)

// shownQuery is a query of a Grafana dashboard.
type shownQuery struct{ page, panel, expr string }

// shownQueries returns the queries of the chart's dashboards, with what Grafana fills in.
func shownQueries(t *testing.T) (all []shownQuery) {
	t.Helper()
	files, err := filepath.Glob("../../charts/vicinity/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d dashboards: %v", len(files), err)
	}
	fill := strings.NewReplacer("$cluster", "", "$namespace", "", "$job", "vicinity-scheduler", "$__range_s", "60", "$__range", "1m", "$__rate_interval", "30s", "[30m]", "[1m]", "[1h]", "[1m]", "$price_per_gb", "0.02")
	for _, file := range files {
		var page struct {
			Title  string
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &page)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, p := range page.Panels {
			for _, target := range p.Targets {
				all = append(all, shownQuery{page.Title, p.Title, fill.Replace(target.Expr)})
			}
		}
	}
	return all
}

// filters reports whether a query is empty as long as nothing is the matter.
func (q shownQuery) filters() bool {
	return strings.HasSuffix(q.expr, "> 0") || strings.HasSuffix(q.expr, "> 0)")
}

// TestDashboards runs every query of the dashboards in Prometheus' engine, on what a scheduler
// exports of which one profile has its say and another is in shadow mode.
func TestDashboards(t *testing.T) {
	s := newScene(t)
	a := s.newApp(t)
	o := s.options(t, "dashboards")
	lead := true
	o.config.LeaderElection.LeaderElect = &lead
	o.config.LeaderElection.ResourceNamespace = "kube-system" // which is always there
	live, shadow := o.config.Profiles[0], o.config.Profiles[0].DeepCopy()
	name := "in-shadow"
	shadow.SchedulerName = &name
	for i := range shadow.PluginConfig {
		if shadow.PluginConfig[i].Name == "TrafficLocality" {
			shadow.PluginConfig[i].Args = runtime.RawExtension{Raw: []byte(`{"apiVersion":"config.vicinity.dev/v1","kind":"TrafficLocalityArgs","shadow":true}`)}
		}
	}
	o.config.Profiles = append(o.config.Profiles, *shadow)
	a.deploy(t, workload{name: "db", node: crowdedNode, replicas: 3, cpu: "50m"})
	web := workload{name: "web", replicas: 6, cpu: "20m", scheduler: *live.SchedulerName}
	hidden := workload{name: "hidden", replicas: 6, cpu: "20m", scheduler: name}
	s.Mesh.SetCalls([]mesh.Call{a.call("web", "db"), a.call("hidden", "db")})
	scheduler := s.start(t, o)
	a.deploy(t, web)
	a.deploy(t, hidden)
	s.hasTraffic(t, a, "web", "db")
	s.hasTraffic(t, a, "hidden", "db")
	prometheus := scraping(t, scheduler)

	eventually(t, "every panel has figures", func() error {
		a.deploy(t, web) // kube-scheduler samples one cycle in ten
		a.deploy(t, hidden)
		var errs []error
		for _, q := range shownQueries(t) {
			result, _, err := prometheus.Query(t.Context(), q.expr, time.Now())
			if err != nil {
				t.Fatalf("%s, %s: %v\n%s", q.page, q.panel, err, q.expr)
			}
			if vector, ok := result.(model.Vector); !ok || vector.Len() == 0 && !q.filters() {
				errs = append(errs, fmt.Errorf("%s, %s: no figures: %s", q.page, q.panel, q.expr))
			}
		}
		return errors.Join(errs...)
	})
	checkShown(t, prometheus)
}

// checkShown compares what two panels say with what is there: db is on one node.
func checkShown(t *testing.T, prometheus promv1.API) {
	t.Helper()
	figure := func(panel string, which int) float64 {
		var found []shownQuery
		for _, q := range shownQueries(t) {
			if q.panel == panel {
				found = append(found, q)
			}
		}
		result, _, err := prometheus.Query(t.Context(), found[which].expr, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		vector, _ := result.(model.Vector)
		if len(vector) != 1 {
			t.Fatalf("%s: %v", panel, result)
		}
		return float64(vector[0].Value)
	}
	node, zone := figure("Stays on the node", 0), figure("Stays in the zone, the node included", 0)
	crossing := figure("Share of the traffic that crosses zones", 0)
	if node < 0 || node > zone || zone > 1 || crossing < 1-zone-1e-3 || crossing > 1-zone+1e-3 {
		t.Errorf("%.3f stay on the node, %.3f in the zone, %.3f cross zones", node, zone, crossing)
	}
	if leaders := figure("Leads", 0); leaders != 1 {
		t.Errorf("%v instances lead", leaders)
	}
}

// scraping returns a Prometheus that reads a scheduler's metrics, and waits until it has some.
func scraping(t *testing.T, from *scheduler) promv1.API {
	t.Helper()
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { // the sandbox's Prometheus has no credentials
		text, err := from.get("/metrics")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(relay.Close)
	server, err := metrics.Start(metrics.Options{
		Dir: t.TempDir(), ScrapeInterval: time.Second,
		Targets: []metrics.Target{{Job: "vicinity-scheduler", Address: strings.TrimPrefix(relay.URL, "http://"), MetricsPath: "/metrics"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	client, err := api.NewClient(api.Config{Address: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	return promv1.NewAPI(client)
}
