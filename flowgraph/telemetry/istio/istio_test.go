package istio

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// fixtureLine is
//
//	reporter from -> to via service: metric{more labels} samples
//
// where from and to are namespace/workload@cluster, the cluster defaults to
// "Kubernetes", and "unknown" stands for an unknown endpoint.
var fixtureLine = regexp.MustCompile(`^(\w+) (\S+) -> (\S+) via (\S+): (\w+)(?:\{(.*)\})? (\S.*)$`)

// fixture turns lines into a load command. Samples are 30 s apart, so that
// "0+300x20" is 10 per second from 0 to 10 minutes. A line that begins with
// "raw " is taken as it is.
func fixture(t *testing.T, lines string) string {
	t.Helper()
	b := &strings.Builder{}
	fmt.Fprintln(b, "load 30s")
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if raw, ok := strings.CutPrefix(line, "raw "); ok {
			fmt.Fprintln(b, " ", raw)
			continue
		}
		m := fixtureLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("bad fixture line: %s", line)
		}
		labels := []string{fmt.Sprintf("reporter=%q", m[1])}
		labels = append(labels, endpoint("source", m[2])...)
		labels = append(labels, endpoint("destination", m[3])...)
		labels = append(labels, fmt.Sprintf("destination_service_name=%q", m[4]))
		if m[6] != "" {
			labels = append(labels, m[6])
		}
		fmt.Fprintf(b, "  %s{%s} %s\n", m[5], strings.Join(labels, ","), m[7])
	}
	return b.String()
}

func endpoint(side, text string) []string {
	namespace, workload, cluster := unknown, unknown, unknown
	if text != unknown {
		id, at, ok := strings.Cut(text, "@")
		cluster = "Kubernetes"
		if ok {
			cluster = at
		}
		namespace, workload, _ = strings.Cut(id, "/")
	}
	return []string{
		fmt.Sprintf("%s_workload_namespace=%q", side, namespace),
		fmt.Sprintf("%s_workload=%q", side, workload),
		fmt.Sprintf("%s_cluster=%q", side, cluster),
	}
}

// flowLines prints flows as "from -> to sent received requests".
func flowLines(flows []flowgraph.Flow) []string {
	lines := []string{}
	for _, f := range flows {
		lines = append(lines, fmt.Sprintf("%v -> %v %.4g %.4g %.4g", f.From, f.To,
			f.SentBytesPerSecond, f.ReceivedBytesPerSecond, f.RequestsPerSecond))
	}
	return lines
}

