package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// bothEnds writes series of a metric that rises by so much a second, from the
// proxies at both ends. more are further labels.
func bothEnds(metric, from, to, more string, rate float64) string {
	b := &strings.Builder{}
	for _, reporter := range []string{"source", "destination"} {
		fmt.Fprintf(b, "raw %s{reporter=%q,%s,%s,destination_service_name=\"svc\"%s} 0+%gx20\n", metric, reporter,
			endLabels("source", from), endLabels("destination", to), more, 30*rate)
	}
	return b.String()
}

// calls writes what a mesh that is well reports of 50 requests/s with 20,000 bytes/s
// there and 100,000 back. more are further labels.
func calls(from, to, more string) string {
	return bothEnds("istio_requests_total", from, to, more, 50) +
		bothEnds("istio_request_bytes_sum", from, to, more, 20000) + bothEnds("istio_response_bytes_sum", from, to, more, 100000)
}

const anyPod = `,pod="p",namespace="shop",instance="10.0.0.1:15020"`

// TestGraphSaysWhatIsWrong: a condition is in the table with the next step, in JSON,
// in the page and in the title for Graphviz; what is well has none.
func TestGraphSaysWhatIsWrong(t *testing.T) {
	web, cart := "shop/web", "shop/cart"
	cases := map[string]struct {
		traffic   string
		args      []string
		condition string
		want      []string // in the table
	}{
		"all is well": {traffic: calls(web, cart, anyPod), want: []string{"117.2 KiB/s, 50.0 requests/s"}},
		"requests without bytes": {
			traffic:   bothEnds("istio_requests_total", web, cart, anyPod, 50),
			condition: "missing-bytes",
			want: []string{
				"graph       2 workloads, 1 edge, 0 B/s, 50.0 requests/s\n            read with the warnings below: missing-bytes",
				"warning: istio-sidecar, missing-bytes: istio_request_bytes_sum and istio_response_bytes_sum have no series, but 1 pair of workloads exchanges requests.",
				"Why it matters: the missing bytes are unknown but show as 0", "Next: look for overrides that disable REQUEST_SIZE", "kubectl get telemetries.telemetry.istio.io -A -o yaml",
			},
		},
		"one direction": {
			traffic:   bothEnds("istio_requests_total", web, cart, anyPod, 50) + bothEnds("istio_response_bytes_sum", web, cart, anyPod, 1),
			condition: "missing-bytes",
			want:      []string{"istio_request_bytes_sum has no series, but 1 pair"},
		},
		"scraped by two jobs": {
			traffic:   calls(web, cart, anyPod+`,job="envoy-stats"`) + calls(web, cart, strings.ReplaceAll(anyPod, "15020", "15090")+`,job="kubernetes-pods"`),
			condition: "scraped-twice",
			want: []string{
				"234.4 KiB/s, 100 requests/s\n            read with the warnings below: scraped-twice",
				"1 proxy has series under 2 values of the label job (envoy-stats, kubernetes-pods)", `Next: use --selector 'job="envoy-stats"', or let only one job`,
			},
		},
		"and one of them selected": {
			traffic: calls(web, cart, anyPod+`,job="envoy-stats"`) + calls(web, cart, strings.ReplaceAll(anyPod, "15020", "15090")+`,job="kubernetes-pods"`),
			args:    []string{"--selector", `job="envoy-stats"`}, want: []string{"117.2 KiB/s, 50.0 requests/s"},
		},
		"a cluster selected": {
			traffic: calls(web, cart, anyPod+`,cluster="east"`) + calls(web, cart, anyPod+`,cluster="west"`),
			args:    []string{"--selector", `cluster="west"`}, want: []string{"117.2 KiB/s, 50.0 requests/s"},
		},
		"a removed label": {
			traffic:   calls(web, cart, anyPod) + strings.ReplaceAll(calls("pay/bill", "pay/ledger", anyPod), `destination_workload_namespace="pay",`, ""),
			condition: "missing-labels",
			want: []string{
				"left out    117.2 KiB/s in 6 series, for the reasons below",
				"label destination_workload_namespace is missing from 6 of 12 series", "117.2 KiB/s, 50.0 % of all that is reported", "Next: look for tagOverrides with REMOVE",
				"missing-label        6   117.2 KiB/s",
			},
		},
		"data of two minutes": {
			traffic:   strings.ReplaceAll(calls(web, cart, anyPod), " 0+", " _x16 0+"),
			condition: "young-data",
			want:      []string{"istio_requests_total and istio_request_bytes_sum reach back about 1m52s, less than the window of 5m", "up to 2.7 times", "Next: use --window 1m, or ask again in 3m8s"},
		},
		"only waypoints": {
			traffic:   `raw istio_requests_total{reporter="waypoint",source_workload="web",source_workload_namespace="shop",destination_workload="cart",destination_workload_namespace="shop"} 0+30x20`,
			condition: "only-waypoints",
			want:      []string{"only waypoints report (ambient mode): 1 pair of workloads", "Next: have Prometheus scrape ztunnel", "The graph is empty", "istio-sidecar: the warning above says why there is no traffic."},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"graph", "--prometheus", prometheus(t, traffic(t, tc.traffic))}, tc.args...)
			table := showing(t, name == "only waypoints", args...)
			for _, want := range tc.want {
				if !strings.Contains(table, want) {
					t.Errorf("no %q in\n%s", want, table)
				}
			}
			if (tc.condition == "") == strings.Contains(table, "warning:") {
				t.Errorf("the table is\n%s", table)
			}
			g := decode(t, showing(t, name == "only waypoints", append(args, "-o", "json")...))
			if got := g.Sources[0].Conditions; (tc.condition != "") != (len(got) == 1) || len(got) == 1 && (got[0].Condition != tc.condition || got[0].What == "" || got[0].Why == "" || got[0].Next == "") {
				t.Errorf("in JSON: %+v", got)
			}
			page, dot := showing(t, name == "only waypoints", append(args, "-o", "html")...), showing(t, name == "only waypoints", append(args, "-o", "dot")...)
			mark := `"condition":"` + tc.condition
			if tc.condition == "" {
				mark = `"conditions":`
			}
			if strings.Contains(page, mark) != (tc.condition != "") || strings.Contains(dot, "read with the warnings of vicinity graph: "+tc.condition) != (tc.condition != "") {
				t.Errorf("in the page: %v; title: %s", strings.Contains(page, mark), strings.SplitN(dot, "\n", 3)[1])
			}
		})
	}
}

