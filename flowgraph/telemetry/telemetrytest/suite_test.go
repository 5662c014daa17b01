package telemetrytest

import (
	"math"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// plain is a mesh with proxies at the client's end alone, which name the client's pod and
// the Service that is called.
func plain() Mesh {
	return Mesh{
		New: func(o Options) (telemetry.Source, error) {
			return promql.New(promql.Options{Name: "plain", Type: promql.Type, Window: o.Window, Selector: o.Selector, Resolver: o.Resolver, Definition: promql.Definition{
				Queries: []promql.Query{
					{Query: "sum by ($labels) (rate(sent_total{$selector}[$window]))", Measures: promql.Sent},
					{Query: "sum by ($labels) (rate(received_total{$selector}[$window]))", Measures: promql.Received},
				},
				Client: []promql.End{{Kind: "pod", NamespaceLabel: "namespace", NameLabel: "pod"}},
				Server: []promql.End{{Kind: "service", NamespaceLabel: "server_namespace", NameLabel: "server"}},
			}})
		},
		Report:    report,
		Names:     func(c Call) bool { return c.Client.Meshed },
		Optional:  []string{"node"},
		Tolerance: func(Protocol) float64 { return 0.01 },
	}
}

func report(c Call) []Counter {
	if !c.Client.Meshed {
		return nil
	}
	labels := map[string]string{"server_namespace": c.Server.Namespace, "server": c.Server.Workload, "node": c.Client.Node}
	return []Counter{
		{c.Client.Target(), "sent_total", labels, func(s Step) float64 { return s.Moved.Sent + s.Retried.Sent }},
		{c.Client.Target(), "received_total", labels, func(s Step) float64 { return s.Moved.Received + s.Retried.Received }},
	}
}

// TestPlainMesh: a source that asks who is behind pods and Services, and reads one end.
func TestPlainMesh(t *testing.T) { Run(t, promtest.Engine, plain()) }

func TestFaultsAreNoticed(t *testing.T) {
	faults := FlowFaults()
	faults["clients without proxies"] = func(m Mesh) Mesh {
		m.Report = func(c Call) []Counter { c.Client.Meshed = true; return report(c) }
		return m
	}
	faults["pods are replaced"] = Asking(slope) // a sum of pods has no rate of its own here
	RunFaults(t, promtest.Engine, plain(), faults)
}

// TestBooksAreWhatIsScraped compares what the proxies count with what the books say.
func TestBooksAreWhatIsScraped(t *testing.T) {
	s := newSimulation(plain())
	s.run(10 * interval)
	s.replace(flowgraph.WorkloadID{Namespace: "shop", Name: "cart"}) // which calls nobody
	s.run(10 * interval)
	q := promtest.Engine(t, s.load())
	for at := interval; at <= s.now(); at += interval {
		want, got := 0.0, math.NaN()
		for _, a := range s.books.at[at/interval] {
			want += a[TCP].Sent + a[HTTP].Sent
		}
		err := q.Query(t.Context(), "sum(sent_total)", timeOf(at), func(series telemetry.Series) error {
			got = series.Value
			return nil
		})
		if err != nil || math.Abs(got-want) > 1 {
			t.Errorf("after %v: %v have been sent, want %v, error %v", at, got, want, err)
		}
	}
}

func TestCompareWith(t *testing.T) {
	id := func(name string) flowgraph.WorkloadID { return flowgraph.WorkloadID{Namespace: "shop", Name: name} }
	flow := func(from, to string, sent, received float64) flowgraph.Flow {
		return flowgraph.Flow{From: id(from), To: id(to), Rates: flowgraph.Rates{SentBytesPerSecond: sent, ReceivedBytesPerSecond: received}}
	}
	wanted := map[edge]want{
		{id("web"), id("api")}:  {100, 200, 1, 2},
		{id("api"), id("idle")}: {},
		{}:                      {10, 20, 1, 1},
	}
	left := map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {BytesPerSecond: 30}}
	cases := map[string]struct {
		flows   []flowgraph.Flow
		leftOut map[telemetry.Reason]telemetry.LeftOut
		blind   bool
		want    []string
	}{
		"right":                     {flows: []flowgraph.Flow{flow("web", "api", 100.9, 198.1)}, leftOut: left},
		"right, with idle ones":     {flows: []flowgraph.Flow{flow("web", "api", 100, 200), flow("api", "idle", 0, 0), flow("x", "y", 0, 0)}, leftOut: left},
		"an edge is lost":           {leftOut: left, want: []string{"shop/web -> shop/api: the edge is missing", "all traffic"}},
		"an edge may be lost":       {leftOut: left, blind: true},
		"an edge is invented":       {flows: []flowgraph.Flow{flow("web", "api", 100, 200), flow("api", "web", 1, 0)}, leftOut: left, want: []string{"no such edge"}},
		"an idle edge has traffic":  {flows: []flowgraph.Flow{flow("web", "api", 100, 200), flow("api", "idle", 1, 0)}, leftOut: left, want: []string{"shop/idle sent"}},
		"too much is sent":          {flows: []flowgraph.Flow{flow("web", "api", 102, 200)}, leftOut: left, want: []string{"shop/api sent"}},
		"too much may never be":     {flows: []flowgraph.Flow{flow("web", "api", 102, 200)}, leftOut: left, blind: true, want: []string{"shop/api sent"}},
		"too little is received":    {flows: []flowgraph.Flow{flow("web", "api", 100, 197)}, leftOut: left, want: []string{"shop/api received"}},
		"turned around":             {flows: []flowgraph.Flow{flow("web", "api", 200, 100)}, leftOut: left, want: []string{"sent", "received"}},
		"an edge has two flows":     {flows: []flowgraph.Flow{flow("web", "api", 100, 200), flow("web", "api", 100, 200)}, leftOut: left, want: []string{"two flows", "all traffic"}},
		"what is left out is twice": {flows: []flowgraph.Flow{flow("web", "api", 100, 200)}, leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {BytesPerSecond: 60}}, want: []string{"all traffic"}},
		"what is left out is lost":  {flows: []flowgraph.Flow{flow("web", "api", 100, 200)}, want: []string{"all traffic"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			least := 1.0
			if tc.blind {
				least = 0
			}
			err := compareWith(wanted, telemetry.Observation{Flows: tc.flows, LeftOut: tc.leftOut}, least)
			if len(tc.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			lines := strings.Split(errorText(err), "\n")
			if len(lines) != len(tc.want) {
				t.Fatalf("%q, want %d lines", lines, len(tc.want))
			}
			for i, want := range tc.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("%q does not say %q", lines[i], want)
				}
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestUnknownProperty(t *testing.T) {
	if err := Check(t, promtest.Engine, plain(), "none"); err == nil {
		t.Error("a property that does not exist holds")
	}
}