func TestCollect(t *testing.T) {
	cases := map[string]struct {
		options     Options
		series      string
		wantFlows   []string
		wantLeftOut map[telemetry.Reason]telemetry.LeftOut
	}{
		"both ends report the same bytes: the larger counts, not the sum": {
			series: `
				source      shop/web -> shop/api via api: istio_request_bytes_sum 0+300x20
				destination shop/web -> shop/api via api: istio_request_bytes_sum 0+330x20
				source      shop/web -> shop/api via api: istio_response_bytes_sum 0+3000x20
				destination shop/web -> shop/api via api: istio_response_bytes_sum 0+2700x20
				source      shop/web -> shop/api via api: istio_requests_total 0+30x20
				destination shop/web -> shop/api via api: istio_requests_total 0+60x20`,
			wantFlows: []string{"shop/web -> shop/api 11 100 2"},
		},
		"only the client has a sidecar": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes_sum 0+300x20
				source shop/web -> shop/api via api: istio_requests_total 0+30x20`,
			wantFlows: []string{"shop/web -> shop/api 10 0 1"},
		},
		"only the server has a sidecar and knows the client": {
			series: `
				destination shop/web -> shop/api via api: istio_response_bytes_sum 0+300x20`,
			wantFlows: []string{"shop/web -> shop/api 0 10 0"},
		},
		"only the server has a sidecar and does not know the client": {
			series: `
				destination unknown -> shop/api via api: istio_request_bytes_sum 0+300x20
				destination unknown -> shop/api via api: istio_response_bytes_sum 0+600x20`,
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 2, BytesPerSecond: 30}},
		},
		"HTTP and TCP on one edge add up, before the reporters are compared": {
			series: `
				source      shop/web -> shop/api via api:     istio_request_bytes_sum 0+300x20
				source      shop/web -> shop/api via api-tcp: istio_tcp_received_bytes_total 0+600x20
				destination shop/web -> shop/api via api-tcp: istio_tcp_received_bytes_total 0+720x20`,
			wantFlows: []string{"shop/web -> shop/api 30 0 0"},
		},
		"TCP: received is from the client, sent is from the server": {
			series: `
				destination shop/api -> shop/db via db: istio_tcp_received_bytes_total 0+300x20
				destination shop/api -> shop/db via db: istio_tcp_sent_bytes_total 0+9000x20`,
			wantFlows: []string{"shop/api -> shop/db 10 300 0"},
		},
		"gRPC: one series for each status": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes_sum{request_protocol="grpc",grpc_response_status="0"} 0+300x20
				source shop/web -> shop/api via api: istio_request_bytes_sum{request_protocol="grpc",grpc_response_status="14"} 0+30x20
				source shop/web -> shop/api via api: istio_requests_total{request_protocol="grpc",grpc_response_status="0"} 0+30x20`,
			wantFlows: []string{"shop/web -> shop/api 11 0 1"},
		},
		"passthrough to a known workload is kept": {
			series: `
				source      shop/web -> shop/db via PassthroughCluster: istio_tcp_sent_bytes_total 0+300x20
				destination shop/api -> shop/db via InboundPassthroughCluster: istio_tcp_sent_bytes_total 0+600x20`,
			wantFlows: []string{"shop/api -> shop/db 0 20 0", "shop/web -> shop/db 0 10 0"},
		},
		"passthrough to an unknown address": {
			series: `
				source shop/web -> unknown via PassthroughCluster: istio_tcp_sent_bytes_total 0+300x20`,
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.Passthrough: {Series: 1, BytesPerSecond: 10}},
		},
		"black hole": {
			series: `
				source shop/web -> unknown via BlackHoleCluster: istio_tcp_received_bytes_total 0+300x20
				source shop/web -> shop/db via BlackHoleCluster: istio_requests_total 0+300x20`,
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.BlackHole: {Series: 2, BytesPerSecond: 10}},
		},
		"ServiceEntry": {
			series: `
				source shop/web -> unknown via api.example.com: istio_request_bytes_sum 0+300x20
				source shop/web -> unknown via cdn.example.com: istio_response_bytes_sum 0+300x20`,
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 2, BytesPerSecond: 20}},
		},
		"neither end is known": {
			series: `
				source unknown -> unknown via api: istio_request_bytes_sum 0+300x20
				source shop/web -> unknown via unknown: istio_request_bytes_sum 0+300x20`,
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.UnknownWorkload: {Series: 2, BytesPerSecond: 20}},
		},
		"other cluster: both ends report the same traffic, counted once": {
			options: Options{Cluster: "Kubernetes"},
			series: `
				source      shop/web     -> shop/api@east via api: istio_request_bytes_sum 0+300x20
				destination shop/web     -> shop/api@east via api: istio_request_bytes_sum 0+300x20
				source shop/web@east     -> shop/db@east  via db:  istio_request_bytes_sum 0+600x20
				source shop/web          -> shop/db       via db:  istio_request_bytes_sum 0+900x20`,
			wantFlows:   []string{"shop/web -> shop/db 30 0 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.OtherCluster: {Series: 3, BytesPerSecond: 30}},
		},
		"no cluster configured: only traffic between two clusters is left out": {
			series: `
				source shop/web@west -> shop/api@east via api: istio_request_bytes_sum 0+300x20
				source shop/web@west -> shop/db@west  via db:  istio_request_bytes_sum 0+900x20`,
			wantFlows:   []string{"shop/web -> shop/db 30 0 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.OtherCluster: {Series: 1, BytesPerSecond: 10}},
		},
		"an end that does not know the cluster still compares": {
			options: Options{Cluster: "Kubernetes"},
			series: `
				source      shop/web -> shop/api@unknown via api: istio_request_bytes_sum 0+300x20
				destination shop/web -> shop/api         via api: istio_request_bytes_sum 0+600x20`,
			wantFlows: []string{"shop/web -> shop/api 20 0 0"},
		},
		"counter reset": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes_sum 0+300x15 300+300x5`,
			wantFlows: []string{"shop/web -> shop/api 10 0 0"},
		},
		"two pods of a workload": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes_sum{pod="web-1"} 0+300x20
				source shop/web -> shop/api via api: istio_request_bytes_sum{pod="web-2"} 0+600x20`,
			wantFlows: []string{"shop/web -> shop/api 30 0 0"},
		},
		"a pod restarts: the old series ends where the new one begins": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes_sum{pod="web-1"} 90000+300x14 stale _x5
				source shop/web -> shop/api via api: istio_request_bytes_sum{pod="web-2"} _x15 0+300x5`,
			// Of the 300 s, web-1 covers 135 (90 between its 4 samples, 30 to the
			// start, half a step after its end) and web-2 the last 150.
			wantFlows: []string{"shop/web -> shop/api 9.5 0 0"},
		},
		"missing labels are a reason of their own": {
			series: `
				raw istio_request_bytes_sum{reporter="source",source_workload="web",source_workload_namespace="shop",destination_service_name="api"} 0+300x20
				raw istio_request_bytes_sum{reporter="source"} 0+600x20
				raw istio_request_bytes_sum{reporter="source",source_workload="web",source_workload_namespace="shop",destination_workload="api",destination_workload_namespace="shop"} 0+900x20`,
			wantFlows:   []string{"shop/web -> shop/api 30 0 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.MissingLabel: {Series: 2, BytesPerSecond: 30}},
		},
		"waypoints are not asked for": {
			series: `
				waypoint shop/web -> shop/api via api: istio_request_bytes_sum 0+300x20`,
		},
		"NaN": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes_sum _x17 NaN NaN NaN
				source shop/web -> shop/db via db: istio_request_bytes_sum 0+300x20`,
			wantFlows: []string{"shop/web -> shop/db 10 0 0"},
		},
		"an unresolved connection counts once, though each end reports one": {
			series: `
				source      shop/web -> unknown via api: istio_tcp_sent_bytes_total 0+300x20
				source      shop/ads -> unknown via api: istio_tcp_sent_bytes_total 0+300x20
				destination unknown -> shop/api via api: istio_tcp_sent_bytes_total 0+600x20`,
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{
				telemetry.External: {Series: 3, BytesPerSecond: 20},
			},
		},
		"clients without a proxy beside it": {
			series: `
				source      shop/web -> unknown via unknown: istio_tcp_sent_bytes_total 0+300x20
				destination unknown -> shop/api via unknown: istio_tcp_sent_bytes_total 0+900x20
				destination unknown -> shop/api via unknown: istio_tcp_received_bytes_total 0+30x20`,
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{
				telemetry.UnknownWorkload: {Series: 1, BytesPerSecond: 10},
				telemetry.External:        {Series: 2, BytesPerSecond: 21},
			},
		},
		"what is let through has another name at each end": {
			series: `
				source      shop/web -> unknown via PassthroughCluster: istio_tcp_sent_bytes_total 0+300x20
				destination unknown -> shop/api via InboundPassthroughCluster: istio_tcp_sent_bytes_total 0+300x20`,
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{
				telemetry.Passthrough: {Series: 1, BytesPerSecond: 10},
				telemetry.External:    {Series: 1},
			},
		},
		"other services are other connections": {
			series: `
				source      shop/web -> unknown via db: istio_tcp_sent_bytes_total 0+300x20
				destination unknown -> shop/api via api: istio_tcp_sent_bytes_total 0+300x20`,
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 2, BytesPerSecond: 20}},
		},
		"each end calls the service otherwise": {
			series: `
				source      shop/web -> shop/api via alias: istio_tcp_sent_bytes_total 0+300x20
				destination shop/web -> shop/api via api:   istio_tcp_sent_bytes_total 0+300x20`,
			wantFlows: []string{"shop/web -> shop/api 0 10 0"},
		},
		"the server does not know the client, which knows it by an alias": {
			series: `
				source      shop/web -> shop/api via alias: istio_tcp_sent_bytes_total 0+300x20
				destination unknown  -> shop/api via api:   istio_tcp_sent_bytes_total 0+300x20`,
			wantFlows:   []string{"shop/web -> shop/api 0 10 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 1}},
		},
		"the client does not know the server behind an ExternalName, which knows it": {
			series: `
				source      shop/web -> unknown  via api.example.com: istio_request_bytes_sum 0+300x20
				destination shop/web -> shop/api via api:             istio_request_bytes_sum 0+300x20`,
			wantFlows:   []string{"shop/web -> shop/api 10 0 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 1}},
		},
		"the server has further clients that nobody knows": {
			series: `
				source      shop/web -> shop/api via alias: istio_tcp_sent_bytes_total 0+300x20
				destination unknown  -> shop/api via api:   istio_tcp_sent_bytes_total 0+900x20
				destination unknown  -> shop/db  via db:    istio_tcp_sent_bytes_total 0+600x20`,
			wantFlows:   []string{"shop/web -> shop/api 0 10 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 2, BytesPerSecond: 40}},
		},
		"both ends know each other: what else they do is something else": {
			series: `
				source      shop/web -> shop/api via api: istio_tcp_sent_bytes_total 0+330x20
				destination shop/web -> shop/api via api: istio_tcp_sent_bytes_total 0+300x20
				destination unknown  -> shop/api via api: istio_tcp_sent_bytes_total 0+60x20`,
			wantFlows:   []string{"shop/web -> shop/api 0 11 0"},
			wantLeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 1, BytesPerSecond: 2}},
		},
		"a waypoint between them": {
			series: `
				source      shop/web -> shop/waypoint via api: istio_tcp_sent_bytes_total 0+300x20
				destination shop/web -> shop/waypoint via waypoint: istio_tcp_sent_bytes_total 0+300x20
				source      shop/waypoint -> shop/api via api: istio_tcp_sent_bytes_total 0+300x20
				destination shop/waypoint -> shop/api via api: istio_tcp_sent_bytes_total 0+300x20`,
			wantFlows: []string{"shop/waypoint -> shop/api 0 10 0", "shop/web -> shop/waypoint 0 10 0"},
		},
		"native histograms, where there are no others": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes {{schema:0 sum:0 count:0}}+{{schema:0 sum:300 count:4 buckets:[1 2 1]}}x20
				source shop/web -> shop/api via api: istio_response_bytes {{schema:-53 sum:0 count:0 custom_values:[5 10]}}+{{schema:-53 sum:600 count:4 custom_values:[5 10] buckets:[1 2 1]}}x20
				source shop/web -> shop/api via api: istio_requests_total 0+30x20`,
			wantFlows: []string{"shop/web -> shop/api 10 20 1"},
		},
		"native histograms beside classic ones are the same bytes": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes {{schema:0 sum:0 count:0}}+{{schema:0 sum:300 count:4 buckets:[1 2 1]}}x20
				source shop/web -> shop/api via api: istio_request_bytes_sum 0+300x20
				source shop/web -> shop/api via api: istio_response_bytes {{schema:0 sum:0 count:0}}+{{schema:0 sum:600 count:4 buckets:[1 2 1]}}x20`,
			wantFlows: []string{"shop/web -> shop/api 10 20 0"},
		},
		"some proxies have native histograms and others classic ones": {
			series: `
				source      shop/web -> shop/api via api: istio_request_bytes_sum{pod="web-1"} 0+300x20
				source      shop/web -> shop/api via api: istio_request_bytes{pod="web-2"} {{schema:0 sum:0 count:0}}+{{schema:0 sum:600 count:4 buckets:[1 2 1]}}x20
				source      shop/web -> shop/db  via db:  istio_request_bytes{pod="web-2"} {{schema:0 sum:0 count:0}}+{{schema:0 sum:90 count:4 buckets:[1 2 1]}}x20
				destination shop/web -> shop/api via api: istio_response_bytes_sum{pod="api-1"} 0+60x20
				source      shop/web -> shop/api via api: istio_response_bytes{pod="web-1"} {{schema:0 sum:0 count:0}}+{{schema:0 sum:120 count:4 buckets:[1 2 1]}}x20`,
			wantFlows: []string{"shop/web -> shop/api 30 4 0", "shop/web -> shop/db 3 0 0"},
		},
		"a proxy that is scraped as both beside one that is not": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes_sum{pod="web-1"} 0+300x20
				source shop/web -> shop/api via api: istio_request_bytes{pod="web-1"} {{schema:0 sum:0 count:0}}+{{schema:0 sum:300 count:4 buckets:[1 2 1]}}x20
				source shop/web -> shop/api via api: istio_request_bytes{pod="web-2"} {{schema:0 sum:0 count:0}}+{{schema:0 sum:600 count:4 buckets:[1 2 1]}}x20`,
			wantFlows: []string{"shop/web -> shop/api 30 0 0"},
		},
		"a proxy that is gone and was scraped as both": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes_sum 0+300x15 stale
				source shop/web -> shop/api via api: istio_request_bytes {{schema:0 sum:0 count:0}}+{{schema:0 sum:300 count:4 buckets:[1 2 1]}}x15 stale`,
			wantFlows: []string{"shop/web -> shop/api 5.5 0 0"},
		},
		"a proxy that is gone and was scraped as native": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes {{schema:0 sum:0 count:0}}+{{schema:0 sum:300 count:4 buckets:[1 2 1]}}x15 stale`,
			wantFlows: []string{"shop/web -> shop/api 5.5 0 0"},
		},
		"a native histogram is not a rate": {
			series: `
				source shop/web -> shop/api via api: istio_request_bytes_sum {{schema:0 sum:5 count:4 buckets:[1 2 1]}}+{{schema:0 sum:5 count:4 buckets:[1 2 1]}}x20`,
		},
		"selector": {
			options: Options{Selector: `job="envoy"`},
			series: `
				source shop/web -> shop/api via api: istio_request_bytes_sum{job="envoy"} 0+300x20
				source shop/web -> shop/api via api: istio_request_bytes_sum{job="pods"} 0+300x20`,
			wantFlows: []string{"shop/web -> shop/api 10 0 0"},
		},
		"self-flow and no traffic at all are observations": {
			series: `
				source shop/web -> shop/web via web: istio_request_bytes_sum 0+300x20
				source shop/web -> shop/api via api: istio_request_bytes_sum 700+0x20`,
			wantFlows: []string{"shop/web -> shop/api 0 0 0", "shop/web -> shop/web 10 0 0"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			source, err := NewSidecar(tc.options)
			if err != nil {
				t.Fatal(err)
			}
			at := time.Unix(600, 0)
			got, err := source.Collect(context.Background(), promtest.New(t, fixture(t, collapse(tc.series))), at)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.wantFlows, flowLines(got.Flows), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("flows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantLeftOut, got.LeftOut, cmpopts.EquateEmpty(), cmpopts.EquateApprox(1e-6, 0)); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
			for _, f := range got.Flows {
				if f.Source != "istio-sidecar" || !f.ObservedAt.Equal(at) {
					t.Errorf("flow is from %q at %v", f.Source, f.ObservedAt)
				}
			}
		})
	}
}

// collapse lets fixtures align their columns.
func collapse(s string) string { return regexp.MustCompile(`[ \t]+`).ReplaceAllString(s, " ") }

// TestNoTrafficIsObserved: that workloads exchange nothing is an answer like
// others. Only one that names no pair of workloads counts as empty.
func TestNoTrafficIsObserved(t *testing.T) {
	cases := map[string]struct {
		series    string
		want      telemetry.Failure
		wantFlows int
	}{
		"an idle mesh":   {"source shop/web -> shop/api via api: istio_request_bytes_sum 700+0x20", telemetry.NoFailure, 1},
		"other traffic":  {"source shop/web -> unknown via PassthroughCluster: istio_request_bytes_sum 0+300x20", telemetry.Empty, 0},
		"no proxies yet": {"raw up 1+0x20", telemetry.Empty, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			source, err := NewSidecar(Options{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := telemetry.NewManager(telemetry.Options{
				Sources: []telemetry.Source{source}, Querier: promtest.New(t, fixture(t, tc.series)),
				Graph: flowgraph.NewGraph(flowgraph.Options{}), Store: flowgraph.NewStore(), Interval: time.Minute,
				Now: func() time.Time { return time.Unix(600, 0) }, Random: func() float64 { return 0 },
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := telemetry.FailureOf(m.Refresh(context.Background())); got != tc.want {
				t.Errorf("the refresh ends with %v, want %v", got, tc.want)
			}
			if got := m.Status().Sources[0].Flows; got != tc.wantFlows {
				t.Errorf("%d flows, want %d", got, tc.wantFlows)
			}
		})
	}
}

// TestNativeHistogramsAreAskedForWhereTheyExist has a server that knows classic
// histograms only, and no function for others.
func TestNativeHistogramsAreAskedForWhereTheyExist(t *testing.T) {
	cases := map[string]struct{ series, want string }{
		"classic ones": {"source shop/web -> shop/api via api: istio_request_bytes_sum 0+300x20", "shop/web -> shop/api 10 0 0"},
		"none":         {"source shop/web -> shop/api via api: istio_requests_total 0+30x20", "shop/web -> shop/api 0 0 1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			source, err := NewSidecar(Options{})
			if err != nil {
				t.Fatal(err)
			}
			q := classic{promtest.New(t, fixture(t, tc.series))}
			got, err := source.Collect(context.Background(), q, time.Unix(600, 0))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tc.want}, flowLines(got.Flows)); diff != "" {
				t.Errorf("flows (-want +got):\n%s", diff)
			}
		})
	}
}

// classic is a server that does not know functions of native histograms.
type classic struct{ telemetry.Querier }

func (c classic) Query(ctx context.Context, query string, at time.Time, yield func(telemetry.Series) error) error {
	if strings.Contains(query, "histogram_") {
		return errors.New("unknown function")
	}
	return c.Querier.Query(ctx, query, at, yield)
}

func TestCollectFailsAsAWhole(t *testing.T) {
	source, err := NewSidecar(Options{})
	if err != nil {
		t.Fatal(err)
	}
	q := failing{promtest.New(t, fixture(t, "source shop/web -> shop/api via api: istio_request_bytes_sum 0+300x20"))}
	got, err := source.Collect(context.Background(), q, time.Unix(600, 0))
	if err == nil || !strings.Contains(err.Error(), "query tcp-sent: down") {
		t.Errorf("error = %v, want one that names the query", err)
	}
	if len(got.Flows) != 0 {
		t.Errorf("got flows with an error: %v", got.Flows)
	}
}

// failing fails one of the queries.
type failing struct{ telemetry.Querier }

func (f failing) Query(ctx context.Context, query string, at time.Time, yield func(telemetry.Series) error) error {
	if strings.Contains(query, "tcp_sent") {
		return errors.New("down")
	}
	return f.Querier.Query(ctx, query, at, yield)
}