// TestGraphStopsAtSeveralClusters: where equal names are added up there is no graph.
func TestGraphStopsAtSeveralClusters(t *testing.T) {
	cases := map[string]struct {
		traffic string
		want    string
	}{
		"one store": {
			calls("shop/web", "shop/cart", anyPod+`,cluster="east"`) + calls("shop/web", "shop/cart", anyPod+`,cluster="west"`),
			`1 pair of workloads has series under 2 values of the label cluster (east, west): the store has several clusters, or one of them twice, and workloads of the same name would be added up as one; use --selector 'cluster="east"', or select another of these values`,
		},
		"one mesh": {
			calls("shop/web@east", "shop/cart@east", anyPod) + calls("shop/web@west", "shop/cart@west", anyPod),
			"pairs of workloads name 2 clusters, and cluster is not set (east, west): workloads of the same name in different clusters would be added up as one; use --mesh-cluster east, or set it to another of these names",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			url := prometheus(t, traffic(t, tc.traffic))
			for _, verb := range [][]string{{"graph"}, {"record", "--since", "2m", "--kubeconfig", apiServer(t), t.TempDir() + "/rec"}} {
				code, out, stderr := invoke(t, append(verb, "--prometheus", url)...)
				if code != exitFailure || out != "" || !strings.Contains(stderr, tc.want) {
					t.Errorf("%s: exit code %d, stdout %s, stderr %s; want %s", verb[0], code, out, stderr, tc.want)
				}
			}
			file := writeFile(t, fmt.Sprintf("apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {url: %q}\nsources: [{type: istio-sidecar, name: mesh}]\n", url))
			if _, _, stderr := invoke(t, "graph", "--telemetry-config", file); !strings.Contains(stderr, "; set ") || !strings.Contains(stderr, "for the source mesh in "+file) {
				t.Errorf("with a file: %s", stderr)
			}
		})
	}
}

// TestFormerClusterFlag: the flag that meant a file elsewhere has another name.
func TestFormerClusterFlag(t *testing.T) {
	for _, args := range [][]string{{"graph", "--prometheus", "http://localhost:1", "--cluster", "west"}, {"record", "--cluster", "west", "rec"}} {
		code, _, stderr := invoke(t, args...)
		if code != exitUsage || !strings.Contains(stderr, "--cluster: the mesh's name of the cluster is --mesh-cluster. Type: vicinity "+args[0]+" --mesh-cluster west") {
			t.Errorf("%s: exit code %d, %s", args[0], code, stderr)
		}
	}
}

// TestIncompleteAnswersFail serves a good answer in the words of servers that call it
// incomplete, and of one that only says something about the query.
func TestIncompleteAnswersFail(t *testing.T) {
	querier := promtest.New(t, traffic(t, calls("shop/web", "shop/cart", anyPod)))
	cases := map[string]struct {
		field  func(answer map[string]any)
		header [2]string
		want   string // "" when the answer is good
	}{
		"isPartial":         {field: func(a map[string]any) { a["isPartial"] = true }, want: "isPartial is true"},
		"M3":                {header: [2]string{"M3-Results-Limited", "max_fetch_series_limit_applied"}, want: "M3-Results-Limited"},
		"infos":             {field: func(a map[string]any) { a["infos"] = []string{"PromQL info: x"} }},
		"infos in warnings": {field: func(a map[string]any) { a["warnings"] = []string{"PromQL info: metric might not be a counter"} }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				answerQuery(answer, r, querier)
				var fields map[string]any
				if err := json.Unmarshal(answer.Body.Bytes(), &fields); err != nil {
					t.Error(err)
				}
				if tc.field != nil {
					tc.field(fields)
				}
				if tc.header[0] != "" {
					w.Header().Set(tc.header[0], tc.header[1])
				}
				if err := json.NewEncoder(w).Encode(fields); err != nil {
					t.Error(err)
				}
			}))
			t.Cleanup(s.Close)
			code, out, stderr := invoke(t, "graph", "--prometheus", s.URL)
			if tc.want == "" && (code != exitOK || !strings.Contains(out, "117.2 KiB/s")) || tc.want != "" && (code != exitFailure || !strings.Contains(stderr, tc.want)) {
				t.Errorf("exit code %d: %s%s", code, out, stderr)
			}
		})
	}
}
