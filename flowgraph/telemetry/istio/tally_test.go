package istio

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promapi"
)

// labelMap implements telemetry.Labels.
type labelMap map[string]string

func (l labelMap) Get(name string) string { return l[name] }

// pair returns the labels of a series from workload i to workload j.
func pair(i, j int, reporter string) labelMap {
	return labelMap{
		"reporter":                  reporter,
		"source_workload":           fmt.Sprint("client-", i),
		"source_workload_namespace": "shop",
		"destination_workload":      fmt.Sprint("server-", j), "destination_workload_namespace": "shop",
	}
}

func TestSeenSeriesDoNotAllocate(t *testing.T) {
	tl := newTally("istio", "", &telemetry.Trust{})
	var series []telemetry.Series
	for i := range 100 {
		series = append(series, telemetry.Series{Labels: pair(i, i/2, "source"), Value: 1},
			telemetry.Series{Labels: pair(i, i/2, "destination"), Value: 2})
	}
	add := func() {
		for _, s := range series {
			tl.add(responseBytes, s)
		}
	}
	add()
	if n := testing.AllocsPerRun(10, add); n != 0 {
		t.Errorf("%v allocations for series that have been seen", n)
	}
}

// BenchmarkCollect asks a server for 500,000 pairs of 10,000 workloads, both of
// whose ends report: one of the five queries has a million series, the others
// have none.
func BenchmarkCollect(b *testing.B) {
	path := filepath.Join(b.TempDir(), "answer.json")
	if err := writeMillionSeries(path); err != nil {
		b.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.FormValue("query"), "istio_request_bytes_sum") {
			http.ServeFile(w, r, path)
			return
		}
		io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	}))
	defer s.Close()
	source, err := NewSidecar(Options{})
	if err != nil {
		b.Fatal(err)
	}
	client, err := promapi.New(promapi.Config{URL: s.URL, Timeout: time.Hour, MaxBodyBytes: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	b.ReportAllocs()
	for b.Loop() {
		o, err := source.Collect(b.Context(), client, time.Unix(1, 0))
		if err != nil || len(o.Flows) != 500_000 {
			b.Fatalf("%d flows, error %v", len(o.Flows), err)
		}
	}
}

func writeMillionSeries(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[`)
	comma := ""
	for i := range 1_000_000 {
		from := i / 2 / 50
		to := (from*7 + i/2%50*31 + 1) % 10_000
		fmt.Fprintf(w, `%s{"metric":{"destination_cluster":"Kubernetes","destination_service_name":"service-%05d",`+
			`"destination_workload":"workload-%05d-v1","destination_workload_namespace":"team-%03d","reporter":"%s",`+
			`"source_cluster":"Kubernetes","source_workload":"workload-%05d-v1","source_workload_namespace":"team-%03d"},`+
			`"value":[1722850000.123,"%d.%06d"]}`,
			comma, to, to, to%200, [2]string{"source", "destination"}[i%2], from, from%200, i%100000, i*7919%1000000)
		comma = ","
	}
	fmt.Fprint(w, `]}}`)
	return w.Flush()
}
