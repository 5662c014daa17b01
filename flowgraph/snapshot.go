package flowgraph

import (
	"cmp"
	"iter"
	"slices"
	"sync/atomic"
	"time"
)

// Snapshot is the graph at one moment. It never changes: any number of
// goroutines may read it.
//
// Workloads are numbered 0 to Len()-1 in the order of their ids. The edges
// stand in compressed sparse rows: the edges that leave workload i are those
// from rowStart[i] to rowStart[i+1], ordered by destination; the edges that
// enter it are found through a second set of rows that only holds edge
// numbers. Self-flows are kept apart from both.
type Snapshot struct {
	generation uint64
	at         time.Time
	ids        []WorkloadID

	rowStart []int32
	to       []int32
	rates    []rates32
	observed []int32 // seconds before at, per edge

	inStart []int32
	inEdge  []int32 // edge numbers, ordered by the edge's From within a row

	self []selfFlow // ordered by workload
}

// rates32 halves the memory of Rates; 24 bits of precision are far below the
// noise of the telemetry.
type rates32 struct{ sent, received, requests float32 }

type selfFlow struct {
	workload int32
	observed int32
	rates    rates32
}

func pack(r Rates) rates32 {
	return rates32{float32(r.SentBytesPerSecond), float32(r.ReceivedBytesPerSecond), float32(r.RequestsPerSecond)}
}

func (r rates32) unpack() Rates {
	return Rates{
		SentBytesPerSecond:     float64(r.sent),
		ReceivedBytesPerSecond: float64(r.received),
		RequestsPerSecond:      float64(r.requests),
	}
}

// newSnapshot takes ownership of edges; no two join the same workloads in the
// same direction.
func newSnapshot(generation uint64, at time.Time, edges []Edge) *Snapshot {
	s := &Snapshot{generation: generation, at: at, ids: sortedIDs(edges)}
	slices.SortFunc(edges, func(a, b Edge) int {
		return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To))
	})
	n := len(s.ids)
	s.rowStart = make([]int32, n+1)
	s.inStart = make([]int32, n+1)
	row := 0
	for _, e := range edges {
		for s.ids[row] != e.From {
			row++
		}
		if e.IsSelf() {
			s.self = append(s.self, selfFlow{int32(row), s.age(e), pack(e.Rates)})
			continue
		}
		to, _ := s.Lookup(e.To)
		s.to = append(s.to, int32(to))
		s.rates = append(s.rates, pack(e.Rates))
		s.observed = append(s.observed, s.age(e))
		s.rowStart[row+1]++
		s.inStart[to+1]++
	}
	for i := range n {
		s.rowStart[i+1] += s.rowStart[i]
		s.inStart[i+1] += s.inStart[i]
	}
	s.fillIn()
	s.to, s.rates, s.observed = slices.Clip(s.to), slices.Clip(s.rates), slices.Clip(s.observed)
	return s
}

// fillIn lists the edges that enter each workload. Edges are visited in the
// order of their From, so each row comes out ordered.
func (s *Snapshot) fillIn() {
	s.inEdge = make([]int32, len(s.to))
	next := slices.Clone(s.inStart)
	for edge, to := range s.to {
		s.inEdge[next[to]] = int32(edge)
		next[to]++
	}
}

func (s *Snapshot) age(e Edge) int32 {
	return int32(min(max(s.at.Sub(e.ObservedAt)/time.Second, 0), 1<<30))
}

// Generation counts the snapshots of one graph; the empty snapshot has 0.
func (s *Snapshot) Generation() uint64 { return s.generation }

// At is the time of the snapshot's data: of the newest successful refresh, not
// of the moment it was built. It is zero before the first refresh.
func (s *Snapshot) At() time.Time { return s.at }

// Len is the number of workloads.
func (s *Snapshot) Len() int { return len(s.ids) }

// EdgeCount is the number of edges, self-flows included.
func (s *Snapshot) EdgeCount() int { return len(s.to) + len(s.self) }

// ID returns the id of workload i, 0 <= i < Len().
func (s *Snapshot) ID(i int) WorkloadID { return s.ids[i] }

// Lookup returns the number of a workload; ok is false when the graph has no
// traffic of it.
func (s *Snapshot) Lookup(id WorkloadID) (i int, ok bool) {
	return slices.BinarySearchFunc(s.ids, id, WorkloadID.Compare)
}

// Peers yields every workload that i exchanges traffic with and the rates of
// that edge, callees before callers. A peer that is both comes twice. Sent and
// received are as the edge's source sees them. The workload itself is not among
// its peers; see Self.
func (s *Snapshot) Peers(i int) iter.Seq2[int, Rates] {
	return func(yield func(int, Rates) bool) {
		for e := s.rowStart[i]; e < s.rowStart[i+1]; e++ {
			if !yield(int(s.to[e]), s.rates[e].unpack()) {
				return
			}
		}
		from := 0
		for _, e := range s.inEdge[s.inStart[i]:s.inStart[i+1]] {
			from = s.rowOf(e, from)
			if !yield(from, s.rates[e].unpack()) {
				return
			}
		}
	}
}

// rowOf returns the row that holds edge e, which is lo or a later one.
func (s *Snapshot) rowOf(e int32, lo int) int {
	hi := len(s.ids)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if s.rowStart[mid+1] <= e {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Self returns the self-flow of workload i, zero when it has none.
func (s *Snapshot) Self(i int) Rates {
	k, ok := slices.BinarySearchFunc(s.self, int32(i), func(f selfFlow, w int32) int { return cmp.Compare(f.workload, w) })
	if !ok {
		return Rates{}
	}
	return s.self[k].rates.unpack()
}

// Edges yields every edge, ordered by From and then To, self-flows last.
func (s *Snapshot) Edges() iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		row := 0
		for e := range s.to {
			row = s.rowOf(int32(e), row)
			if !yield(s.edge(row, int(s.to[e]), s.rates[e], s.observed[e])) {
				return
			}
		}
		for _, f := range s.self {
			if !yield(s.edge(int(f.workload), int(f.workload), f.rates, f.observed)) {
				return
			}
		}
	}
}

func (s *Snapshot) edge(from, to int, r rates32, observed int32) Edge {
	return Edge{
		From: s.ids[from], To: s.ids[to], Rates: r.unpack(),
		ObservedAt: s.at.Add(-time.Duration(observed) * time.Second),
	}
}

// Store holds the newest snapshot. Loading it is one atomic read; publishing
// is one atomic write.
type Store struct{ p atomic.Pointer[Snapshot] }

// NewStore returns a store that holds an empty snapshot of generation 0.
func NewStore() *Store {
	s := &Store{}
	s.Publish(newSnapshot(0, time.Time{}, nil))
	return s
}

// Load returns the newest snapshot, never nil.
func (s *Store) Load() *Snapshot { return s.p.Load() }

// Publish makes snap the newest snapshot. Readers that hold an older one keep
// it until they are done.
func (s *Store) Publish(snap *Snapshot) { s.p.Store(snap) }
