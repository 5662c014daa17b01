package mesh

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestReported(t *testing.T) {
	cases := map[string]struct {
		assign, services, calls string
		want                    []string // after 2 s
	}{
		"both ends of a call report the same": {
			assign: "n1: web; n2: db", services: "db", calls: "web -> db",
			want: []string{"destination web -> db http 20x 2000B 40000B", "source web -> db http 20x 2000B 40000B"},
		},
		"grpc": {
			assign: "n1: web; n2: db", services: "db", calls: "web -> db grpc",
			want: []string{"destination web -> db grpc 20x 2000B 40000B", "source web -> db grpc 20x 2000B 40000B"},
		},
		"tcp": {
			assign: "n1: web; n2: db", services: "db", calls: "web -> db tcp",
			want: []string{"destination web -> db tcp 20x 2000B 40000B", "source web -> db tcp 20x 2000B 40000B"},
		},
		"protocols and calls of one pair add up each by itself": {
			assign: "n1: web; n2: db", services: "db", calls: "web -> db; web -> db; web -> db tcp",
			want: []string{
				"destination web -> db http 40x 4000B 80000B", "destination web -> db tcp 20x 2000B 40000B",
				"source web -> db http 40x 4000B 80000B", "source web -> db tcp 20x 2000B 40000B",
			},
		},
		"replicas share the traffic, they do not multiply it": {
			assign: "n1: web*3 db; n2: db*3", services: "db", calls: "web -> db",
			want: []string{"destination web -> db http 20x 2000B 40000B", "source web -> db http 20x 2000B 40000B"},
		},
		"a Service over two workloads": {
			assign: "n1: web; n2: api-v1*3 api-v2", services: "api", calls: "web -> api",
			want: []string{
				"destination web -> api-v1 http 15x 1500B 30000B", "destination web -> api-v2 http 5x 500B 10000B",
				"source web -> api-v1 http 15x 1500B 30000B", "source web -> api-v2 http 5x 500B 10000B",
			},
		},
		"a workload that calls itself": {
			assign: "n1: db; n2: db", services: "db", calls: "db -> db tcp",
			want: []string{"destination db -> db tcp 20x 2000B 40000B", "source db -> db tcp 20x 2000B 40000B"},
		},
		"an external client: only the server reports": {
			assign: "n1: web; n2: web", services: "web", calls: "external -> web",
			want: []string{"destination unknown -> web http 20x 2000B 40000B"},
		},
		"an external host: only the client reports": {
			assign: "n1: web; n2: web", calls: "web -> external:example.com tcp",
			want: []string{"source web -> unknown tcp 20x 2000B 40000B"},
		},
		"servers that are not ready get nothing": {
			assign:   "n1: web; n2: api-v1 api-v2(unready) api-v3(terminating) api-v4(starting) api-v5(pending)",
			services: "api", calls: "web -> api",
			want: []string{"destination web -> api-v1 http 20x 2000B 40000B", "source web -> api-v1 http 20x 2000B 40000B"},
		},
		"clients that are not ready send nothing": {
			assign:   "n1: web(unready) app(terminating) job(starting) cart(pending); n2: db",
			services: "db", calls: "web -> db; app -> db; job -> db; cart -> db; web -> external:example.com",
		},
		"no ready server": {assign: "n1: web; n2: db(unready)", services: "db", calls: "web -> db; external -> db"},
		"no such Service": {assign: "n1: web; n2: db", calls: "web -> db; external -> db"},
		"no such client":  {assign: "n2: db", services: "db", calls: "web -> db"},
		"no call":         {assign: "n1: web; n2: db", services: "db"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, tc.assign, tc.services, tc.calls)
			c.flow(1500 * time.Millisecond)
			c.flow(500 * time.Millisecond)
			if diff := cmp.Diff(tc.want, reportedLines(t, scrape(t, c.Mesh)), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("reported requests, bytes to the server and to the client (-want +got):\n%s", diff)
			}
		})
	}
}

