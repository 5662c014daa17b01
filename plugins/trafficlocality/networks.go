package trafficlocality

import (
	v1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

// updateNetworks tells the Board what the networks of nodes take, when the telemetry says
// something new of it.
func (p *Plugin) updateNetworks() {
	if newest := p.networks.Load(); p.options.network != nil && p.measured != newest {
		p.measured = newest
		p.keeper.setBandwidths()
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
	return p.measured.Capacity(node.Name)
}
