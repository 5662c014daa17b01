package declared

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

const window = time.Hour

// now is when all cases look.
var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func id(name string) flowgraph.WorkloadID {
	namespace, bare, ok := strings.Cut(name, "/")
	if !ok {
		return flowgraph.WorkloadID{Namespace: "shop", Name: name}
	}
	return flowgraph.WorkloadID{Namespace: namespace, Name: bare}
}

// observing returns a snapshot of "from to bytes" each, half in either direction.
func observing(reach flowgraph.Reach, edges ...string) *flowgraph.Snapshot {
	g := flowgraph.NewGraph(flowgraph.Options{Reach: reach})
	var flows []flowgraph.Flow
	for _, text := range edges {
		var from, to string
		var bytes float64
		if _, err := fmt.Sscan(text, &from, &to, &bytes); err != nil {
			panic(err)
		}
		flows = append(flows, flowgraph.Flow{From: id(from), To: id(to), ObservedAt: now, Rates: flowgraph.Rates{SentBytesPerSecond: bytes / 2, ReceivedBytesPerSecond: bytes / 2}})
	}
	g.Observe(now, flows)
	return g.Snapshot()
}

// shown returns the edges of a snapshot that were not observed, as "from to bytes origin".
func shown(s *flowgraph.Snapshot) (all []string) {
	for e := range s.Edges() {
		if e.Origin != flowgraph.Observed {
			name := func(w flowgraph.WorkloadID) string { return strings.TrimPrefix(w.String(), "shop/") }
			all = append(all, fmt.Sprintf("%s %s %.4g %s", name(e.From), name(e.To), e.BytesPerSecond(), e.Origin))
		}
	}
	return all
}

func peer(name string, rate float64, origin flowgraph.Origin) Peer {
	return Peer{ID: id(name), Rate: rate, Share: 1, Origin: origin}
}

func isNew(name string, age time.Duration, peers ...Peer) Workload {
	return Workload{ID: id(name), Since: now.Add(-age), Pods: 1, Peers: peers}
}

