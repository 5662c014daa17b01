package trafficlocality

import (
	"context"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"
)

var (
	_ fwk.PreScorePlugin = Silent{}
	_ fwk.ScorePlugin    = Silent{}
	_ fwk.SignPlugin     = Silent{}
)

// Silent stands in the plugin's place in a profile that gives it the weight 0:
// it never has a say.
type Silent struct{}

// Name returns the plugin's name.
func (Silent) Name() string { return Name }

// PreScore answers Skip.
func (Silent) PreScore(context.Context, fwk.CycleState, *v1.Pod, []fwk.NodeInfo) *fwk.Status {
	return fwk.NewStatus(fwk.Skip)
}

// Score returns 0. It is not called after Skip.
func (Silent) Score(context.Context, fwk.CycleState, *v1.Pod, fwk.NodeInfo) (int64, *fwk.Status) {
	return 0, nil
}

// ScoreExtensions returns nil.
func (Silent) ScoreExtensions() fwk.ScoreExtensions { return nil }

// SignPod returns no fragment: the score depends on nothing.
func (Silent) SignPod(context.Context, *v1.Pod) ([]fwk.SignFragment, *fwk.Status) { return nil, nil }
