package flowgraph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// bounded reads edges such as "shop/web shop/api 5 known".
func bounded(t *testing.T, lines ...string) (all []Bounded) {
	t.Helper()
	id := func(text string) WorkloadID {
		namespace, name, _ := strings.Cut(text, "/")
		return WorkloadID{namespace, name}
	}
	for _, line := range lines {
		var from, to, known string
		var e Bounded
		if n, _ := fmt.Sscan(line, &from, &to, &e.Size, &known); n < 3 {
			t.Fatalf("bad edge %q", line)
		}
		e.From, e.To, e.Known = id(from), id(to), known == "known"
		all = append(all, e)
	}
	return all
}

func surplus(l Limits, all []Bounded) []int {
	return l.Surplus(len(all), func(i int) Bounded { return all[i] })
}

func TestSurplus(t *testing.T) {
	cases := map[string]struct {
		limits Limits
		edges  []string
		want   []int
	}{
		"no limit":    {Limits{}, []string{"a/x a/y 1", "a/x a/z 2"}, nil},
		"at a limit":  {Limits{2, 3, 2, 3}, []string{"a/x a/y 1", "a/x a/z 2"}, nil},
		"a self-flow": {Limits{1, 1, 1, 1}, []string{"a/x a/x 1"}, nil},
		"the smallest leave": {
			Limits{Edges: 2}, []string{"a/x a/y 1", "a/x a/z 3", "a/y a/z 2"}, []int{0},
		},
		"known ones stay": {
			Limits{Edges: 2}, []string{"a/x a/y 1 known", "a/x a/z 3", "a/y a/z 2"}, []int{2},
		},
		"of a namespace": {
			Limits{NamespaceEdges: 1}, []string{"a/x a/y 1", "a/x a/z 3", "b/x b/y 1"}, []int{0},
		},
		"at either end": {
			Limits{NamespaceEdges: 1}, []string{"a/x b/y 1", "c/x b/z 3"}, []int{0},
		},
		"the larger namespace pays": {
			Limits{Edges: 3}, []string{"a/x a/y 9", "a/x a/z 8", "a/y a/z 7", "b/x b/y 1"}, []int{2},
		},
		"the smallest workloads leave": {
			Limits{Workloads: 3}, []string{"a/x a/y 3", "a/x a/z 2", "a/x a/w 1"}, []int{2},
		},
		"workloads of a namespace": {
			Limits{NamespaceWorkloads: 2}, []string{"a/x a/y 3", "a/x a/z 2", "a/x b/w 1"}, []int{1},
		},
		"the largest edge of each workload stays": {
			Limits{Edges: 2, Workloads: 4}, []string{"a/x a/y 3", "a/y a/x 2", "a/z a/w 1", "b/x b/y 1"}, []int{1, 2},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := surplus(tc.limits, bounded(t, tc.edges...)); !slices.Equal(got, tc.want) {
				t.Errorf("%v leave, want %v", got, tc.want)
			}
		})
	}
}

// crowd is random edges of tenants, none of which has more than its share of the limits.
func crowd(rng *rand.Rand, namespaces, workloads, edges int) []Bounded {
	seen := map[[2]WorkloadID]bool{}
	var all []Bounded
	id := func(space int) WorkloadID {
		return WorkloadID{fmt.Sprint("team-", space), fmt.Sprint("w-", rng.IntN(workloads))}
	}
	for range edges {
		from, to := rng.IntN(namespaces), rng.IntN(namespaces)
		if rng.IntN(3) > 0 {
			to = from
		}
		e := Bounded{From: id(from), To: id(to), Size: rng.ExpFloat64(), Known: rng.IntN(2) == 0}
		if !seen[[2]WorkloadID{e.From, e.To}] {
			seen[[2]WorkloadID{e.From, e.To}] = true
			all = append(all, e)
		}
	}
	return all
}

