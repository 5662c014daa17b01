package score

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// siteDomains are the domains that a site is in, by position of the level: none on a node or
// on racks, and as a rule one in the zone and in the region.
type siteDomains [maxLevels][]int32

// sites is where sites are. It is found when it is first asked for, and anew when other
// domains have nodes.
type sites struct {
	zone, region int // positions of the levels
	// at is the zone and the region of the nodes in a domain, by position of the level and
	// number of the domain; only at the positions of zone and region.
	at    [maxLevels][]locality.Locality
	known map[flowgraph.WorkloadID]siteDomains
}

func newSites(scale locality.Scale) sites {
	levels := scale.Levels()
	return sites{
		zone: slices.Index(levels, locality.Zone), region: slices.Index(levels, locality.Region),
		known: map[flowgraph.WorkloadID]siteDomains{},
	}
}

// note takes note of where the nodes of the domains of one of them are.
func (s *sites) note(at locality.Locality, domains *domains) {
	where := locality.Locality{Zone: at.Zone, Region: at.Region}
	for _, position := range [...]int{s.zone, s.region} {
		d := domains[position]
		if d == Absent {
			continue
		}
		for int(d) >= len(s.at[position]) {
			s.at[position] = append(s.at[position], locality.Locality{})
		}
		s.at[position][d] = where
	}
}

// site returns the domains of a site: its zone, its region, and what is around the nodes
// there.
func (b *Board) site(id flowgraph.WorkloadID) siteDomains {
	if known, ok := b.sites.known[id]; ok {
		return known
	}
	var found siteDomains
	if at, ok := id.Site(); ok {
		s := &b.sites
		b.addDomainsFrom(&found, s.zone, func(zone locality.Locality) bool { return locality.SharesZone(at, zone) })
		if at.Region != "" {
			b.addDomainsFrom(&found, s.region, func(region locality.Locality) bool { return region.Region == at.Region })
		}
	}
	b.sites.known[id] = found
	return found
}

// SitesApart returns how many sites of a snapshot draw no pods as they should, because no
// node is in their zone or, where only that is known, in their region.
func (b *Board) SitesApart(snap *flowgraph.Snapshot) (apart int) {
	for _, id := range snap.Sites() {
		at, in := b.sites.zone, b.site(id)
		if where, _ := id.Site(); where.Zone == "" {
			at = b.sites.region
		}
		if len(in[at]) == 0 {
			apart++
		}
	}
	return apart
}

// addDomainsFrom adds the domains of a level that are somewhere and have nodes, and those
// around these.
func (b *Board) addDomainsFrom(found *siteDomains, position int, is func(locality.Locality) bool) {
	for c := range b.classes.keys {
		set := &b.classes.keys[c]
		if b.classes.users[c] == 0 || set[position] == Absent || !is(b.sites.at[position][set[position]]) {
			continue
		}
		for k := position; k < b.levels; k++ {
			if d := set[k]; d != Absent && !slices.Contains(found[k], d) {
				found[k] = append(found[k], d)
			}
		}
	}
}

// addSite adds the gains for an edge with a site to each of the levels: a pod in its zone
// keeps all of its traffic with the site there, wherever the others are and however calls are
// divided.
func (e *Engine) addSite(levels []levelGains, edge *edge, id flowgraph.WorkloadID) {
	domains := e.board.site(id)
	gain := edge.weight / float64(max(edge.desired, 1))
	for i := range levels {
		l := &levels[i]
		if l.Step == 0 {
			continue
		}
		for _, d := range domains[l.Position] {
			l.gain(d, gain)
		}
	}
}
