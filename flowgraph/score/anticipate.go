package score

import (
	"math"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// foresight is what a pod that is still to come counts beside one that is there: it may
// come late, or find no room. A tenth does nearly as well, and one half as well where
// one workload is placed after the other, but not where they are mixed.
const foresight = 0.25

// rounding is the part of an edge's traffic that a difference of sums of fractions may have
// where it should be nothing. Scores are relative to the best gain, whatever that is.
const rounding = 1e-9

// anticipateEdge adds what the pods of a peer that are still to come will make the next
// pod gain in one domain more than in another. The peer is the one that was counted, and
// coming how many of its pods are wanted and not placed.
func (l *levelGains) anticipateEdge(e *edge, coming int32) {
	switch {
	case !e.routing.Prefers(l.Level.Level):
		l.anticipateUniform(e)
	case coming > 0:
		l.anticipateFairLoad(e, coming)
	}
}

// anticipateUniform is for calls that are divided over all endpoints: the more pods of
// the workload are in a domain, the more of the peer's are expected there. Those that
// are placed count like those that are not: they will be replaced sooner or later, and
// where a few pods are near each other the rest gathers only if it looks that far.
func (l *levelGains) anticipateUniform(e *edge) {
	var own int32
	for _, d := range l.own.domains {
		own += l.own.pods[d]
	}
	for _, d := range l.own.domains {
		share := float64(l.own.pods[d]) / float64(own)
		l.anticipate(d, foresight*e.weight*share/float64(e.desired))
	}
}

// anticipateFairLoad is for calls that prefer the domain: the peer's pods are expected
// where they match those of the workload, and those that are left over wherever the next
// pod goes. What the next pod would gain by these in any domain says nothing about where
// to go, and is subtracted.
func (l *levelGains) anticipateFairLoad(e *edge, coming int32) {
	left := coming
	for _, d := range l.own.domains {
		own, peer := l.counted(d, e)
		l.at[d] = min(left, affinity.Lacking(own, peer))
		left -= l.at[d]
	}
	nothing := affinity.Replicas{Desired: e.peerDesired}
	anywhere := affinity.Expected(e.weight, affinity.Replicas{Desired: e.desired}, nothing, affinity.Coming{Free: left})
	for _, d := range l.own.domains {
		l.addExpected(d, e, affinity.Coming{Here: l.at[d], Free: left}, anywhere)
	}
	for _, d := range l.peer.domains {
		if l.own.pods[d] == 0 {
			l.addExpected(d, e, affinity.Coming{Free: left}, anywhere)
		}
	}
}

func (l *levelGains) addExpected(d int32, e *edge, coming affinity.Coming, anywhere float64) {
	own, peer := l.counted(d, e)
	more := affinity.Expected(e.weight, own, peer, coming) - affinity.Gain(affinity.FairLoad, e.weight, own, peer) - anywhere
	if math.Abs(more) > rounding*e.weight {
		l.anticipate(d, foresight*more)
	}
}
