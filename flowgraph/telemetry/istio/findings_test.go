package istio

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// whole is a pair of workloads as a mesh that is well reports it, by one pod at each
// end.
const whole = `
	source      shop/web -> shop/api via api: istio_request_bytes_sum{pod="web-1",namespace="shop",instance="10.0.0.1:15020"} 0+300x20
	destination shop/web -> shop/api via api: istio_request_bytes_sum{pod="api-1",namespace="shop",instance="10.0.0.2:15020"} 0+300x20
	source      shop/web -> shop/api via api: istio_response_bytes_sum{pod="web-1",namespace="shop",instance="10.0.0.1:15020"} 0+600x20
	destination shop/web -> shop/api via api: istio_response_bytes_sum{pod="api-1",namespace="shop",instance="10.0.0.2:15020"} 0+600x20
	source      shop/web -> shop/api via api: istio_requests_total{pod="web-1",namespace="shop",instance="10.0.0.1:15020"} 0+30x20
	destination shop/web -> shop/api via api: istio_requests_total{pod="api-1",namespace="shop",instance="10.0.0.2:15020"} 0+30x20
	source      shop/web -> shop/db via db: istio_tcp_sent_bytes_total{pod="web-1",namespace="shop",instance="10.0.0.1:15020"} 0+30x20
	source      shop/web -> shop/db via db: istio_tcp_received_bytes_total{pod="web-1",namespace="shop",instance="10.0.0.1:15020"} 0+30x20
	source      shop/web -> shop/db via db: istio_tcp_connections_opened_total{pod="web-1",namespace="shop",instance="10.0.0.1:15020"} 0+1x20`

