package promapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// mesh describes the answer to a query for traffic: both ends of each pair of
// workloads report, so that there are half as many pairs as series.
type mesh struct {
	series, workloads int
	// full is whether series have all labels that the Istio source groups by,
	// and not only those of the two workloads.
	full bool
}

// write writes the answer as Prometheus does, except that the order of the
// series is that of the pairs.
func (m mesh) write(out io.Writer) error {
	w := bufio.NewWriterSize(out, 1<<20)
	fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[`)
	degree := max(1, m.series/2/m.workloads)
	for i := range m.series {
		pair := i / 2
		from := pair / degree % m.workloads
		to := (from*7 + pair%degree*31 + 1) % m.workloads
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprint(w, `{"metric":{`)
		if m.full {
			fmt.Fprintf(w, `"destination_cluster":"Kubernetes","destination_service_name":"service-%05d",`, to)
		}
		fmt.Fprintf(w, `"destination_workload":"workload-%05d-v1","destination_workload_namespace":"team-%03d",`, to, to%200)
		if m.full {
			fmt.Fprintf(w, `"reporter":"%s","source_cluster":"Kubernetes",`, [2]string{"source", "destination"}[i%2])
		}
		fmt.Fprintf(w, `"source_workload":"workload-%05d-v1","source_workload_namespace":"team-%03d"},`, from, from%200)
		fmt.Fprintf(w, `"value":[1722850000.123,"%d.%06d"]}`, i%100000, i*7919%1000000)
	}
	fmt.Fprint(w, `]}}`)
	return w.Flush()
}

// bytes returns the answer.
func (m mesh) bytes(t testing.TB) []byte {
	t.Helper()
	body := &bytes.Buffer{}
	if err := m.write(body); err != nil {
		t.Fatal(err)
	}
	return body.Bytes()
}

// edges adds up series as a source does: it keeps each workload once.
type edges struct {
	index map[[2]string]uint32
	sums  map[[2]uint32]float64
}

func newEdges() *edges {
	return &edges{index: map[[2]string]uint32{}, sums: map[[2]uint32]float64{}}
}

func (e *edges) workload(namespace, name string) uint32 {
	i, known := e.index[[2]string{namespace, name}]
	if !known {
		i = uint32(len(e.index))
		e.index[[2]string{namespace, name}] = i
	}
	return i
}

func (e *edges) add(get func(name string) string, value float64) {
	from := e.workload(get("source_workload_namespace"), get("source_workload"))
	to := e.workload(get("destination_workload_namespace"), get("destination_workload"))
	e.sums[[2]uint32{from, to}] += value
}

// heapPeak samples the heap until stop, which returns by how much it rose.
func heapPeak() (stop func() float64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() float64 {
		metrics.Read(sample)
		return float64(sample[0].Value.Uint64())
	}
	runtime.GC()
	base, peak := read(), 0.0
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, read()-base)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return func() float64 {
		close(done)
		wait.Wait()
		return peak
	}
}

// BenchmarkMillionSeries asks a server for one million series, with this client
// and with that of Prometheus, and adds them up to 500,000 edges. The answer is
// served from a file, so that the heap is that of the client.
func BenchmarkMillionSeries(b *testing.B) {
	for _, full := range []bool{false, true} {
		m := mesh{series: 1_000_000, workloads: 10_000, full: full}
		path := filepath.Join(b.TempDir(), "answer.json")
		f, err := os.Create(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := m.write(f); err != nil {
			b.Fatal(err)
		}
		size, _ := f.Seek(0, io.SeekCurrent)
		f.Close()
		url := serve(b, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })
		name := fmt.Sprintf("%dMB", size/1e6)
		run := func(client string, query func(*edges) error) {
			b.Run(name+"/"+client, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(size)
				peak := 0.0
				for b.Loop() {
					stop := heapPeak()
					e := newEdges()
					err := query(e)
					peak = max(peak, stop())
					if err != nil || len(e.sums) != m.series/2 {
						b.Fatalf("%d edges, error %v", len(e.sums), err)
					}
				}
				b.ReportMetric(peak/1e6, "peak-MB")
			})
		}
		run("promapi", func(e *edges) error { return queryEdges(b, url, e) })
		run("client_golang", func(e *edges) error { return queryEdgesUpstream(b, url, e) })
	}
}

func queryEdges(b *testing.B, url string, e *edges) error {
	client, err := New(Config{URL: url, Timeout: time.Hour, MaxBodyBytes: 1 << 30})
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Query(b.Context(), "up", time.Unix(1, 0), func(s telemetry.Series) error {
		e.add(s.Labels.Get, s.Value)
		return nil
	})
}

func queryEdgesUpstream(b *testing.B, url string, e *edges) error {
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	client, err := api.NewClient(api.Config{Address: url, RoundTripper: transport})
	if err != nil {
		return err
	}
	value, _, err := v1.NewAPI(client).Query(b.Context(), "up", time.Unix(1, 0))
	if err != nil {
		return err
	}
	for _, s := range value.(model.Vector) {
		e.add(func(name string) string { return string(s.Metric[model.LabelName(name)]) }, float64(s.Value))
	}
	return nil
}

// BenchmarkDecode decodes an answer of 10,000 series from memory, without a
// consumer of the labels.
func BenchmarkDecode(b *testing.B) {
	body := mesh{series: 10_000, workloads: 1000, full: true}.bytes(b)
	b.Run("promapi", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			n := 0
			err := decode(bytes.NewReader(body), limits{series: 10_000, labelBytes: DefaultMaxLabelBytes},
				func(telemetry.Series) error { n++; return nil })
			if err != nil || n != 10_000 {
				b.Fatalf("%d series, error %v", n, err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			var answer struct {
				Data struct {
					Result []struct {
						Metric map[string]string
						Value  [2]any
					}
				}
			}
			if err := json.Unmarshal(body, &answer); err != nil || len(answer.Data.Result) != 10_000 {
				b.Fatal(err)
			}
		}
	})
}
