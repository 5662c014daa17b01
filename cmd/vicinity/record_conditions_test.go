package main

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/report"
)

// withLeftOut is traffic of which most has an end that is not known; one connection
// to the service db is reported at each of its ends.
const withLeftOut = `
	shop/web  -> shop/cart via cart: 100 2000 5
	shop/cart -> unknown   via api.bank.example: 100 500 1
	raw istio_tcp_sent_bytes_total{reporter="source",source_workload="cart",source_workload_namespace="shop",source_cluster="Kubernetes",destination_workload="unknown",destination_workload_namespace="unknown",destination_service_name="db"} 0+3000x20
	raw istio_tcp_received_bytes_total{reporter="source",source_workload="cart",source_workload_namespace="shop",source_cluster="Kubernetes",destination_workload="unknown",destination_workload_namespace="unknown",destination_service_name="db"} 0+3000x20
	raw istio_tcp_sent_bytes_total{reporter="destination",source_workload="unknown",source_workload_namespace="unknown",destination_workload="db",destination_workload_namespace="shop",destination_cluster="Kubernetes",destination_service_name="db"} 0+3000x20
	raw istio_tcp_received_bytes_total{reporter="destination",source_workload="unknown",source_workload_namespace="unknown",destination_workload="db",destination_workload_namespace="shop",destination_cluster="Kubernetes",destination_service_name="db"} 0+3000x20
`

// TestLeftOutTravels follows what is left out from record to the report, in all its
// formats.
func TestLeftOutTravels(t *testing.T) {
	url := prometheus(t, traffic(t, withLeftOut))
	path := filepath.Join(t.TempDir(), "rec")
	out := succeed(t, "record", "--prometheus", url, "--kubeconfig", apiServer(t), "--since", "4m", "--window", "2m", path)
	if words := strings.Join(strings.Fields(out), " "); !strings.Contains(words, "traffic on average 2.1 KiB/s left out, external 800.0 B/s (istio-sidecar)") {
		t.Errorf("the summary is\n%s", out)
	}
	m, _ := recordedIn(t, path)
	want := []recording.LeftOut{{Source: "istio-sidecar", Reason: "external", Bytes: 800 * 240, BytesPerSecond: 800}}
	if diff := cmp.Diff(want, m.LeftOut, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Errorf("the manifest (-want +got):\n%s", diff)
	}
	checkLeftOut(t, want, path)
}