// flood is edges of which one end at least is a tenant's, who names whatever it likes at
// the other.
func flood(rng *rand.Rand, namespaces, edges int) (all []Bounded) {
	kind := rng.IntN(5)
	for i := range edges {
		own := WorkloadID{"evil", fmt.Sprint("x-", i)}
		other := [...]WorkloadID{
			{"evil", fmt.Sprint("y-", i)},                            // among itself
			{"team-0", "w-0"},                                        // at one workload of others
			{fmt.Sprint("fake-", i), "x"},                            // namespaces that do not exist
			{fmt.Sprint("team-", i%namespaces), fmt.Sprint("f-", i)}, // workloads of others that do not exist
			{fmt.Sprint("team-", i%namespaces), fmt.Sprint("w-", i%7)},
		}[kind]
		if rng.IntN(2) == 0 {
			own, other = other, own
		}
		all = append(all, Bounded{From: own, To: other, Size: 1e12})
	}
	return all
}

// TestFloodsLeaveOthersAlone: whatever edges a tenant claims that it is an end of, no edge
// of others leaves, and the limits are kept.
func TestFloodsLeaveOthersAlone(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		namespaces := 1 + rng.IntN(8)
		honest := crowd(rng, namespaces, 20, 1+rng.IntN(300))
		all := append(slices.Clone(honest), flood(rng, namespaces, 3000)...)
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		l := Limits{Edges: 1500, NamespaceEdges: 1000, Workloads: 1000, NamespaceWorkloads: 500}
		gone := surplus(l, all)
		for _, i := range gone {
			if e := all[i]; e.From.Namespace != "evil" && e.To.Namespace != "evil" {
				t.Fatalf("seed %d: %v -> %v of %g leaves", seed, e.From, e.To, e.Size)
			}
		}
		left := slices.Clone(all)
		for _, i := range slices.Backward(gone) {
			left = slices.Delete(left, i, i+1)
		}
		if again := surplus(l, left); len(again) > 0 {
			t.Fatalf("seed %d: %d of the edges that are left are too many", seed, len(again))
		}
		checkLimits(t, l, left)
	}
}

// checkLimits counts anew.
func checkLimits(t *testing.T, l Limits, all []Bounded) {
	t.Helper()
	edges, workloads, of := map[string]int{}, map[WorkloadID]bool{}, map[string]int{}
	for _, e := range all {
		edges[e.From.Namespace]++
		if e.To.Namespace != e.From.Namespace {
			edges[e.To.Namespace]++
		}
		workloads[e.From], workloads[e.To] = true, true
	}
	for w := range workloads {
		of[w.Namespace]++
	}
	for namespace, n := range edges {
		if n > l.NamespaceEdges || of[namespace] > l.NamespaceWorkloads {
			t.Fatalf("%s has %d edges and %d workloads", namespace, n, of[namespace])
		}
	}
	if len(all) > l.Edges || len(workloads) > l.Workloads {
		t.Fatalf("%d edges and %d workloads", len(all), len(workloads))
	}
}

// TestSurplusDoesNotDependOnTheOrder of the edges.
func TestSurplusDoesNotDependOnTheOrder(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 2))
		all := crowd(rng, 3, 20, 300)
		for i := range all {
			all[i].Size = float64(rng.IntN(3)) // ties
		}
		l := Limits{Edges: 100, Workloads: 30}
		names := func() (gone []string) {
			for _, i := range surplus(l, all) {
				gone = append(gone, fmt.Sprint(all[i].From, all[i].To))
			}
			slices.Sort(gone)
			return gone
		}
		want := names()
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if got := names(); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
	}
}

