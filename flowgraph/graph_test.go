package flowgraph

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	web   = WorkloadID{"shop", "web"}
	cart  = WorkloadID{"shop", "cart"}
	db    = WorkloadID{"data", "db"}
	start = time.Unix(1_000_000, 0)
)

func flow(from, to WorkloadID, sent float64, at time.Duration) Flow {
	return Flow{From: from, To: to, Rates: Rates{SentBytesPerSecond: sent}, Source: "test", ObservedAt: start.Add(at)}
}

func TestGraphSmoothing(t *testing.T) {
	cases := map[string]struct {
		options Options
		flows   []Flow // each observed by a call of its own, at its own time
		want    float64
	}{
		"first observation is taken whole": {
			options: Options{HalfLife: time.Minute},
			flows:   []Flow{flow(web, db, 100, 0)},
			want:    100,
		},
		"after one half-life old and new count the same": {
			options: Options{HalfLife: time.Minute},
			flows:   []Flow{flow(web, db, 100, 0), flow(web, db, 200, time.Minute)},
			want:    150,
		},
		"two half steps are one whole step": {
			options: Options{HalfLife: time.Minute},
			flows:   []Flow{flow(web, db, 100, 0), flow(web, db, 200, 30*time.Second), flow(web, db, 200, time.Minute)},
			want:    150,
		},
		"no half-life takes the newest": {
			flows: []Flow{flow(web, db, 100, 0), flow(web, db, 200, time.Second)},
			want:  200,
		},
		"the same observation twice counts once": {
			options: Options{HalfLife: time.Minute},
			flows:   []Flow{flow(web, db, 100, 0), flow(web, db, 200, time.Minute), flow(web, db, 200, time.Minute)},
			want:    150,
		},
		"an older observation changes nothing": {
			options: Options{HalfLife: time.Minute},
			flows:   []Flow{flow(web, db, 100, time.Minute), flow(web, db, 900, 0)},
			want:    100,
		},
		"an edge that is no longer observed keeps its rate": {
			options: Options{HalfLife: time.Minute, RetainFor: time.Hour},
			flows:   []Flow{flow(web, db, 100, 0), flow(web, cart, 1, time.Hour)},
			want:    100,
		},
		"and is dropped after RetainFor": {
			options: Options{HalfLife: time.Minute, RetainFor: time.Hour},
			flows:   []Flow{flow(web, db, 100, 0), flow(web, cart, 1, time.Hour+time.Second)},
			want:    0,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := NewGraph(c.options)
			for _, f := range c.flows {
				g.Observe(f.ObservedAt, []Flow{f})
			}
			got := 0.0
			for e := range g.Snapshot().Edges() {
				if e.From == web && e.To == db {
					got = e.SentBytesPerSecond
				}
			}
			if math.Abs(got-c.want) > 1e-3 {
				t.Errorf("web -> db sends %v B/s, want %v", got, c.want)
			}
		})
	}
}

