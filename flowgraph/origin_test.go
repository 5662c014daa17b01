package flowgraph

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestWithIsASnapshotOfAll compares a snapshot to which edges were added with one that was
// made of all edges at once.
func TestWithIsASnapshotOfAll(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		at := time.Unix(1_000_000, 0)
		id := func() WorkloadID {
			return WorkloadID{fmt.Sprint("ns", r.IntN(3)), fmt.Sprint("w", r.IntN(6))}
		}
		observed, added := map[edgeKey]Edge{}, map[edgeKey]Edge{}
		for range r.IntN(20) {
			e := Edge{From: id(), To: id(), Rates: randomRates(r), ObservedAt: at.Add(-time.Duration(r.IntN(3)) * time.Minute)}
			observed[edgeKey{e.From, e.To}] = e
		}
		origins := DeclaredOrigins()
		for range r.IntN(12) {
			e := Edge{From: id(), To: id(), Rates: randomRates(r), ObservedAt: at, Origin: origins[r.IntN(len(origins))]}
			added[edgeKey{e.From, e.To}] = e
		}
		var base, declared, want []Edge
		for _, e := range observed {
			base, want = append(base, e), append(want, e)
		}
		for key, e := range added {
			declared = append(declared, e)
			if _, known := observed[key]; !known && !e.IsSelf() {
				want = append(want, e)
			}
		}
		s := NewSnapshot(7, at, base)
		before := slices.Collect(s.Edges())
		got := s.With(declared)
		whole := NewSnapshot(7, at, want)
		compareSnapshots(t, seed, got, whole)
		for e := range got.Edges() {
			if wanted := added[edgeKey{e.From, e.To}]; observed[edgeKey{e.From, e.To}] == (Edge{}) && e.Origin != wanted.Origin {
				t.Errorf("seed %d: the origin of %s to %s is %s, want %s", seed, e.From, e.To, e.Origin, wanted.Origin)
			}
			if observed[edgeKey{e.From, e.To}] != (Edge{}) && e.Origin != Observed {
				t.Errorf("seed %d: %s to %s was observed, but is %s", seed, e.From, e.To, e.Origin)
			}
		}
		if !slices.Equal(slices.Collect(s.Edges()), before) {
			t.Errorf("seed %d: the snapshot has changed", seed)
		}
		if len(want) == len(base) && got != s {
			t.Errorf("seed %d: nothing was added, but the snapshot is another one", seed)
		}
	}
}

func randomRates(r *rand.Rand) Rates {
	return Rates{float64(1 + r.IntN(1000)), float64(r.IntN(1000)), float64(r.IntN(10))}
}

// compareSnapshots compares all but the origins.
func compareSnapshots(t *testing.T, seed uint64, got, want *Snapshot) {
	t.Helper()
	without := func(s *Snapshot) (edges []Edge) {
		for e := range s.Edges() {
			e.Origin = Observed
			edges = append(edges, e)
		}
		return edges
	}
	if g, w := without(got), without(want); !slices.Equal(g, w) {
		t.Fatalf("seed %d: the edges are\n%v, want\n%v", seed, g, w)
	}
	if got.Len() != want.Len() || got.Generation() != want.Generation() || !got.At().Equal(want.At()) || got.EdgeCount() != want.EdgeCount() {
		t.Fatalf("seed %d: %d workloads and %d edges, want %d and %d", seed, got.Len(), got.EdgeCount(), want.Len(), want.EdgeCount())
	}
	if g, w := got.Exchanged(), want.Exchanged(); !near(g.BytesPerSecond(), w.BytesPerSecond()) {
		t.Errorf("seed %d: %v is exchanged, want %v", seed, g, w)
	}
	for i := range want.Len() {
		if got.ID(i) != want.ID(i) || got.Self(i) != want.Self(i) {
			t.Fatalf("seed %d: workload %d is %s, want %s", seed, i, got.ID(i), want.ID(i))
		}
		if g, w := listed(got.Callers(i)), listed(want.Callers(i)); !slices.Equal(g, w) {
			t.Errorf("seed %d: the callers of %s are %v, want %v", seed, want.ID(i), g, w)
		}
		declared := 0
		for e := range got.Edges() {
			if e.Origin != Observed && (e.From == got.ID(i) || e.To == got.ID(i)) {
				declared++
			}
		}
		if n := len(got.DeclaredOf(i)); n != declared {
			t.Errorf("seed %d: %s has %d declared edges, want %d", seed, got.ID(i), n, declared)
		}
	}
}

func near(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 }

type listedEdge struct {
	peer  int
	rates Rates
}

func listed(all func(func(int, Rates) bool)) (edges []listedEdge) {
	for i, rates := range all {
		edges = append(edges, listedEdge{i, rates})
	}
	return edges
}

func BenchmarkWith(b *testing.B) {
	s := largeSnapshot(b)
	declared := []Edge{{From: WorkloadID{"shop", "web"}, To: s.ID(s.Len() / 2), Rates: Rates{SentBytesPerSecond: 1}, Origin: FromAnnotation}}
	b.ReportAllocs()
	for b.Loop() {
		s.With(declared)
	}
}

// largeSnapshot has 10,000 workloads with 200,000 edges.
func largeSnapshot(b *testing.B) *Snapshot {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 0))
	var edges []Edge
	for range 200_000 {
		id := func() WorkloadID { return WorkloadID{"ns", fmt.Sprint("workload-", r.IntN(10_000))} }
		edges = append(edges, Edge{From: id(), To: id(), Rates: randomRates(r)})
	}
	return NewSnapshot(1, time.Unix(0, 0), edges)
}
