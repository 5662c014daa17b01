package telemetrysetup

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// churn is a Prometheus to which a tenant's targets report new pairs with each scrape,
// under the longest names, beside the traffic of others.
type churn struct {
	perScrape int // new pairs
	scrapes   int // that are in the window of a rate
	honest    int // pairs of others
	clients   int // of these pairs
	pool      int // workloads of the tenant, for ever new pairs among them; 0 for ever new ones
	round     int
}

func (c *churn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.FormValue("query")
	io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[`)
	if strings.HasPrefix(query, "sum by") && (strings.Contains(query, "istio_request_bytes_sum") || strings.Contains(query, "istio_requests_total")) {
		comma := ""
		for i := range c.honest {
			server := fmt.Sprint("api-", i/c.clients)
			c.write(w, &comma, "shop", fmt.Sprint("web-", i%c.clients), "shop", server, server, 1)
		}
		for i := max(0, c.round-c.scrapes) * c.perScrape; i < c.round*c.perScrape; i++ {
			c.forge(w, &comma, i)
		}
	}
	io.WriteString(w, `]}}`)
}

var zeros = strings.Repeat("0", 1000)

// forge writes the claim with this number.
func (c *churn) forge(w io.Writer, comma *string, i int) {
	name := func(n int) string { return strconv.Itoa(i) + zeros[:n-len(strconv.Itoa(i))] }
	if c.pool > 0 {
		from, to := i%c.pool, (i/c.pool+i)%c.pool
		c.write(w, comma, "evil", strconv.Itoa(1_000_000+from)+zeros[:246], "evil", strconv.Itoa(1_000_000+to)+zeros[:246], "x", 1e12)
		return
	}
	switch i % 8 {
	case 0: // names that Kubernetes would refuse
		c.write(w, comma, "evil", name(1000), "evil", name(999), name(1000), 1e12)
	case 1: // others that do not exist
		c.write(w, comma, "evil", name(253), "shop", name(252), name(1000), 1e12)
	case 2: // namespaces that do not exist
		c.write(w, comma, "evil", name(253), name(63), name(252), name(253), 1e12)
	case 3: // services outside
		c.write(w, comma, "evil", name(253), "unknown", "unknown", name(253), 1e12)
	default:
		c.write(w, comma, "evil", name(253), "evil", name(252), name(253), 1e12)
	}
}

func (c *churn) write(w io.Writer, comma *string, fromNamespace, from, toNamespace, to, service string, rate float64) {
	for _, part := range []string{
		*comma, `{"metric":{"reporter":"source","source_workload_namespace":"`, fromNamespace, `","source_workload":"`, from,
		`","destination_workload_namespace":"`, toNamespace, `","destination_workload":"`, to, `","destination_service_name":"`, service,
		`"},"value":[1,"`, strconv.FormatFloat(rate, 'g', -1, 64), `"]}`,
	} {
		io.WriteString(w, part)
	}
	*comma = ","
}

