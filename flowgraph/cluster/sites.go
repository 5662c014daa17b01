package cluster

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
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

// SiteGaps is what is not known of where sites are, or makes them of no use.
type SiteGaps struct {
	// WithoutZone are in a region of nodes, and it is not known in which zone.
	WithoutZone []flowgraph.WorkloadID
	// Apart are in a zone, or a region, that no node is in: all traffic with them leaves it,
	// wherever pods run.
	Apart []flowgraph.WorkloadID
}

// SiteGaps returns what is not known of where the sites are that the edges name. A cluster
// without zones has none.
func (c *Cluster) SiteGaps() (g SiteGaps) {
	at := c.Localities()
	if !slices.ContainsFunc(at, func(l locality.Locality) bool { return l.Zone != "" }) {
		return g
	}
	for _, id := range c.Sites() {
		site, _ := id.Site()
		inZone := slices.ContainsFunc(at, func(node locality.Locality) bool { return locality.SharesZone(site, node) })
		inRegion := slices.ContainsFunc(at, func(node locality.Locality) bool { return node.Region == site.Region })
		switch {
		case inZone:
		case site.Zone == "" && inRegion:
			g.WithoutZone = append(g.WithoutZone, id)
		default:
			g.Apart = append(g.Apart, id)
		}
	}
	return g
}
