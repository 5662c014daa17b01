package mesh

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/istio"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// load writes scrapes that are 30 s apart as a load command, the first of them
// 30 s after time 0, when there was nothing yet.
func load(scrapes ...model.Vector) string {
	values := map[string][]string{}
	for i, samples := range scrapes {
		for _, s := range samples {
			series := s.Metric.String()
			for len(values[series]) <= i {
				values[series] = append(values[series], "_")
			}
			values[series] = append(values[series], fmt.Sprint(float64(s.Value)))
		}
	}
	b := &strings.Builder{}
	fmt.Fprintln(b, "load 30s")
	for series, v := range values {
		fmt.Fprintln(b, " ", series, strings.Join(v, " "))
	}
	return b.String()
}

// What our own source for Istio reads from the simulated mesh is the call graph.
func TestIstioSourceReadsTheCallGraph(t *testing.T) {
	c := newCluster(t,
		"n1@a: web*2 db api-v1; n2@a: db api-v1 api-v2; n3@b: web api-v1 cart(unready)",
		"web api cart db=PreferSameNode", "")
	c.SetCalls([]Call{
		{"shop/web", "shop/api", 8, 500, 20000, "http"}, // 3:1 to v1 and v2
		{"shop/web", "shop/db", 2, 1000, 4000, "http"},  // with the next on one edge
		{"shop/web", "shop/db", 5, 200, 64000, "tcp"},   // no requests
		{"shop/api-v2", "shop/db", 4, 100, 3000, "grpc"},
		{"shop/db", "shop/db", 1, 10000, 10, "tcp"},        // replication
		{"shop/web", "shop/cart", 100, 1000, 1000, "http"}, // nobody answers
		{"shop/db", "shop/api", 0, 1000, 1000, "http"},     // rarely used
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
	flow := func(from, to string, requests, sent, received float64) flowgraph.Flow {
		return flowgraph.Flow{
			From: flowgraph.WorkloadID{Namespace: "shop", Name: from}, To: flowgraph.WorkloadID{Namespace: "shop", Name: to},
			Rates:  flowgraph.Rates{SentBytesPerSecond: sent, ReceivedBytesPerSecond: received, RequestsPerSecond: requests},
			Source: "istio-sidecar", ObservedAt: at,
		}
	}
	want := []flowgraph.Flow{
		flow("api-v2", "db", 4, 400, 12000),
		flow("db", "api-v1", 0, 0, 0),
		flow("db", "api-v2", 0, 0, 0),
		flow("db", "db", 0, 10000, 10),
		flow("web", "api-v1", 6, 3000, 120000),
		flow("web", "api-v2", 2, 1000, 40000),
		flow("web", "db", 2, 2*1000+5*200, 2*4000+5*64000),
	}
	// Three web pods report what comes from outside in three metrics, and what
	// goes outside in two.
	wantLeftOut := map[telemetry.Reason]telemetry.LeftOut{
		telemetry.External:    {Series: 3, BytesPerSecond: 8 * (300 + 9000)},
		telemetry.Passthrough: {Series: 2, BytesPerSecond: 700 + 100},
	}
	compareObserved(t, got, want, wantLeftOut)
}

// The labels are those of Istio's standard metrics, all of them, with those
// that a scrape of the proxy's pod adds.
func TestLabels(t *testing.T) {
	side := func(side string, values ...model.LabelValue) model.Metric {
		m := model.Metric{}
		for i, label := range []string{
			"workload", "workload_namespace", "principal", "app", "canonical_service", "version", "canonical_revision", "cluster",
		} {
			m[model.LabelName(side+"_"+label)] = values[i%len(values)]
		}
		return m
	}
	principal := model.LabelValue("spiffe://cluster.local/ns/shop/sa/default")
	client := side("source", "web", "shop", principal, "web", "web", "latest", "latest", "Kubernetes")
	server := side("destination", "api-v2", "shop", principal, "api", "api", "v2", "v2", "Kubernetes")
	service := model.Metric{
		"destination_service":      "api.shop.svc.cluster.local",
		"destination_service_name": "api", "destination_service_namespace": "shop",
	}
	outside := model.Metric{
		"destination_service":      "api.example.com",
		"destination_service_name": "PassthroughCluster", "destination_service_namespace": "unknown",
	}
	from := func(reporter, pod, security model.LabelValue) model.Metric {
		return model.Metric{"namespace": "shop", "pod": pod, "reporter": reporter, "connection_security_policy": security, "response_flags": "-"}
	}
	answer := func(protocol, code, status model.LabelValue) model.Metric {
		return model.Metric{"request_protocol": protocol, "response_code": code, "grpc_response_status": status}
	}
	series := func(parts ...model.Metric) model.Metric {
		m := model.Metric{}
		for _, part := range parts {
			maps.Copy(m, part)
		}
		return m
	}
	cases := map[string]struct {
		calls string
		want  []model.Metric // the destination's first
	}{
		"http": {"web -> api http", []model.Metric{
			series(from("destination", "api-v2-1", "mutual_tls"), client, server, service, answer("http", "200", "")),
			series(from("source", "web-1", "unknown"), client, server, service, answer("http", "200", "")),
		}},
		"grpc": {"web -> api grpc", []model.Metric{
			series(from("destination", "api-v2-1", "mutual_tls"), client, server, service, answer("grpc", "200", "0")),
			series(from("source", "web-1", "unknown"), client, server, service, answer("grpc", "200", "0")),
		}},
		"external client": {"external -> api http", []model.Metric{
			series(from("destination", "api-v2-1", "unknown"), side("source", "unknown"), server, service, answer("http", "200", "")),
		}},
		"external host": {"web -> external:api.example.com tcp", []model.Metric{
			series(from("source", "web-1", "unknown"), client, side("destination", "unknown"), outside, answer("tcp", "", "")),
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "n1: web; n2: api-v2", "api", tc.calls)
			c.flow(time.Second)
			var got []model.Metric
			for _, s := range scrape(t, c.Mesh) {
				switch s.Metric[model.MetricNameLabel] {
				case "istio_requests_total", "istio_tcp_sent_bytes_total":
					delete(s.Metric, model.MetricNameLabel)
					got = append(got, s.Metric)
				}
			}
			slices.SortFunc(got, func(a, b model.Metric) int { return cmp.Compare(a["reporter"], b["reporter"]) })
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}

// Real proxies count each request once in each histogram.
func TestHistogramCounts(t *testing.T) {
	c := newCluster(t, "n1: web; n2: db", "db", "web -> db")
	c.flow(3 * time.Second)
	counts := map[model.LabelValue]model.SampleValue{}
	for _, s := range scrape(t, c.Mesh) {
		if s.Metric["reporter"] == "source" && (s.Metric["le"] == "" || s.Metric["le"] == "+Inf") {
			counts[s.Metric[model.MetricNameLabel]] = s.Value
		}
	}
	want := map[model.LabelValue]model.SampleValue{
		"istio_requests_total":      30,
		"istio_request_bytes_sum":   3000,
		"istio_response_bytes_sum":  60000,
		"istio_request_bytes_count": 30, "istio_request_bytes_bucket": 30,
		"istio_response_bytes_count": 30, "istio_response_bytes_bucket": 30,
	}
	if diff := gocmp.Diff(want, counts); diff != "" {
		t.Errorf("metrics of an HTTP call (-want +got):\n%s", diff)
	}
}

// compareObserved compares what a source observes, to a millionth.
func compareObserved(t *testing.T, got telemetry.Observation, flows []flowgraph.Flow, leftOut map[telemetry.Reason]telemetry.LeftOut) {
	t.Helper()
	approximately := cmpopts.EquateApprox(1e-6, 0)
	if diff := gocmp.Diff(flows, got.Flows, approximately); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff(leftOut, got.LeftOut, approximately); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}
