package cluster

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Sites returns the sites that the edges name, each once and in order.
func (c *Cluster) Sites() []flowgraph.WorkloadID {
	var sites []flowgraph.WorkloadID
	seen := map[flowgraph.WorkloadID]bool{}
	for i := range c.Edges {
		for _, id := range [...]flowgraph.WorkloadID{c.Edges[i].From, c.Edges[i].To} {
			if !id.IsSite() || seen[id] {
				continue
			}
			seen[id] = true
			if _, ok := id.Site(); ok {
				sites = append(sites, id)
			}
		}
	}
	slices.SortFunc(sites, flowgraph.WorkloadID.Compare)
	return sites
}
