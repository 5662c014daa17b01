package trafficlocality

import (
	"context"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

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
			p.reset()
			p.metrics.skipped(skipPanic)
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
	now := p.now()
	influence := p.scorer.influence(now.Sub(snap.At()))
	if influence == 0 {
		return nil, skipExpired
	}
	id := kube.WorkloadOf(pod)
	i, ok := snap.Lookup(id)
	if !ok && !p.scorer.reserves {
		return nil, skipNoTraffic
	}
	all, err := p.nodes.NodeInfos().List()
	if err != nil {
		return nil, skipNoNodes
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	placed, reserves := p.index, p.scorer.reserves
	if state.IsPodGroupSchedulingCycle() {
		// Pods that a group cycle assumes leave the generations as they were.
		placed, reserves = newIndex(p.scorer.topology), false
	}
	placed.update(all)
	p.reserved.refresh(p.replicas, now, p.scorer.reserves)
	mean := p.reserved.meanRate(snap, p.scorer.requestBytes)
	var gains gains
	skip := skipNoTraffic
	if ok {
		gains, skip = p.gains(snap, i, pod, placed, nodes, now), skipNoPeers
	} else {
		i = -1
	}
	var others []float64
	if reserves {
		p.reserve(snap, placed, now)
		others = p.cede(i, pod, &gains, mean)
	}
	best, worst := placed.extremes(gains.bySlot, nodes)
	if gains.best > best {
		p.metrics.peersNotScored()
	}
	out := &scoreState{slots: placed.slots, scores: make([]uint8, len(placed.nodes))}
	switch {
	case best > 0:
		scale := p.scorer.scale(best, gains.podRate, mean, influence)
		for slot, gain := range gains.bySlot {
			out.scores[slot] = points(gain, scale)
		}
		p.metrics.scored(points(best, scale), points(worst, scale))
	case others != nil:
		for slot, say := range others {
			others[slot] = 1 - say*influence
			out.scores[slot] = points(others[slot], maxScore)
		}
		best, worst = placed.extremes(others, nodes)
		p.metrics.scored(points(best, maxScore), points(worst, maxScore))
	default:
		return nil, skip
	}
	return out, notSkipped
}
