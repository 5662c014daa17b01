package trafficlocality

import (
	"cmp"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// linkBound says up to which load of a node's network pods are drawn there.
type linkBound struct {
	on    bool
	label string // of nodes, "" for what the telemetry says alone
	unit  resource.Quantity
	share float64
}

// of returns the bound for a node in bytes per second in each direction, 0 for none.
func (b linkBound) of(node *v1.Node, snap *flowgraph.Snapshot) float64 {
	capacity := kube.Bandwidth(node, b.label, b.unit)
	if capacity == 0 {
		capacity = snap.NetworkCapacity(node.Name)
	}
	return b.share * capacity
}

// links is what the pods of each node exchange with other nodes, beside what its
// network takes. It is looked at where a pod would be drawn, and kept until the pods
// of the node, or the snapshot, change.
type links struct {
	on     bool // for this pod
	bySlot []link
	drawn  []int32    // slots where this pod gains something, and whose bound is known
	local  levelGains // of nodes: what of the next pod's traffic stays there
	adds   traffic    // that the next pod exchanges

	totals   []traffic // of each workload in the snapshot
	snapshot uint64    // generation
	counts   []int32   // pods on one node, by workload in the snapshot
	present  []int32   // workloads that are there
}

// link is the network of one node.
type link struct {
	node    *v1.Node // that bound is of
	boundBy uint64   // generation of the snapshot that it is by
	bound   float64  // bytes per second in each direction, 0 for none
	load    traffic
	pods    int64  // generation of the node whose pods the load is of
	loadBy  uint64 // generation of the snapshot that it is by
}

// traffic is bytes per second in each direction.
type traffic struct{ out, in float64 }

// called adds the traffic of calls to a share of a callee's pods.
func (t *traffic) called(r flowgraph.Rates, share float64) {
	t.in += share * r.SentBytesPerSecond
	t.out += share * r.ReceivedBytesPerSecond
}

// calls adds the traffic of calls from a share of a caller's pods.
func (t *traffic) calls(r flowgraph.Rates, share float64) {
	t.out += share * r.SentBytesPerSecond
	t.in += share * r.ReceivedBytesPerSecond
}

// stays takes away calls whose both ends are there: their bytes neither leave nor
// arrive at either end.
func (t *traffic) stays(bytes float64) {
	t.out -= bytes
	t.in -= bytes
}

func newLinks() links {
	return links{local: levelGains{scoredLevel: scoredLevel{level: locality.Node, step: 1}}}
}

// start begins with another pod, whose workload runs at the given places.
func (l *links) start(x *index, own []placement, on bool) {
	l.on, l.adds = on, traffic{}
	if on {
		l.local.start(x, own)
	}
}

// add notes what the next pod exchanges with a peer, wherever that is.
func (l *links) add(e edge) {
	share := 1 / float64(max(e.desired, 1))
	if e.calls {
		l.adds.calls(e.rates, share)
	} else {
		l.adds.called(e.rates, share)
	}
}

// addLocal notes what of that would stay on each node. Calls that prefer the zone
// count as divided over all endpoints: less stays then than will.
func (l *links) addLocal(s scorer, e edge, places []placement) {
	if !l.on {
		return
	}
	e.w = e.rates.BytesPerSecond()
	l.local.countPeer(places)
	l.local.addEdge(s, e, nil)
}

// addSelf is both for the traffic of the workload with itself.
func (l *links) addSelf(r flowgraph.Rates, desired int32) {
	if !l.on {
		return
	}
	share := 1 / float64(max(desired, 1))
	l.adds.calls(r, share)
	l.adds.called(r, share)
	l.local.addSelf(r.BytesPerSecond(), desired)
}

// mostLoads is how many nodes' loads are added up in one cycle, where the pod would gain
// the most: so many that were not known, and so many that may have changed. The others
// are as they were before, or not known yet, which is no bound. What is known is kept, so
// that all are after some cycles.
const mostLoads = 32

// relieve takes the gains from nodes whose network the pod would load beyond the bound,
// and returns the highest that is left. A pod that takes more off the network, by being
// near its peers, than it adds is welcome everywhere.
func (p *Plugin) relieve(snap *flowgraph.Snapshot, x *index, bySlot []float64, now time.Time) (best float64) {
	l := &p.links
	l.addUp(snap)
	for len(l.bySlot) < len(bySlot) {
		l.bySlot = append(l.bySlot, link{})
	}
	l.drawn = l.drawn[:0]
	for slot, gain := range bySlot {
		if gain > 0 && p.bound(snap, x, int32(slot)) > 0 {
			l.drawn = append(l.drawn, int32(slot))
		}
	}
	slices.SortFunc(l.drawn, func(a, b int32) int { return cmp.Or(cmp.Compare(bySlot[b], bySlot[a]), cmp.Compare(a, b)) })
	left := budget{unknown: mostLoads, changed: mostLoads}
	for _, slot := range l.drawn {
		adds := l.adds
		adds.stays(l.local.gains[x.where[l.local.position][slot]])
		if (adds.out > 0 || adds.in > 0) && p.full(snap, x, slot, adds, &left, now) {
			bySlot[slot] = 0
		}
	}
	for _, gain := range bySlot {
		best = max(best, gain)
	}
	return best
}

// bound returns what the network of a node may carry, 0 where that is not known.
func (p *Plugin) bound(snap *flowgraph.Snapshot, x *index, slot int32) float64 {
	l, node := &p.links.bySlot[slot], x.nodes[slot].node
	switch {
	case node == nil:
		return 0
	case l.node == nil || l.node.Name != node.Name: // a slot is used again
		*l = link{}
	case l.node == node && l.boundBy == snap.Generation():
		return l.bound
	}
	l.node, l.boundBy, l.bound = node, snap.Generation(), p.scorer.links.of(node, snap)
	return l.bound
}

// budget is how many loads may still be added up.
type budget struct{ unknown, changed int }

// full reports whether a node's network has no room for so much more.
func (p *Plugin) full(snap *flowgraph.Snapshot, x *index, slot int32, adds traffic, left *budget, now time.Time) bool {
	l, n := &p.links.bySlot[slot], &x.nodes[slot]
	if l.loadBy != snap.Generation() || l.pods != n.generation {
		of := &left.changed
		if l.loadBy == 0 {
			of = &left.unknown
		}
		if *of > 0 {
			l.load, l.loadBy, l.pods = p.load(snap, x, slot, now), snap.Generation(), n.generation
			*of--
		}
	}
	return adds.out > 0 && l.load.out+adds.out > l.bound || adds.in > 0 && l.load.in+adds.in > l.bound
}

// load adds up what the pods of a node exchange with other nodes: with x of the d pods
// of each workload a there, in each direction
//
//	sum over a of x/d (a's traffic in that direction) - sum over edges of what stays
//
// where what stays is that of affinity.Local, in bytes, by the routing of the callee.
func (p *Plugin) load(snap *flowgraph.Snapshot, x *index, slot int32, now time.Time) traffic {
	l := &p.links
	l.look(snap, x, slot)
	var sum traffic
	for _, i := range l.present {
		own, _ := p.there(snap, x, int(i), "", now)
		share := own.Share()
		sum.out += share * l.totals[i].out
		sum.in += share * l.totals[i].in
		for j, r := range snap.Callees(int(i)) {
			if l.counts[j] > 0 {
				callee, routing := p.there(snap, x, j, snap.ID(int(i)).Namespace, now)
				sum.stays(affinity.Local(routing, r.BytesPerSecond(), own, callee))
			}
		}
		sum.stays(affinity.SelfLocal(snap.Self(int(i)).BytesPerSecond(), own))
	}
	for _, i := range l.present {
		l.counts[i] = 0
	}
	return sum
}

// addUp fills in what workloads exchange, anew for each snapshot.
func (l *links) addUp(snap *flowgraph.Snapshot) {
	if l.snapshot == snap.Generation() {
		return
	}
	l.snapshot = snap.Generation()
	l.totals = slices.Grow(l.totals[:0], snap.Len())[:snap.Len()]
	clear(l.totals)
	for i := range l.totals {
		for j, r := range snap.Callees(i) {
			l.totals[i].calls(r, 1)
			l.totals[j].called(r, 1)
		}
		self := snap.Self(i)
		l.totals[i].calls(self, 1)
		l.totals[i].called(self, 1)
	}
}

// look counts the pods of a node by workload.
func (l *links) look(snap *flowgraph.Snapshot, x *index, slot int32) {
	for len(l.counts) < snap.Len() {
		l.counts = append(l.counts, 0)
	}
	l.present = l.present[:0]
	for _, pod := range x.nodes[slot].pods {
		if pod.workload == noWorkload {
			continue
		}
		i, ok := snap.Lookup(x.workloads.keys[pod.workload])
		if !ok {
			continue
		}
		if l.counts[i] == 0 {
			l.present = append(l.present, int32(i))
		}
		l.counts[i]++
	}
}

// there is how many pods of a workload the node has that was looked at, of how many,
// and how calls to it from a namespace are divided over nodes.
func (p *Plugin) there(snap *flowgraph.Snapshot, x *index, i int, caller string, now time.Time) (affinity.Replicas, affinity.Routing) {
	id := snap.ID(i)
	places := x.lookup(id)
	asked := p.wants(peer{i, id}, places[0].pod, now)
	r := affinity.Replicas{Placed: p.links.counts[i], Desired: asked.pods}
	if r.Desired <= 0 {
		r.Desired = total(places)
	}
	if asked.routes.From(caller).Routing.Prefers(locality.Node) {
		return r, affinity.FairLoad
	}
	return r, affinity.Uniform
}