func TestActual(t *testing.T) {
	// 12 s make 12 kB and 240 kB: divisible by every share below.
	cases := map[string]struct {
		assign, services string
		want             []string
	}{
		"uniform": {
			assign: "n1@a: web db; n2@a: db; n3@b: web db", services: "db",
			want: []string{
				"web on n1 -> db on n1 42000B same_node=true same_zone=true",
				"web on n1 -> db on n2 42000B same_node=false same_zone=true",
				"web on n1 -> db on n3 42000B same_node=false same_zone=false",
				"web on n3 -> db on n1 42000B same_node=false same_zone=false",
				"web on n3 -> db on n2 42000B same_node=false same_zone=false",
				"web on n3 -> db on n3 42000B same_node=true same_zone=true",
			},
		},
		"same node preferred: only where a local endpoint is": {
			assign: "n1@a: web db; n2@a: web; n3@b: web; n4@c: web db*2", services: "db=PreferSameNode",
			want: []string{
				"web on n1 -> db on n1 63000B same_node=true same_zone=true",
				"web on n2 -> db on n1 63000B same_node=false same_zone=true",
				"web on n3 -> db on n1 21000B same_node=false same_zone=false",
				"web on n3 -> db on n4 42000B same_node=false same_zone=false",
				"web on n4 -> db on n4 63000B same_node=true same_zone=true",
			},
		},
		"same zone preferred": {
			assign: "n1@a: web db; n2@a: db; n3@b: db", services: "db=PreferSameZone",
			want: []string{
				"web on n1 -> db on n1 126000B same_node=true same_zone=true",
				"web on n1 -> db on n2 126000B same_node=false same_zone=true",
			},
		},
		"a local endpoint that is not ready does not count": {
			assign: "n1@a: web db(unready); n2@b: db", services: "db=PreferSameNode",
			want: []string{"web on n1 -> db on n2 252000B same_node=false same_zone=false"},
		},
		"an unknown zone is shared with nobody": {
			assign: "n1: web; n2: db; n3: db web", services: "db=PreferSameNode",
			want: []string{
				"web on n1 -> db on n2 63000B same_node=false same_zone=false",
				"web on n1 -> db on n3 63000B same_node=false same_zone=false",
				"web on n3 -> db on n3 126000B same_node=true same_zone=true",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, tc.assign, tc.services, "web -> db; external -> db; web -> external:example.com")
			c.flow(12 * time.Second)
			if diff := cmp.Diff(tc.want, actualLines(scrape(t, c.Mesh))); diff != "" {
				t.Errorf("where bytes went (-want +got):\n%s", diff)
			}
		})
	}
}

// A node object may go before its pods do, and take its labels with it. Two
// counters with the same labels would fail the whole scrape.
func TestNodeIsGone(t *testing.T) {
	c := newCluster(t, "n1: web db", "db", "web -> db")
	n1 := node("n1", "")
	n1.Labels["topology.kubernetes.io/region"] = "eu-1"
	c.add(n1)
	c.flow(12 * time.Second)
	if err := c.factory.Core().V1().Nodes().Informer().GetIndexer().Delete(n1); err != nil {
		t.Fatal(err)
	}
	c.flow(12 * time.Second)
	want := []string{
		"web on n1 -> db on n1 252000B same_node=true same_zone=true",
		"web on n1 -> db on n1 252000B same_node=true same_zone=true",
	}
	if diff := cmp.Diff(want, actualLines(scrape(t, c.Mesh))); diff != "" {
		t.Errorf("where bytes went (-want +got):\n%s", diff)
	}
}

// Nothing is lost or made up: whatever the call graph, the assignment and the
// routing, a pair's bytes are rate x size x time at both reporters and in what
// really moved, provided that somebody calls and somebody answers.
func TestTrafficIsConserved(t *testing.T) {
	workloads := []string{"web", "cart", "db", "mail"}
	distributions := []string{"", "=PreferSameNode", "=PreferSameZone", "=PreferClose"}
	protocols := []string{"http", "grpc", "tcp"}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		var assign, services strings.Builder
		ready := map[string]bool{}
		for i, node := range []string{"n1@a", "n2@a", "n3@b", "n4"} {
			fmt.Fprintf(&assign, "%s:", node)
			for _, w := range workloads[:1+r.IntN(len(workloads))] {
				if n := r.IntN(3); n > 0 {
					fmt.Fprintf(&assign, " %s*%d", w, n)
					ready[w] = true
				}
			}
			fmt.Fprintf(&assign, " %s(unready);", workloads[i])
		}
		for _, w := range workloads {
			fmt.Fprintf(&services, "%s%s ", w, distributions[r.IntN(len(distributions))])
		}
		c := newCluster(t, assign.String(), services.String(), "")
		var calls []Call
		perSecond := map[string]amounts{}
		for range 6 {
			from, to := workloads[r.IntN(len(workloads))], workloads[r.IntN(len(workloads))]
			call := Call{
				"shop/" + from, "shop/" + to, r.Float64() * 100, float64(r.IntN(1e4)), float64(r.IntN(1e6)), protocols[r.IntN(3)],
			}
			calls = append(calls, call)
			if !ready[from] || !ready[to] {
				continue
			}
			pair := from + " -> " + to + " " + call.Protocol
			sum := perSecond[pair]
			sum.requests += call.RequestsPerSecond
			sum.sent += call.RequestsPerSecond * call.RequestBytes
			sum.received += call.RequestsPerSecond * call.ResponseBytes
			perSecond[pair] = sum
		}
		c.SetCalls(calls)
		var seconds float64
		for range 5 {
			dt := time.Duration(r.IntN(3000)) * time.Millisecond
			c.flow(dt)
			seconds += dt.Seconds()
		}
		want := map[string]amounts{}
		var wantMoved float64
		for pair, rate := range perSecond {
			a := amounts{rate.requests * seconds, rate.sent * seconds, rate.received * seconds}
			want["source "+pair], want["destination "+pair] = a, a
			wantMoved += a.sent + a.received
		}
		samples := scrape(t, c.Mesh)
		if diff := cmp.Diff(want, reported(t, samples), cmp.AllowUnexported(amounts{}), cmpopts.EquateApprox(1e-9, 0)); diff != "" {
			t.Errorf("seed %d: %s (-want +got):\n%s", seed, assign.String(), diff)
		}
		var moved float64
		for _, s := range samples {
			if s.Metric["__name__"] == "sandbox_traffic_bytes_total" {
				moved += float64(s.Value)
			}
		}
		if math.Abs(moved-wantMoved) > 1e-9*wantMoved {
			t.Errorf("seed %d: %g bytes moved, want %g", seed, moved, wantMoved)
		}
	}
}

