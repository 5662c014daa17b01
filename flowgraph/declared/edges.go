package declared

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// pair is two workloads, the lesser first.
type pair struct{ a, b flowgraph.WorkloadID }

func pairOf(from, to flowgraph.WorkloadID) pair {
	if to.Compare(from) < 0 {
		return pair{to, from}
	}
	return pair{from, to}
}

// claim is what one workload says of the traffic between two.
type claim struct {
	by    flowgraph.WorkloadID
	edges []flowgraph.Edge // one, or one in each direction
}

func (c *claim) rate() (sum float64) {
	for i := range c.edges {
		sum += c.edges[i].BytesPerSecond()
	}
	return sum
}

// claims keep the larger of what two workloads say of the same traffic.
type claims map[pair]*claim

func (c claims) add(by flowgraph.WorkloadID, edges []flowgraph.Edge) {
	own := map[pair]*claim{}
	for _, e := range edges {
		key := pairOf(e.From, e.To)
		if own[key] == nil {
			own[key] = &claim{by: by}
		}
		own[key].edges = append(own[key].edges, e)
	}
	for key, is := range own {
		if was := c[key]; was == nil || cmp.Or(cmp.Compare(is.rate(), was.rate()), was.by.Compare(is.by)) > 0 {
			c[key] = is
		}
	}
}

// edges returns all edges, in the order of their ends, as of a time.
func (c claims) edges(at time.Time) (all []flowgraph.Edge) {
	order := func(x, y pair) int { return cmp.Or(x.a.Compare(y.a), x.b.Compare(y.b)) }
	for _, key := range slices.SortedFunc(maps.Keys(c), order) {
		for _, e := range c[key].edges {
			e.ObservedAt = at
			all = append(all, e)
		}
	}
	return all
}

// edgesOf returns the edges that a workload declares and inherits, as far as they count.
func (m *Merger) edgesOf(base *flowgraph.Snapshot, w *Workload, fresh float64) []flowgraph.Edge {
	all := append(m.declared(base, w), inherited(base, w)...)
	var kept []flowgraph.Edge
	said := map[pair]flowgraph.Origin{}
	sum := 0.0
	for _, e := range all {
		key := pairOf(e.From, e.To)
		origin, known := said[key]
		switch {
		case known && origin != e.Origin: // what was said first counts
			continue
		case !known && len(said) == MaxPeers:
			continue
		case e.IsSelf() || base.Reach().Isolated && isBetweenNamespaces(&e):
			continue
		}
		said[key] = e.Origin
		sum += e.BytesPerSecond()
		kept = append(kept, e)
	}
	left := fresh
	if sum > 0 {
		left *= max(0, 1-observed(base, w.ID)/sum)
	}
	if left == 0 {
		return nil
	}
	kept = slices.DeleteFunc(kept, func(e flowgraph.Edge) bool { return base.HasEdge(e.From, e.To) || base.HasEdge(e.To, e.From) })
	for i := range kept {
		kept[i].Rates = times(kept[i].Rates, left)
	}
	return kept
}

// isBetweenNamespaces reports whether an edge takes the word of two namespaces. A site has
// none: nobody reports for it, and it is only inherited of what was observed.
func isBetweenNamespaces(e *flowgraph.Edge) bool {
	return e.From.Namespace != e.To.Namespace && !e.From.IsSite() && !e.To.IsSite()
}

// declared returns the edges with the peers that somebody has declared, in the order in
// which their origins count.
func (m *Merger) declared(base *flowgraph.Snapshot, w *Workload) (edges []flowgraph.Edge) {
	shares := 0.0
	for _, p := range w.Peers {
		if p.Rate <= 0 {
			shares += p.Share
		}
	}
	peers := slices.Clone(w.Peers)
	slices.SortStableFunc(peers, func(a, b Peer) int { return cmp.Compare(a.Origin, b.Origin) })
	for _, p := range peers {
		rate := p.Rate
		if rate <= 0 {
			if !(p.Share > 0) {
				continue
			}
			rate = m.defaultRate(base) * p.Share / shares
		}
		if m.options.MaxRate > 0 {
			rate = min(rate, m.options.MaxRate)
		}
		e := flowgraph.Edge{From: w.ID, To: p.ID, Origin: p.Origin}
		if p.Calls {
			e.From, e.To = p.ID, w.ID
		}
		// Which part goes in which direction is not declared.
		e.Rates = flowgraph.Rates{SentBytesPerSecond: rate / 2, ReceivedBytesPerSecond: rate / 2}
		edges = append(edges, e)
	}
	return edges
}

// inherited returns the edges of the first predecessor that has any, as the workload would
// have them: in proportion to its pods, and no more than the predecessor; the largest first.
func inherited(base *flowgraph.Snapshot, w *Workload) (edges []flowgraph.Edge) {
	for _, p := range w.Predecessors {
		i, ok := base.Lookup(p.ID)
		if !ok || p.ID == w.ID {
			continue
		}
		part := min(1, float64(max(w.Pods, 1))/float64(max(p.Pods, 1)))
		for j, rates := range base.Callees(i) {
			edges = append(edges, flowgraph.Edge{From: w.ID, To: base.ID(j), Rates: times(rates, part), Origin: flowgraph.Inherited})
		}
		for j, rates := range base.Callers(i) {
			edges = append(edges, flowgraph.Edge{From: base.ID(j), To: w.ID, Rates: times(rates, part), Origin: flowgraph.Inherited})
		}
		if len(edges) > 0 {
			slices.SortStableFunc(edges, func(a, b flowgraph.Edge) int {
				return cmp.Or(cmp.Compare(b.BytesPerSecond(), a.BytesPerSecond()), cmp.Compare(b.RequestsPerSecond, a.RequestsPerSecond))
			})
			return edges
		}
	}
	return nil
}

// observed is what the telemetry sees of a workload's traffic with others, in bytes per
// second.
func observed(base *flowgraph.Snapshot, id flowgraph.WorkloadID) (sum float64) {
	i, ok := base.Lookup(id)
	if !ok {
		return 0
	}
	for _, rates := range base.Callees(i) {
		sum += rates.BytesPerSecond()
	}
	for _, rates := range base.Callers(i) {
		sum += rates.BytesPerSecond()
	}
	return sum
}

func times(r flowgraph.Rates, f float64) flowgraph.Rates {
	return flowgraph.Rates{
		SentBytesPerSecond: f * r.SentBytesPerSecond, ReceivedBytesPerSecond: f * r.ReceivedBytesPerSecond,
		RequestsPerSecond: f * r.RequestsPerSecond,
	}
}

// defaultRate is what a workload exchanges of which nobody says a rate.
func (m *Merger) defaultRate(base *flowgraph.Snapshot) float64 {
	switch {
	case m.options.DefaultRate > 0:
		return m.options.DefaultRate
	case base.Reach().Isolated:
		return IsolatedRate
	}
	if m.base != base {
		m.base, m.median = base, median(base)
	}
	return cmp.Or(m.median, IsolatedRate)
}

// median is that of what the workloads with traffic exchange with others.
func median(base *flowgraph.Snapshot) float64 {
	sums := make([]float64, base.Len())
	for i := range sums {
		for j, rates := range base.Callees(i) {
			sums[i] += rates.BytesPerSecond()
			sums[j] += rates.BytesPerSecond()
		}
	}
	sums = slices.DeleteFunc(sums, func(sum float64) bool { return sum <= 0 })
	if len(sums) == 0 {
		return 0
	}
	slices.Sort(sums)
	return sums[len(sums)/2]
}
