package trafficlocality

import (
	"context"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

var (
	_ fwk.PreScorePlugin    = (*Shadow)(nil)
	_ fwk.ScorePlugin       = (*Shadow)(nil)
	_ fwk.SignPlugin        = (*Shadow)(nil)
	_ fwk.ReservePlugin     = (*Shadow)(nil)
	_ fwk.EnqueueExtensions = (*Shadow)(nil)
)

// Shadow stands in the plugin's place in a profile in shadow mode: it has no say, and records
// whether another node would have been chosen if it had one.
type Shadow struct {
	plugin *Plugin
	scorer scorer
	counts *shadowMetrics
}

// scorer is what Shadow needs of the framework.
type scorer interface {
	RunScorePlugins(context.Context, fwk.CycleState, *v1.Pod, []fwk.NodeInfo) ([]fwk.NodePluginScores, *fwk.Status)
	Extenders() []fwk.Extender
}

// shadowKey is where PreScore leaves for Reserve what it has found.
const shadowKey fwk.StateKey = "Shadow" + Name

// shadowState is written by PreScore and only read from then on.
type shadowState struct {
	candidates []fwk.NodeInfo
	scores     *scoreState // nil when the plugin has nothing to say
}

// Clone returns s itself, as scoreState does.
func (s *shadowState) Clone() fwk.StateData { return s }

// Name returns the plugin's name.
func (*Shadow) Name() string { return Name }

// Plugin returns the plugin that would have a say without shadow mode.
func (s *Shadow) Plugin() *Plugin { return s.plugin }

// PreScore computes the scores, keeps them for Reserve and answers Skip: the framework goes on
// as without the plugin.
func (s *Shadow) PreScore(ctx context.Context, state fwk.CycleState, pod *v1.Pod, nodes []fwk.NodeInfo) *fwk.Status {
	found := &shadowState{candidates: nodes}
	if s.plugin.PreScore(ctx, state, pod, nodes).IsSuccess() {
		if data, err := state.Read(stateKey); err == nil {
			found.scores, _ = data.(*scoreState)
		}
		state.Delete(stateKey)
	}
	state.Write(shadowKey, found)
	return fwk.NewStatus(fwk.Skip)
}

// Score returns 0 but for Reserve, which has the nodes scored once more.
func (s *Shadow) Score(ctx context.Context, state fwk.CycleState, pod *v1.Pod, info fwk.NodeInfo) (int64, *fwk.Status) {
	return s.plugin.Score(ctx, state, pod, info)
}

// ScoreExtensions returns nil.
func (*Shadow) ScoreExtensions() fwk.ScoreExtensions { return nil }

// SignPod returns no fragment, so that pods are batched as without the plugin.
func (*Shadow) SignPod(context.Context, *v1.Pod) ([]fwk.SignFragment, *fwk.Status) { return nil, nil }

// EventsToRegister returns nothing: Reserve refuses no pod.
func (*Shadow) EventsToRegister(context.Context) ([]fwk.ClusterEventWithHint, error) { return nil, nil }

// Unreserve does nothing: a decision stays one when it comes to nothing afterwards.
func (*Shadow) Unreserve(context.Context, fwk.CycleState, *v1.Pod, string) {}

// Reserve compares the chosen node with what would have been chosen. It never fails.
func (s *Shadow) Reserve(ctx context.Context, state fwk.CycleState, pod *v1.Pod, node string) *fwk.Status {
	defer func() {
		if cause := recover(); cause != nil {
			s.plugin.recovered(ctx, "Reserve", cause)
			s.counts.decided(shadowUnclear, flowgraph.WorkloadID{})
		}
	}()
	if state.IsPodGroupSchedulingCycle() {
		s.counts.decided(shadowNotLookedAt, flowgraph.WorkloadID{})
		return nil
	}
	data, err := state.Read(shadowKey)
	found, ok := data.(*shadowState)
	if err != nil || !ok {
		s.counts.decided(shadowNotLookedAt, flowgraph.WorkloadID{})
		return nil
	}
	s.compare(ctx, state, pod, node, found)
	return nil
}

// compare counts the outcome of a decision, and what each of the two nodes keeps local where
// they differ.
func (s *Shadow) compare(ctx context.Context, state fwk.CycleState, pod *v1.Pod, node string, found *shadowState) {
	id := kube.WorkloadOf(pod)
	if found.scores == nil {
		s.counts.decided(shadowNoSay, id)
		return
	}
	outcome, preferred := shadowUnclear, ""
	if !weighsIn(s.scorer.Extenders(), pod) {
		outcome, preferred = outcomeOf(s.scoreAgain(ctx, state, pod, found), node)
	}
	s.counts.decided(outcome, id)
	if outcome != shadowOther {
		return
	}
	if local, ok := s.plugin.localOn(state, pod, found.candidates, node, preferred); ok {
		s.counts.differs(id, local[0], local[1])
	}
}

// scoreAgain returns the scores of all plugins, this one's included; none where they cannot
// be had.
func (s *Shadow) scoreAgain(ctx context.Context, state fwk.CycleState, pod *v1.Pod, found *shadowState) []fwk.NodePluginScores {
	skipped := state.GetSkipScorePlugins()
	state.SetSkipScorePlugins(skipped.Clone().Delete(Name))
	state.Write(stateKey, found.scores)
	defer func() {
		state.Delete(stateKey)
		state.SetSkipScorePlugins(skipped)
	}()
	scores, status := s.scorer.RunScorePlugins(ctx, state, pod, found.candidates)
	if !status.IsSuccess() {
		return nil
	}
	return scores
}

// weighsIn reports whether an extender adds scores for a pod, which are not asked for again.
func weighsIn(extenders []fwk.Extender, pod *v1.Pod) bool {
	for _, e := range extenders {
		if e.IsPrioritizer() && e.IsInterested(pod) {
			return true
		}
	}
	return false
}

// outcomeOf compares the chosen node with the best by all scores. Where several are equally
// good, the preferred one is that with the fewest points of this plugin, so that no more is
// promised than any of them keeps. The outcome is unclear where the chosen node is not among
// the best without this plugin: something has a say that the scores do not tell.
func outcomeOf(scores []fwk.NodePluginScores, chosen string) (outcome shadowOutcome, preferred string) {
	var best, bestWithout int64
	at := -1
	for i := range scores {
		best = max(best, scores[i].TotalScore)
		bestWithout = max(bestWithout, scores[i].TotalScore-ownScore(&scores[i]))
		if scores[i].Name == chosen {
			at = i
		}
	}
	switch {
	case at < 0 || scores[at].TotalScore-ownScore(&scores[at]) < bestWithout:
		return shadowUnclear, ""
	case scores[at].TotalScore == best:
		return shadowSame, ""
	}
	var fewest int64
	for i := range scores {
		s := &scores[i]
		if own := ownScore(s); s.TotalScore == best && (preferred == "" || own < fewest || own == fewest && s.Name < preferred) {
			preferred, fewest = s.Name, own
		}
	}
	return shadowOther, preferred
}

// ownScore is what this plugin adds to a node's total.
func ownScore(s *fwk.NodePluginScores) int64 {
	for _, p := range s.Scores {
		if p.Name == Name {
			return p.Score
		}
	}
	return 0
}

// localOn says what of a pod's traffic stays close on each of the named candidates.
func (p *Plugin) localOn(state fwk.CycleState, pod *v1.Pod, candidates []fwk.NodeInfo, names ...string) ([]score.Local, bool) {
	c, skip := p.begin(pod)
	all, err := p.lister.NodeInfos().List()
	if skip != notSkipped || err != nil {
		return nil, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.routes.begin(c.now)
	p.keeper.update(all, false)
	request, lift := p.request(c, pod, candidates, state)
	defer lift()
	result := p.engine.Evaluate(request)
	local := make([]score.Local, len(names))
	for k, name := range names {
		for i, info := range candidates {
			if info.Node().Name == name && request.Candidates[i] != score.Absent {
				local[k] = result.Local(request.Candidates[i])
			}
		}
	}
	return local, true
}
