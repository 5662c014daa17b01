package report

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/price"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; go test -update writes it anew):\n%s", path, diff)
	}
}

// shop has four nodes in two zones of two regions, a few workloads that talk and
// one that nobody hears of.
func shop() *cluster.Cluster {
	c := &cluster.Cluster{}
	for i := range 4 {
		c.Nodes = append(c.Nodes, cluster.Node{
			Locality:    locality.Locality{Node: fmt.Sprintf("node-%d", i), Zone: string(rune('a' + i/2)), Region: fmt.Sprintf("r%d", i/2)},
			Allocatable: cluster.Resources{MilliCPU: 4000, Memory: 16 << 30}, MaxPods: 110,
		})
	}
	id := func(name string) flowgraph.WorkloadID { return flowgraph.WorkloadID{Namespace: "shop", Name: name} }
	for _, w := range []struct {
		name     string
		replicas int32
		routing  affinity.Routing
	}{{"web", 4, affinity.Uniform}, {"cart", 3, affinity.SameNode}, {"db", 2, affinity.Uniform}, {"batch", 9, affinity.Uniform}} {
		c.Workloads = append(c.Workloads, cluster.Workload{
			ID: id(w.name), Replicas: w.replicas, Route: cluster.Route{Routing: w.routing}, Requests: cluster.Resources{MilliCPU: 500, Memory: 1 << 30},
		})
	}
	edge := func(from, to string, rate float64) flowgraph.Edge { return edgeOf(id(from), id(to), rate) }
	c.Edges = []flowgraph.Edge{
		edge("web", "cart", 40<<20), edge("cart", "db", 8<<20), edge("db", "db", 1<<20), edge("internet", "web", 2<<20),
	}
	c.Assigned = cluster.Assignment{{0, 1, 2, 3}, {0, 2, 3}, {1, 2}, {0, 0, 1, 1, 2, 2, 3, 3, 3}}
	return c
}

func edgeOf(from, to flowgraph.WorkloadID, rate float64) flowgraph.Edge {
	return flowgraph.Edge{From: from, To: to, Rates: flowgraph.Rates{SentBytesPerSecond: rate}}
}

func randomly(c *cluster.Cluster, seed uint64) cluster.Assignment {
	rng := rand.New(rand.NewPCG(seed, 1))
	assigned := make(cluster.Assignment, len(c.Workloads))
	for w := range c.Workloads {
		for range c.Workloads[w].Replicas {
			assigned[w] = append(assigned[w], int32(rng.IntN(len(c.Nodes))))
		}
	}
	return assigned
}

// together puts what talks onto two nodes, but for one pod of web that depends
// on the seed.
func together(c *cluster.Cluster, seed uint64) cluster.Assignment {
	assigned := cluster.Assignment{{0, 0, 1, int32(seed % 4)}, {0, 0, 1}, {0, 1}, nil}
	for i := range c.Workloads[3].Replicas - 1 {
		assigned[3] = append(assigned[3], 1+i%3)
	}
	return assigned
}

// reportOf returns the report on three runs over a cluster.
func reportOf(c *cluster.Cluster, seeds int, perGB float64, timing bool) *Report {
	return New(draftOf(c, seeds, perGB, timing))
}

// draftOf is that report's draft. A price of 0 is none.
func draftOf(c *cluster.Cluster, seeds int, perGB float64, timing bool) Draft {
	d := Draft{
		Input: Input{Name: "shop.json", Nodes: len(c.Nodes), Workloads: len(c.Workloads), Pods: 18, Edges: len(c.Edges)},
		Order: "random", Seeds: seeds, FirstSeed: 1, Price: priceOf(perGB), Baseline: "default",
		Today: "recorded", Vicinity: "gain", Settable: all(c),
	}
	found := cut.Measure(c, c.Assigned, nil)
	d.Input.BytesPerSecond, d.Input.ExternalBytesPerSecond = found.Total, found.External
	samples := func(place func(*cluster.Cluster, uint64) cluster.Assignment, unschedulable int) []Sample {
		var out []Sample
		for seed := range uint64(seeds) {
			assigned := place(c, seed+1)
			took := []time.Duration{time.Millisecond, 2 * time.Millisecond, time.Duration(seed+3) * time.Millisecond}
			out = append(out, NewSample(c, &sim.Result{Assigned: assigned, Unschedulable: unschedulable, Took: took}))
		}
		return out
	}
	d.Runs = []Run{
		NewRun("recorded", "the input", []Sample{NewSample(c, &sim.Result{Assigned: c.Assigned})}, d.Price, timing),
		NewRun("default", "kube-scheduler's default configuration", samples(randomly, 0), d.Price, timing),
		NewRun("gain", "the shipped profile", samples(together, 1), d.Price, timing),
	}
	return d
}

func priceOf(perGB float64) *price.List {
	if perGB == 0 {
		return nil
	}
	return new(price.PerGB(perGB))
}

