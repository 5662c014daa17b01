package cuttest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// RandomSite is in one of the zones or regions of RandomCluster, or in one that no node is in,
// or it is not known in which.
func RandomSite(rng *rand.Rand, zones int) flowgraph.WorkloadID {
	zone := rng.IntN(zones + 1)
	region := fmt.Sprintf("r%d", zone/2)
	switch rng.IntN(6) {
	case 0:
		region = ""
	case 1:
		return flowgraph.SiteID("db", region, "")
	case 2:
		region = "r9"
	}
	return flowgraph.SiteID("db", region, fmt.Sprintf("z%d", zone))
}

// siteStays is what an edge between the pods on some nodes and a site keeps within a level,
// and what it may keep, pod by pod.
func (p *Pods) siteStays(site flowgraph.WorkloadID, nodes []int32, level locality.Level) (stays, unknown float64) {
	for _, n := range nodes {
		shares, known := p.AtSite(site, n, level)
		switch {
		case shares:
			stays += 1 / float64(len(nodes))
		case !known:
			unknown += 1 / float64(len(nodes))
		}
	}
	return stays, unknown
}

// AtSite reports whether a node shares a domain of a level with a site, and whether that is
// known.
func (p *Pods) AtSite(site flowgraph.WorkloadID, n int32, level locality.Level) (shares, known bool) {
	region, zone, _ := strings.Cut(strings.TrimPrefix(site.Namespace, "@"), ":")
	if level < locality.Zone {
		return false, true
	}
	var inZone, inRegion []int32 // nodes
	for i, at := range p.C.Localities() {
		if zone != "" && at.Zone == zone && (region == "" || at.Region == "" || at.Region == region) {
			inZone = append(inZone, int32(i))
		}
		if region != "" && at.Region == region {
			inRegion = append(inRegion, int32(i))
		}
	}
	isGone := func(n int32) bool { return p.C.Nodes[n].Gone }
	left, leftInRegion := slices.DeleteFunc(slices.Clone(inZone), isGone), slices.DeleteFunc(slices.Clone(inRegion), isGone)
	abroad := region != "" && len(leftInRegion) == 0 && len(left) == 0
	if level == locality.Zone {
		return slices.Contains(inZone, n), p.Domain(n, level) != "" && (zone != "" || abroad)
	}
	known = len(left) > 0 || level > locality.Region && len(leftInRegion) > 0
	if len(left) > 0 {
		shares, known = p.shareAny(locality.Zone, level, left, n)
	}
	if level >= locality.Region && region != "" {
		around := leftInRegion
		if level == locality.Region {
			around, known = inRegion, p.Domain(n, level) != ""
		}
		inAny, isKnown := p.shareAny(locality.Region, level, around, n)
		shares, known = shares || inAny, known && isKnown
	}
	return shares, known
}

// shareAny reports whether a node shares a domain with any of some others: one of a level, or
// of a nearer one that is no nearer than another. It may where domains are not known.
func (p *Pods) shareAny(nearest, level locality.Level, others []int32, n int32) (shares, known bool) {
	known = p.Domain(n, level) != ""
	for _, other := range others {
		known = known && p.Domain(other, level) != ""
		for _, l := range p.C.Scale.Levels() {
			d := p.Domain(n, l)
			shares = shares || l >= nearest && l <= level && d != "" && d == p.Domain(other, l)
		}
	}
	return shares, known
}
