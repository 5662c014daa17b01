package trafficlocality

import (
	v1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// updateNetworks tells the Board what the networks of candidates take, where the telemetry
// or the node says something new of it.
func (p *Plugin) updateNetworks(candidates []int32) {
	if p.options.network == nil {
		return
	}
	newest := p.networks.Load()
	for _, n := range candidates {
		if n == score.Absent {
			continue
		}
		if kept := &p.keeper.nodes[n]; kept.node != nil && (!kept.measured || kept.networks != newest.Generation()) {
			kept.measured, kept.networks = true, newest.Generation()
			p.keeper.board.SetBandwidth(n, p.bandwidthOf(kept.node))
		}
	}
}

// bandwidthOf returns what a node's network takes in each direction, in bytes per second:
// by a label of the node, or else by the telemetry; 0 when neither says anything.
func (p *Plugin) bandwidthOf(node *v1.Node) float64 {
	if n := p.options.network; n.Label != "" {
		if bandwidth := kube.Bandwidth(node, n.Label, *n.Unit); bandwidth > 0 {
			return bandwidth
		}
	}
	return p.networks.Load().Capacity(node.Name)
}