func TestDeletedPod(t *testing.T) {
	c := newCluster(t, "n1: web*2; n2: db", "db", "web -> db")
	c.flow(2 * time.Second)
	c.deletePod("web-1")
	c.flow(0)
	samples := scrape(t, c.Mesh)
	for _, s := range samples {
		if s.Metric["pod"] == "web-1" {
			t.Errorf("the proxy of a deleted pod still reports: %v", s)
		}
	}
	want := []string{"destination web -> db http 20x 2000B 40000B", "source web -> db http 10x 1000B 20000B"}
	if diff := cmp.Diff(want, reportedLines(t, samples)); diff != "" {
		t.Errorf("after a client pod is gone (-want +got):\n%s", diff)
	}

	// A pod on its way out has no new traffic, but is still there to be scraped.
	for _, pod := range c.newPods("n2", "db(terminating)") {
		pod.Name = "db-1"
		c.add(pod)
	}
	c.flow(2 * time.Second)
	if diff := cmp.Diff(want, reportedLines(t, scrape(t, c.Mesh))); diff != "" {
		t.Errorf("after the server began to terminate (-want +got):\n%s", diff)
	}
}

func TestSetCalls(t *testing.T) {
	c := newCluster(t, "n1: web; n2: db", "db", "")
	calls := parse(t, "web -> db")
	c.SetCalls(calls)
	calls[0].RequestBytes = 1e6 // must not reach the mesh
	c.flow(2 * time.Second)
	c.SetCalls(parse(t, "web -> db tcp"))
	c.flow(2 * time.Second)
	want := []string{
		"destination web -> db http 20x 2000B 40000B", "destination web -> db tcp 20x 2000B 40000B",
		"source web -> db http 20x 2000B 40000B", "source web -> db tcp 20x 2000B 40000B",
	}
	if diff := cmp.Diff(want, reportedLines(t, scrape(t, c.Mesh))); diff != "" {
		t.Errorf("after the call graph changed (-want +got):\n%s", diff)
	}
}

func TestServiceSelects(t *testing.T) {
	c := newCluster(t, "n1: web db", "db", "web -> db; web -> all")
	for _, pod := range c.newPods("n1", "db") {
		pod.Namespace = "other"
		c.add(pod)
	}
	all := service("all", "") // like kubernetes.default: somebody else names its endpoints
	all.Spec.Selector = nil
	c.add(all)
	c.flow(2 * time.Second)
	samples := scrape(t, c.Mesh)
	want := []string{"destination web -> db http 20x 2000B 40000B", "source web -> db http 20x 2000B 40000B"}
	if diff := cmp.Diff(want, reportedLines(t, samples)); diff != "" {
		t.Errorf("to pods of the Service's labels and namespace only (-want +got):\n%s", diff)
	}
	for _, s := range samples {
		if s.Metric["namespace"] == "other" || s.Metric["destination_workload_namespace"] == "other" {
			t.Errorf("traffic to a namesake: %v", s)
		}
	}
}

// A scrape sees all of a step or nothing of it.
func TestScrapeWhileTrafficFlows(t *testing.T) {
	c := newCluster(t, "n1: web*2 db*2; n2: web db", "db", "web -> db")
	calls := parse(t, "web -> db")
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for range 200 {
			if err := c.advance(time.Second); err != nil {
				t.Error(err)
			}
			c.SetCalls(calls)
		}
	})
	for range 50 {
		got := reported(t, scrape(t, c.Mesh))
		if s, d := got["source web -> db http"], got["destination web -> db http"]; math.Abs(s.sent-d.sent) > 1e-6 {
			t.Fatalf("the two ends of a call report %v and %v", s, d)
		}
	}
}
