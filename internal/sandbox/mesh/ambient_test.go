package mesh

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/istio"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// The Type's source reads the call graph, whatever the protocol.
func TestSourceReadsTheCallGraphOfAmbient(t *testing.T) {
	c := newClusterWith(t, IstioAmbient(),
		"n1@a: web*2 db; n2@a: db api-v1 api-v2; n3@b: web",
		"web api db=PreferSameNode", "")
	c.SetCalls([]Call{
		{"shop/web", "shop/api", 8, 500, 20000, "http"},
		{"shop/web", "shop/db", 2, 1000, 4000, "http"}, // with the next on one edge
		{"shop/web", "shop/db", 5, 200, 64000, "tcp"},
		{"shop/api-v2", "shop/db", 4, 100, 3000, "grpc"},
		{"shop/db", "shop/db", 1, 10000, 10, "tcp"},
		{"external", "shop/web", 8, 300, 9000, "http"},
		{"shop/web", "external:api.example.com", 1, 700, 100, "tcp"},
	})
	c.flow(30 * time.Second)
	first := scrape(t, c.Mesh)
	c.flow(30 * time.Second)
	second := scrape(t, c.Mesh)

	source, err := istio.NewSidecar(istio.Options{Window: time.Minute, Cluster: "Kubernetes"})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(60, 0)
	got, err := source.Collect(t.Context(), promtest.New(t, load(first, second)), at)
	if err != nil {
		t.Fatal(err)
	}
	flow := func(from, to string, sent, received float64) flowgraph.Flow {
		return flowgraph.Flow{
			From: flowgraph.WorkloadID{Namespace: "shop", Name: from}, To: flowgraph.WorkloadID{Namespace: "shop", Name: to},
			Rates:  flowgraph.Rates{SentBytesPerSecond: sent, ReceivedBytesPerSecond: received},
			Source: c.counters.kind.Source, ObservedAt: at,
		}
	}
	want := []flowgraph.Flow{
		flow("api-v2", "db", 400, 12000),
		flow("db", "db", 10000, 10),
		flow("web", "api-v1", 2000, 80000),
		flow("web", "api-v2", 2000, 80000),
		flow("web", "db", 2*1000+5*200, 2*4000+5*64000),
	}
	// In two metrics. ztunnel does not name hosts outside.
	wantLeftOut := map[telemetry.Reason]telemetry.LeftOut{
		telemetry.External:        {Series: 2, BytesPerSecond: 8 * (300 + 9000)},
		telemetry.UnknownWorkload: {Series: 2, BytesPerSecond: 700 + 100},
	}
	compareObserved(t, got, want, wantLeftOut)
}

