package trafficlocality

import (
	"math"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// gains is what one more pod of a workload is worth.
type gains struct {
	bySlot  []float64 // on each node, in bytes per second
	best    float64   // of bySlot
	podRate float64   // bytes per second that one replica exchanges
}

// gains adds up what one more pod of workload i is worth on every node, candidates
// and others. The result is valid until the next call.
func (p *Plugin) gains(snap *flowgraph.Snapshot, i int, pod *v1.Pod, x *index, candidates []fwk.NodeInfo, now time.Time) gains {
	all := x.lookup(snap.ID(i))
	desired, ok := p.replicas.Desired(snap.ID(i), pod)
	if !ok || desired <= 0 {
		desired = total(all) + 1
	}
	// A rollout ends the pods of other revisions.
	own := ofRevision(all, kube.RevisionOf(pod))
	for l := range p.levels {
		p.levels[l].start(x, own)
	}
	p.links.start(x, all, p.scorer.links.on && x == p.index)
	var rate float64
	for j, rates := range snap.Callees(i) {
		e := edge{w: p.scorer.weight(rates), rates: rates, calls: true, desired: desired, from: snap.ID(i).Namespace}
		rate += e.w
		p.links.add(e)
		p.addEdge(x, peer{j, snap.ID(j)}, e, now)
	}
	routes := p.routesTo(pod)
	for j, rates := range snap.Callers(i) {
		e := edge{w: p.scorer.weight(rates), rates: rates, desired: desired, from: snap.ID(j).Namespace}
		e.routing = routes.From(e.from).Routing.Given(desired)
		rate += e.w
		p.links.add(e)
		p.addEdge(x, peer{j, snap.ID(j)}, e, now)
	}
	if self := snap.Self(i); self != (flowgraph.Rates{}) && p.scorer.countsSelf() {
		w := p.scorer.weight(self)
		rate += w
		p.links.addSelf(self, desired)
		for l := range p.levels {
			p.levels[l].addSelf(w, desired)
		}
	}
	bySlot, best := p.sumOverLevels(x, p.limits(x, desired, total(own), candidates))
	if p.links.on {
		best = p.relieve(snap, x, bySlot, now)
	}
	return gains{bySlot: bySlot, best: best, podRate: rate / float64(max(desired, 1))}
}

// edge is the traffic of the pod's workload with one peer.
type edge struct {
	w           float64 // bytes per second
	rates       flowgraph.Rates
	calls       bool   // the pod's workload calls the peer, rather than the reverse
	from        string // namespace of the caller
	routing     affinity.Routing
	desired     int32 // pods of the pod's workload
	peerDesired int32
	replaced    bool // the peer's pods, sooner or later, where the scheduler chooses
}

// peer is a workload at the other end of an edge.
type peer struct {
	number int // in the snapshot
	id     flowgraph.WorkloadID
}

// addEdge adds the gains for an edge with a peer, if that has pods, or will have.
func (p *Plugin) addEdge(x *index, peer peer, e edge, now time.Time) {
	places := x.lookup(peer.id)
	if e.w == 0 || !p.complete(&e, peer, places, now) {
		return
	}
	for l := range p.levels {
		p.levels[l].countPeer(places)
	}
	p.links.addLocal(p.scorer, e, places)
	e, leaving := e.split()
	for l := range p.levels {
		level := &p.levels[l]
		level.addEdge(p.scorer, e, p.zones)
		if leaving.w > 0 && level.level > locality.Zone {
			level.addEdge(p.scorer, leaving, p.zones)
		}
		if p.scorer.foresees && e.replaced && level.step > 0 {
			level.expect(e, e.peerDesired-total(places))
		}
	}
}

// split returns what of the edge may stay in the zone, and what leaves it whatever is
// there: of this no more is assumed than that it reaches all endpoints alike.
func (e edge) split() (staying, leaving edge) {
	near, part := e.routing.Kept()
	staying, leaving = e, e
	staying.routing, staying.w = near, e.w*part
	leaving.routing, leaving.w = affinity.Uniform, e.w*(1-part)
	return staying, leaving
}

// complete fills in how many pods the peer wants that runs at the given places,
// whether they are replaced (those of a DaemonSet stay on their nodes; of others it is
// not known) and, if it is called, how its calls are divided. It reports whether there are such pods,
// or will be.
func (p *Plugin) complete(e *edge, peer peer, places []placement, now time.Time) bool {
	var pod *v1.Pod
	switch {
	case len(places) > 0:
		pod = places[0].pod
	case p.scorer.foresees:
		pod = p.reserved.demand.Of(peer.id).Pod
	}
	if pod == nil {
		return false
	}
	asked := p.wants(peer, pod, now)
	e.replaced = asked.pods > 0
	if e.peerDesired = asked.pods; e.peerDesired <= 0 {
		e.peerDesired = total(places)
	}
	if e.calls {
		e.routing = asked.routes.From(e.from).Routing.Given(e.peerDesired)
	}
	return e.peerDesired > 0
}

// routesTo is how calls to the workload of a pod are divided.
func (p *Plugin) routesTo(pod *v1.Pod) routing.ByCaller {
	if p.scorer.auto {
		return p.routes.ByCaller(pod)
	}
	return routing.Everywhere(p.scorer.routing)
}

// limits returns how many of a workload's pods draw no more of them to a node and to
// a zone. Where every candidate is in a place that has so many, as in a cluster of
// one zone, keeping away from it means nothing, and there is no limit.
func (p *Plugin) limits(x *index, desired, placed int32, candidates []fwk.NodeInfo) [2]int32 {
	limits := p.scorer.limits(desired, placed)
	for l := range p.levels {
		if at := p.levels[l].bound; at >= 0 && !p.levels[l].below(limits[at], candidates) {
			limits[at] = math.MaxInt32
		}
	}
	return limits
}

// sumOverLevels returns the gain on each node, and the highest of them: those
// of its domains, each by what a byte is worth more there than at the next
// wider level; none where as many of the workload's pods are as the limits say.
func (p *Plugin) sumOverLevels(x *index, limits [2]int32) (bySlot []float64, best float64) {
	p.bySlot = resized(p.bySlot, len(x.nodes))
	for l := range p.levels {
		p.levels[l].addTo(p.bySlot, limits)
	}
	for slot, sum := range p.bySlot {
		p.bySlot[slot] = max(sum, 0)
		best = max(best, sum)
	}
	return p.bySlot, best
}

// wantFor is how long a peer's number of wanted pods and its routing are not asked
// for again. Asking is the larger part of PreScore's work, and a peer that is being
// scaled is some seconds from where it will be anyway.
const wantFor = time.Second

// want is how many pods a workload wanted when it was last asked, 0 when nobody
// knew, and how calls to it were divided.
type want struct {
	pod    *v1.Pod // of the workload; another snapshot has other numbers
	pods   int32
	routes routing.ByCaller
	at     time.Time
}

// wants is what a workload wants by its controller and its Services, given a pod of
// it.
func (p *Plugin) wants(peer peer, pod *v1.Pod, now time.Time) want {
	for peer.number >= len(p.wanted) {
		p.wanted = append(p.wanted, want{})
	}
	last := &p.wanted[peer.number]
	if last.pod != pod || now.Sub(last.at).Abs() >= wantFor {
		pods, _ := p.replicas.Desired(peer.id, pod)
		*last = want{pod: pod, pods: pods, routes: p.routesTo(pod), at: now}
	}
	return *last
}

// meanRate is what a pod exchanges with others on the average, in bytes per second, of
// the pods that controllers want: of those that run the number is not known while a
// cluster fills.
func (r *reservations) meanRate(snap *flowgraph.Snapshot, requestBytes float64) float64 {
	return snap.Exchanged().Weight(requestBytes) / float64(max(r.demand.Total(), 1))
}

func total(places []placement) int32 {
	var n int32
	for _, place := range places {
		n += place.count
	}
	return n
}

// levelGains adds up the gains of one pod at the domains of one level. It is
// used for one pod after the other, so that its slices are made once.
type levelGains struct {
	scoredLevel

	index    *index
	gains    []float64 // by domain number, without step
	expected []float64 // likewise: of pods that are still to come, or less than nothing
	at       []int32   // by domain number, for the user
	own      tally     // of the pod's workload
	peer     tally     // of one peer at a time
}

func newLevels(s scorer) []levelGains {
	levels := make([]levelGains, 0, len(s.levels))
	for _, level := range s.levels {
		levels = append(levels, levelGains{scoredLevel: level})
	}
	return levels
}

// start begins with another pod, whose workload runs at the given places.
func (l *levelGains) start(x *index, own []placement) {
	l.index = x
	size := x.domains[l.position].size()
	l.gains, l.expected = resized(l.gains, size), resized(l.expected, size)
	for len(l.at) < size {
		l.at = append(l.at, 0)
	}
	l.own.count(own, l.position, x, size)
}

// countPeer takes note of where a peer runs.
func (l *levelGains) countPeer(places []placement) {
	l.peer.count(places, l.position, l.index, len(l.gains))
}

// addEdge adds the gains for an edge with the peer that was counted. zones is the
// level of zones, nil when that is none.
func (l *levelGains) addEdge(s scorer, e edge, zones *levelGains) {
	prefers := e.routing.Prefers(l.level)
	inZone := zones != nil && !prefers && e.routing.Prefers(locality.Zone)
	for _, d := range l.peer.domains {
		own := before(l.own.pods[d], e.desired)
		peer := affinity.Replicas{Placed: l.peer.pods[d], Desired: e.peerDesired}
		if inZone {
			zones.divide(e, l.peer.at[d], &own, &peer)
		}
		l.gains[d] += s.gain(e, own, peer, prefers)
	}
}

// divide has calls divided over the callee's pods in the zone of a node instead of
// over all, the pod itself included where it is called. Where the load is fair, calls that
// leave the zone count as divided over more endpoints than there are.
func (l *levelGains) divide(e edge, slot int32, own, peer *affinity.Replicas) {
	zone := l.index.where[l.position][slot]
	switch {
	case zone == noDomain:
	case e.calls && e.routing.IsFair():
		callers := affinity.Replicas{Placed: l.own.pods[zone] + 1, Desired: e.desired}
		peer.Desired = affinity.ZoneEndpoints(callers, affinity.Replicas{Placed: l.peer.pods[zone], Desired: e.peerDesired})
	case e.calls:
		peer.Desired = l.peer.pods[zone]
	case e.routing.IsFair():
		callers := affinity.Replicas{Placed: l.peer.pods[zone], Desired: e.peerDesired}
		own.Desired = affinity.ZoneEndpoints(callers, affinity.Replicas{Placed: l.own.pods[zone] + 1, Desired: e.desired})
	default:
		own.Desired = l.own.pods[zone] + 1
	}
}

// addTo adds the level's part to the gains on each node, which becomes less than
// nothing where the limits are reached.
func (l *levelGains) addTo(bySlot []float64, limits [2]int32) {
	step := l.step
	if step == 0 {
		clear(l.gains)
		step = 1
	}
	if l.bound >= 0 {
		for _, d := range l.own.domains {
			if l.own.pods[d] >= limits[l.bound] {
				l.gains[d] = math.Inf(-1)
			}
		}
	}
	for slot, d := range l.index.where[l.position] {
		if d != noDomain {
			bySlot[slot] += step * (l.gains[d] + l.expected[d])
		}
	}
}

// addSelf adds the gains for the traffic w of the workload with itself.
func (l *levelGains) addSelf(w float64, desired int32) {
	for _, d := range l.own.domains {
		l.gains[d] += affinity.SelfGain(w, before(l.own.pods[d], desired))
	}
}

// below reports whether a candidate is in no domain that has so many of the workload's
// pods.
func (l *levelGains) below(limit int32, candidates []fwk.NodeInfo) bool {
	if !slices.ContainsFunc(l.own.domains, func(d int32) bool { return l.own.pods[d] >= limit }) {
		return true
	}
	for slot := range l.index.slotsOf(candidates) {
		if d := l.index.where[l.position][slot]; d == noDomain || l.own.pods[d] < limit {
			return true
		}
	}
	return false
}

// before is the pod's own workload in a domain without the pod. The pod is one
// of those desired, so that the others there are no more than the rest: during
// a rollout there may be, and the pod takes the place of one of them.
func before(placed, desired int32) affinity.Replicas {
	return affinity.Replicas{Placed: min(placed, desired-1), Desired: desired}
}

// tally is how many pods of one workload are in each domain of a level.
type tally struct {
	pods    []int32 // by domain number
	at      []int32 // by domain number: a node there that has pods, if any has
	domains []int32 // those that have pods
}

// count replaces what the tally holds.
func (t *tally) count(places []placement, position int, x *index, domains int) {
	for _, d := range t.domains {
		t.pods[d] = 0
	}
	t.domains = t.domains[:0]
	for len(t.pods) < domains {
		t.pods, t.at = append(t.pods, 0), append(t.at, 0)
	}
	for _, place := range places {
		d := x.where[position][place.at]
		if d == noDomain {
			continue
		}
		if t.pods[d] == 0 {
			t.domains, t.at[d] = append(t.domains, d), place.at
		}
		t.pods[d] += place.count
	}
}

// resized returns a slice of n zeros in the place of s.
func resized(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n)
	}
	s = s[:n]
	clear(s)
	return s
}
