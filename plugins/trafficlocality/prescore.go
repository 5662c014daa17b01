package trafficlocality

import (
	"context"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// stateKey is where PreScore leaves the scores for Score.
const stateKey fwk.StateKey = "PreScore" + Name

// scoreState is written by PreScore and only read from then on.
type scoreState struct {
	nodes  *keeper // whose numbers the points are by
	points *score.Points
}

// Clone returns s itself: nothing writes to a scoreState once PreScore has
// stored it.
func (s *scoreState) Clone() fwk.StateData { return s }

// of returns the points of a node, 0 when PreScore did not see it.
func (s *scoreState) of(info fwk.NodeInfo) int64 {
	n := s.nodes.numberOf(info)
	if n == score.Absent {
		return 0
	}
	return int64(s.points.Of(n))
}

// PreScore computes the scores of all candidate nodes. It answers Skip when it
// has nothing to say, which makes the profile behave as one without the plugin.
func (p *Plugin) PreScore(ctx context.Context, state fwk.CycleState, pod *v1.Pod, nodes []fwk.NodeInfo) (status *fwk.Status) {
	defer func() {
		if cause := recover(); cause != nil {
			p.recovered(ctx, "PreScore", cause)
			p.startAnew()
			p.metrics.skipped(skipPanic)
			status = fwk.NewStatus(fwk.Skip)
		}
	}()
	if !p.isPrepared() {
		p.metrics.skipped(skipPreparing)
		return fwk.NewStatus(fwk.Skip)
	}
	p.meet(ctx, pod)
	scores, skip := p.scores(state, pod, nodes)
	if skip != notSkipped {
		p.metrics.skipped(skip)
		return fwk.NewStatus(fwk.Skip)
	}
	state.Write(stateKey, scores)
	return nil
}

// scores does the work of PreScore: one snapshot, one look at the nodes.
func (p *Plugin) scores(state fwk.CycleState, pod *v1.Pod, candidates []fwk.NodeInfo) (*scoreState, skipReason) {
	snap := p.store.Load()
	if snap.Generation() == 0 {
		return nil, skipNoData
	}
	now := p.now()
	influence := p.options.ages.influence(now.Sub(snap.At()))
	if influence == 0 {
		return nil, skipExpired
	}
	id := kube.WorkloadOf(pod)
	_, ok := snap.Lookup(id)
	if !ok && !p.options.ReserveRoom {
		return nil, skipNoTraffic
	}
	all, err := p.lister.NodeInfos().List()
	if err != nil {
		return nil, skipNoNodes
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.routes.begin(now)
	p.keeper.update(all, state.IsPodGroupSchedulingCycle())
	if p.keeper.catchUp.behind {
		p.metrics.fellBehind()
	}
	result := p.evaluate(snap, id, pod, candidates, influence, state)
	if g := snap.Generation(); g != p.sitesSeen {
		p.sitesSeen = g
		p.metrics.noteSitesApart(p.keeper.board.SitesApart(snap))
	}
	p.batching.note(snap, p.engine.Reserves(snap))
	if !ok && p.batching.staysSilent(now, result.Basis != score.ByNothing) {
		return nil, skipNoTraffic
	}
	if result.BetterElsewhere {
		p.metrics.peersNotScored()
	}
	switch {
	case result.Basis != score.ByNothing:
		p.metrics.scored(result.Best, result.Worst)
		p.metrics.informedBy(result)
		return &scoreState{nodes: p.keeper, points: result.Points}, notSkipped
	default:
		return nil, skipNoPeers
	}
}

// evaluate has the engine score the nodes for a pod.
func (p *Plugin) evaluate(snap *flowgraph.Snapshot, id flowgraph.WorkloadID, pod *v1.Pod, candidates []fwk.NodeInfo, influence float64, state fwk.CycleState) *score.Result {
	numbers := p.keeper.numbersOf(candidates)
	p.updateNetworks(numbers)
	request := &score.Request{
		Snapshot: snap, Influence: influence,
		Workload: id, Revision: kube.RevisionOf(pod),
		Routing:    p.routes.ofPod(id, pod),
		Scheduler:  pod.Spec.SchedulerName,
		Candidates: numbers,
	}
	request.Desired, _ = p.replicas.Desired(id, pod)
	if p.engine.Reserves(snap) {
		request.Requests = requestsOf(pod)
	}
	if state.IsPodGroupSchedulingCycle() {
		request.Group = true
		defer p.keeper.lay(state)()
	}
	return p.engine.Evaluate(request)
}
