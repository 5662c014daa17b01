package trafficlocality

import (
	v1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// gains is what one more pod of a workload is worth.
type gains struct {
	bySlot  []float64 // on each node, in bytes per second
	podRate float64   // bytes per second that one replica exchanges
}

// gains adds up what one more pod of workload i is worth on every node. The
// result is valid until the next call.
func (p *Plugin) gains(snap *flowgraph.Snapshot, i int, pod *v1.Pod, x *index) gains {
	own, _ := x.lookup(snap.ID(i))
	desired := p.desired(snap.ID(i), pod, own, 1)
	for l := range p.levels {
		p.levels[l].start(x, own)
	}
	var rate float64
	for j, rates := range snap.Peers(i) {
		w := p.scorer.weight(rates)
		rate += w
		places, peer := x.lookup(snap.ID(j))
		if len(places) == 0 || w == 0 {
			continue
		}
		peerDesired := p.desired(snap.ID(j), peer, places, 0)
		for l := range p.levels {
			p.levels[l].addEdge(p.scorer, w, desired, places, peerDesired)
		}
	}
	if w := p.scorer.weight(snap.Self(i)); w > 0 && p.scorer.countsSelf() {
		rate += w
		for l := range p.levels {
			p.levels[l].addSelf(w, desired)
		}
	}
	return gains{bySlot: p.sumOverLevels(x), podRate: rate / float64(max(desired, 1))}
}

// sumOverLevels returns the gain on each node: those of its domains, each by
// what a byte is worth more there than at the next wider level.
func (p *Plugin) sumOverLevels(x *index) []float64 {
	p.bySlot = resized(p.bySlot, len(x.nodes))
	for _, level := range p.levels {
		for slot := range x.nodes {
			if d := x.nodes[slot].domains[level.position]; d != noDomain {
				p.bySlot[slot] += level.step * level.gains[d]
			}
		}
	}
	return p.bySlot
}

// desired is how many pods a workload wants, from its controller, and if that
// says nothing as many as are placed and about to be.
func (p *Plugin) desired(id flowgraph.WorkloadID, pod *v1.Pod, places []placement, coming int32) int32 {
	if pod != nil {
		if n, ok := p.replicas.Desired(id, pod); ok && n > 0 {
			return n
		}
	}
	n := coming
	for _, place := range places {
		n += place.count
	}
	return n
}

// levelGains adds up the gains of one pod at the domains of one level. It is
// used for one pod after the other, so that its slices are made once.
type levelGains struct {
	position int     // of the level in indexedNode.domains
	step     float64 // what a byte is worth more here than at the next wider level

	index *index
	gains []float64 // by domain number, without step
	own   tally     // of the pod's workload
	peer  tally     // of one peer at a time
}

func newLevels(s scorer) []levelGains {
	levels := make([]levelGains, 0, len(s.levels))
	for _, level := range s.levels {
		levels = append(levels, levelGains{position: int(level) - 1, step: s.closeness.Step(level)})
	}
	return levels
}

// start begins with another pod, whose workload runs at the given places.
func (l *levelGains) start(x *index, own []placement) {
	l.index = x
	size := x.domains[l.position].size()
	l.gains = resized(l.gains, size)
	l.own.count(own, l.position, x, size)
}

// addEdge adds the gains for an edge of rate w with a peer.
func (l *levelGains) addEdge(s scorer, w float64, desired int32, places []placement, peerDesired int32) {
	l.peer.count(places, l.position, l.index, len(l.gains))
	for _, d := range l.peer.domains {
		l.gains[d] += s.gain(w, before(l.own.pods[d], desired), affinity.Replicas{Placed: l.peer.pods[d], Desired: peerDesired})
	}
}

// addSelf adds the gains for the traffic w of the workload with itself.
func (l *levelGains) addSelf(w float64, desired int32) {
	for _, d := range l.own.domains {
		l.gains[d] += affinity.SelfGain(w, before(l.own.pods[d], desired))
	}
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
	domains []int32 // those that have pods
}

// count replaces what the tally holds.
func (t *tally) count(places []placement, position int, x *index, domains int) {
	for _, d := range t.domains {
		t.pods[d] = 0
	}
	t.domains = t.domains[:0]
	for len(t.pods) < domains {
		t.pods = append(t.pods, 0)
	}
	for _, place := range places {
		d := x.nodes[place.at].domains[position]
		if d == noDomain {
			continue
		}
		if t.pods[d] == 0 {
			t.domains = append(t.domains, d)
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