// TestGraphKeepsItsLimits: new edges leave, known ones stay, and it is said how many.
func TestGraphKeepsItsLimits(t *testing.T) {
	g := NewGraph(Options{HalfLife: time.Minute, RetainFor: time.Hour, Limits: Limits{Edges: 2}})
	at := start
	for round, want := range []int{0, 0, 40, 40} {
		at = at.Add(time.Minute)
		flows := []Flow{{From: web, To: db, Rates: Rates{SentBytesPerSecond: 1}, ObservedAt: at}, {From: web, To: cart, Rates: Rates{SentBytesPerSecond: 2}, ObservedAt: at}}
		for i := range want {
			flows = append(flows, Flow{From: web, To: WorkloadID{web.Namespace, fmt.Sprint(round, "-", i)}, Rates: Rates{SentBytesPerSecond: 1e12}, ObservedAt: at})
		}
		if g.Observe(at, flows); g.Surplus() != want {
			t.Errorf("round %d: %d edges are beyond the limit, want %d", round, g.Surplus(), want)
		}
		if s := g.Snapshot(); s.EdgeCount() != 2 || !s.HasEdge(web, db) || !s.HasEdge(web, cart) {
			t.Errorf("round %d: the edges are %v", round, slices.Collect(s.Edges()))
		}
	}
}

// TestLargeRatesAreClamped: a rate that cannot be true neither erases an edge nor passes.
func TestLargeRatesAreClamped(t *testing.T) {
	g := NewGraph(Options{})
	g.Observe(start, []Flow{
		flow(web, db, 1e13, 0), flow(web, db, MaxRate, time.Second), flow(web, cart, 1e308, 0), flow(web, cart, math.Inf(1), 0),
		{From: cart, To: db, Rates: Rates{RequestsPerSecond: 1e13}, ObservedAt: start},
	})
	for e := range g.Snapshot().Edges() {
		if rate := max(e.SentBytesPerSecond, e.RequestsPerSecond); rate < MaxRate*0.999 || !e.Valid() {
			t.Errorf("%v -> %v has %g, want %g", e.From, e.To, rate, MaxRate)
		}
	}
	if n := g.Snapshot().EdgeCount(); n != 3 {
		t.Errorf("%d edges, want 3", n)
	}
}

func TestNames(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	cases := []struct {
		id   WorkloadID
		want bool
	}{
		{WorkloadID{"shop", "web"}, true},
		{WorkloadID{"1", "a.b-2.c"}, true},
		{WorkloadID{long(63), long(253)}, true},
		{WorkloadID{long(64), "web"}, false},
		{WorkloadID{"shop", long(254)}, false},
		{WorkloadID{"a.b", "web"}, false},
		{WorkloadID{"Shop", "web"}, false},
		{WorkloadID{"-a", "web"}, false},
		{WorkloadID{"a-", "web"}, false},
		{WorkloadID{"", "web"}, false},
		{WorkloadID{"shop", ""}, false},
		{WorkloadID{"shop", "a..b"}, false},
		{WorkloadID{"shop", "a_b"}, false},
		{WorkloadID{"shop", "wéb"}, false},
		{WorkloadID{"shop", "a\x00"}, false},
	}
	for _, tc := range cases {
		if got := tc.id.IsValid(); got != tc.want {
			t.Errorf("%q is valid: %v", tc.id, got)
		}
	}
}

func TestAttracts(t *testing.T) {
	some := Reach{Rules: []ReachRule{{From: []string{"data"}, To: []string{AnyNamespace}}, {From: []string{"a", "b"}, To: []string{"a", "b"}}}}
	cases := []struct {
		reach    Reach
		from, to string
		want     bool
	}{
		{Reach{}, "x", "y", true},
		{some, "x", "x", true},
		{some, "data", "x", true},
		{some, "x", "data", false},
		{some, "a", "b", true},
		{some, "b", "a", true},
		{some, "a", "x", false},
	}
	for _, tc := range cases {
		if got := tc.reach.Attracts(tc.from, tc.to); got != tc.want {
			t.Errorf("%s attracts %s: %v", tc.from, tc.to, got)
		}
	}
}

// BenchmarkSurplus cuts twice the edges that a graph of the default size may have.
func BenchmarkSurplus(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	all := append(crowd(rng, 100, 100, 200_000), flood(rng, 100, 300_000)...)
	for b.Loop() {
		surplus(Limits{Edges: 300_000, NamespaceEdges: 250_000, Workloads: 30_000, NamespaceWorkloads: 20_000}, all)
	}
}