// Each node's ztunnel counts what the pods there exchange, under the labels that the real
// one gives to it.
func TestZtunnel(t *testing.T) {
	cases := map[string]struct {
		assign, calls string
		want          []string // ztunnel, its end, zones, workloads, Service and security; bytes to the server
	}{
		"HTTP is bytes of connections": {
			assign: "n1@a: web; n2@b: db", calls: "web -> db",
			want: []string{
				"ztunnel-n1 source a/web -> b/db db.shop.svc.cluster.local mutual_tls 1000",
				"ztunnel-n2 destination a/web -> b/db db.shop.svc.cluster.local mutual_tls 1000",
			},
		},
		"protocols are one": {
			assign: "n1@a: web; n2@b: db", calls: "web -> db grpc; web -> db tcp",
			want: []string{
				"ztunnel-n1 source a/web -> b/db db.shop.svc.cluster.local mutual_tls 2000",
				"ztunnel-n2 destination a/web -> b/db db.shop.svc.cluster.local mutual_tls 2000",
			},
		},
		"pods of one node share an agent, which has both ends": {
			assign: "n1@a: web*2 db", calls: "web -> db",
			want: []string{
				"ztunnel-n1 destination a/web -> a/db db.shop.svc.cluster.local mutual_tls 1000",
				"ztunnel-n1 source a/web -> a/db db.shop.svc.cluster.local mutual_tls 1000",
			},
		},
		"zones are told apart": {
			assign: "n1@a: web; n2@b: db; n3@c: db", calls: "web -> db",
			want: []string{
				"ztunnel-n1 source a/web -> b/db db.shop.svc.cluster.local mutual_tls 500",
				"ztunnel-n1 source a/web -> c/db db.shop.svc.cluster.local mutual_tls 500",
				"ztunnel-n2 destination a/web -> b/db db.shop.svc.cluster.local mutual_tls 500",
				"ztunnel-n3 destination a/web -> c/db db.shop.svc.cluster.local mutual_tls 500",
			},
		},
		"outside the mesh": {
			assign: "n1@a: web; n2@b: db", calls: "external -> db; web -> external:example.com; web -> external:example.org",
			want: []string{
				"ztunnel-n1 source a/web -> /unknown unknown unknown 2000",
				"ztunnel-n2 destination /unknown -> b/db db.shop.svc.cluster.local unknown 1000",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newClusterWith(t, IstioAmbient(), tc.assign, "db", tc.calls)
			c.flow(time.Second)
			var got []string
			for _, s := range scrape(t, c.Mesh) {
				m := s.Metric
				if m[model.MetricNameLabel] != "istio_tcp_received_bytes_total" {
					continue
				}
				got = append(got, string(m["pod"]+" "+m["reporter"]+" "+
					m["source_zone"]+"/"+m["source_workload"]+" -> "+m["destination_zone"]+"/"+m["destination_workload"]+" "+
					m["destination_service"]+" "+m["connection_security_policy"]+" ")+s.Value.String())
			}
			slices.Sort(got)
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The labels are those of Istio's proxies that ztunnel has, with those that a scrape adds.
func TestZtunnelLabels(t *testing.T) {
	c := newClusterWith(t, IstioAmbient(), "n1@a: web; n2@b: db", "db", "web -> db")
	c.flow(time.Second)
	metrics := map[model.LabelValue]model.Metric{}
	for _, s := range scrape(t, c.Mesh) {
		name := s.Metric[model.MetricNameLabel]
		if delete(s.Metric, model.MetricNameLabel); s.Metric["reporter"] == "source" {
			metrics[name] = s.Metric
		}
	}
	side := func(m model.Metric, side, workload, zone model.LabelValue) {
		for label, value := range map[model.LabelValue]model.LabelValue{
			"workload": workload, "workload_namespace": "shop", "principal": "spiffe://cluster.local/ns/shop/sa/default",
			"app": workload, "version": "latest", "canonical_service": workload, "canonical_revision": "latest",
			"cluster": "Kubernetes", "region": "", "zone": zone,
		} {
			m[model.LabelName(side+"_"+label)] = value
		}
	}
	labels := model.Metric{
		"namespace": "istio-system", "pod": "ztunnel-n1", "app": "ztunnel", "reporter": "source",
		"destination_service": "db.shop.svc.cluster.local", "destination_service_name": "db", "destination_service_namespace": "shop",
		"request_protocol": "tcp", "response_flags": "-", "connection_security_policy": "mutual_tls",
	}
	side(labels, "source", "web", "a")
	side(labels, "destination", "db", "b")
	want := map[model.LabelValue]model.Metric{
		"istio_tcp_received_bytes_total": labels, "istio_tcp_sent_bytes_total": labels, "istio_tcp_connections_opened_total": labels,
	}
	if diff := gocmp.Diff(want, metrics); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// The agent's counters stay when pods go, and go with the node.
func TestZtunnelOutlivesPods(t *testing.T) {
	c := newClusterWith(t, IstioAmbient(), "n1: web; n2: db", "db", "web -> db")
	c.flow(time.Second)
	before := reportedLines(t, scrape(t, c.Mesh))
	c.deletePod("web-1")
	c.flow(time.Second)
	if diff := gocmp.Diff(before, reportedLines(t, scrape(t, c.Mesh))); diff != "" || len(before) != 2 {
		t.Errorf("without the client, of %v (-want +got):\n%s", before, diff)
	}
	c.deleteNode("n1")
	c.flow(time.Second)
	if diff := gocmp.Diff(before[:1], reportedLines(t, scrape(t, c.Mesh))); diff != "" {
		t.Errorf("without its node (-want +got):\n%s", diff)
	}
}

// A rule that sidecars follow does not divide what ztunnel divides.
func TestZtunnelReadsNoRules(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"items": [{"metadata": {"namespace": "shop", "name": "db"}, "spec": {"host": "db"}}]}`))
	}))
	defer server.Close()
	for _, tc := range []struct {
		kind Type
		want int
	}{{Istio(), 1}, {IstioAmbient(), 0}} {
		m := New(kubernetes.NewForConfigOrDie(&rest.Config{Host: server.URL}), tc.kind, nil, nil)
		if m.readRules(t.Context()); len(m.rules) != tc.want {
			t.Errorf("%s has %d rules, want %d", tc.kind.Name, len(m.rules), tc.want)
		}
	}
}
