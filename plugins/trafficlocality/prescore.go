package trafficlocality

import (
	"context"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// stateKey is where PreScore leaves the scores for Score.
const stateKey fwk.StateKey = "PreScore" + Name

// scoreState is written by PreScore and only read from then on.
type scoreState struct {
	slots  map[string]int32
	scores []uint8 // by slot
}

// Clone returns s itself: nothing writes to a scoreState once PreScore has
// stored it.
func (s *scoreState) Clone() fwk.StateData { return s }

// PreScore computes the scores of all candidate nodes. It answers Skip when it
// has nothing to say, which makes the profile behave as one without the plugin.
func (p *Plugin) PreScore(ctx context.Context, state fwk.CycleState, pod *v1.Pod, nodes []fwk.NodeInfo) (status *fwk.Status) {
	defer func() {
		if cause := recover(); cause != nil {
			p.recovered(ctx, "PreScore", cause)
			status = fwk.NewStatus(fwk.Skip)
		}
	}()
	scores, skip := p.scores(state, pod, nodes)
	if skip != notSkipped {
		p.metrics.skipped(skip)
		return fwk.NewStatus(fwk.Skip)
	}
	state.Write(stateKey, scores)
	return nil
}

// scores does the work of PreScore: one snapshot, one look at the nodes.
func (p *Plugin) scores(state fwk.CycleState, pod *v1.Pod, nodes []fwk.NodeInfo) (*scoreState, skipReason) {
	snap := p.store.Load()
	if snap.Generation() == 0 {
		return nil, skipNoData
	}
	influence := p.scorer.influence(p.now().Sub(snap.At()))
	if influence == 0 {
		return nil, skipExpired
	}
	id := kube.WorkloadOf(pod)
	i, ok := snap.Lookup(id)
	if !ok {
		return nil, skipNoTraffic
	}
	all, err := p.nodes.NodeInfos().List()
	if err != nil {
		return nil, skipNoNodes
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	placed := p.index
	if state.IsPodGroupSchedulingCycle() {
		// Pods that a group cycle assumes leave the generations as they were.
		placed = newIndex()
	}
	placed.update(all)
	sum := p.gains(snap, i, pod, placed)
	best := 0.0
	for _, info := range nodes {
		if slot, ok := placed.slots[info.Node().Name]; ok {
			best = max(best, sum.at(slot))
		}
	}
	if best == 0 {
		if sum.any() {
			p.metrics.peersNotScored()
		}
		return nil, skipNoPeers
	}
	scale := p.scorer.scale(best, sum.podRate, influence)
	out := &scoreState{slots: placed.slots, scores: make([]uint8, len(placed.nodes))}
	for slot := range out.scores {
		out.scores[slot] = points(sum.at(int32(slot)), scale)
	}
	return out, notSkipped
}

// gains are the gains of one pod at every domain of every level.
type gains struct {
	index   *index
	levels  []weightedLevel
	podRate float64 // bytes per second that one replica exchanges
}

type weightedLevel struct {
	position int       // of the level in indexedNode.domains
	step     float64   // what a byte is worth more here than at the next wider level
	perUnit  []float64 // by domain number
}

// at is the gain of a pod on the node at a slot.
func (g gains) at(slot int32) float64 {
	var sum float64
	for _, level := range g.levels {
		if d := g.index.nodes[slot].domains[level.position]; d != noDomain {
			sum += level.step * level.perUnit[d]
		}
	}
	return sum
}

// any reports whether there is a gain anywhere.
func (g gains) any() bool {
	for slot := range g.index.nodes {
		if g.index.nodes[slot].name != "" && g.at(int32(slot)) > 0 {
			return true
		}
	}
	return false
}

// gains adds up what one more pod of workload i is worth at every domain.
func (p *Plugin) gains(snap *flowgraph.Snapshot, i int, pod *v1.Pod, x *index) gains {
	g := gains{index: x}
	own, _ := x.lookup(snap.ID(i))
	desired := p.desired(snap.ID(i), pod, own, 1)
	var rate float64
	for _, level := range p.scorer.levels {
		sum := newLevelSum(x, level, p.scorer.closeness.Step(level))
		ownCounts := sum.count(own)
		for j, rates := range snap.Peers(i) {
			peers, anyPod := x.lookup(snap.ID(j))
			w := p.scorer.weight(rates)
			if level == p.scorer.levels[0] {
				rate += w
			}
			if len(peers) == 0 {
				continue
			}
			peerDesired := p.desired(snap.ID(j), anyPod, peers, 0)
			sum.addEdge(p.scorer, w, ownCounts, desired, sum.count(peers), peerDesired)
		}
		if w := p.scorer.weight(snap.Self(i)); w > 0 && p.scorer.countsSelf() {
			if level == p.scorer.levels[0] {
				rate += w
			}
			for d := range ownCounts {
				sum.perUnit[d] += affinity.SelfGain(w, before(ownCounts[d], desired))
			}
		}
		g.levels = append(g.levels, sum.weightedLevel)
	}
	g.podRate = rate / float64(max(desired, 1))
	return g
}

// levelSum adds up gains at the domains of one level.
type levelSum struct {
	weightedLevel
	index *index
}

func newLevelSum(x *index, level locality.Level, step float64) levelSum {
	return levelSum{
		weightedLevel: weightedLevel{position: int(level) - 1, step: step, perUnit: make([]float64, x.domains[level-1].size())},
		index:         x,
	}
}

// count returns a workload's pods by domain.
func (s levelSum) count(places []placement) map[int32]int32 {
	counts := make(map[int32]int32, len(places))
	for _, place := range places {
		if d := s.index.nodes[place.at].domains[s.position]; d != noDomain {
			counts[d] += place.count
		}
	}
	return counts
}

func (s levelSum) addEdge(sc scorer, w float64, own map[int32]int32, desired int32, peers map[int32]int32, peerDesired int32) {
	for d, n := range peers {
		s.perUnit[d] += sc.gain(w,
			before(own[d], desired),
			affinity.Replicas{Placed: n, Desired: peerDesired})
	}
}

// before is the pod's own workload in a domain without the pod. The pod is one
// of those desired, so that the others there are no more than the rest: during
// a rollout there may be, and the pod takes the place of one of them.
func before(placed, desired int32) affinity.Replicas {
	return affinity.Replicas{Placed: min(placed, desired-1), Desired: desired}
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
