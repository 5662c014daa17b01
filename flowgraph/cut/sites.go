package cut

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Sites have positions below Outside, from firstSite downwards. They have no pods and are on
// no node: what a workload exchanges with one stays in the zone as far as its pods are in
// the zone of the site, whatever the routing, as in the region. It never stays on a node.
const firstSite = Outside - 1

// siteDomain is where a site is at one level.
type siteDomain struct {
	// in are the numbers of the domains: as a rule one, more where a label divides a zone.
	in []int32
	// undecided says that the site may be in others too.
	undecided bool
}

// siteDomains are those of a site by position of the level.
type siteDomains [maxLevels]siteDomain

// Site returns the position of a site, Outside where id names none. A site that was not
// asked for before gets one.
func (l *Layout) Site(id flowgraph.WorkloadID) int32 {
	if position, known := l.sites[id]; known {
		return position
	}
	at, ok := id.Site()
	if !ok {
		return Outside
	}
	position := firstSite - int32(len(l.siteIDs))
	l.sites[id] = position
	l.siteIDs, l.siteAt = append(l.siteIDs, id), append(l.siteAt, l.placeSite(at))
	return position
}

// SiteIndex returns which of Cluster.Sites has a position below Outside in the Parts of the
// cluster.
func SiteIndex(position int32) int { return int(firstSite - position) }

// SitePosition is the reverse of SiteIndex.
func SitePosition(index int) int32 { return firstSite - int32(index) }

// setSites places all sites anew, after the nodes have changed.
func (l *Layout) setSites() {
	for i, id := range l.siteIDs {
		at, _ := id.Site()
		l.siteAt[i] = l.placeSite(at)
	}
}

// placeSite finds the domains of a site. What is wider than its zone is where the nodes of
// that zone are, and those of its region.
func (l *Layout) placeSite(site locality.Locality) (at siteDomains) {
	for k := l.zone; k < len(l.levels); k++ {
		at[k].undecided = true
	}
	zones, inZone := l.domainsWhere(l.zone, func(zone locality.Locality) bool { return locality.SharesZone(site, zone) })
	at[l.zone] = siteDomain{in: zones, undecided: site.Zone == ""}
	if inZone {
		l.nest(&at, l.zone)
	}
	if site.Region == "" {
		return at
	}
	regions, inRegion := l.domainsWhere(l.region, func(region locality.Locality) bool { return region.Region == site.Region })
	for _, n := range at[l.region].in {
		if !slices.Contains(regions, n) {
			regions = append(regions, n)
		}
	}
	at[l.region] = siteDomain{in: regions}
	switch {
	case inZone || inRegion:
		l.nest(&at, l.region)
	default: // no node is in the region, and so none in its zones
		at[l.zone].undecided = false
	}
	return at
}

// domainsWhere returns the known domains of a level that are somewhere, and reports whether
// any of them has nodes that are not gone.
func (l *Layout) domainsWhere(level int, is func(locality.Locality) bool) (numbers []int32, hasNodes bool) {
	d := &l.domains[level]
	for n := range d.names {
		if d.isKnown[n] && is(d.at[n]) {
			numbers = append(numbers, int32(n))
			hasNodes = hasNodes || d.isLeft[n]
		}
	}
	return numbers, hasNodes
}

// nest puts a site into the domains around those of a level.
func (l *Layout) nest(at *siteDomains, level int) {
	for k := level + 1; k < len(l.levels); k++ {
		at[k] = siteDomain{}
		for _, n := range at[level].in {
			wider := l.domains[k].of[l.domains[level].member[n]]
			if !l.domains[level].isLeft[n] || slices.Contains(at[k].in, wider) {
				continue
			}
			at[k].in = append(at[k].in, wider)
			at[k].undecided = at[k].undecided || !l.domains[k].isKnown[wider]
		}
	}
}

// hasUndecidedSites reports whether it is not known of some site in which domain of a level it
// is.
func (l *Layout) hasUndecidedSites(level int) bool {
	return slices.ContainsFunc(l.siteAt, func(at siteDomains) bool { return at[level].undecided })
}

// withSite reports whether one end is a site.
func (e ends) withSite() bool { return e.from < Outside || e.to < Outside }

// isExternal reports whether nobody knows where an end is, or neither is in the cluster.
func (e ends) isExternal() bool {
	return e.from == Outside || e.to == Outside || e.from < 0 && e.to < 0
}

// IsExternal reports whether the traffic between two positions is with the outside: one of
// them is Outside, or both are sites.
func IsExternal(from, to int32) bool { return ends{from, to}.isExternal() }

// IsWithSite reports whether one of two positions is a site.
func IsWithSite(from, to int32) bool { return ends{from, to}.withSite() }

// siteOf returns the workload at one end and the domains of the site at the other.
func (l *Layout) siteOf(e ends) (workload int32, in *siteDomains) {
	site := e.from
	if workload = e.to; site >= 0 {
		workload, site = e.from, e.to
	}
	return workload, &l.siteAt[firstSite-site]
}

// siteStays is what of an edge with a site stays within the domains of each level, and what
// may or may not.
func (l *Layout) siteStays(e ends) (local, unknown byLevel) {
	workload, at := l.siteOf(e)
	all := float64(l.pods[workload])
	for k := l.zone; k < len(l.levels); k++ {
		rest := l.hidden[k][workload]
		if at[k].undecided {
			rest = l.pods[workload]
		}
		var here int32
		for _, domain := range at[k].in {
			pods := podsIn(l.at(k, workload), domain)
			here += pods
			if at[k].undecided || !l.domains[k].isKnown[domain] {
				rest -= pods
			}
		}
		local[k], unknown[k] = float64(here)/all, float64(rest)/all
	}
	return local, unknown
}
