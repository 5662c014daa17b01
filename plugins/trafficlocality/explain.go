package trafficlocality

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph/score"
)

// Explained is what the plugin makes of a pod.
type Explained struct {
	// Skipped says why the plugin has no say, as the metric of skipped cycles does, and Why
	// in a sentence; "" when it has.
	Skipped, Why string
	// Desired is how many pods the controller wants, 0 when nobody says.
	Desired int32
	// Nodes are by name, also those that are no candidates: of these, neither network nor
	// room were looked at. There are none where it was known before that the plugin has no
	// say.
	Nodes map[string]score.Explanation
	// BetterElsewhere says that the pod would gain more on a node that is no candidate than
	// on any that is.
	BetterElsewhere bool
}

// Explain says how the scores of a pod come about. It does at once what cycles do bit by bit,
// so that PreScore says the same of the pod from then on as it would after enough cycles. It is
// not for scheduling cycles.
func (p *Plugin) Explain(state fwk.CycleState, pod *v1.Pod, candidates []fwk.NodeInfo) (*Explained, error) {
	c, skip := p.begin(pod)
	if skip != notSkipped {
		return &Explained{Skipped: skip.String(), Why: skip.meaning()}, nil
	}
	all, err := p.lister.NodeInfos().List()
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.routes.begin(c.now)
	p.keeper.update(all, state.IsPodGroupSchedulingCycle())
	p.updateNetworks(p.keeper.numbersOf(all))
	request, lift := p.request(c, pod, candidates, state)
	defer lift()
	request.Requests = requestsOf(pod) // promises may only come by settling
	p.engine.Settle(request)
	result := p.engine.Evaluate(request)
	x := &Explained{Desired: request.Desired, BetterElsewhere: result.BetterElsewhere, Nodes: make(map[string]score.Explanation, len(all))}
	if result.Basis == score.ByNothing {
		skip = skipNoPeers
		if !c.hasTraffic {
			skip = skipNoTraffic
		}
		x.Skipped, x.Why = skip.String(), skip.meaning()
	}
	for _, info := range all {
		if n := p.keeper.numberOf(info); n != score.Absent {
			x.Nodes[info.Node().Name] = result.Explain(n)
		}
	}
	return x, nil
}
