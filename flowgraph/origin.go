package flowgraph

import "slices"

// Origin says how an edge is known.
type Origin uint8

const (
	// Observed is an edge of the telemetry.
	Observed Origin = iota
	// FromAnnotation is an edge that an annotation of a workload declares.
	FromAnnotation
	// FromAppGroup is a dependency in an AppGroup.
	FromAppGroup
	// FromSidecar is an edge to an egress host of an Istio Sidecar.
	FromSidecar
	// Inherited is an edge of a workload's predecessor.
	Inherited
)

// DeclaredOrigins returns every Origin of edges that were not observed.
func DeclaredOrigins() []Origin {
	return []Origin{FromAnnotation, FromAppGroup, FromSidecar, Inherited}
}

// String returns the origin as the configuration, metrics and output have it.
func (o Origin) String() string {
	switch o {
	case Observed:
		return "observed"
	case FromAnnotation:
		return "annotation"
	case FromAppGroup:
		return "appgroup"
	case FromSidecar:
		return "sidecar"
	case Inherited:
		return "inherited"
	}
	return "unknown"
}

// Origins is a set of them.
type Origins uint8

// Has reports whether an origin is in the set.
func (s Origins) Has(o Origin) bool { return s&(1<<o) != 0 }

// With returns the set with an origin in it.
func (s Origins) With(o Origin) Origins { return s | 1<<o }

// DeclaredEdge is an edge that was not observed, seen from one of its ends.
type DeclaredEdge struct {
	// Peer is the number of the other end.
	Peer int
	// Calls says that the workload calls the peer.
	Calls  bool
	Origin Origin
}

// declaredEdge is an edge of a snapshot that was not observed.
type declaredEdge struct {
	edge, from, to int32
	origin         Origin
}

// DeclaredOf returns the edges of workload i that were not observed.
func (s *Snapshot) DeclaredOf(i int) (all []DeclaredEdge) {
	for _, k := range s.declaredAt[int32(i)] {
		d := &s.declared[k]
		if d.from == int32(i) {
			all = append(all, DeclaredEdge{Peer: int(d.to), Calls: true, Origin: d.origin})
		} else {
			all = append(all, DeclaredEdge{Peer: int(d.from), Origin: d.origin})
		}
	}
	return all
}

// DeclaredCount is the number of edges that were not observed.
func (s *Snapshot) DeclaredCount() int { return len(s.declared) }

// addition is an edge that With adds, by the numbers in the new snapshot.
type addition struct {
	from, to int32
	edge     *Edge
}

// With returns a snapshot of the same generation and time that has the given edges beside
// those of s, and each of them once. Self-flows are left out, and so are edges that s has
// already and those without a rate that counts. It takes time in proportion to the edges of s, and
// leaves s as it is.
func (s *Snapshot) With(edges []Edge) *Snapshot {
	edges = s.missing(edges)
	if len(edges) == 0 {
		return s
	}
	w := &Snapshot{generation: s.generation, at: s.at, exchanged: s.exchanged, reach: s.reach, declaredAt: map[int32][]int32{}}
	numbers := w.numberWith(s, edges)
	n := len(s.to) + len(edges)
	w.rowStart, w.inStart = make([]int32, len(w.ids)+1), make([]int32, len(w.ids)+1)
	w.to, w.bytes, w.requests = make([]int32, 0, n), make([]bytes32, 0, n), make([]bfloat16, 0, n)
	m := &merging{into: w, base: s, numbers: numbers, aged: s.aged}
	for i := range edges {
		from, _ := w.Lookup(edges[i].From)
		to, _ := w.Lookup(edges[i].To)
		m.added = append(m.added, addition{int32(from), int32(to), &edges[i]})
	}
	m.rows()
	for _, f := range s.self {
		f.workload = numbers[f.workload]
		w.self = append(w.self, f)
	}
	for i := range w.ids {
		w.inStart[i+1] += w.inStart[i]
	}
	w.fillIn()
	return w
}

