package istio

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// collect reads series of fixture's form.
func collect(t *testing.T, o Options, series string) telemetry.Observation {
	t.Helper()
	source, err := NewSidecar(o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := source.Collect(context.Background(), promtest.New(t, fixture(t, collapse(series))), time.Unix(600, 0))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTrust(t *testing.T) {
	identity := telemetry.Trust{ReporterLabel: "namespace"}
	trusting := telemetry.Trust{ReporterLabel: "namespace", TrustedReporters: []string{"istio-system"}}
	agreed := telemetry.Trust{ReporterLabel: "namespace", Agreed: true}
	agents := telemetry.Trust{ReporterLabel: "namespace", TrustedReporters: []string{"istio-system"}, Agreed: true}
	const honest = `
		source      shop/web -> shop/api via api: istio_request_bytes_sum{namespace="shop"} 0+300x20
		destination shop/web -> shop/api via api: istio_request_bytes_sum{namespace="shop"} 0+300x20`
	cases := map[string]struct {
		trust       telemetry.Trust
		series      string
		wantFlows   []string
		wantLeftOut map[telemetry.Reason]telemetry.LeftOut
	}{
		"the forged edge of a foreign client": {
			trust:       identity,
			series:      honest + "\nsource shop/web -> tenant/evil via evil: istio_request_bytes_sum{namespace=\"tenant\"} 0+30000000000x20",
			wantFlows:   []string{"shop/web -> shop/api 10 0 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.ForeignReporter: {Series: 1}},
		},
		"a target may report its own end": {
			trust:     identity,
			series:    honest + "\ndestination shop/web -> tenant/evil via evil: istio_request_bytes_sum{namespace=\"tenant\"} 0+30x20",
			wantFlows: []string{"shop/web -> shop/api 10 0 0", "shop/web -> tenant/evil 1 0 0"},
		},
		"but that counts for nothing unless the other end agrees": {
			trust:       agreed,
			series:      honest + "\ndestination shop/web -> tenant/evil via evil: istio_request_bytes_sum{namespace=\"tenant\"} 0+30x20",
			wantFlows:   []string{"shop/web -> shop/api 10 0 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.OneSided: {Series: 1, BytesPerSecond: 1}},
		},
		"unless it is ztunnel that reports: a waypoint has none at its end": {
			trust: agents,
			series: `
				source      shop/web -> data/waypoint via db: istio_tcp_received_bytes_total{namespace="istio-system"} 0+30x20
				destination data/waypoint -> shop/db via db: istio_tcp_received_bytes_total{namespace="istio-system"} 0+60x20`,
			wantFlows: []string{"data/waypoint -> shop/db 2 0 0", "shop/web -> data/waypoint 1 0 0"},
		},
		"which a claim beside it is not": {
			trust: agents,
			series: `
				source shop/web -> data/waypoint via db: istio_tcp_received_bytes_total{namespace="istio-system"} 0+30x20
				source shop/web -> data/waypoint via db: istio_tcp_received_bytes_total{namespace="shop"} 0+30000x20`,
			wantFlows:   []string{},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.OneSided: {Series: 1, BytesPerSecond: 1001}},
		},
		"the smaller report counts between namespaces, the larger within one": {
			trust: agreed,
			series: `
				source      shop/web -> tenant/evil via evil: istio_request_bytes_sum{namespace="shop"} 0+30x20
				destination shop/web -> tenant/evil via evil: istio_request_bytes_sum{namespace="tenant"} 0+3000x20
				source      tenant/x -> tenant/evil via evil: istio_request_bytes_sum{namespace="tenant"} 0+30x20
				destination tenant/x -> tenant/evil via evil: istio_request_bytes_sum{namespace="tenant"} 0+3000x20`,
			wantFlows: []string{"shop/web -> tenant/evil 1 0 0", "tenant/x -> tenant/evil 100 0 0"},
		},
		"the label is missing": {
			trust:       identity,
			series:      "source shop/web -> shop/api via api: istio_request_bytes_sum 0+300x20",
			wantFlows:   []string{},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.UnknownReporter: {Series: 1}},
		},
		"agents report for others": {
			trust: trusting,
			series: `
				source      shop/web -> shop/api via api: istio_tcp_received_bytes_total{namespace="istio-system"} 0+300x20
				destination shop/web -> shop/api via api: istio_tcp_received_bytes_total{namespace="istio-other"} 0+3000x20`,
			wantFlows:   []string{"shop/web -> shop/api 10 0 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.ForeignReporter: {Series: 1}},
		},
		"an end that is not known can report no flow": {
			trust:       identity,
			series:      `source unknown -> shop/api via api: istio_request_bytes_sum{namespace="tenant"} 0+300x20`,
			wantFlows:   []string{},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 1, BytesPerSecond: 10}},
		},
		"what is no rate erases no sum": {
			series: honest + `
				source      shop/web -> shop/api via api: istio_request_bytes_sum{namespace="shop",pod="nan"} 0` + strings.Repeat(" NaN", 20) + `
				destination shop/web -> shop/api via api: istio_request_bytes_sum{namespace="shop",pod="negative"} 0-300x20
				source      shop/web -> shop/api via api: istio_request_bytes_sum{namespace="shop",pod="histogram"} {{schema:0 sum:0 count:0}}+{{schema:0 sum:300 count:4 buckets:[1 2 1]}}x20`,
			wantFlows: []string{"shop/web -> shop/api 10 0 0"},
		},
		"nor among native histograms": {
			series: `
				destination shop/web -> shop/api via api: istio_request_bytes{pod="a"} {{schema:0 sum:0 count:0}}+{{schema:0 sum:300 count:4 buckets:[1 2 1]}}x20
				destination shop/web -> shop/api via api: istio_request_bytes{pod="nan"} {{schema:0 sum:0 count:0}}+{{schema:0 sum:NaN count:4 buckets:[1 2 1]}}x20
				destination shop/web -> shop/api via api: istio_request_bytes_sum{pod="nan"} 0` + strings.Repeat(" NaN", 20),
			wantFlows: []string{"shop/web -> shop/api 10 0 0"},
		},
		"a target that names several clusters silences nobody but itself": {
			trust: agreed,
			series: honest + `
				source      tenant/a -> tenant/b via b: istio_request_bytes_sum{namespace="tenant",cluster="east"} 0+30x20
				source      tenant/a -> tenant/b via b: istio_request_bytes_sum{namespace="tenant",cluster="west"} 0+30x20
				source      tenant/c@east -> tenant/b@east via b: istio_request_bytes_sum{namespace="tenant"} 0+30x20
				source      tenant/c@west -> tenant/b@west via b: istio_request_bytes_sum{namespace="tenant"} 0+30x20`,
			wantFlows:   []string{"shop/web -> shop/api 10 0 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.OtherCluster: {Series: 2, BytesPerSecond: 4}},
		},
		"a rate that cannot be true is clamped": {
			series: `
				source      shop/web -> shop/api via api: istio_request_bytes_sum 0+300x20
				destination shop/web -> shop/api via api: istio_request_bytes_sum 0+3e15x20`,
			wantFlows: []string{"shop/web -> shop/api 1e+12 0 0"},
		},
		"one that is infinite, too": {
			series: `
				source      shop/web -> shop/api via api: istio_request_bytes_sum{pod="a"} 0+300x20
				source      shop/web -> shop/api via api: istio_request_bytes_sum{pod="b"} 0x15 Inf Inf Inf Inf Inf`,
			wantFlows: []string{"shop/web -> shop/api 1e+12 0 0"},
		},
		"and so is a sum of such rates": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes_sum 0+3e13x20
				source shop/web -> shop/api via api: istio_tcp_received_bytes_total 0+3e13x20`,
			wantFlows: []string{"shop/web -> shop/api 1e+12 0 0"},
		},
		"names that Kubernetes would refuse": {
			series: honest + `
				source Shop/web -> shop/api via api: istio_request_bytes_sum 0+300x20
				source shop/web -> shop/` + strings.Repeat("a", 254) + ` via api: istio_request_bytes_sum 0+300x20
				source shop.eu/web -> shop/api via api: istio_request_bytes_sum 0+300x20`,
			wantFlows:   []string{"shop/web -> shop/api 10 0 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.Invalid: {Series: 3}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := collect(t, Options{Trust: tc.trust}, tc.series)
			if diff := cmp.Diff(tc.wantFlows, flowLines(got.Flows)); diff != "" {
				t.Errorf("flows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantLeftOut, got.LeftOut, cmpopts.EquateApprox(0, 1e-6), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
			for _, f := range got.Findings {
				if f.Stops {
					t.Errorf("%s stops the refresh", f.Text())
				}
			}
		})
	}
}

// TestZtunnelThatIsNotTrusted: where ztunnel is scraped and not believed, the next step is to
// trust it.
func TestZtunnelThatIsNotTrusted(t *testing.T) {
	const waypoint = `
		waypoint shop/web -> shop/api via api: istio_requests_total{namespace="shop",pod="waypoint-1"} 0+30x20`
	for name, tc := range map[string]struct{ series, want string }{
		"scraped":     {"source shop/web -> shop/waypoint via api: istio_tcp_sent_bytes_total{namespace=\"istio-system\"} 0+30x20" + waypoint, trustZtunnel},
		"not scraped": {waypoint, addZtunnel},
	} {
		t.Run(name, func(t *testing.T) {
			source, err := NewSidecar(Options{Trust: telemetry.Trust{ReporterLabel: "namespace"}})
			if err != nil {
				t.Fatal(err)
			}
			q, at := promtest.New(t, fixture(t, collapse(tc.series))), time.Unix(600, 0)
			seen, err := source.Collect(t.Context(), q, at)
			if err != nil {
				t.Fatal(err)
			}
			found, err := source.Check(t.Context(), q, at, seen)
			if err != nil || len(found) != 1 || found[0].Condition != telemetry.OnlyWaypoints || found[0].Do != tc.want {
				t.Errorf("found %v, error %v", found, err)
			}
		})
	}
}

// TestQueriesWithoutTrust are what they were.
func TestQueriesWithoutTrust(t *testing.T) {
	plain, err := NewSidecar(Options{})
	if err != nil {
		t.Fatal(err)
	}
	told, err := NewSidecar(Options{Trust: telemetry.Trust{ReporterLabel: "namespace"}})
	if err != nil {
		t.Fatal(err)
	}
	const want = "sum by (reporter, source_cluster, source_workload_namespace, source_workload, destination_cluster, " +
		"destination_workload_namespace, destination_workload, destination_service_name, cluster) (rate(istio_requests_total{reporter=~\"source|destination\"}[300s]) >= 0)"
	if got := plain.Queries()[requestCount].PromQL; got != want {
		t.Errorf("the query is %s, want %s", got, want)
	}
	if got, want := told.Queries()[requestCount].PromQL, strings.Replace(want, ", cluster)", ", cluster, namespace)", 1); got != want {
		t.Errorf("with a label the query is %s, want %s", got, want)
	}
	for _, label := range []string{"reporter", "source_workload_namespace", "destination_x", "exported_namespace", "__name__", "cluster", "a b", "1"} {
		if _, err := NewSidecar(Options{Trust: telemetry.Trust{ReporterLabel: label}}); err == nil {
			t.Errorf("the label %q is accepted", label)
		}
	}
}

// TestRecordedReporters: rules that keep the label work too.
func TestRecordedReporters(t *testing.T) {
	got := collect(t, Options{Recorded: true, Trust: telemetry.Trust{ReporterLabel: "namespace"}}, `
		raw vicinity:istio_request_bytes_sum:rate5m{reporter="source",source_workload="web",source_workload_namespace="shop",destination_workload="api",destination_workload_namespace="shop",namespace="shop"} 10x20
		raw vicinity:istio_request_bytes_sum:rate5m{reporter="source",source_workload="web",source_workload_namespace="shop",destination_workload="evil",destination_workload_namespace="tenant",namespace="tenant"} 1000x20`)
	if diff := cmp.Diff([]string{"shop/web -> shop/api 10 0 0"}, flowLines(got.Flows)); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
}

// claimed is a series by which a client claims an edge.
func claimed(from, to flowgraph.WorkloadID) labelMap {
	return labelMap{
		"reporter": "source", "source_workload": from.Name, "source_workload_namespace": from.Namespace,
		"destination_workload": to.Name, "destination_workload_namespace": to.Namespace,
	}
}

// TestKnownPairsStay where a flood names workloads of the same namespace.
func TestKnownPairsStay(t *testing.T) {
	from, to := flowgraph.WorkloadID{Namespace: "shop", Name: "web"}, flowgraph.WorkloadID{Namespace: "shop", Name: "api"}
	tl := newTally("istio", "", &telemetry.Trust{
		Limits: flowgraph.Limits{Edges: 10},
		Known:  func(f, t flowgraph.WorkloadID) bool { return f == from && t == to },
	})
	tl.add(requestBytes, telemetry.Series{Labels: claimed(from, to), Value: 1})
	for i := range 1000 {
		tl.add(requestBytes, telemetry.Series{Labels: claimed(from, flowgraph.WorkloadID{Namespace: "shop", Name: fmt.Sprint("x-", i)}), Value: 1e12})
	}
	for _, f := range tl.Observation(time.Unix(1, 0)).Flows {
		if f.From == from && f.To == to {
			return
		}
	}
	t.Error("the known edge has left")
}
