package trafficlocality

import (
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph/score"
)

// scored is the points of the candidates of one pod, by the generations of their NodeInfos:
// no two states of nodes have the same. It is written by PreScore and read by Score, which
// for the scheduler is one after the other. A look-up takes a fraction of one by identity.
type scored struct {
	of    *score.Points // that they are; nil where generations do not tell candidates apart
	slots []scoredSlot  // a hash table without chains, at most half full
}

type scoredSlot struct {
	generation int64
	points     uint8
	used       bool
}

// fill replaces what is there.
func (s *scored) fill(points *score.Points, candidates []fwk.NodeInfo, numbers []int32) {
	size := 1
	for size < 2*len(candidates) {
		size *= 2
	}
	if cap(s.slots) < size {
		s.slots = make([]scoredSlot, size)
	}
	s.slots = s.slots[:size]
	clear(s.slots)
	s.of = points
	for i, info := range candidates {
		slot := scoredSlot{generation: info.GetGeneration(), used: true}
		if numbers[i] != score.Absent {
			slot.points = points.Of(numbers[i])
		}
		at := s.find(slot.generation)
		if was := s.slots[at]; was.used && was != slot {
			s.of = nil
			return
		}
		s.slots[at] = slot
	}
}

// find returns the slot of a generation, or a free one for it.
func (s *scored) find(generation int64) int {
	mask := len(s.slots) - 1
	at := int(uint64(generation)*0x9E3779B97F4A7C15>>32) & mask // Fibonacci hashing
	for s.slots[at].used && s.slots[at].generation != generation {
		at = (at + 1) & mask
	}
	return at
}

// pointsOf returns the points of a candidate; ok is false where they are not those of the
// given Points, or of another node.
func (s *scored) pointsOf(info fwk.NodeInfo, of *score.Points) (points uint8, ok bool) {
	if s.of != of {
		return 0, false
	}
	slot := s.slots[s.find(info.GetGeneration())]
	return slot.points, slot.used
}
