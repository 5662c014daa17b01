package trafficlocality

import (
	"context"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
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
	scores, skip := p.scores(ctx, state, pod, nodes)
	if skip != notSkipped {
		p.metrics.skipped(skip)
		p.decisions.silent(klog.FromContext(ctx), pod, skip)
		return fwk.NewStatus(fwk.Skip)
	}
	state.Write(stateKey, scores)
	return nil
}

// scores does the work of PreScore: one snapshot, one look at the nodes.
func (p *Plugin) scores(ctx context.Context, state fwk.CycleState, pod *v1.Pod, candidates []fwk.NodeInfo) (*scoreState, skipReason) {
	c, skip := p.begin(pod)
	if skip != notSkipped {
		return nil, skip
	}
	all, err := p.lister.NodeInfos().List()
	if err != nil {
		return nil, skipNoNodes
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.routes.begin(c.now)
	p.keeper.update(all, state.IsPodGroupSchedulingCycle())
	if p.keeper.catchUp.behind {
		p.metrics.fellBehind()
	}
	request, lift := p.request(c, pod, candidates, state)
	defer lift()
	result := p.engine.Evaluate(request)
	p.batching.note(c.snap, p.engine.Reserves(c.snap))
	if !c.hasTraffic && p.batching.staysSilent(c.now, result.Basis != score.ByNothing) {
		return nil, skipNoTraffic
	}
	if result.BetterElsewhere {
		p.metrics.peersNotScored()
	}
	if result.Basis == score.ByNothing {
		return nil, skipNoPeers
	}
	p.metrics.scored(result.Best, result.Worst)
	p.decisions.note(klog.FromContext(ctx), pod, result, candidates, request.Candidates)
	p.events.note(p, pod, result, request.Candidates)
	return &scoreState{nodes: p.keeper, points: result.Points}, notSkipped
}

// cycle is what the plugin knows of a pod before it looks at nodes.
type cycle struct {
	now        time.Time
	snap       *flowgraph.Snapshot
	influence  float64
	id         flowgraph.WorkloadID
	hasTraffic bool
}

// begin begins with another pod. It says why the plugin has nothing to say where that is known
// without a look at nodes.
func (p *Plugin) begin(pod *v1.Pod) (cycle, skipReason) {
	if !p.options.admits(p.choices.Of(pod)) {
		return cycle{}, skipOff
	}
	c := cycle{now: p.now(), snap: p.store.Load(), id: kube.WorkloadOf(pod)}
	if c.snap.Generation() == 0 {
		return c, skipNoData
	}
	if c.influence = p.options.ages.influence(c.now.Sub(c.snap.At())); c.influence == 0 {
		return c, skipExpired
	}
	if _, c.hasTraffic = c.snap.Lookup(c.id); !c.hasTraffic && !p.options.ReserveRoom {
		return c, skipNoTraffic
	}
	return c, notSkipped
}

// request asks the engine for the scores of a pod. Pods that are assumed for the time being are
// on the Board until lift is called.
func (p *Plugin) request(c cycle, pod *v1.Pod, candidates []fwk.NodeInfo, state fwk.CycleState) (r *score.Request, lift func()) {
	numbers := p.keeper.numbersOf(candidates)
	p.updateNetworks(numbers)
	r = &score.Request{
		Snapshot: c.snap, Influence: c.influence,
		Workload: c.id, Revision: kube.RevisionOf(pod),
		Routing:    p.routes.ofPod(c.id, pod),
		Scheduler:  pod.Spec.SchedulerName,
		Candidates: numbers,
	}
	r.Desired, _ = p.replicas.Desired(c.id, pod)
	if p.engine.Reserves(c.snap) {
		r.Requests = requestsOf(pod)
	}
	if state.IsPodGroupSchedulingCycle() {
		r.Group = true
		return r, p.keeper.lay(state)
	}
	return r, func() {}
}
