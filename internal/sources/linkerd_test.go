package sources_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// known answers for endpoints, which are written as "pod shop/web-1". What it does not
// know is not there.
type known map[string]string

func (k known) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	var all []telemetry.Resolution
	for _, e := range endpoints {
		r := telemetry.Resolution{Reason: telemetry.UnknownObject}
		if name, ok := k[fmt.Sprintf("%v %s/%s", e.Kind, e.Namespace, e.Name)]; ok {
			r = telemetry.Resolution{Shares: []telemetry.Share{{Workload: flowgraph.WorkloadID{Namespace: e.Namespace, Name: name}, Part: 1}}}
		}
		all = append(all, r)
	}
	return all
}

// observe collects what a type reads of series, whose counters rise by 60 bytes a minute for
// each unit of the number behind them.
func observe(t *testing.T, kind v1.SourceType, resolver telemetry.Resolver, series ...string) telemetry.Observation {
	t.Helper()
	load := &strings.Builder{}
	fmt.Fprintln(load, "load 30s")
	for _, s := range series {
		i := strings.LastIndex(s, " ")
		var rate int
		if _, err := fmt.Sscan(s[i+1:], &rate); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(load, "  %s 0+%dx20\n", s[:i], 30*rate)
	}
	minute := metav1.Duration{Duration: time.Minute}
	source, err := sources.New(v1.TelemetrySource{Type: kind, Name: "it", Window: &minute}, telemetry.Trust{}, resolver)
	if err != nil {
		t.Fatal(err)
	}
	o, err := source.Collect(t.Context(), promtest.New(t, load.String()), time.Unix(600, 0))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// lines are the flows, as "web -> db sent/received/requests", and what is left out, as
// "external 3 B/s".
func lines(o telemetry.Observation) []string {
	var all []string
	for _, f := range o.Flows {
		all = append(all, fmt.Sprintf("%v -> %v %g/%g/%g", f.From, f.To, f.SentBytesPerSecond, f.ReceivedBytesPerSecond, f.RequestsPerSecond))
	}
	for _, reason := range telemetry.Reasons() {
		if l, ok := o.LeftOut[reason]; ok {
			all = append(all, fmt.Sprintf("%v %g B/s", reason, l.BytesPerSecond))
		}
	}
	return all
}

func TestLinkerd(t *testing.T) {
	const (
		web = `direction="outbound",peer="dst",namespace="shop",pod="web-1",instance="10.0.0.1:4191",`
		db  = `dst_namespace="data",dst_service="db",dst_pod="db-0",`
	)
	cases := map[string]struct {
		series []string
		known  known
		want   []string
	}{
		"both directions and requests": {
			series: []string{
				`tcp_write_bytes_total{` + web + `deployment="web",` + db + `dst_statefulset="db"} 3`,
				`tcp_read_bytes_total{` + web + `deployment="web",` + db + `dst_statefulset="db"} 50`,
				`request_total{direction="outbound",namespace="shop",pod="web-1",deployment="web",` + db + `dst_statefulset="db"} 2`,
			},
			want: []string{"shop/web -> data/db 3/50/2"},
		},
		"pods of a workload add up, and do not divide the answer": {
			series: []string{
				`tcp_write_bytes_total{` + web + `deployment="web",` + db + `dst_statefulset="db"} 3`,
				`tcp_write_bytes_total{` + strings.ReplaceAll(web, "web-1", "web-2") + `deployment="web",` + db + `dst_statefulset="db"} 4`,
				`tcp_write_bytes_total{` + web + `deployment="web",` + strings.ReplaceAll(db, "db-0", "db-1") + `dst_statefulset="db"} 5`,
			},
			want: []string{"shop/web -> data/db 12/0/0"},
		},
		"kinds of owners": {
			series: []string{
				`tcp_write_bytes_total{` + web + `daemonset="agent",` + db + `dst_daemonset="log"} 1`,
				`tcp_write_bytes_total{` + web + `cronjob="nightly",` + db + `dst_cronjob="hourly"} 2`,
				`tcp_write_bytes_total{` + web + `k8s_job="report-28",` + db + `dst_k8s_job="load-29"} 3`,
				`tcp_write_bytes_total{` + web + `replicaset="web-6b5d",` + db + `dst_replicaset="db-77"} 4`,
				`tcp_write_bytes_total{` + web + `statefulset="queue",` + db + `dst_deployment="api"} 5`,
			},
			known: known{
				"job shop/report-28": "report", "job data/load-29": "load",
				"replicaset shop/web-6b5d": "rollout", "replicaset data/db-77": "set",
			},
			want: []string{
				"shop/agent -> data/log 1/0/0", "shop/nightly -> data/hourly 2/0/0", "shop/queue -> data/api 5/0/0",
				"shop/report -> data/load 3/0/0", "shop/rollout -> data/set 4/0/0",
			},
		},
		"pods without the labels of owners": {
			series: []string{
				`tcp_write_bytes_total{` + web + db + `} 1`,
				`tcp_read_bytes_total{` + web + db + `dst_rollout="db"} 2`, // a kind that we do not know
				`tcp_write_bytes_total{` + web + `dst_namespace="data",dst_pod="gone"} 4`,
			},
			known: known{"pod shop/web-1": "web", "pod data/db-0": "db"},
			want:  []string{"shop/web -> data/db 1/2/0", "unknown-object 4 B/s"},
		},
		"a pod label that looks like an owner's": {
			series: []string{`tcp_write_bytes_total{` + web + `statefulset="blue",deployment="green",` + db + `dst_statefulset="db"} 1`},
			known:  known{"pod shop/web-1": "web"},
			want:   []string{"shop/web -> data/db 1/0/0"},
		},
		"endpoints of a Service that are no pods": {
			series: []string{`tcp_write_bytes_total{` + web + `deployment="web",dst_namespace="data",dst_service="db"} 1`},
			known:  known{"service data/db": "db"},
			want:   []string{"shop/web -> data/db 1/0/0"},
		},
		"the authority alone": {
			series: []string{
				`tcp_write_bytes_total{` + web + `deployment="web",authority="db.data.svc.cluster.local:5432"} 1`,
				`tcp_write_bytes_total{` + web + `deployment="web",authority="api.example.com:443"} 2`,
				`tcp_write_bytes_total{` + web + `deployment="web",authority="10.1.2.3:80"} 4`,
				`tcp_write_bytes_total{` + web + `deployment="web",authority="db-0.db.data.svc.cluster.local"} 8`, // a pod of a headless Service
			},
			known: known{"service data/db": "db"},
			want:  []string{"shop/web -> data/db 1/0/0", "external 14 B/s"},
		},
		"a workload has precedence over the authority": {
			series: []string{`tcp_write_bytes_total{` + web + `deployment="web",authority="apex.data.svc.cluster.local:80",` + db + `dst_deployment="canary"} 1`},
			known:  known{"service data/apex": "apex"},
			want:   []string{"shop/web -> data/canary 1/0/0"},
		},
		"a Service that is mirrored from another cluster": {
			series: []string{
				`tcp_write_bytes_total{` + web + `deployment="web",authority="db-east.data.svc.cluster.local:80",dst_namespace="data",dst_service="db-east",` +
					`dst_target_cluster="east",dst_target_service="db",dst_target_service_namespace="data"} 1`,
				`tcp_read_bytes_total{` + web + `deployment="web",dst_namespace="data",dst_service="db-east",dst_target_cluster="east"} 2`,
			},
			known: known{"service data/db-east": "db"},
			want:  []string{"other-cluster 3 B/s"},
		},
		"the gateway to this cluster": {
			series: []string{
				`tcp_write_bytes_total{direction="outbound",peer="dst",namespace="linkerd-multicluster",pod="linkerd-gateway-1",deployment="linkerd-gateway",` + db + `dst_statefulset="db"} 1`,
			},
			want: []string{"linkerd-multicluster/linkerd-gateway -> data/db 1/0/0"},
		},
		"outside the cluster": {
			series: []string{
				`tcp_write_bytes_total{` + web + `deployment="web",target_addr="93.184.216.34:443",target_ip="93.184.216.34",target_port="443",tls="no_identity"} 1`,
				`tcp_read_bytes_total{` + web + `deployment="web",dst_namespace="data",dst_external_workload="vm-1",dst_service="db"} 2`,
			},
			want: []string{"external 3 B/s"},
		},
		"clients without a proxy": {
			series: []string{
				`tcp_read_bytes_total{direction="inbound",peer="src",namespace="shop",pod="web-1",deployment="web",target_port="8080",tls="no_identity"} 1`,
				`tcp_write_bytes_total{direction="inbound",peer="src",namespace="shop",pod="web-1",deployment="web",target_port="8080",tls="no_identity"} 2`,
			},
			want: []string{"external 3 B/s"},
		},
		"what is counted elsewhere too": {
			series: []string{
				`tcp_read_bytes_total{direction="inbound",peer="src",namespace="shop",pod="web-1",deployment="web",target_port="8080",tls="true",client_id="default.data"} 1`,
				`tcp_read_bytes_total{direction="inbound",peer="src",namespace="shop",pod="web-1",deployment="web",target_port="4191",tls="no_identity"} 2`, // scrapes
				`tcp_write_bytes_total{direction="inbound",peer="dst",namespace="shop",pod="web-1",deployment="web",tls="no_identity"} 4`,
				`tcp_read_bytes_total{direction="outbound",peer="src",namespace="shop",pod="web-1",deployment="web",tls="no_identity"} 8`,
				`tcp_write_bytes_total{direction="outbound",peer="src",namespace="shop",pod="web-1",deployment="web",tls="no_identity"} 8`,
				`request_total{direction="inbound",namespace="shop",pod="web-1",deployment="web"} 16`,
			},
		},
		"labels of the scrape are missing": {
			series: []string{
				`tcp_write_bytes_total{direction="outbound",peer="dst",` + db + `dst_statefulset="db"} 1`,
				`tcp_write_bytes_total{direction="outbound",peer="dst",namespace="shop",` + db + `dst_statefulset="db"} 2`,
				`tcp_write_bytes_total{direction="outbound",peer="dst",deployment="web",` + db + `dst_statefulset="db"} 4`,
			},
			want: []string{"missing-label 7 B/s"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.known == nil {
				tc.known = known{}
			}
			got := lines(observe(t, "linkerd", tc.known, tc.series...))
			slices.Sort(tc.want)
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLinkerdRecorded reads what the proxy of a client has exposed that called a pod on an
// opaque port. Its own labels are those that Linkerd's configuration of the scrape adds.
func TestLinkerdRecorded(t *testing.T) {
	const scraped = `namespace="linkerd-opaque-ports-test",pod="slow-cooker-opaque-pod-1",deployment="slow-cooker-opaque-pod",`
	var series []string
	for line := range strings.Lines(recordedText(t, "linkerd/linkerd2-sampleMetrics.txt")) {
		if line = strings.TrimSpace(line); strings.Contains(line, "{") && strings.HasPrefix(line, "tcp_") {
			series = append(series, strings.Replace(line, "{", "{"+scraped, 1))
		}
	}
	want := []string{"linkerd-opaque-ports-test/slow-cooker-opaque-pod -> linkerd-opaque-ports-test/opaque-pod 3763/8323/0"}
	if diff := cmp.Diff(want, lines(observe(t, "linkerd", known{}, series...))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLinkerdRecordedElsewhere: nothing of a proxy's other metrics is taken for traffic.
func TestLinkerdRecordedElsewhere(t *testing.T) {
	var series []string
	for line := range strings.Lines(recordedText(t, "linkerd/obfuscate-diagnostics-proxy-metrics.txt")) {
		if line = strings.TrimSpace(line); strings.Contains(line, "{") {
			series = append(series, strings.Replace(line, "{", `{namespace="shop",pod="web-1",deployment="web",`, 1))
		}
	}
	if o := observe(t, "linkerd", known{}, series...); o.Series != 0 || len(series) == 0 {
		t.Errorf("of %d series %d are read, want none", len(series), o.Series)
	}
}

// TestLinkerdAnswersByWorkload: however many pods there are, the answers have one series for
// each pair of workloads.
func TestLinkerdAnswersByWorkload(t *testing.T) {
	var series []string
	for i := range 5 {
		for j := range 4 {
			series = append(series, fmt.Sprintf(`tcp_write_bytes_total{direction="outbound",peer="dst",namespace="shop",pod="web-%d",deployment="web",`+
				`dst_namespace="data",dst_service="db",dst_pod="db-%d",dst_statefulset="db",authority="db.data.svc.cluster.local:80",target_ip="10.0.0.%d"} 1`, i, j, j))
		}
	}
	if o := observe(t, "linkerd", known{}, series...); o.Series != 1 || len(o.Flows) != 1 || o.Flows[0].SentBytesPerSecond != 20 {
		t.Errorf("%d series, flows %v; want one of 20 B/s", o.Series, o.Flows)
	}
}

// TestLinkerdIdleSeries: a proxy drops a series that has been idle for ten minutes and
// begins it anew when traffic returns. Until then zeros have been seen for ten minutes, so
// that little is left of the smoothed rate, which then stays until retainFor has passed.
func TestLinkerdIdleSeries(t *testing.T) {
	const labels = `{direction="outbound",peer="dst",namespace="shop",pod="web-1",deployment="web",dst_namespace="data",dst_statefulset="db",dst_pod="db-0"}`
	q := promtest.New(t, "load 10s\n"+
		// An hour and a half: ten minutes of 60 B/s, ten idle ones, nothing until 1h20m, and 60 B/s again.
		"  tcp_write_bytes_total"+labels+" 0+600x60 36000+0x59 stale _x358 600+600x60\n"+
		"  tcp_write_bytes_total"+strings.ReplaceAll(labels, "db", "log")+" 0+10x600\n"+
		// Calls of less than a scrape interval each quarter of an hour: a new series that never rises.
		"  tcp_write_bytes_total"+strings.ReplaceAll(labels, "db", "hourly")+" 5000+0x60 stale _x28 5000+0x60 stale _x28 5000+0x60\n")
	defaults := metav1.Duration{Duration: 5 * time.Minute}
	source, err := sources.New(v1.TelemetrySource{Type: "linkerd", Name: "it", Window: &defaults}, telemetry.Trust{}, known{})
	if err != nil {
		t.Fatal(err)
	}
	graph := flowgraph.NewGraph(flowgraph.Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour})
	at := func(minutes int) (seen, smoothed float64) {
		seen, smoothed = -1, -1
		for second := 30; second <= 60; second += 30 {
			now := time.Unix(int64(60*(minutes-1)+second), 0)
			o, err := source.Collect(t.Context(), q, now)
			if err != nil {
				t.Fatal(err)
			}
			seen = -1
			for _, f := range o.Flows {
				switch {
				case f.To.Name == "db":
					seen = f.SentBytesPerSecond
				case f.To.Name == "hourly" && f.SentBytesPerSecond > 0:
					t.Errorf("minute %d: calls between two scrapes are seen", minutes)
				}
			}
			graph.Observe(now, o.Flows)
		}
		for e := range graph.Snapshot().Edges() {
			if e.To.Name == "db" {
				smoothed = e.SentBytesPerSecond
			}
		}
		return seen, smoothed
	}
	const none = -1 // no flow, or no edge
	want := map[int]struct{ seen, smoothed [2]float64 }{
		10: {[2]float64{59, 61}, [2]float64{50, 61}},
		12: {[2]float64{35, 37}, [2]float64{40, 55}},       // the window has two idle minutes
		16: {[2]float64{0, 0}, [2]float64{1, 20}},          // idle for longer than the window
		24: {[2]float64{0, 0}, [2]float64{0, 0.05 * 60}},   // the series has gone, and is still in the window
		27: {[2]float64{none, none}, [2]float64{0.1, 1.5}}, // no flow: what is left stays
		70: {[2]float64{none, none}, [2]float64{0.1, 1.5}},
		79: {[2]float64{none, none}, [2]float64{0.1, 1.5}},
		90: {[2]float64{59, 61}, [2]float64{50, 61}},
	}
	for minute := 1; minute <= 90; minute++ {
		seen, smoothed := at(minute)
		w, ok := want[minute]
		if ok && (seen < w.seen[0] || seen > w.seen[1] || smoothed < w.smoothed[0] || smoothed > w.smoothed[1]) {
			t.Errorf("minute %d: %v B/s are seen and %v remembered, want %v and %v", minute, seen, smoothed, w.seen, w.smoothed)
		}
	}
}
