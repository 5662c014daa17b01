package score

import (
	"maps"
	"math"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// parts says how much of the traffic of one workload counts, by the peer's namespace.
type parts struct {
	snap      *flowgraph.Snapshot
	namespace string             // the workload's own
	limited   bool               // not everything counts
	capped    map[string]float64 // namespaces of which not all counts
}

// partsOf applies the snapshot's Reach to workload i: what peers exchange with it that may
// not attract it does not count, and what those of one other namespace do, counts up to
// a share of all that counts.
func (e *Engine) partsOf(snap *flowgraph.Snapshot, i int) parts {
	p := parts{snap: snap, namespace: snap.ID(i).Namespace}
	share := snap.Reach().ForeignShare()
	if p.limited = share < 1 || len(snap.Reach().Rules) > 0; share >= 1 {
		return p
	}
	own, byNamespace := e.options.weight(snap.Self(i)), map[string]float64{}
	add := func(j int, rates flowgraph.Rates) {
		weight := e.options.weight(p.of(j, rates))
		if namespace := snap.ID(j).Namespace; p.isForeign(j) {
			byNamespace[namespace] += weight
		} else {
			own += weight
		}
	}
	for j, rates := range snap.Callees(i) {
		add(j, rates)
	}
	for j, rates := range snap.Callers(i) {
		add(j, rates)
	}
	var all []foreign
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) { // the order decides how sums are rounded
		weight := byNamespace[namespace]
		all = append(all, foreign{namespace: namespace, gains: []float64{weight}, most: weight})
	}
	p.capped = reduced(all, mostOf(share, []float64{own}, all))
	return p
}

// bounds reports whether peer j of the snapshot is of a namespace whose part is bounded.
func (p *parts) bounds(j int) bool {
	return p.limited && p.snap.Reach().ForeignShare() < 1 && p.isForeign(j)
}

// isForeign reports whether peer j of the snapshot is of another namespace. A site is of none:
// whoever runs the scheduler names it, and only the workload's own end reports traffic with it.
func (p *parts) isForeign(j int) bool {
	id := p.snap.ID(j)
	return id.Namespace != p.namespace && !id.IsSite()
}

// of returns what counts of the traffic with peer j of the snapshot.
func (p *parts) of(j int, rates flowgraph.Rates) flowgraph.Rates {
	if !p.limited || !p.isForeign(j) {
		return rates
	}
	namespace := p.snap.ID(j).Namespace
	if !p.snap.Reach().Attracts(namespace, p.namespace) {
		return flowgraph.Rates{}
	}
	part, isCapped := p.capped[namespace]
	if !isCapped {
		return rates
	}
	return flowgraph.Rates{
		SentBytesPerSecond:     part * rates.SentBytesPerSecond,
		ReceivedBytesPerSecond: part * rates.ReceivedBytesPerSecond,
		RequestsPerSecond:      part * rates.RequestsPerSecond,
	}
}

// foreign is what the peers of one other namespace contribute.
type foreign struct {
	namespace string
	edges     []edge
	gains     []float64 // on each of some candidates
	most      float64   // of these
}

