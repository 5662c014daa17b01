package flowgraph

import (
	"math"
	"time"
)

// Options says how a Graph turns flows into edges.
type Options struct {
	// HalfLife is the time after which an observation counts half as much as
	// a new one. Zero or less takes every observation as it is.
	HalfLife time.Duration
	// RetainFor is how long an edge that is no longer observed keeps its rate
	// before it is dropped: a workload that is scaled to zero for a while is
	// placed well when it returns. An edge that is observed without a rate that
	// counts (MinRate) is dropped after the same time: proxies keep the counters
	// of workloads that are gone. Zero or less keeps edges for ever.
	RetainFor time.Duration
	// Limits bound the edges and workloads. Of those beyond them the smallest leave, see
	// Limits.Surplus.
	Limits Limits
	// Reach is that of the snapshots.
	Reach Reach
}

// Graph builds snapshots from flows. It is not safe for concurrent use: one
// goroutine owns it and hands out the snapshots.
type Graph struct {
	options    Options
	edges      map[edgeKey]*edgeState
	at         time.Time
	generation uint64
	touched    []*edgeState // by the call of Observe under way
	grown      bool         // since the limits were last looked at
	surplus    int          // edges that the last call of Observe has dropped for them
}

type edgeKey struct{ from, to WorkloadID }

type edgeState struct {
	rates      Rates     // also when they are too small to count
	observedAt time.Time // zero before the first observation
	isNew      bool      // observed by one call of Observe only, the last one
	// zeroSince is the time of the first of the observations up to now that left
	// no rate that counts; zero while one does.
	zeroSince time.Time

	// What the call of Observe under way has seen.
	seen   Rates
	seenAt time.Time
}

// NewGraph returns an empty graph.
func NewGraph(o Options) *Graph {
	return &Graph{options: o, edges: map[edgeKey]*edgeState{}}
}

// Observe takes the flows of one refresh whose data is of time at, and drops
// the edges that have not been observed, or have been at zero, for RetainFor. Flows
// between the same two workloads in one call are added up. Rates above MaxRate count as
// MaxRate. Flows that name no workload or carry a rate that is none, and flows that are
// not newer than what their edge already holds, are left out; Observe returns how many
// were invalid. What is beyond the limits leaves, see Surplus.
func (g *Graph) Observe(at time.Time, flows []Flow) (invalid int) {
	g.touched = g.touched[:0]
	for _, f := range flows {
		rates, ok := f.Clamp()
		if f.From.IsZero() || f.To.IsZero() || !ok {
			invalid++
			continue
		}
		f.Rates = rates
		g.note(f)
	}
	for _, e := range g.touched {
		e.observe(g.options.HalfLife)
	}
	if at.After(g.at) {
		g.at = at
	}
	if g.options.RetainFor > 0 {
		for key, e := range g.edges {
			if g.at.Sub(e.observedAt) > g.options.RetainFor || !e.zeroSince.IsZero() && g.at.Sub(e.zeroSince) > g.options.RetainFor {
				delete(g.edges, key)
			}
		}
	}
	g.keepLimits()
	return invalid
}

// Surplus is how many edges the last call of Observe has dropped because of the limits.
func (g *Graph) Surplus() int { return g.surplus }

// keepLimits drops the edges that are beyond the limits. Where no edge has come since the
// last time, none are.
func (g *Graph) keepLimits() {
	g.surplus = 0
	if !g.grown || g.options.Limits == (Limits{}) {
		return
	}
	g.grown = false
	keys := make([]edgeKey, 0, len(g.edges))
	for key := range g.edges {
		keys = append(keys, key)
	}
	surplus := g.options.Limits.Surplus(len(keys), func(i int) Bounded {
		e := g.edges[keys[i]]
		return Bounded{From: keys[i].from, To: keys[i].to, Size: e.rates.BytesPerSecond() + e.rates.RequestsPerSecond, Known: !e.isNew}
	})
	for _, i := range surplus {
		delete(g.edges, keys[i])
	}
	g.surplus = len(surplus)
}

// note adds a flow to what is seen of its edge.
func (g *Graph) note(f Flow) {
	key := edgeKey{f.From, f.To}
	e := g.edges[key]
	if e == nil {
		if f.counting() == (Rates{}) {
			return // nothing to remember
		}
		e = &edgeState{isNew: true}
		g.edges[key], g.grown = e, true
	} else if e.seenAt.IsZero() {
		e.isNew = false
	}
	if e.seen == (Rates{}) && e.seenAt.IsZero() {
		g.touched = append(g.touched, e)
	}
	e.seen, _ = e.seen.add(f.Rates).Clamp()
	if f.ObservedAt.After(e.seenAt) {
		e.seenAt = f.ObservedAt
	}
}

// observe smooths one edge: after dt the old rate keeps 2^(-dt/halfLife) of its
// share, so that the result does not depend on how often Observe is called.
func (e *edgeState) observe(halfLife time.Duration) {
	seen, at := e.seen, e.seenAt
	e.seen, e.seenAt = Rates{}, time.Time{}
	share := 1.0
	switch {
	case e.observedAt.IsZero():
	case !at.After(e.observedAt):
		return
	case halfLife > 0:
		dt := at.Sub(e.observedAt)
		share = 1 - math.Exp2(-float64(dt)/float64(halfLife))
	}
	e.rates, e.observedAt = e.rates.towards(seen, share), at
	switch {
	case e.rates.counting() != Rates{}:
		e.zeroSince = time.Time{}
	case e.zeroSince.IsZero():
		e.zeroSince = at
	}
}

// Snapshot returns the graph as it is now, with a generation one higher than
// that of the snapshot before. Rates below MinRate (MinRequestRate) are zero in it,
// and edges whose rates all are, are left out.
func (g *Graph) Snapshot() *Snapshot {
	edges := make([]Edge, 0, len(g.edges))
	for key, e := range g.edges {
		rates := e.rates.counting()
		if rates == (Rates{}) {
			continue
		}
		edges = append(edges, Edge{From: key.from, To: key.to, Rates: rates, ObservedAt: e.observedAt})
	}
	g.generation++
	s := newSnapshot(g.generation, g.at, edges)
	s.reach = g.options.Reach
	return s
}

// NewSnapshot returns a snapshot of the given edges, for tools and tests that
// have no history to smooth. The data is of time at. Edges between the same two
// workloads are added up.
func NewSnapshot(generation uint64, at time.Time, edges []Edge) *Snapshot {
	g := NewGraph(Options{})
	flows := make([]Flow, len(edges))
	for i, e := range edges {
		flows[i] = Flow{From: e.From, To: e.To, Rates: e.Rates, ObservedAt: e.ObservedAt}
	}
	g.Observe(at, flows)
	g.generation = generation - 1
	return g.Snapshot()
}
