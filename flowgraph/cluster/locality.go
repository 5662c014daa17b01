package cluster

import (
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Localities returns the locality of each node, by position, as far as the cluster
// tells it: a node whose zone is known and whose region is not has the region of
// the other nodes of that zone, where they agree on one.
func (c *Cluster) Localities() []locality.Locality {
	regions := regionsByZone(c.Nodes)
	all := make([]locality.Locality, len(c.Nodes))
	for i, n := range c.Nodes {
		all[i] = n.Locality
		if n.Zone != "" && n.Region == "" && len(regions[n.Zone]) == 1 {
			for region := range regions[n.Zone] {
				all[i].Region = region
			}
		}
	}
	return all
}

func regionsByZone(nodes []Node) map[string]map[string]bool {
	regions := map[string]map[string]bool{}
	for _, n := range nodes {
		if n.Zone == "" || n.Region == "" {
			continue
		}
		if regions[n.Zone] == nil {
			regions[n.Zone] = map[string]bool{}
		}
		regions[n.Zone][n.Region] = true
	}
	return regions
}

// LocalityGaps is what a cluster's nodes do not tell of where they are.
type LocalityGaps struct {
	// WithoutZone is how many nodes have no zone where others have one.
	WithoutZone int
	// WithoutRegion is how many nodes have a zone and no region where another node
	// of the same zone has one. Inferred says that all of them belong to a zone
	// whose other nodes agree on its region, which is then theirs too.
	WithoutRegion int
	Inferred      bool
}

// LocalityGaps returns what the cluster's nodes do not tell of where they are.
func (c *Cluster) LocalityGaps() LocalityGaps {
	g := LocalityGaps{Inferred: true}
	regions, zones := regionsByZone(c.Nodes), 0
	for _, n := range c.Nodes {
		switch known := len(regions[n.Zone]); {
		case n.Zone == "":
			g.WithoutZone++
			continue
		case n.Region == "" && known > 0:
			g.WithoutRegion++
			g.Inferred = g.Inferred && known == 1
		}
		zones++
	}
	if zones == 0 {
		g.WithoutZone = 0
	}
	g.Inferred = g.Inferred && g.WithoutRegion > 0
	return g
}