// mostOf returns the most that one other namespace may contribute anywhere: the largest
// c for which
//
//	c = share x max over n of (own[n] + sum over namespaces k of min(1, c/most[k]) gains[k][n])
//
// For each n the right side is concave in c and not negative at 0, so that it is at least
// c up to some c, and less from there on.
func mostOf(share float64, own []float64, all []foreign) float64 {
	allows := func(c float64) bool {
		for n, sum := range own {
			for k := range all {
				if f := &all[k]; f.gains[n] > 0 {
					sum += min(1, c/f.most) * f.gains[n]
				}
			}
			if share*sum >= c {
				return true
			}
		}
		return false
	}
	high := 0.0
	for k := range all {
		high = max(high, all[k].most)
	}
	if allows(high) {
		return high
	}
	low := 0.0
	for range 64 { // more than the bits of a number
		if middle := low + (high-low)/2; allows(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// reduced returns the namespaces that contribute more than the most, and what part of it
// counts.
func reduced(all []foreign, most float64) map[string]float64 {
	capped := map[string]float64{}
	for k := range all {
		if all[k].most > most {
			capped[all[k].namespace] = most / all[k].most
		}
	}
	return capped
}

// capForeign reduces the parts of other namespaces in the gains, so that none is more on
// any candidate than a share of the best candidate's gain. Scores are measured against
// that one, so that one namespace contributes at most this share of the full range of
// points. A share of the gain on the same node would let nobody attract a pod to a node
// where it gains nothing else; a share of the traffic alone would let a namespace whose
// pods are on one node outweigh peers that are spread over many. The part of a
// namespace is the same on all nodes, so that it keeps its preferences.
//
// What comes from one other namespace only is more than any share of it, and counts for
// nothing.
func (r *Result) capForeign() {
	share := r.request.Snapshot.Reach().ForeignShare()
	if share >= 1 {
		return
	}
	all := r.foreigners()
	if len(all) == 0 {
		return
	}
	e := r.engine
	scratch, rows := newLevels(e.board, e.options.Levels()), r.rows()
	own := make([]float64, len(rows))
	for i, n := range rows {
		own[i] = e.gainOn(n)
	}
	for k := range all {
		f := &all[k]
		f.gains = make([]float64, len(rows))
		e.sumForeign(scratch, f)
		for i, n := range rows {
			f.gains[i] = max(e.worthOn(scratch, n), 0)
			f.most = max(f.most, f.gains[i])
		}
	}
	for i := range own {
		gain := own[i]
		for k := range all {
			own[i] -= all[k].gains[i]
		}
		if own[i] < -rounding*gain { // peers in the pod's namespace repel it: the formula has no such rows
			own[i] = math.Inf(-1)
		} else {
			own[i] = max(own[i], 0)
		}
	}
	r.capped = reduced(all, mostOf(share, own, all))
	for k := range all {
		if part := r.partOf(all[k].namespace); part < 1 {
			e.sumForeign(scratch, &all[k])
			for l := range scratch {
				for _, d := range scratch[l].hits {
					e.levels[l].gained[d] -= (1 - part) * scratch[l].gained[d]
					e.levels[l].anticipated[d] -= (1 - part) * scratch[l].anticipated[d]
				}
			}
		}
	}
	e.sumClasses()
}

// partOf returns how much of the gains by peers of a namespace counts.
func (r *Result) partOf(namespace string) float64 {
	if part, isCapped := r.capped[namespace]; isCapped {
		return part
	}
	return 1
}

// foreigners collects the edges with peers of other namespaces.
func (r *Result) foreigners() (all []foreign) {
	e, request := r.engine, r.request
	index := map[string]int{}
	edges := e.edgesOf(request.Snapshot, r.number, r.desired, request.Routing, nil)
	for k := range edges {
		edge := &edges[k]
		namespace := request.Snapshot.ID(edge.number).Namespace
		if edge.weight == 0 || namespace == request.Workload.Namespace || !e.resolvePeer(edge, request.Workload.Namespace) {
			continue
		}
		k, known := index[namespace]
		if !known {
			k = len(all)
			index[namespace] = k
			all = append(all, foreign{namespace: namespace})
		}
		all[k].edges = append(all[k].edges, *edge)
	}
	return all
}

// rows are the candidates whose gains may differ and count: those that have pods of the
// workload or of peers, and one of each kind of the others.
func (r *Result) rows() (rows []int32) {
	e := r.engine
	seen := make([]bool, len(e.class)<<mostFollowers)
	for _, n := range r.request.Candidates {
		if n == Absent || e.gainOn(n) == 0 {
			continue
		}
		if kind, ok := e.kindOf(n); ok {
			if seen[kind] {
				continue
			}
			seen[kind] = true
		}
		rows = append(rows, n)
	}
	return rows
}

// sumForeign adds up the gains by one namespace in levels of their own.
func (e *Engine) sumForeign(levels []levelGains, f *foreign) {
	for l := range levels {
		levels[l].start(e.own)
	}
	zones := find(levels, locality.Zone)
	for i := range f.edges {
		next := f.edges[i]
		e.addToLevels(levels, zones, &next, &e.board.states[next.peer])
	}
}

// worthOn is what the gains on a node are worth over all levels.
func (e *Engine) worthOn(levels []levelGains, n int32) (worth float64) {
	for l := range levels {
		if d := e.board.where[levels[l].Position][n]; d != Absent {
			worth += levels[l].worth(d)
		}
	}
	return worth
}
