package tally

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

var bytesOnly = []Metric{{Query: "sent", Quantity: Sent}}

func named(namespace, name string) telemetry.Endpoint {
	return telemetry.Endpoint{Namespace: namespace, Name: name}
}

// TestFloodIsCutWhileItIsRead: the tally never holds more than twice the limits, and what
// others report of small edges, before the flood and after it, stays.
func TestFloodIsCutWhileItIsRead(t *testing.T) {
	limits := flowgraph.Limits{Edges: 1000, NamespaceEdges: 800, Workloads: 500, NamespaceWorkloads: 400}
	tl := New(Options{Metrics: bytesOnly, Trust: &telemetry.Trust{Limits: limits}})
	honest := func(from, to int) {
		for i := from; i < to; i++ {
			tl.Add(&Report{From: named("shop", fmt.Sprint("w-", i%50)), To: named("shop", fmt.Sprint("w-", i%47)), Value: 1})
		}
	}
	honest(0, 100)
	for i := range 50_000 {
		r := &Report{From: named("tenant", fmt.Sprint("x-", i)), Value: 1e12}
		switch i % 5 {
		case 0:
			r.To = named("shop", "w-0")
		case 1:
			r.To = named("tenant", fmt.Sprint("y-", i))
		case 2:
			r.To = named(fmt.Sprint("n-", i), "z")
		case 3:
			r.To = telemetry.Endpoint{Kind: telemetry.ServiceEndpoint, Namespace: "tenant", Name: fmt.Sprint("s-", i)}
		default:
			r.Reason = telemetry.External
		}
		tl.Add(r)
		if pairs, endpoints := len(tl.sums)-tl.open, len(tl.endpoints); pairs > 2*limits.Edges+1 || endpoints > 3*limits.Workloads+3 || tl.open > limits.Workloads {
			t.Fatalf("after %d series: %d pairs, %d open ones, %d endpoints", i, pairs, tl.open, endpoints)
		}
	}
	honest(100, 200)
	o := tl.Observation(time.Unix(1, 0))
	kept := 0
	for _, f := range o.Flows {
		if f.From.Namespace == "shop" && f.To.Namespace == "shop" {
			kept++
			if f.SentBytesPerSecond != 1 {
				t.Errorf("%v -> %v has %v, want 1", f.From, f.To, f.SentBytesPerSecond)
			}
		}
	}
	if kept != 200 || len(o.Flows) > limits.Edges || o.LeftOut[telemetry.Surplus].Series < 20_000 {
		t.Errorf("%d of 200 edges are left among %d, and %d series are surplus", kept, len(o.Flows), o.LeftOut[telemetry.Surplus].Series)
	}
}

// TestManyPairs has more pairs than one chunk of reports.
func TestManyPairs(t *testing.T) {
	const n = 100
	tl := New(Options{Metrics: bytesOnly, Trust: &telemetry.Trust{}})
	for range 2 {
		for i := n - 1; i >= 0; i-- {
			for j := range n {
				tl.Add(&Report{From: named("shop", fmt.Sprint("client-", i)), To: named("shop", fmt.Sprint("server-", j)), Value: float64(i*n + j)})
			}
		}
	}
	flows := tl.Observation(time.Unix(1, 0)).Flows
	if len(flows) != n*n || n*n < 2*reportsPerChunk {
		t.Fatalf("%d flows, want %d", len(flows), n*n)
	}
	for k, f := range flows {
		var i, j int
		if _, err := fmt.Sscanf(f.From.Name+" "+f.To.Name, "client-%d server-%d", &i, &j); err != nil {
			t.Fatal(err)
		}
		if f.SentBytesPerSecond != 2*float64(i*n+j) {
			t.Errorf("%v -> %v: %v, want %v", f.From, f.To, f.SentBytesPerSecond, 2*(i*n+j))
		}
		if k > 0 && (flows[k-1].From.Compare(f.From) > 0 || flows[k-1].From == f.From && flows[k-1].To.Compare(f.To) >= 0) {
			t.Errorf("%v -> %v comes too late", f.From, f.To)
		}
	}
}

// TestPodsDoNotCountAsWorkloads: of many pods and few workloads nothing is surplus, though
// there are more pods than there may be workloads.
func TestPodsDoNotCountAsWorkloads(t *testing.T) {
	limits := flowgraph.Limits{Edges: 300, NamespaceEdges: 300, Workloads: 60, NamespaceWorkloads: 60}
	tl := New(Options{Metrics: bytesOnly, Trust: &telemetry.Trust{Limits: limits}, Reporters: OneEnd, Resolver: owners{}})
	want := map[pair]float64{}
	for i := range 20_000 {
		from, to := fmt.Sprint("web", i%10), fmt.Sprint("db", i%7)
		tl.Add(&Report{
			From: telemetry.Endpoint{Kind: telemetry.PodEndpoint, Namespace: "shop", Name: fmt.Sprint(from, "-", i)},
			To:   telemetry.Endpoint{Kind: telemetry.PodEndpoint, Namespace: "shop", Name: fmt.Sprint(to, "-", i%1000)}, Value: 1,
		})
		want[pair{flowgraph.WorkloadID{Namespace: "shop", Name: from}, flowgraph.WorkloadID{Namespace: "shop", Name: to}}]++
		if len(tl.endpoints) > 3*limits.Workloads+3 || len(tl.sums) > 2*limits.Edges+1 {
			t.Fatalf("after %d series: %d endpoints, %d pairs", i, len(tl.endpoints), len(tl.sums))
		}
	}
	o := tl.Observation(time.Unix(1, 0))
	got := map[pair]float64{}
	for _, f := range o.Flows {
		got[pair{f.From, f.To}] = f.SentBytesPerSecond
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(pair{})); diff != "" || len(o.LeftOut) > 0 {
		t.Errorf("left out %v, edges (-want +got):\n%s", o.LeftOut, diff)
	}
}

// owners knows the workload of each pod by its name.
type owners struct{}

func (owners) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	var all []telemetry.Resolution
	for _, e := range endpoints {
		name, _, _ := strings.Cut(e.Name, "-")
		all = append(all, telemetry.Resolution{Shares: []telemetry.Share{{Workload: flowgraph.WorkloadID{Namespace: e.Namespace, Name: name}, Part: 1}}})
	}
	return all
}