// TestDeadEdgesLeave observes counters of workloads that are gone: their rate is
// zero, and is observed to be for ever.
func TestDeadEdgesLeave(t *testing.T) {
	const every = 30 * time.Second
	cases := map[string]struct {
		options Options
		before  Rates // observed once
		then    Rates // observed from then on
		span    time.Duration
		wantIn  bool // whether the snapshot has the edge
		want    int  // edges that the graph keeps
	}{
		"smoothing has not reached zero": {Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour}, Rates{SentBytesPerSecond: 1e6}, Rates{}, 30 * time.Minute, true, 1},
		"it has, as far as it counts":    {Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour}, Rates{SentBytesPerSecond: 1e6}, Rates{}, 61 * time.Minute, false, 1},
		"for as long as it is retained":  {Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour}, Rates{SentBytesPerSecond: 1e6}, Rates{}, 2*time.Hour - every, false, 1},
		"then it leaves":                 {Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour}, Rates{SentBytesPerSecond: 1e6}, Rates{}, 2*time.Hour + 5*time.Minute, false, 0},
		"a year later":                   {Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour}, Rates{SentBytesPerSecond: MaxRate}, Rates{}, 365 * 24 * time.Hour, false, 0},
		"without a half-life":            {Options{RetainFor: time.Hour}, Rates{SentBytesPerSecond: 1e6}, Rates{}, time.Hour + 2*every, false, 0},
		"kept for ever":                  {Options{HalfLife: 2 * time.Minute}, Rates{SentBytesPerSecond: 1e6}, Rates{}, 3 * time.Hour, false, 1},
		"requests alone":                 {Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour}, Rates{RequestsPerSecond: 100}, Rates{}, 3 * time.Hour, false, 0},
		"below what counts":              {Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour}, Rates{SentBytesPerSecond: 100}, Rates{9e-4, 9e-4, 9e-7}, 3 * time.Hour, false, 0},
		"a rare request counts":          {Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour}, Rates{}, Rates{RequestsPerSecond: 2e-6}, 3 * time.Hour, true, 1},
		"a low rate rises from zero":     {Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour}, Rates{}, Rates{ReceivedBytesPerSecond: 2e-3}, 3 * time.Hour, true, 1},
		"never anything but zero":        {Options{HalfLife: 2 * time.Minute, RetainFor: time.Hour}, Rates{}, Rates{}, 10 * time.Minute, false, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			g := NewGraph(tc.options)
			step := max(every, tc.span/5000) // a year in finite time
			for at := time.Duration(0); at <= tc.span; at += step {
				f := Flow{From: web, To: db, Rates: tc.then, ObservedAt: start.Add(at)}
				if at == 0 {
					f.Rates = tc.before
				}
				g.Observe(f.ObservedAt, []Flow{f, flow(web, cart, 5, at)})
			}
			in := false
			for e := range g.Snapshot().Edges() {
				in = in || e.To == db
			}
			if in != tc.wantIn || len(g.edges)-1 != tc.want {
				t.Errorf("in the snapshot: %v, want %v; the graph keeps %d, want %d", in, tc.wantIn, len(g.edges)-1, tc.want)
			}
		})
	}
}

// TestTrafficReturns: an edge that was at zero begins its time anew.
func TestTrafficReturns(t *testing.T) {
	g := NewGraph(Options{RetainFor: time.Hour})
	for _, minute := range []int{0, 1, 50, 51, 70} {
		sent := 0.0
		if minute == 50 || minute == 0 {
			sent = 100
		}
		at := time.Duration(minute) * time.Minute
		g.Observe(start.Add(at), []Flow{flow(web, db, sent, at)})
	}
	if len(g.edges) != 1 {
		t.Errorf("the graph keeps %d edges twenty minutes after traffic, want 1", len(g.edges))
	}
}

