package flowgraph

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// Snapshot is the graph at one moment. It never changes: any number of
// goroutines may read it.
//
// Workloads, and sites like them, are numbered 0 to Len()-1 in the order of their ids. The edges
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
	bytes    []bytes32
	requests []bfloat16
	aged     []agedEdge // those that are older than at, ordered by edge

	inStart []int32
	inEdge  []int32 // edge numbers, ordered by the edge's From within a row

	self []selfFlow // ordered by workload

	declared   []declaredEdge    // those that were not observed, ordered by edge
	declaredAt map[int32][]int32 // the same, by workload at either end

	exchanged Rates
	reach     Reach
}

// bytes32 halves the memory of the rates in bytes; 24 bits of precision are far
// below the noise of the telemetry.
type bytes32 struct{ sent, received float32 }

// bfloat16 is the upper half of a float32, with its range and 8 bits of
// precision: a request weighs little beside its bytes.
type bfloat16 uint16

func toBfloat16(v float64) bfloat16 {
	const half = 1 << 15 // rounds to the nearest
	return bfloat16((math.Float32bits(float32(v)) + half) >> 16)
}

func (b bfloat16) float64() float64 { return float64(math.Float32frombits(uint32(b) << 16)) }

// agedEdge is how old an edge is. Nearly all edges are as old as the snapshot.
type agedEdge struct{ edge, seconds int32 }

type selfFlow struct {
	workload int32
	seconds  int32 // older than the snapshot
	rates    Rates
}

// newSnapshot makes a snapshot of edges of which no two join the same workloads in
// the same direction.
func newSnapshot(generation uint64, at time.Time, edges []Edge) *Snapshot {
	s := &Snapshot{generation: generation, at: at}
	n := len(edges)
	order := s.number(edges)
	s.rowStart, s.inStart = make([]int32, len(s.ids)+1), make([]int32, len(s.ids)+1)
	s.to, s.bytes, s.requests = make([]int32, 0, n), make([]bytes32, 0, n), make([]bfloat16, 0, n)
	for _, place := range order {
		e := edges[place.edge]
		if place.from == place.to {
			s.self = append(s.self, selfFlow{place.from, s.age(e), e.Rates})
			continue
		}
		if age := s.age(e); age > 0 {
			s.aged = append(s.aged, agedEdge{int32(len(s.to)), age})
		}
		s.to = append(s.to, place.to)
		s.bytes = append(s.bytes, bytes32{float32(e.SentBytesPerSecond), float32(e.ReceivedBytesPerSecond)})
		s.requests = append(s.requests, toBfloat16(e.RequestsPerSecond))
		s.exchanged = s.exchanged.add(e.Rates).add(e.Rates)
		s.rowStart[place.from+1]++
		s.inStart[place.to+1]++
	}
	for i := range s.ids {
		s.rowStart[i+1] += s.rowStart[i]
		s.inStart[i+1] += s.inStart[i]
	}
	s.fillIn()
	return s
}

// place is where an edge stands: the numbers of its workloads.
type place struct{ from, to, edge int32 }

