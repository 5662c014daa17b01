package sim

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// kept is the part of the calls from a node that stay in its zone, where the callee has
// endpoints: zones without any leave their share to the others. ok is false where the
// zone is missing, and where no zone with endpoints has a share.
func (p *placement) kept(shares cluster.Shares, node, callee int32) (part float64, ok bool) {
	zones := &p.at[p.zone]
	zone := zones.domains[zones.domainOf[node]]
	var all uint32
	seen := make([]string, 0, 8)
	for _, place := range zones.places[callee] {
		name := zones.domains[place.domain]
		if slices.Contains(seen, name) {
			continue // a label divides the zone
		}
		seen = append(seen, name)
		all += shares[zone][name]
	}
	if all == 0 {
		return 0, false
	}
	return float64(shares[zone][zone]) / float64(all), true
}