func TestMerge(t *testing.T) {
	const annotated, grouped, allowed = flowgraph.FromAnnotation, flowgraph.FromAppGroup, flowgraph.FromSidecar
	cases := map[string]struct {
		observed []string
		reach    flowgraph.Reach
		options  Options
		declared []Workload
		want     []string
	}{
		"a new workload": {
			declared: []Workload{isNew("web", 0, peer("db", 1000, annotated))},
			want:     []string{"web db 1000 annotation"},
		},
		"half of the window has passed": {
			declared: []Workload{isNew("web", window/2, peer("db", 1000, annotated))},
			want:     []string{"web db 500 annotation"},
		},
		"the window has passed": {
			declared: []Workload{isNew("web", window, peer("db", 1000, annotated))},
		},
		"a clock that is behind": {
			declared: []Workload{isNew("web", -time.Minute, peer("db", 1000, annotated))},
			want:     []string{"web db 1000 annotation"},
		},
		"an observed edge replaces the declared one": {
			observed: []string{"web db 1"},
			declared: []Workload{isNew("web", 0, peer("db", 1000, annotated))},
		},
		"also in the other direction": {
			observed: []string{"db web 1"},
			declared: []Workload{isNew("web", 0, peer("db", 1000, annotated))},
		},
		"others fade by as much as is observed": {
			observed: []string{"web db 600"},
			declared: []Workload{isNew("web", 0, peer("db", 1000, annotated), peer("cart", 1000, annotated))},
			want:     []string{"web cart 700 annotation"},
		},
		"all is observed, with somebody else": {
			observed: []string{"ads web 1000"},
			declared: []Workload{isNew("web", 0, peer("db", 1000, annotated))},
		},
		"a rate beyond the bound": {
			options:  Options{MaxRate: 300},
			declared: []Workload{isNew("web", 0, peer("db", 1000, annotated))},
			want:     []string{"web db 300 annotation"},
		},
		"the median of workloads without a rate": {
			observed: []string{"a b 10", "c d 100", "e f 100000"},
			declared: []Workload{isNew("web", 0, peer("db", 0, allowed), peer("cart", 0, allowed), peer("ads", 7, annotated))},
			want:     []string{"web ads 7 annotation", "web cart 50 sidecar", "web db 50 sidecar"},
		},
		"a default rate, by shares": {
			options:  Options{DefaultRate: 900},
			declared: []Workload{isNew("web", 0, Peer{ID: id("db"), Share: 2, Origin: grouped}, Peer{ID: id("ads"), Share: 1, Calls: true, Origin: grouped})},
			want:     []string{"ads web 300 appgroup", "web db 600 appgroup"},
		},
		"nothing tells a default rate": {
			observed: []string{"a a 5"},
			declared: []Workload{isNew("web", 0, peer("db", 0, allowed))},
			want:     []string{fmt.Sprintf("web db %.4g sidecar", float64(IsolatedRate))},
		},
		"who says a rate comes first": {
			declared: []Workload{isNew("web", 0, peer("db", 0, allowed), peer("db", 10, annotated))},
			want:     []string{"web db 10 annotation"},
		},
		"both ends declare it": {
			declared: []Workload{isNew("db", 0, peer("web", 30, annotated)), isNew("web", 0, peer("db", 20, annotated))},
			want:     []string{"db web 30 annotation"},
		},
		"itself": {
			declared: []Workload{isNew("web", 0, peer("web", 30, annotated))},
		},
		"a predecessor": {
			observed: []string{"ads web-v1 100", "web-v1 db 400", "web-v1 web-v1 5"},
			declared: []Workload{{ID: id("web-v2"), Since: now, Pods: 1, Predecessors: []Predecessor{{ID: id("web-v0"), Pods: 1}, {ID: id("web-v1"), Pods: 4}}}},
			want:     []string{"ads web-v2 25 inherited", "web-v2 db 100 inherited"},
		},
		"no more than a predecessor": {
			observed: []string{"web-v1 db 400"},
			declared: []Workload{{ID: id("web-v2"), Since: now, Pods: 1000, Predecessors: []Predecessor{{ID: id("web-v1")}}}},
			want:     []string{"web-v2 db 400 inherited"},
		},
		"what is declared comes before what is inherited": {
			observed: []string{"web-v1 db 400"},
			declared: []Workload{{ID: id("web-v2"), Since: now, Peers: []Peer{peer("db", 3, annotated)}, Predecessors: []Predecessor{{ID: id("web-v1")}}}},
			want:     []string{"web-v2 db 3 annotation"},
		},
		"isolated namespaces": {
			observed: []string{"a b 1000000"},
			reach:    flowgraph.Reach{Isolated: true},
			declared: []Workload{isNew("web", 0, peer("db", 0, annotated), peer("tenant/db", 10, annotated))},
			want:     []string{fmt.Sprintf("web db %.4g annotation", float64(IsolatedRate))},
		},
		"isolated namespaces and a site": {
			observed: []string{"web-v1 @eu:eu-a/orders 400", "web-v1 tenant/db 400"},
			reach:    flowgraph.Reach{Isolated: true},
			declared: []Workload{{ID: id("web-v2"), Since: now, Predecessors: []Predecessor{{ID: id("web-v1")}}}},
			want:     []string{"web-v2 @eu:eu-a/orders 400 inherited"},
		},
		"the limits": {
			options:  Options{Limits: flowgraph.Limits{Edges: 1}},
			declared: []Workload{isNew("web", 0, peer("db", 10, annotated), peer("ads", 20, annotated))},
			want:     []string{"web ads 20 annotation"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.options.Window = window
			base := observing(tc.reach, tc.observed...)
			got := NewMerger(tc.options).Merge(base, tc.declared, now)
			if diff := cmp.Diff(tc.want, shown(got)); diff != "" {
				t.Errorf("declared edges (-want +got):\n%s", diff)
			}
			if len(tc.want) == 0 && got != base {
				t.Error("nothing is declared, but the snapshot is another one")
			}
		})
	}
}

// TestNothingBeforeTelemetry keeps the failure contract: without telemetry nothing counts.
func TestNothingBeforeTelemetry(t *testing.T) {
	base := flowgraph.NewStore().Load()
	if got := NewMerger(Options{Window: window}).Merge(base, []Workload{isNew("web", 0, peer("db", 10, flowgraph.FromAnnotation))}, now); got != base {
		t.Errorf("%d edges are declared before there is telemetry", got.EdgeCount())
	}
}