// missing returns the edges that s lacks, in the order of From and To.
func (s *Snapshot) missing(edges []Edge) []Edge {
	var added []Edge
	for _, e := range edges {
		rates, ok := e.Clamp()
		if rates = rates.counting(); !ok || rates == (Rates{}) || e.IsSelf() || e.From.IsZero() || e.To.IsZero() || s.HasEdge(e.From, e.To) {
			continue
		}
		e.Rates = rates
		added = append(added, e)
	}
	slices.SortStableFunc(added, compareEnds)
	return slices.CompactFunc(added, func(a, b Edge) bool { return compareEnds(a, b) == 0 })
}

func compareEnds(a, b Edge) int {
	if c := a.From.Compare(b.From); c != 0 {
		return c
	}
	return a.To.Compare(b.To)
}

// numberWith numbers the workloads of a snapshot and of further edges, and returns the new
// numbers of those of the snapshot.
func (s *Snapshot) numberWith(base *Snapshot, edges []Edge) (numbers []int32) {
	var fresh []WorkloadID
	for _, e := range edges {
		for _, id := range [...]WorkloadID{e.From, e.To} {
			if _, known := base.Lookup(id); !known {
				fresh = append(fresh, id)
			}
		}
	}
	slices.SortFunc(fresh, WorkloadID.Compare)
	fresh = slices.Compact(fresh)
	s.ids = make([]WorkloadID, 0, len(base.ids)+len(fresh))
	numbers = make([]int32, len(base.ids))
	for i, id := range base.ids {
		for len(fresh) > 0 && fresh[0].Compare(id) < 0 {
			s.ids, fresh = append(s.ids, fresh[0]), fresh[1:]
		}
		numbers[i] = int32(len(s.ids))
		s.ids = append(s.ids, id)
	}
	s.ids = append(s.ids, fresh...)
	return numbers
}

// merging puts the rows of a snapshot together.
type merging struct {
	into, base *Snapshot
	numbers    []int32 // of the workloads of base, in into
	added      []addition
	aged       []agedEdge // of base, from the next edge on
}

func (m *merging) rows() {
	w, old := m.into, 0
	for i := range w.ids {
		var next, end int32
		if old < len(m.numbers) && m.numbers[old] == int32(i) {
			next, end = m.base.rowStart[old], m.base.rowStart[old+1]
			old++
		}
		for {
			adds := len(m.added) > 0 && m.added[0].from == int32(i)
			if next < end && (!adds || m.numbers[m.base.to[next]] < m.added[0].to) {
				m.observed(next)
				next++
				continue
			}
			if !adds {
				break
			}
			m.declare(m.added[0])
			m.added = m.added[1:]
		}
		w.rowStart[i+1] = int32(len(w.to))
	}
}

// observed appends an edge of base.
func (m *merging) observed(e int32) {
	w, to := m.into, m.numbers[m.base.to[e]]
	if len(m.aged) > 0 && m.aged[0].edge == e {
		w.aged = append(w.aged, agedEdge{int32(len(w.to)), m.aged[0].seconds})
		m.aged = m.aged[1:]
	}
	w.to, w.bytes, w.requests = append(w.to, to), append(w.bytes, m.base.bytes[e]), append(w.requests, m.base.requests[e])
	w.inStart[to+1]++
}

// declare appends another edge.
func (m *merging) declare(a addition) {
	w, rates := m.into, a.edge.Rates
	k := int32(len(w.declared))
	w.declared = append(w.declared, declaredEdge{int32(len(w.to)), a.from, a.to, a.edge.Origin})
	w.declaredAt[a.from], w.declaredAt[a.to] = append(w.declaredAt[a.from], k), append(w.declaredAt[a.to], k)
	w.to = append(w.to, a.to)
	w.bytes = append(w.bytes, bytes32{float32(rates.SentBytesPerSecond), float32(rates.ReceivedBytesPerSecond)})
	w.requests = append(w.requests, toBfloat16(rates.RequestsPerSecond))
	w.exchanged = w.exchanged.add(rates).add(rates)
	w.inStart[a.to+1]++
}