// routed is a draft with runs under an assumed routing: all Services prefer the node.
func routed(c *cluster.Cluster, d Draft) Draft {
	near := *c
	near.Workloads = slices.Clone(c.Workloads)
	for w := range near.Workloads {
		near.Workloads[w].Routing = affinity.SameNode
	}
	for _, run := range slices.Clone(d.Runs) {
		samples := slices.Clone(run.samples)
		for i, s := range samples {
			samples[i] = NewSample(&near, &sim.Result{Assigned: s.Assigned, Unschedulable: s.Unschedulable, Took: s.Took})
		}
		assuming := NewRun(Assuming(run.Name), run.Config, samples, d.Price, false)
		assuming.Title, assuming.Routing = run.Title+AssumedTitle, RoutingAssumed
		d.Runs = append(d.Runs, assuming)
	}
	d.Assumed = []Route{{Service: "all", TrafficDistribution: "PreferSameNode", Services: 4}}
	return d
}

// flat is the shop without zones and regions.
func flat() *cluster.Cluster {
	c := shop()
	for i := range c.Nodes {
		c.Nodes[i].Zone, c.Nodes[i].Region = "", ""
	}
	return c
}

// quiet is the shop in one region, without traffic and with all of batch in one
// zone.
func quiet() *cluster.Cluster {
	c := shop()
	for i := range c.Nodes {
		c.Nodes[i].Region = "r"
	}
	c.Edges = nil
	c.Assigned[3] = []int32{0, 0, 0, 0, 0, 1, 1, 1, 1}
	return c
}

func TestGolden(t *testing.T) {
	full := New(routed(shop(), draftOf(shop(), 3, 0.02, true)))
	plain := reportOf(flat(), 1, 0, false)
	odd := draftOf(flat(), 1, 0.02, false)
	odd.Warnings = []string{"edges.csv:7: from the caller"}
	priced := New(odd)
	empty := New(Draft{Input: Input{Name: "no\x1b[31mthing"}, Baseline: "default"})
	cases := map[string]func(io.Writer) error{
		"first.txt":         full.WriteSummary,
		"full.txt":          full.WriteDetails,
		"plain.txt":         plain.WriteDetails,
		"price-no-zone.txt": priced.WriteSummary,
		"quiet.txt":         reportOf(quiet(), 1, 0, false).WriteDetails,
		"empty.txt":         empty.WriteSummary,
		"empty.json":        empty.WriteJSON,
		"assignment.csv":    func(w io.Writer) error { return full.WriteAssignment(w, "gain") },
	}
	for file, write := range cases {
		t.Run(file, func(t *testing.T) {
			var out, again bytes.Buffer
			if err := write(&out); err != nil {
				t.Fatal(err)
			}
			golden(t, file, out.Bytes())
			if err := write(&again); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
				t.Errorf("written twice, it is not the same (%v)", err)
			}
			if file == "full.txt" || file == "plain.txt" {
				for _, line := range strings.Split(out.String(), "\n") {
					if strings.TrimRight(line, " ") != line {
						t.Errorf("blanks at the end of %q", line)
					}
				}
			}
		})
	}
}

// TestTheTableSteersNoTerminal has an escape sequence in every name.
func TestTheTableSteersNoTerminal(t *testing.T) {
	c := shop()
	for w, letter := range []string{"w", "c", "d", "b"} {
		old, name := c.Workloads[w].ID.Name, letter+"\x1b[2J"
		c.Workloads[w].ID.Name = name
		for i := range c.Edges {
			for _, end := range []*flowgraph.WorkloadID{&c.Edges[i].From, &c.Edges[i].To} {
				if end.Name == old {
					end.Name = name
				}
			}
		}
	}
	d := routed(c, draftOf(c, 2, 1, true))
	for i := range d.Runs {
		d.Runs[i].Name += "\x1b[2J"
		d.Runs[i].Title += "\x1b[2J"
		d.Runs[i].Config += "\x1b[2J"
	}
	d.Today, d.Vicinity, d.Price.Source = "recorded\x1b[2J", "gain\x1b[2J", "\x1b[2J"
	d.Assumed = []Route{{Service: "\x1b[2J", TrafficDistribution: "\x1b[2J"}}
	d.Input.Name, d.Order, d.Baseline, d.Warnings = "\x1b[2J", "\x1b[2J", "recorded\x1b[2J", []string{"\x1b[2J"}
	var out strings.Builder
	if err := New(d).WriteDetails(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "\x1b") || strings.Count(out.String(), `[2J`) < 20 {
		t.Errorf("not escaped, or not there:\n%q", out.String())
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestErrorsOfTheWriterAreReturned(t *testing.T) {
	r := reportOf(shop(), 2, 0, false)
	for name, write := range map[string]func(io.Writer) error{
		"summary":    r.WriteSummary,
		"details":    r.WriteDetails,
		"JSON":       r.WriteJSON,
		"assignment": func(w io.Writer) error { return r.WriteAssignment(w, "gain") },
	} {
		if err := write(brokenWriter{}); !errors.Is(err, errBroken) {
			t.Errorf("%s: error %v, want %v", name, err, errBroken)
		}
	}
}