// follow polls the server through the client, on a clock of its own, and calls then after
// each round.
func (c *churn) follow(t testing.TB, cfg *v1.TelemetryConfiguration, rounds int, then func(at time.Duration, s *flowgraph.Snapshot, status telemetry.Status)) {
	t.Helper()
	server := httptest.NewServer(c)
	defer server.Close()
	cfg.Prometheus.URL = server.URL
	cfg.SetDefaults()
	client, err := Client(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	store := flowgraph.NewStore()
	sources, err := sourcesKnowing(cfg, nil, func(from, to flowgraph.WorkloadID) bool { return store.Load().HasEdge(from, to) })
	if err != nil {
		t.Fatal(err)
	}
	began := time.Unix(1_000_000, 0)
	now := began
	m, err := telemetry.NewManager(telemetry.Options{
		Sources: sources, Querier: client, Graph: flowgraph.NewGraph(GraphOptions(cfg)), Store: store,
		Interval: cfg.Interval.Duration, Now: func() time.Time { return now }, Random: func() float64 { return 0.5 },
	})
	if err != nil {
		t.Fatal(err)
	}
	for range rounds {
		c.round++
		now = now.Add(cfg.Interval.Duration)
		if err := m.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		then(now.Sub(began), store.Load(), m.Status())
	}
}

// kept is how many edges of others there are.
func (c *churn) kept(s *flowgraph.Snapshot) (n int) {
	for e := range s.Edges() {
		if e.From.Namespace == "shop" && strings.HasPrefix(e.From.Name, "web-") {
			n++
		}
	}
	return n
}

// liveHeap is what is in use after a collection.
func liveHeap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// TestChurnReachesAPlateau polls for 24 hours a tenant whose targets report 20 new pairs
// with each scrape, beside limits of 300 edges: in proportion ten times what a tenant with
// 2,000 new pairs is to the default. Memory stays where it is after two hours, and the
// edges of others stay in the graph.
func TestChurnReachesAPlateau(t *testing.T) {
	const (
		honest = 40
		// perEdge is what an edge takes at most, with two workloads of the longest names:
		// in the graph, the last answer and the snapshot.
		perEdge = 3000
	)
	limits := v1.Limits{Edges: new(int32(300)), NamespaceEdges: new(int32(250)), Workloads: new(int32(500)), NamespaceWorkloads: new(int32(400))}
	cfg := &v1.TelemetryConfiguration{Interval: &metav1.Duration{Duration: 2 * time.Minute}, Trust: v1.Trust{Limits: limits}}
	before := liveHeap()
	var early, surplus float64
	c := &churn{perScrape: 20, scrapes: 3, honest: honest, clients: honest}
	c.follow(t, cfg, 24*30, func(at time.Duration, s *flowgraph.Snapshot, status telemetry.Status) {
		surplus += float64(status.SurplusEdges)
		if s.EdgeCount() > 300 || s.Len() > 500 {
			t.Fatalf("after %v: %d edges and %d workloads", at, s.EdgeCount(), s.Len())
		}
		if kept := c.kept(s); kept != honest {
			t.Fatalf("after %v: %d edges of others are left, want %d", at, kept, honest)
		}
		switch at {
		case 2 * time.Hour:
			early = liveHeap()
			if used := early - before; used > 300*perEdge {
				t.Errorf("%.0f kB are in use after %v, want at most %d", used/1e3, at, 300*perEdge/1000)
			}
		case 12 * time.Hour, 24 * time.Hour:
			if used := liveHeap(); used > early+100e3 {
				t.Errorf("%.0f kB are in use after %v, and %.0f kB after two hours", (used-before)/1e3, at, (early-before)/1e3)
			}
		}
	})
	if surplus == 0 {
		t.Error("no edge was beyond the limits")
	}
}

// BenchmarkChurnAtTheLimits reads answers that exceed the default limits of edges and of
// workloads, under the longest names, and says what is in use afterwards, and how much the
// heap was at most.
func BenchmarkChurnAtTheLimits(b *testing.B) {
	cases := map[string]*churn{
		"ever new workloads": {perScrape: 60_000, scrapes: 4, honest: 10_000, clients: 2000},
		"ever new pairs":     {perScrape: 300_000, scrapes: 1, honest: 100_000, clients: 5000, pool: 20_000},
	}
	for name, c := range cases {
		b.Run(name, func(b *testing.B) {
			before := liveHeap()
			for b.Loop() {
				cfg := &v1.TelemetryConfiguration{Prometheus: v1.Prometheus{Timeout: &metav1.Duration{Duration: time.Hour}}}
				c.follow(b, cfg, 3, func(_ time.Duration, s *flowgraph.Snapshot, _ telemetry.Status) {
					if kept := c.kept(s); kept != c.honest {
						b.Fatalf("%d edges of others are left, want %d", kept, c.honest)
					}
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					b.ReportMetric(float64(m.HeapSys)/1e6, "MB-heap")
					b.ReportMetric((liveHeap()-before)/1e6, "MB-live")
					b.ReportMetric(float64(s.EdgeCount()), "edges")
					b.ReportMetric(float64(s.Len()), "workloads")
				})
			}
		})
	}
}