// found is what a source's answers and checks find, a line for each finding.
func found(t *testing.T, o Options, q telemetry.Querier, at time.Time) []string {
	t.Helper()
	source, err := NewSidecar(o)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := source.Collect(context.Background(), q, at)
	if err != nil {
		t.Fatal(err)
	}
	checked, err := source.Check(context.Background(), q, at, seen)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range slices.Concat(seen.Findings, checked) {
		line := f.Condition.String() + ": " + f.Text()
		if f.Setting != "" {
			line += " | " + f.Setting + " = " + f.Value
		}
		if f.Stops {
			line += " | stops"
		}
		if f.Why == "" || f.Setting == "" && f.Do == "" {
			t.Errorf("%s: no reason or no next step", line)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestFindings(t *testing.T) {
	without := func(metrics ...string) string {
		var kept []string
		for line := range strings.Lines(whole) {
			if !slices.ContainsFunc(metrics, func(m string) bool { return strings.Contains(line, m) }) {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
	// again is whole once more, with another label.
	again := func(old, label string) string {
		if old == "" {
			return strings.ReplaceAll(whole, "} ", ","+label+"} ")
		}
		return strings.ReplaceAll(whole, old, label)
	}
	cases := map[string]struct {
		options Options
		series  string
		at      int // seconds; 600 when zero
		want    []string
	}{
		"all is well":    {series: whole},
		"nothing at all": {series: "raw up 1+0x20"},
		"no bytes of requests": {
			series: without("request_bytes", "response_bytes"),
			want:   []string{"missing-bytes: istio_request_bytes_sum and istio_response_bytes_sum have no series, but 1 pair of workloads exchanges requests"},
		},
		"one direction": {
			series: without("response_bytes"),
			want:   []string{"missing-bytes: istio_response_bytes_sum has no series, but 1 pair of workloads exchanges requests"},
		},
		"a namespace whose overrides switch them off": {
			series: whole + `
				source pay/bill -> pay/ledger via ledger: istio_requests_total{pod="bill-1",namespace="pay"} 0+30x20
				source pay/bill -> pay/ledger via ledger: istio_response_bytes_sum{pod="bill-1",namespace="pay"} 0+30x20`,
			want: []string{"missing-bytes: 1 of 2 pairs of workloads that exchange requests lack istio_request_bytes_sum"},
		},
		"one end knows the bytes": {
			series: without("source      shop/web -> shop/api via api: istio_re"),
		},
		"ztunnel counts the bytes of the requests": {
			series: `
				source      shop/web -> shop/api via api: istio_requests_total{pod="web-1"} 0+30x20
				destination shop/web -> shop/api via api: istio_tcp_sent_bytes_total{pod="ztunnel-1"} 0+30x20
				destination shop/web -> shop/api via api: istio_tcp_received_bytes_total{pod="ztunnel-1"} 0+30x20`,
		},
		"native histograms are bytes": {
			series: without("request_bytes") + `
				source shop/web -> shop/api via api: istio_request_bytes{pod="web-1"} {{schema:0 sum:0 count:0}}+{{schema:0 sum:300 count:4 buckets:[1 2 1]}}x20`,
		},
		"ends that do not know each other name different services": {
			series: `
				source      shop/web -> unknown  via alias: istio_tcp_sent_bytes_total 0+300x20
				source      shop/web -> unknown  via alias: istio_tcp_received_bytes_total 0+3x20
				destination unknown  -> shop/api via api:   istio_tcp_sent_bytes_total 0+600x20
				destination unknown  -> shop/api via api:   istio_tcp_received_bytes_total 0+6x20`,
			want: []string{"unmatched-services: 10.1 B/s to unknown servers of 1 service that no server reports, and 20.2 B/s from unknown clients of other services (alias)"},
		},
		"hosts outside, and clients outside": {
			series: `
				source      shop/web -> unknown  via api.example.com: istio_request_bytes_sum 0+300x20
				source      shop/web -> unknown  via PassthroughCluster: istio_request_bytes_sum 0+300x20
				destination unknown  -> shop/api via api: istio_request_bytes_sum 0+600x20`,
		},
		"ends that name the same service": {
			series: `
				source      shop/web -> unknown  via api: istio_request_bytes_sum 0+300x20
				destination unknown  -> shop/api via api: istio_request_bytes_sum 0+600x20`,
		},
		"little traffic of which the ends name different services": {
			series: whole + `
				source      shop/web -> unknown  via alias: istio_tcp_sent_bytes_total 0+6x20
				destination unknown  -> shop/api via api:   istio_tcp_sent_bytes_total 0+6x20`,
		},
		"TCP bytes in one direction": {
			series: without("tcp_sent"),
			want: []string{
				"missing-bytes: istio_tcp_sent_bytes_total has no series, but 1 pair of workloads exchanges TCP traffic",
				"missing-bytes: istio_tcp_sent_bytes_total has no series, but 1 pair of workloads exchanges TCP connections",
			},
		},
		"no TCP bytes": {
			series: without("tcp_sent", "tcp_received"),
			want:   []string{"missing-bytes: istio_tcp_received_bytes_total and istio_tcp_sent_bytes_total have no series, but 1 pair of workloads exchanges TCP connections"},
		},
		"a connection that has just been opened": {
			series: whole + `
				source shop/api -> shop/db via db: istio_tcp_connections_opened_total{pod="api-1",namespace="shop"} _x20 1`,
		},
		"two clusters of a mesh": {
			series: whole + `
				source shop/web@east -> shop/api@east via api: istio_requests_total{pod="w",instance="10.9.0.1:15020"} 0+30x20`,
			want: []string{"several-clusters: pairs of workloads name 2 clusters, and cluster is not set (Kubernetes, east) | cluster = Kubernetes | stops"},
		},
		"one of them is chosen": {
			options: Options{Cluster: "Kubernetes"},
			series: whole + `
				source shop/web@east -> shop/api@east via api: istio_requests_total{pod="w"} 0+30x20`,
		},
		"traffic with another cluster is not mixed": {
			series: whole + `
				source shop/web -> shop/api@east via api: istio_requests_total{pod="web-1",namespace="shop"} 0+30x20`,
		},
		"two clusters in one store": {
			series: again("", `cluster="west"`) + again("", `cluster="east"`),
			want:   []string{"several-clusters: 2 pairs of workloads have series under 2 values of the label cluster (east, west) | selector = cluster=\"east\" | stops"},
		},
		"two clusters of which one has no label": {
			series: whole + again("", `cluster="east"`),
			want:   []string{"several-clusters: 2 pairs of workloads have series under 2 values of the label cluster (none, east) | selector = cluster=\"east\" | stops"},
		},
		"the cluster setting does not tell stores apart": {
			options: Options{Cluster: "Kubernetes", Selector: `mesh_id="m"`},
			series:  again("", `mesh_id="m",cluster="west"`) + again("", `mesh_id="m",cluster="east"`),
			want:    []string{"several-clusters: 2 pairs of workloads have series under 2 values of the label cluster (east, west) | selector = mesh_id=\"m\",cluster=\"east\" | stops"},
		},
		"the selector does": {
			options: Options{Selector: `cluster="west"`},
			series:  again("", `cluster="west"`) + again("", `cluster="east"`),
		},
		"a label of pods that is called cluster": {
			series: whole + `
				source data/pg -> data/disk via disk: istio_tcp_sent_bytes_total{pod="pg-1",namespace="data",cluster="pg"} 0+30x20
				source data/pg -> data/disk via disk: istio_tcp_received_bytes_total{pod="pg-1",namespace="data",cluster="pg"} 0+30x20`,
			want: []string{"several-clusters: the series have 2 values of the label cluster, each for other pairs of workloads (none, pg) | selector = cluster=\"pg\""},
		},
		"two jobs, each with its own port": {
			series: again("", `job="envoy"`) + strings.ReplaceAll(again("", `job="pods"`), ":15020", ":15090"),
			want:   []string{"scraped-twice: 2 proxies have series under 2 values of the label job (envoy, pods) | selector = job=\"envoy\""},
		},
		"two jobs of which one has no pods": {
			series: again("", `job="envoy"`) + strings.NewReplacer(`pod="web-1",namespace="shop",`, `job="node",`, `pod="api-1",namespace="shop",`, `job="node",`, ":15020", ":15090").Replace(whole),
			want:   []string{"scraped-twice: 2 proxies have series under 2 values of the label job (envoy, node) | selector = job=\"envoy\""},
		},
		"a job for each workload": {
			series: strings.NewReplacer(`pod="web-1"`, `pod="web-1",job="web"`, `pod="api-1"`, `pod="api-1",job="api"`).Replace(whole),
		},
		"pods of the host's network share an address": {
			series: strings.NewReplacer(`pod="web-1"`, `pod="web-1",job="web"`, `pod="api-1"`, `pod="api-1",job="api"`, "10.0.0.2", "10.0.0.1").Replace(whole),
		},
		"replicas of Prometheus behind one endpoint": {
			options: Options{Selector: `job="x"`},
			series:  again("", `job="x",prometheus_replica="p-0"`) + again("", `job="x",prometheus_replica="p-1"`),
			want:    []string{"scraped-twice: 2 proxies have series under 2 values of the label prometheus_replica (p-0, p-1) | selector = job=\"x\",prometheus_replica=\"p-0\""},
		},
		"replicas under another label": {
			series: again("", `replica="a"`) + again("", `replica="b"`),
			want:   []string{"scraped-twice: 2 proxies have series under 2 values of the label replica (a, b) | selector = replica=\"a\""},
		},
		"series that name neither pods nor addresses": {
			series: strings.NewReplacer(`pod="web-1",namespace="shop",instance="10.0.0.1:15020"`, `job="a"`, `pod="api-1",namespace="shop",instance="10.0.0.2:15020"`, `job="a"`).Replace(whole) +
				strings.NewReplacer(`pod="web-1",namespace="shop",instance="10.0.0.1:15020"`, `job="b"`, `pod="api-1",namespace="shop",instance="10.0.0.2:15020"`, `job="b"`).Replace(whole),
			want: []string{"scraped-twice: 2 proxies or workloads have series under 2 values of the label job (a, b) | selector = job=\"a\""},
		},
		"a label is removed from some": {
			series: whole + `
				raw istio_request_bytes_sum{reporter="source",source_workload="bill",source_workload_namespace="pay",destination_workload="ledger",pod="bill-1"} 0+900x20`,
			want: []string{"missing-labels: label destination_workload_namespace is missing from 1 of 9 series"},
		},
		"removed names of clusters do not matter without cluster": {
			series: whole + `
				raw istio_request_bytes_sum{reporter="source",source_workload="web",source_workload_namespace="shop",destination_workload="api",destination_workload_namespace="shop",pod="web-1"} 0+900x20`,
		},
		"with it they do": {
			options: Options{Cluster: "Kubernetes"},
			series: whole + `
				raw istio_request_bytes_sum{reporter="source",source_cluster="Kubernetes",source_workload="web",source_workload_namespace="shop",destination_workload="api",destination_workload_namespace="shop",pod="web-1"} 0+900x20`,
			want: []string{"missing-labels: label destination_cluster is missing from 1 of 9 series"},
		},
		"data that are younger than the window": {
			series: whole, at: 130,
			want: []string{"young-data: istio_requests_total, istio_request_bytes_sum and istio_tcp_sent_bytes_total reach back about 2m6s, less than the window of 5m | window = 2m"},
		},
		"bytes that are younger than requests": {
			series: without("request_bytes") + `
				source shop/web -> shop/api via api: istio_request_bytes_sum{pod="web-1",namespace="shop"} _x18 0+300x2`,
			want: []string{"young-data: istio_request_bytes_sum reaches back about 56s, less than the window of 5m"},
		},
		"only waypoints": {
			series: `
				waypoint shop/web -> shop/api via api: istio_requests_total 0+30x20
				waypoint shop/web -> shop/db via db: istio_tcp_sent_bytes_total 0+30x20`,
			want: []string{`only-waypoints: only waypoints report (ambient mode): 2 pairs of workloads with reporter="waypoint", none with reporter="source" or "destination"`},
		},
		"waypoints beside sidecars": {
			series: whole + `
				waypoint ambient/web -> ambient/api via api: istio_requests_total 0+30x20
				waypoint shop/web -> shop/api via api: istio_requests_total 0+30x20`,
			want: []string{"only-waypoints: 1 pair of workloads is reported only by waypoints (ambient mode), of 2 that waypoints report"},
		},
		"a waypoint between a client that calls sidecars too and a server that only it calls": {
			series: whole + `
				destination ambient/web -> shop/api via api: istio_tcp_sent_bytes_total{pod="api-1"} 0+30x20
				destination ambient/web -> shop/api via api: istio_tcp_received_bytes_total{pod="api-1"} 0+30x20
				waypoint ambient/web -> ambient/api via api: istio_requests_total 0+30x20`,
			want: []string{"only-waypoints: 1 pair of workloads is reported only by waypoints (ambient mode), of 1 that waypoints report"},
		},
		"waypoints beside ztunnel": {
			series: whole + `
				source   ambient/web -> ambient/waypoint via api: istio_tcp_sent_bytes_total{pod="ztunnel-1"} 0+30x20
				source   ambient/web -> ambient/waypoint via api: istio_tcp_received_bytes_total{pod="ztunnel-1"} 0+30x20
				destination ambient/waypoint -> ambient/api via api: istio_tcp_sent_bytes_total{pod="ztunnel-1"} 0+30x20
				destination ambient/waypoint -> ambient/api via api: istio_tcp_received_bytes_total{pod="ztunnel-1"} 0+30x20
				waypoint ambient/web -> ambient/api via api: istio_requests_total 0+30x20`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			at := time.Unix(600, 0)
			if tc.at != 0 {
				at = time.Unix(int64(tc.at), 0)
			}
			got := found(t, tc.options, promtest.New(t, fixture(t, collapse(tc.series))), at)
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRecordedNativeHistograms: the rules read them too.
func TestRecordedNativeHistograms(t *testing.T) {
	at := time.Unix(600, 0)
	raw := promtest.New(t, fixture(t, `source shop/web -> shop/api via api: istio_request_bytes {{schema:0 sum:0 count:0}}+{{schema:0 sum:300 count:4 buckets:[1 2 1]}}x20`))
	source, err := NewSidecar(Options{Recorded: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := source.Collect(t.Context(), record(t, raw, shippedRules(t).Rules, at, ""), at)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"shop/web -> shop/api 10 0 0"}, flowLines(got.Flows)); diff != "" {
		t.Errorf("flows (-want +got):\n%s", diff)
	}
}

// TestCheckSaysWhatHadNoAnswer: the checks that had one count all the same.
func TestCheckSaysWhatHadNoAnswer(t *testing.T) {
	source, err := NewSidecar(Options{})
	if err != nil {
		t.Fatal(err)
	}
	q := unanswered{promtest.New(t, fixture(t, collapse(`waypoint shop/web -> shop/api via api: istio_requests_total 0+30x20`))), "connections_opened"}
	got, err := source.Check(t.Context(), q, time.Unix(600, 0), telemetry.Observation{})
	if err == nil || !strings.Contains(err.Error(), "query check-connections: too busy") || len(got) != 1 || got[0].Condition != telemetry.OnlyWaypoints {
		t.Errorf("findings %v, error %v", got, err)
	}
}

// unanswered fails the queries with a word in them.
type unanswered struct {
	telemetry.Querier
	word string
}

func (u unanswered) Query(ctx context.Context, query string, at time.Time, yield func(telemetry.Series) error) error {
	if strings.Contains(query, u.word) {
		return errors.New("too busy")
	}
	return u.Querier.Query(ctx, query, at, yield)
}