// checkLeftOut replays an input and looks for what was left out.
func checkLeftOut(t *testing.T, want []recording.LeftOut, args ...string) {
	t.Helper()
	args = append([]string{"replay", "--run", "recorded"}, args...)
	var got struct{ Input report.Input }
	if err := json.Unmarshal([]byte(succeed(t, append(args, "-o", "json")...)), &got); err != nil {
		t.Fatal(err)
	}
	var left []recording.LeftOut
	for _, l := range got.Input.LeftOut {
		left = append(left, recording.LeftOut(l))
	}
	if diff := cmp.Diff(want, left, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	table := succeed(t, args...)
	if !strings.Contains(table, "left out, because it belongs to no pair of workloads (mean over the steps in which the sources answered):\n  "+want[0].Reason+"  ") {
		t.Errorf("the table is\n%s", table)
	}
	if page := succeed(t, append(args, "-o", "html")...); !strings.Contains(page, `"leftOut":[{"source":"istio-sidecar","reason":"`+want[0].Reason) {
		t.Error("it is not in the page")
	}
}

// TestConditionsTravel: what record finds is in the summary with the next step, in
// the manifest, and in the report of a replay; requests without bytes are said there
// even when nobody noted them.
func TestConditionsTravel(t *testing.T) {
	url := prometheus(t, traffic(t, bothEnds("istio_requests_total", "shop/web", "shop/cart", anyPod+`,job="secret-a"`, 50)+
		bothEnds("istio_requests_total", "shop/web", "shop/cart", anyPod+`,job="secret-b"`, 50)))
	cases := map[string]struct {
		more  []string
		notes []string // in the manifest, and in what replay says
	}{
		"plain": {nil, []string{"istio-sidecar: istio_request_bytes_sum and istio_response_bytes_sum have no series, but 1 pair", "values of the label job (secret-a, secret-b)"}},
		"anonymous": {[]string{"--anonymize"}, []string{
			"source-1: a finding of the condition missing-bytes in 4 of 4 steps", "source-1: a finding of the condition scraped-twice in 4 of 4 steps",
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rec")
			out := succeed(t, append([]string{"record", "--prometheus", url, "--kubeconfig", apiServer(t), "--since", "4m", "--window", "2m", path}, tc.more...)...)
			for _, want := range []string{
				"Warning: istio-sidecar: istio_request_bytes_sum and istio_response_bytes_sum have no series", "  Next: look for overrides",
				"under 2 values of the label job (secret-a, secret-b): their traffic is counted once for each", `  Next: use --selector 'job="secret-a"'`,
			} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			m, _ := recordedIn(t, path)
			notes := strings.Join(m.Notes, "\n")
			table := succeed(t, "replay", path, "--run", "recorded")
			for _, want := range tc.notes {
				if !strings.Contains(notes, want) || !strings.Contains(table, "warning: ") || !strings.Contains(table, want) {
					t.Errorf("no %q in the notes\n%s\nor in\n%s", want, notes, table)
				}
			}
			if tc.more != nil && (strings.Contains(notes, "secret") || strings.Contains(notes, "istio")) {
				t.Errorf("the notes are\n%s", notes)
			}
			for _, want := range []string{"warning: 1 of 1 edges with requests has no bytes: their bytes are unknown but count as 0"} {
				if !strings.Contains(table, want) {
					t.Errorf("no %q in\n%s", want, table)
				}
			}
		})
	}
}

// TestRecordWithMoreGapsThanSteps: a Prometheus that goes away in the middle, or that
// keeps less than was asked for.
func TestRecordWithMoreGapsThanSteps(t *testing.T) {
	querier := promtest.New(t, traffic(t, "shop/web -> shop/cart via cart: 100 2000 5"))
	cases := map[string]struct {
		since, window string
		until         time.Duration // after dataStart; when the server goes away
		wantCode      int
		want          []string
	}{
		"half of the steps":        {"6m", "2m", 7 * time.Minute, exitOK, []string{"of them gaps 3 ", "Next: vicinity replay"}},
		"more than half":           {"6m", "2m", 6 * time.Minute, exitGaps, []string{"of them gaps 4 "}},
		"less data than asked for": {"30m", "2m", time.Hour, exitGaps, []string{"Note: the sources know of no traffic before 2026-10-01T11:50:00Z: the first 20 of the steps are gaps."}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			firstStep, begun := "1790855700", false // 11:55; before, New asks, which must succeed
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				begun = begun || r.FormValue("time") == firstStep
				seconds, err := strconv.ParseFloat(r.FormValue("time"), 64)
				if begun && (err != nil || seconds > float64(dataStart.Unix())+tc.until.Seconds()) {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				answerQuery(w, r, querier)
			})
			path := filepath.Join(t.TempDir(), "rec")
			code, out, stderr := invoke(t, "record", "--prometheus", url, "--kubeconfig", apiServer(t), "--since", tc.since, "--window", tc.window, path)
			if code != tc.wantCode {
				t.Errorf("exit code %d, want %d: %s", code, tc.wantCode, stderr)
			}
			words := strings.Join(strings.Fields(out), " ")
			for _, want := range tc.want {
				if !strings.Contains(words, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			if code == exitGaps && (strings.Contains(out, "Next: vicinity replay") || !strings.Contains(stderr, " steps are gaps: "+path+" has ")) {
				t.Errorf("it ends with\n%s%s", out, stderr)
			}
		})
	}
}

// leftOutData is a Prometheus data directory of half an hour with traffic that has an
// unknown end.
func leftOutData(t *testing.T, dir string) string {
	t.Helper()
	db, err := tsdb.Open(dir, nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	appender := db.Appender(t.Context())
	for _, s := range []struct {
		to   string
		rate float64
	}{{"w1", 3000}, {"unknown", 700}} {
		namespace := map[bool]string{true: "unknown", false: "shop"}[s.to == "unknown"]
		series := labels.FromStrings("__name__", "istio_request_bytes_sum", "reporter", "source", "source_workload", "w0", "source_workload_namespace", "shop",
			"destination_workload", s.to, "destination_workload_namespace", namespace, "destination_service_name", "x", "pod", "w0-1")
		for at := time.Duration(0); at <= 30*time.Minute; at += 15 * time.Second {
			if _, err := appender.Append(0, series, recordedFrom.Add(at).UnixMilli(), s.rate*at.Seconds()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(appender.Commit(), db.Close()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestReplayDataSaysWhatIsMissing: data directories are asked as a live Prometheus is,
// and what lies before their beginning is a note.
func TestReplayDataSaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	o := aRecording()
	cluster := clusterFile(t, filepath.Join(dir, "cluster.json"), o)
	data := leftOutData(t, filepath.Join(dir, "data"))
	want := []recording.LeftOut{{Source: "istio-sidecar", Reason: "external", Bytes: 700 * 900, BytesPerSecond: 700}}
	checkLeftOut(t, want, data, "--cluster", cluster, "--since", "15m")
	clean, _ := replayTimed(t, data, "--cluster", cluster, "--run", "recorded", "--since", "15m")
	if len(clean.Warnings) > 0 || math.Abs(clean.Input.BytesPerSecond-3000) > 1e-6 {
		t.Errorf("input %+v, warnings %q", clean.Input, clean.Warnings)
	}
	got, _ := replayTimed(t, data, "--cluster", cluster, "--run", "recorded", "--since", "48h", "--until", "2026-03-05T00:00:00Z")
	text := strings.Join(got.Warnings, "\n")
	for _, want := range []string{
		"--since 2026-03-02T05:30:00Z: the data begin at 2026-03-04T05:00:00Z, and so does the replay",
		"--until 2026-03-05T00:00:00Z: the data end at 2026-03-04T05:30:00Z, and so does the replay",
		"istio_request_bytes_sum reaches back about 56s, less than the window of 5m in 4 of 30 steps",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !got.Input.From.Equal(recordedFrom) || !got.Input.To.Equal(recordedFrom.Add(30*time.Minute)) {
		t.Errorf("from %s to %s", got.Input.From, got.Input.To)
	}
}

// TestReplayWithoutTraffic: figures of nothing are no result.
func TestReplayWithoutTraffic(t *testing.T) {
	dir := t.TempDir()
	cluster := clusterFile(t, filepath.Join(dir, "cluster.json"), aRecording())
	header := "from,to,bytes_per_second,requests_per_second\n"
	cases := map[string]struct{ edges, want string }{
		"zeros":                  {header + "shop/w0,shop/w1,0,0\n", "warning: there is no traffic in the input: every rate in it is 0"},
		"no edges":               {header, "warning: there is no traffic in the input"},
		"requests without bytes": {header + "shop/w0,shop/w1,0,5\nshop/w1,shop/w2,0,2\n", "warning: 2 of 2 edges with requests have no bytes: their bytes are unknown but count as 0"},
		"some without bytes":     {header + "shop/w0,shop/w1,0,5\nshop/w1,shop/w2,9,2\n", "warning: 1 of 2 edges with requests has no bytes"},
		"traffic":                {header + "shop/w0,shop/w1,5,0\n", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			edges := filepath.Join(t.TempDir(), "edges.csv")
			write(t, edges, tc.edges)
			got := succeed(t, "replay", edges, "--cluster", cluster, "--run", "recorded", "--price-per-gb", "0.01")
			if tc.want == "" && strings.Contains(got, "warning:") || !strings.Contains(got, tc.want) {
				t.Errorf("want %q in\n%s", tc.want, got)
			}
		})
	}
}