// number numbers the workloads of the edges and returns the edges' places in
// order.
func (s *Snapshot) number(edges []Edge) []place {
	numbers := map[WorkloadID]int32{}
	for _, e := range edges {
		numbers[e.From], numbers[e.To] = 0, 0
	}
	s.ids = make([]WorkloadID, 0, len(numbers))
	for id := range numbers {
		s.ids = append(s.ids, id)
	}
	slices.SortFunc(s.ids, WorkloadID.Compare)
	for i, id := range s.ids {
		numbers[id] = int32(i)
	}
	order := make([]place, len(edges))
	for i, e := range edges {
		order[i] = place{numbers[e.From], numbers[e.To], int32(i)}
	}
	slices.SortFunc(order, func(a, b place) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	return order
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

// Len is the number of workloads and sites.
func (s *Snapshot) Len() int { return len(s.ids) }

// EdgeCount is the number of edges, self-flows included.
func (s *Snapshot) EdgeCount() int { return len(s.to) + len(s.self) }

// Exchanged is what all workloads exchange with others, each edge counted at both of
// its ends.
func (s *Snapshot) Exchanged() Rates { return s.exchanged }

// Reach says what namespaces may do to the scores of one another's pods.
func (s *Snapshot) Reach() *Reach { return &s.reach }

// HasEdge reports whether there is an edge from one workload to another.
func (s *Snapshot) HasEdge(from, to WorkloadID) bool {
	i, ok := s.Lookup(from)
	j, known := s.Lookup(to)
	switch {
	case !ok || !known:
		return false
	case i == j:
		return s.Self(i) != Rates{}
	}
	_, ok = slices.BinarySearch(s.to[s.rowStart[i]:s.rowStart[i+1]], int32(j))
	return ok
}

// ID returns the id of workload i, 0 <= i < Len().
func (s *Snapshot) ID(i int) WorkloadID { return s.ids[i] }

// Lookup returns the number of a workload; ok is false when the graph has no
// traffic of it.
func (s *Snapshot) Lookup(id WorkloadID) (i int, ok bool) {
	return slices.BinarySearchFunc(s.ids, id, WorkloadID.Compare)
}

// Sites returns the sites that the graph has traffic with, in order.
func (s *Snapshot) Sites() []WorkloadID {
	first, _ := s.Lookup(WorkloadID{Namespace: siteMark})
	last := first
	for last < len(s.ids) && s.ids[last].IsSite() {
		last++
	}
	return s.ids[first:last:last]
}

// Callees yields the workloads that i calls and the rates of each edge, as i sees
// them. The workload itself is not among them; see Self.
func (s *Snapshot) Callees(i int) iter.Seq2[int, Rates] {
	return func(yield func(int, Rates) bool) {
		for e := s.rowStart[i]; e < s.rowStart[i+1]; e++ {
			if !yield(int(s.to[e]), s.ratesOf(e)) {
				return
			}
		}
	}
}

// Callers yields the workloads that call i and the rates of each edge, as the
// caller sees them. The workload itself is not among them; see Self.
func (s *Snapshot) Callers(i int) iter.Seq2[int, Rates] {
	return func(yield func(int, Rates) bool) {
		from := 0
		for _, e := range s.inEdge[s.inStart[i]:s.inStart[i+1]] {
			from = s.rowOf(e, from)
			if !yield(from, s.ratesOf(e)) {
				return
			}
		}
	}
}

func (s *Snapshot) ratesOf(edge int32) Rates {
	return Rates{
		SentBytesPerSecond:     float64(s.bytes[edge].sent),
		ReceivedBytesPerSecond: float64(s.bytes[edge].received),
		RequestsPerSecond:      min(s.requests[edge].float64(), MaxRate), // what it is rounded to may be above
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
	return s.self[k].rates
}

// Edges yields every edge, ordered by From and then To, self-flows last.
func (s *Snapshot) Edges() iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		row, aged, declared := 0, s.aged, s.declared
		for e, to := range s.to {
			row = s.rowOf(int32(e), row)
			var age int32
			if len(aged) > 0 && aged[0].edge == int32(e) {
				age, aged = aged[0].seconds, aged[1:]
			}
			edge := s.edge(row, int(to), s.ratesOf(int32(e)), age)
			if len(declared) > 0 && declared[0].edge == int32(e) {
				edge.Origin, declared = declared[0].origin, declared[1:]
			}
			if !yield(edge) {
				return
			}
		}
		for _, f := range s.self {
			if !yield(s.edge(int(f.workload), int(f.workload), f.rates, f.seconds)) {
				return
			}
		}
	}
}

func (s *Snapshot) edge(from, to int, r Rates, seconds int32) Edge {
	return Edge{
		From: s.ids[from], To: s.ids[to], Rates: r,
		ObservedAt: s.at.Add(-time.Duration(seconds) * time.Second),
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
