package score

import (
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// levelGains adds up what one pod gains in the domains of one level. It is used for one
// pod after the other; only what one has changed is cleared for the next.
type levelGains struct {
	Level

	board       *Board
	gained      []float64 // bytes per second by domain, without the step
	anticipated []float64 // likewise: by pods that are still to come, or less than nothing
	hits        []int32   // domains that have either
	isHit       []bool    // by domain
	at          []int32   // by domain, for the user
	own         tally     // of the pod's workload
	peer        tally     // of one peer at a time
	limit       int32     // of the workload's own pods in a domain
}

func newLevels(b *Board, of []Level) []levelGains {
	levels := make([]levelGains, 0, len(of))
	for _, level := range of {
		levels = append(levels, levelGains{Level: level, board: b})
	}
	return levels
}

// start begins with another pod, whose workload runs at the given places.
func (l *levelGains) start(own []place) {
	for _, d := range l.hits {
		l.gained[d], l.anticipated[d], l.isHit[d] = 0, 0, false
	}
	l.hits = l.hits[:0]
	size := l.board.domainCount(l.Position)
	for len(l.gained) < size {
		l.gained, l.anticipated = append(l.gained, 0), append(l.anticipated, 0)
		l.isHit, l.at = append(l.isHit, false), append(l.at, 0)
	}
	l.own.count(l, own, false)
}

// domainCount is one more than the highest number of a domain at a level.
func (b *Board) domainCount(position int) int {
	if position == 0 {
		return len(b.nodes) // each is its own domain
	}
	return b.domains[position].size()
}

func (l *levelGains) hit(d int32) {
	if !l.isHit[d] {
		l.isHit[d] = true
		l.hits = append(l.hits, d)
	}
}

func (l *levelGains) gain(d int32, gain float64) {
	l.hit(d)
	l.gained[d] += gain
}

func (l *levelGains) anticipate(d int32, gain float64) {
	l.hit(d)
	l.anticipated[d] += gain
}

// worth is what the gains in a domain are worth.
func (l *levelGains) worth(d int32) float64 {
	return l.Step * (l.gained[d] + l.anticipated[d])
}

// isFull reports whether a domain has so many of the workload's pods that it attracts
// no more of them.
func (l *levelGains) isFull(d int32) bool { return l.own.pods[d] >= l.limit }

// countPeer takes note of where a peer serves.
func (l *levelGains) countPeer(places []place) { l.peer.count(l, places, true) }

// addEdge adds the gains for an edge with the peer that was counted. zones is the level
// of zones, nil when that has no say.
func (l *levelGains) addEdge(o *Options, e *edge, zones *levelGains) {
	prefers := e.routing.Prefers(l.Level.Level)
	inZone := zones != nil && !prefers && e.routing.Prefers(locality.Zone)
	for _, d := range l.peer.domains {
		own := before(l.own.pods[d], e.desired)
		peer := affinity.Replicas{Placed: l.peer.pods[d], Desired: e.peerDesired}
		if inZone {
			zones.divide(e, l.peer.node[d], &own, &peer)
		}
		l.gain(d, o.gain(e, own, peer, prefers))
	}
}

// divide has calls divided over the callee's pods in the zone of a node instead of over
// all, the pod itself included where it is called. Where the load is fair, calls that
// leave the zone count as divided over more endpoints than there are.
func (l *levelGains) divide(e *edge, node int32, own, peer *affinity.Replicas) {
	zone := l.board.where[l.Position][node]
	switch {
	case zone == Absent:
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

// addSelf adds the gains for the traffic w of the workload with itself, in bytes per
// second. What calls prefer to keep in the domain is kept wherever a pod is, as the pod
// itself is an endpoint there: only the rest gains by having others near.
func (l *levelGains) addSelf(w float64, own affinity.Routing, desired int32) {
	w *= shared(own, l.Level.Level)
	if w == 0 {
		return
	}
	for _, d := range l.own.domains {
		l.gain(d, affinity.SelfGain(w, before(l.own.pods[d], desired)))
	}
}

// shared is the part of a workload's traffic with itself that its pods exchange with each
// other: without what each of them keeps to itself in its domain of a level.
func shared(own affinity.Routing, level locality.Level) float64 {
	if near, kept := own.Kept(); near.Prefers(level) {
		return 1 - kept
	}
	return 1
}

// counted is the pod's own workload in a domain, without the pod, and the peer.
func (l *levelGains) counted(d int32, e *edge) (own, peer affinity.Replicas) {
	return before(l.own.pods[d], e.desired), affinity.Replicas{Placed: l.peer.pods[d], Desired: e.peerDesired}
}

// before is the pod's own workload in a domain without the pod. The pod is one of those
// wanted, so that the others there are no more than the rest: during a rollout there may
// be, and the pod takes the place of one of them.
func before(placed, desired int32) affinity.Replicas {
	return affinity.Replicas{Placed: min(placed, desired-1), Desired: desired}
}

// tally is how many pods of one workload are in each domain of a level.
type tally struct {
	pods    []int32 // by domain
	node    []int32 // by domain: a node there that has pods, if any has
	domains []int32 // those that have pods
	sorted  bool    // they are in the order of their keys
}

// total is how many pods are in any domain.
func (t *tally) total() (pods int32) {
	for _, d := range t.domains {
		pods += t.pods[d]
	}
	return pods
}

// count replaces what the tally holds: all pods at the given places, or those that serve.
func (t *tally) count(l *levelGains, places []place, serving bool) {
	for _, d := range t.domains {
		t.pods[d] = 0
	}
	t.domains, t.sorted = t.domains[:0], false
	for len(t.pods) < len(l.gained) {
		t.pods, t.node = append(t.pods, 0), append(t.node, 0)
	}
	where := l.board.where[l.Position]
	for i := range places {
		p := &places[i]
		d, n := where[p.node], p.pods
		if serving {
			n = p.serving
		}
		if d == Absent || n == 0 {
			continue
		}
		if t.pods[d] == 0 {
			t.domains, t.node[d] = append(t.domains, d), p.node
		}
		t.pods[d] += n
	}
}
