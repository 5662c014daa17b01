package trafficlocality

import (
	"context"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

// Score looks up what PreScore found for a node, 0 to 100. A node that PreScore
// did not see scores 0.
func (p *Plugin) Score(ctx context.Context, state fwk.CycleState, _ *v1.Pod, info fwk.NodeInfo) (points int64, status *fwk.Status) {
	defer func() {
		if cause := recover(); cause != nil {
			p.recovered(ctx, "Score", cause)
			points, status = 0, nil
		}
	}()
	data, err := state.Read(stateKey)
	if err != nil {
		return 0, nil
	}
	s, ok := data.(*scoreState)
	if !ok {
		return 0, nil
	}
	return s.of(info), nil
}

// ScoreExtensions returns nil: PreScore has already put the scores on the
// framework's scale.
func (*Plugin) ScoreExtensions() fwk.ScoreExtensions { return nil }