// TestMostPeers declares more than a workload may.
func TestMostPeers(t *testing.T) {
	w := isNew("web", 0)
	for i := range 3 * MaxPeers {
		w.Peers = append(w.Peers, peer(fmt.Sprint("db-", i), 10, flowgraph.FromAnnotation))
	}
	if got := NewMerger(Options{Window: window}).Merge(observing(flowgraph.Reach{}), []Workload{w}, now); got.EdgeCount() != MaxPeers {
		t.Errorf("%d edges count, want %d", got.EdgeCount(), MaxPeers)
	}
}

// TestMergeAgain merges the same anew only when it has faded noticeably, and anything else
// at once.
func TestMergeAgain(t *testing.T) {
	m := NewMerger(Options{Window: window})
	base := observing(flowgraph.Reach{}, "a b 1")
	all := []Workload{isNew("web", 0, peer("db", 10, flowgraph.FromAnnotation))}
	first := m.Merge(base, all, now)
	if m.Merge(base, all, now.Add(unchanged-1)) != first {
		t.Error("the same is merged again after a moment")
	}
	if m.Merge(base, all, now.Add(unchanged)) == first {
		t.Error("what has faded is not merged again")
	}
	first = m.Merge(base, all, now.Add(unchanged))
	if m.Merge(observing(flowgraph.Reach{}, "a b 1"), all, now.Add(unchanged)) == first {
		t.Error("the snapshot is not that of the newest telemetry")
	}
	more := append(all, isNew("ads", 0, peer("db", 10, flowgraph.FromAnnotation)))
	if got := m.Merge(base, more, now.Add(unchanged)); got.EdgeCount() != 3 {
		t.Errorf("%d edges, want that of another workload too", got.EdgeCount())
	}
}

// TestBounds merges random declarations. Whatever they are, what is observed stays as it
// was, and what is declared of a workload is at most what it declares, by the formula, less
// with time, and nothing after the window.
func TestBounds(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		name := func() string { return fmt.Sprintf("ns%d/w%d", r.IntN(3), r.IntN(8)) }
		observed := map[string]string{}
		for range r.IntN(8) {
			a, b := name(), name()
			observed[a+b] = fmt.Sprintf("%s %s %d", a, b, 1+r.IntN(1000))
		}
		var texts []string
		for _, text := range observed {
			texts = append(texts, text)
		}
		slices.Sort(texts)
		base := observing(flowgraph.Reach{Isolated: r.IntN(2) == 0}, texts...)
		w := isNew(name(), 0)
		for range 1 + r.IntN(6) {
			w.Peers = append(w.Peers, Peer{ID: id(name()), Rate: float64(r.IntN(3)) * math.Pow(10, float64(r.IntN(15))), Share: float64(r.IntN(3)), Calls: r.IntN(2) == 0, Origin: flowgraph.DeclaredOrigins()[r.IntN(3)]})
		}
		o := Options{Window: window, MaxRate: 5000, DefaultRate: 100}
		last := math.Inf(1)
		for _, age := range []time.Duration{0, window / 3, window - time.Second, window, 2 * window} {
			got := NewMerger(o).Merge(base, []Workload{w}, w.Since.Add(age))
			sum := 0.0
			for e := range got.Edges() {
				switch {
				case e.Origin == flowgraph.Observed:
					if !base.HasEdge(e.From, e.To) {
						t.Fatalf("seed %d: %s to %s is taken for observed", seed, e.From, e.To)
					}
					continue
				case e.From != w.ID && e.To != w.ID:
					t.Fatalf("seed %d: %s declares %s to %s", seed, w.ID, e.From, e.To)
				case base.Reach().Isolated && e.From.Namespace != e.To.Namespace:
					t.Fatalf("seed %d: %s to %s counts between isolated namespaces", seed, e.From, e.To)
				case e.BytesPerSecond() > o.MaxRate*1.0001:
					t.Fatalf("seed %d: %s to %s counts %v", seed, e.From, e.To, e.BytesPerSecond())
				}
				sum += e.BytesPerSecond()
			}
			if got.EdgeCount()-got.DeclaredCount() != base.EdgeCount() {
				t.Fatalf("seed %d: %d edges are observed, want %d", seed, got.EdgeCount()-got.DeclaredCount(), base.EdgeCount())
			}
			if sum > last || age >= window && got != base {
				t.Fatalf("seed %d: after %s %v is declared, before %v", seed, age, sum, last)
			}
			last = sum
		}
	}
}