func TestGraphLeavesOutInvalidFlows(t *testing.T) {
	g := NewGraph(Options{})
	invalid := g.Observe(start, []Flow{
		flow(web, db, 10, 0),
		flow(web, db, 5, 0),
		flow(WorkloadID{}, db, 1, 0),
		flow(web, WorkloadID{}, 1, 0),
		flow(web, cart, math.NaN(), 0),
		flow(web, cart, math.Inf(-1), 0),
		flow(web, cart, -1, 0),
	})
	if invalid != 5 {
		t.Errorf("Observe left out %d flows, want 5", invalid)
	}
	got := slices.Collect(g.Snapshot().Edges())
	want := []Edge{{From: web, To: db, Rates: Rates{SentBytesPerSecond: 15}, ObservedAt: start}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}

func TestExchanged(t *testing.T) {
	s := NewSnapshot(1, start, []Edge{
		{From: web, To: cart, Rates: Rates{SentBytesPerSecond: 10, ReceivedBytesPerSecond: 20}},
		{From: cart, To: db, Rates: Rates{SentBytesPerSecond: 100, RequestsPerSecond: 1000}},
		{From: db, To: db, Rates: Rates{SentBytesPerSecond: 1000}},
	})
	if got, want := s.Exchanged(), (Rates{SentBytesPerSecond: 220, ReceivedBytesPerSecond: 40, RequestsPerSecond: 2000}); got != want {
		t.Errorf("the workloads exchange %v, want %v", got, want)
	}
}

func TestSnapshotPeers(t *testing.T) {
	s := NewSnapshot(7, start, []Edge{
		{From: web, To: db, Rates: Rates{10, 100, 1}, ObservedAt: start},
		{From: cart, To: web, Rates: Rates{SentBytesPerSecond: 3}, ObservedAt: start},
		{From: web, To: cart, Rates: Rates{SentBytesPerSecond: 4}, ObservedAt: start},
		{From: web, To: web, Rates: Rates{SentBytesPerSecond: 5}, ObservedAt: start.Add(-time.Minute)},
	})
	if s.Generation() != 7 || !s.At().Equal(start) || s.Len() != 3 || s.EdgeCount() != 4 {
		t.Errorf("generation %d, at %v, %d workloads, %d edges; want 7, %v, 3, 4", s.Generation(), s.At(), s.Len(), s.EdgeCount(), start)
	}
	i, ok := s.Lookup(web)
	if !ok {
		t.Fatal("web is not in the snapshot")
	}
	type peer struct {
		ID    WorkloadID
		Rates Rates
	}
	var got []peer
	for j, r := range s.Callees(i) {
		got = append(got, peer{s.ID(j), r})
	}
	for j, r := range s.Callers(i) {
		got = append(got, peer{s.ID(j), r})
	}
	want := []peer{
		{db, Rates{10, 100, 1}},
		{cart, Rates{SentBytesPerSecond: 4}},
		{cart, Rates{SentBytesPerSecond: 3}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("peers of web (-want +got):\n%s", diff)
	}
	if got := s.Self(i).SentBytesPerSecond; got != 5 {
		t.Errorf("self-flow of web is %v, want 5", got)
	}
	if _, ok := s.Lookup(WorkloadID{"shop", "gone"}); ok {
		t.Error("Lookup found a workload without traffic")
	}
}

// TestSnapshotHoldsEveryEdge compares random snapshots with the edges that they
// were made of, from all sides.
func TestSnapshotHoldsEveryEdge(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		want := map[edgeKey]Rates{}
		var edges []Edge
		for range rng.IntN(60) {
			key := edgeKey{randomID(rng), randomID(rng)}
			r := Rates{float64(1 + rng.IntN(1000)), float64(rng.IntN(1000)), float64(rng.IntN(4))}
			want[key] = want[key].add(r)
			edges = append(edges, Edge{From: key.from, To: key.to, Rates: r, ObservedAt: start.Add(-ageOf(key))})
		}
		s := NewSnapshot(1, start, edges)
		got := map[edgeKey]Rates{}
		seen := map[edgeKey]int{}
		for i := range s.Len() {
			for j := range s.Callees(i) {
				seen[edgeKey{s.ID(i), s.ID(j)}]++
			}
			for j := range s.Callers(i) {
				seen[edgeKey{s.ID(j), s.ID(i)}]++
			}
			if r := s.Self(i); r != (Rates{}) {
				got[edgeKey{s.ID(i), s.ID(i)}] = r
			}
		}
		for e := range s.Edges() {
			got[edgeKey{e.From, e.To}] = e.Rates
			if age := start.Sub(e.ObservedAt); age != ageOf(edgeKey{e.From, e.To}) {
				t.Errorf("the edge from %v to %v is %v old", e.From, e.To, age)
			}
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(edgeKey{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("edges (-want +got):\n%s", diff)
		}
		for key := range want {
			if key.from == key.to {
				continue
			}
			if seen[key] != 2 {
				t.Fatalf("%v -> %v is seen %d times from its two ends", key.from, key.to, seen[key])
			}
		}
	}
}

func randomID(rng *rand.Rand) WorkloadID {
	return WorkloadID{Namespace: string(rune('a' + rng.IntN(2))), Name: string(rune('a' + rng.IntN(8)))}
}

// ageOf gives every third edge an age.
func ageOf(e edgeKey) time.Duration {
	return time.Duration(max(0, int(e.from.Name[0]+e.to.Name[0])%3-1)) * time.Minute
}

// TestRequestsArePrecise: a snapshot keeps rates of requests in 16 bits.
func TestRequestsArePrecise(t *testing.T) {
	for v := 1e-30; v < MaxRate; v *= 1.37 {
		if got := toBfloat16(v).float64(); math.Abs(got-v) > v/256 {
			t.Errorf("%g becomes %g", v, got)
		}
	}
	if got := toBfloat16(0).float64(); got != 0 {
		t.Errorf("0 becomes %g", got)
	}
}

func TestStoreStartsEmpty(t *testing.T) {
	s := NewStore()
	if got := s.Load(); got.Generation() != 0 || got.Len() != 0 || !got.At().IsZero() {
		t.Errorf("a new store holds generation %d with %d workloads", got.Generation(), got.Len())
	}
	s.Publish(NewSnapshot(3, start, nil))
	if got := s.Load().Generation(); got != 3 {
		t.Errorf("generation %d after publishing 3", got)
	}
}
