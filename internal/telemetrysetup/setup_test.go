package telemetrysetup

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// TestFromConfigurationToSnapshot runs the whole path against a server that
// answers every query with one series.
func TestFromConfigurationToSnapshot(t *testing.T) {
	var queries []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.FormValue("query"))
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{
			"reporter":"source","source_workload":"web","source_workload_namespace":"shop","source_cluster":"east",
			"destination_workload":"api","destination_workload_namespace":"shop"},"value":[1,"3"]}]}}`)
	}))
	defer server.Close()
	cfg := &v1.TelemetryConfiguration{
		Prometheus:   v1.Prometheus{URL: server.URL},
		Sources:      []v1.TelemetrySource{{Type: v1.SourceIstioSidecar, Window: &metav1.Duration{Duration: 2 * time.Minute}, Selector: `job="a"`, Cluster: "east"}},
		NodeNetworks: &v1.NodeNetworks{Query: "links", Label: "source_workload"},
	}
	cfg.SetDefaults()
	store, networks := flowgraph.NewStore(), &flowgraph.NodeNetworkStore{}
	manager, client, err := New(cfg, store, networks, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := manager.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []flowgraph.Edge
	for e := range store.Load().Edges() {
		got = append(got, e)
	}
	// Two byte metrics for each direction.
	want := flowgraph.Rates{SentBytesPerSecond: 6, ReceivedBytesPerSecond: 6, RequestsPerSecond: 3}
	if len(got) != 1 || got[0].From.String() != "shop/web" || got[0].To.String() != "shop/api" || got[0].Rates != want {
		t.Errorf("edges = %v, want one of %v", got, want)
	}
	if capacity := networks.Load().Capacity("web"); capacity != 3 {
		t.Errorf("the network takes %v, want 3", capacity)
	}
	// Behind the five queries for rates, and two for whether there are native histograms,
	// come those of the checks, without a range.
	if len(queries) < 9 || queries[len(queries)-1] != "links" || strings.Contains(queries[7], "[120s]") || !strings.Contains(queries[7], `job="a"`) || !strings.Contains(queries[0], `job="a"}[120s]`) {
		t.Errorf("queries = %q", queries)
	}
}

func TestRecordedRatesAreAskedFor(t *testing.T) {
	cfg := &v1.TelemetryConfiguration{Sources: []v1.TelemetrySource{{Type: v1.SourceIstioSidecar, Recorded: true}}}
	cfg.SetDefaults()
	sources, err := Sources(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range sources[0].Queries() {
		if !strings.Contains(q.PromQL, "vicinity:istio_") || !strings.Contains(q.PromQL, ":rate5m{") {
			t.Errorf("query %s is %s", q.Name, q.PromQL)
		}
	}
}

func TestEverySourceTypeIsBuilt(t *testing.T) {
	types, err := sources.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range types {
		if kind.IsCustom() {
			continue // its definition is the configuration's
		}
		cfg := &v1.TelemetryConfiguration{Sources: []v1.TelemetrySource{{Type: kind.Name}}}
		cfg.SetDefaults()
		if _, err := Sources(cfg, nil); err != nil {
			t.Errorf("%s: %v", kind.Name, err)
		}
	}
	cfg := &v1.TelemetryConfiguration{Sources: []v1.TelemetrySource{{Type: "x"}}}
	cfg.SetDefaults()
	if _, err := Sources(cfg, nil); err == nil || !strings.Contains(err.Error(), `sources[0]: type "x"`) {
		t.Errorf("error = %v, want it to name the type", err)
	}
}

// TestTrustReachesTheGraph: rules, share and limits are those of the snapshots.
func TestTrustReachesTheGraph(t *testing.T) {
	share := 0.25
	cfg := &v1.TelemetryConfiguration{Trust: v1.Trust{
		Namespaces: []v1.NamespaceRule{{From: []string{"data"}, To: []string{"*"}}}, MaxForeignShare: &share,
	}}
	cfg.SetDefaults()
	o := GraphOptions(cfg)
	reach := flowgraph.NewGraph(o).Snapshot().Reach()
	if cfg.Trust.Agreement = v1.AgreementAgreed; reach.Isolated || !GraphOptions(cfg).Reach.Isolated {
		t.Errorf("namespaces are isolated: %v, and where they must agree: %v", reach.Isolated, GraphOptions(cfg).Reach.Isolated)
	}
	if !reach.Attracts("data", "shop") || reach.Attracts("shop", "data") || reach.ForeignShare() != share {
		t.Errorf("the reach is %+v", reach)
	}
	if want := (flowgraph.Limits{Edges: 300_000, NamespaceEdges: 250_000, Workloads: 30_000, NamespaceWorkloads: 20_000}); o.Limits != want {
		t.Errorf("the limits are %+v, want %+v", o.Limits, want)
	}
}

// TestDefaultLimitsTouchNoHonestCluster of 10,000 workloads with 200,000 edges, whether they
// are in one namespace or in many. Five of them are called by all others, and one calls
// them all.
func TestDefaultLimitsTouchNoHonestCluster(t *testing.T) {
	const workloads, hubs, each = 10_000, 5, 20
	for _, namespaces := range []int{1, 10, 1000} {
		id := func(i int) flowgraph.WorkloadID {
			return flowgraph.WorkloadID{Namespace: fmt.Sprint("team-", i%namespaces), Name: fmt.Sprint("w-", i)}
		}
		var all []flowgraph.Bounded
		for i := range workloads {
			all = append(all, flowgraph.Bounded{From: id(hubs), To: id(i)})
			for k := range each - 1 {
				to := k // a hub
				if k >= hubs {
					to = (i*7919 + k*104_729) % workloads
				}
				all = append(all, flowgraph.Bounded{From: id(i), To: id(to)})
			}
		}
		cfg := &v1.TelemetryConfiguration{}
		cfg.SetDefaults()
		if gone := limits(cfg).Surplus(len(all), func(i int) flowgraph.Bounded { return all[i] }); len(gone) > 0 {
			t.Errorf("in %d namespaces %d of %d edges leave", namespaces, len(gone), len(all))
		}
	}
}

// TestPreferredSourceCounts: what the preferred source sees counts, though another sees more.
func TestPreferredSourceCounts(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{
			"a_ns":"shop","a":"web","b_ns":"shop","b":"api"},"value":[1,%q]}]}}`, r.FormValue("query"))
	}))
	defer server.Close()
	sees := func(name, bytes string, preferredIn ...string) v1.TelemetrySource {
		return v1.TelemetrySource{Type: v1.SourcePromQL, Name: name, PreferredIn: preferredIn, PromQL: &promql.Definition{
			Queries: []promql.Query{{Measures: promql.Sent, Query: bytes}}, // which the server answers with
			Client:  []promql.End{{NamespaceLabel: "a_ns", NameLabel: "a"}},
			Server:  []promql.End{{NamespaceLabel: "b_ns", NameLabel: "b"}},
		}}
	}
	for preferred, want := range map[string]float64{"shop": 3, "elsewhere": 5} {
		cfg := &v1.TelemetryConfiguration{
			Prometheus: v1.Prometheus{URL: server.URL},
			Sources:    []v1.TelemetrySource{sees("packets", "5"), sees("mesh", "3", preferred)},
		}
		cfg.SetDefaults()
		store := flowgraph.NewStore()
		manager, client, err := New(cfg, store, &flowgraph.NodeNetworkStore{}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if err := manager.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		for e := range store.Load().Edges() {
			if e.SentBytesPerSecond != want {
				t.Errorf("preferred in %s: %v bytes/s, want %v", preferred, e.SentBytesPerSecond, want)
			}
		}
		if n := store.Load().EdgeCount(); n != 1 {
			t.Errorf("preferred in %s: %d edges", preferred, n)
		}
	}
}
