package score

import (
	"math"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// edge is the traffic of a workload with one peer.
type edge struct {
	peer        int32   // on the Board, or Absent
	number      int     // of the peer in the snapshot
	weight      float64 // bytes per second
	rates       flowgraph.Rates
	calls       bool // the workload calls the peer, rather than the reverse
	routing     affinity.Routing
	desired     int32 // pods of the workload
	peerDesired int32
	replaced    bool // the peer's pods, sooner or later, where the scheduler chooses
	site        bool // the peer is a site
	bounded     bool // the peer is of a namespace whose part in the gains is bounded: it may draw pods, and not repel them
}

// edgesOf returns the edges of workload i of the snapshot, of which so many pods are wanted,
// as far as flowgraph.Reach lets them count, in a slice that is used anew for the next.
// called says how calls to the workload are divided. Where only is not nil, edges with peers
// of which it has nothing are left out.
func (e *Engine) edgesOf(snap *flowgraph.Snapshot, i int, desired int32, called func(callerNamespace string) affinity.Routing, only []int32) []edge {
	e.edges = e.edges[:0]
	parts := e.partsOf(snap, i)
	add := func(j int, rates flowgraph.Rates, calls bool) {
		peer := e.board.onBoard(j)
		if only != nil && (peer == Absent || only[peer] <= 0) {
			return
		}
		site := peer == Absent && snap.ID(j).IsSite()
		if rates = parts.of(j, rates); rates == (flowgraph.Rates{}) || site && e.options.NetMARKS { // the baseline knows pods only
			return
		}
		next := edge{
			number: j, peer: peer, weight: e.options.weight(rates), rates: rates, calls: calls, desired: desired,
			site: site, bounded: parts.bounds(j),
		}
		if !calls && !site {
			next.routing = called(snap.ID(j).Namespace).Given(desired)
		}
		e.edges = append(e.edges, next)
	}
	for j, rates := range snap.Callees(i) {
		add(j, rates, true)
	}
	for j, rates := range snap.Callers(i) {
		add(j, rates, false)
	}
	return e.edges
}

// resolvePeer fills in how many pods the calls to the peer of an edge are divided over,
// whether these are replaced (those of a DaemonSet stay on their nodes; of others it is
// not known) and, if it is called from a namespace, how its calls are divided. It reports
// whether there are such pods, or will be.
func (e *Engine) resolvePeer(edge *edge, namespace string) bool {
	if edge.peer == Absent {
		return false
	}
	s := &e.board.states[edge.peer]
	if s.serving == 0 && !e.options.Anticipate {
		return false
	}
	edge.replaced = s.desired.Pods > 0
	edge.peerDesired = s.shared()
	if edge.calls {
		edge.routing = e.router.Routing(edge.peer, namespace).Given(edge.peerDesired)
	}
	return edge.peerDesired > 0
}

// gain adds up what the pod of the request, whose workload is number i of the snapshot,
// gains in the domains of each level.
func (r *Result) gain(i int) {
	e, request := r.engine, r.request
	r.workload, r.number = e.board.onBoard(i), i
	var all []place
	var placed int32
	if r.workload != Absent {
		s := &e.board.states[r.workload]
		all, placed = s.places, s.pods
	}
	if request.IsPlaced {
		placed--
	}
	if r.desired = request.Desired; r.desired <= 0 {
		r.desired = placed + 1
	}
	e.own = ofRevision(e.own, all, request.Revision) // a rollout ends the pods of others
	if request.IsPlaced {
		e.own = without(e.own, request.On)
	}
	for l := range e.levels {
		e.levels[l].start(e.own)
	}
	e.networks.start(all, e.options.MaxUtilization > 0 && !request.Group)
	e.admission.start()
	var own *Template
	if r.workload != Absent {
		own = e.board.states[r.workload].desired.Template
	}
	var rate float64
	edges := e.edgesOf(request.Snapshot, i, r.desired, request.Routing, nil)
	for k := range edges {
		edge := &edges[k]
		rate += edge.weight
		e.networks.add(edge)
		switch {
		case !edge.site:
			e.addEdge(edge, request.Workload.Namespace)
		case edge.weight > 0:
			e.addSite(e.levels, edge, request.Snapshot.ID(edge.number))
		}
		if e.node != nil && e.options.Anticipate && edge.weight > 0 && edge.peer != Absent && edge.peerDesired > 0 {
			e.admission.add(e, edge, own)
		}
	}
	if e.node != nil {
		e.admit(request.Candidates)
	}
	if self := request.Snapshot.Self(i); self != (flowgraph.Rates{}) && !e.options.NetMARKS {
		w := e.options.weight(self)
		rate += w
		routing := r.ownRouting()
		e.networks.addSelf(self, routing, r.desired)
		for l := range e.levels {
			e.levels[l].addSelf(w, routing, r.desired)
		}
	}
	r.podRate = rate / float64(max(r.desired, 1))
}

// ownRouting is how the calls of the workload to itself are divided.
func (r *Result) ownRouting() affinity.Routing {
	return r.request.Routing(r.request.Workload.Namespace).Given(r.desired)
}

// ofRevision returns the places of one revision, in a slice that may be used for it.
func ofRevision(into, places []place, revision string) []place {
	into = into[:0]
	for i := range places {
		if places[i].revision == revision {
			into = append(into, places[i])
		}
	}
	return into
}

// without returns the places with one pod less on a node.
func without(places []place, node int32) []place {
	i := slices.IndexFunc(places, func(p place) bool { return p.node == node })
	if i < 0 {
		return places
	}
	if places[i].pods--; places[i].pods <= 0 {
		return slices.Delete(places, i, i+1)
	}
	places[i].serving = min(places[i].serving, places[i].pods)
	return places
}

// addEdge adds the gains for an edge with a peer, if that has pods, or will have.
func (e *Engine) addEdge(edge *edge, namespace string) {
	if edge.weight == 0 || !e.resolvePeer(edge, namespace) {
		return
	}
	peer := &e.board.states[edge.peer]
	e.addToLevels(e.levels, e.zones, edge, peer)
	e.networks.addLocal(&e.options, *edge, peer.places)
}

// addToLevels adds the gains for an edge with a resolved peer to each of the levels, of
// which zones is one, or nil.
func (e *Engine) addToLevels(levels []levelGains, zones *levelGains, edge *edge, peer *workloadState) {
	for i := range levels {
		levels[i].countPeer(peer.places)
	}
	staying, leaving := edge.split()
	for i := range levels {
		l := &levels[i]
		if l.Step == 0 {
			continue
		}
		l.addEdge(&e.options, &staying, zones)
		if leaving.weight > 0 && l.Level.Level > locality.Zone {
			l.addEdge(&e.options, &leaving, zones)
		}
		if e.options.Anticipate && edge.replaced {
			l.anticipateEdge(&staying, peer.coming())
		}
	}
}

// split returns what of the edge may stay in the zone, and what leaves it whatever is
// there: of this no more is assumed than that it reaches all endpoints alike.
func (e *edge) split() (staying, leaving edge) {
	near, part := e.routing.Kept()
	staying, leaving = *e, *e
	staying.routing, staying.weight = near, e.weight*part
	leaving.routing, leaving.weight = affinity.Uniform, e.weight*(1-part)
	return staying, leaving
}

// vetoFullDomains sets how many of the workload's pods a node and a zone may have. Where
// every candidate is in a domain that has so many, as in a cluster of one zone, keeping
// away from it means nothing, and there is no limit.
func (e *Engine) vetoFullDomains(r *Result) {
	var placed int32
	for i := range e.own {
		placed += e.own[i].pods
	}
	for i := range e.levels {
		l := &e.levels[i]
		if l.limit = l.Level.limit(r.desired, placed); l.MaxShare < 1 && !l.leavesCandidates(r.request.Candidates) {
			l.limit = math.MaxInt32
		}
	}
	e.sumClasses()
}

// leavesCandidates reports whether a candidate is in no full domain.
func (l *levelGains) leavesCandidates(candidates []int32) bool {
	if !slices.ContainsFunc(l.own.domains, l.isFull) {
		return true
	}
	return slices.ContainsFunc(candidates, func(n int32) bool {
		if n == Absent {
			return false
		}
		d := l.board.where[l.Position][n]
		return d == Absent || !l.isFull(d)
	})
}
