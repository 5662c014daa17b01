package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// Site is endpoints outside the cluster in one zone or region, such as a managed database.
type Site struct {
	// Name is the name of the site.
	Name string `json:"name"`
	// Region is the region of the site. Missing when it is not known.
	Region string `json:"region,omitempty"`
	// Zone is the zone of the site. Missing when it is not known.
	Zone string `json:"zone,omitempty"`
	// BytesPerSecond is what workloads exchange with the site.
	BytesPerSecond float64 `json:"bytesPerSecond"`
}

// SitesOf returns the sites that a cluster's edges name, in order.
func SitesOf(c *cluster.Cluster) []Site {
	rates, inside := map[flowgraph.WorkloadID]float64{}, map[flowgraph.WorkloadID]bool{}
	for i := range c.Workloads {
		inside[c.Workloads[i].ID] = true
	}
	for i := range c.Edges {
		e := &c.Edges[i]
		if inside[e.From] {
			rates[e.To] += e.BytesPerSecond()
		} else if inside[e.To] {
			rates[e.From] += e.BytesPerSecond()
		}
	}
	var sites []Site
	for _, id := range c.Sites() {
		at, _ := id.Site()
		sites = append(sites, Site{Name: id.Name, Region: at.Region, Zone: at.Zone, BytesPerSecond: rounded(rates[id])})
	}
	return sites
}

// chooseSites returns the sites with the most traffic by their positions in cut.Parts, and where
// they are: with the names of the zone and the region of nodes there, and their own as Node.
func (a *artist) chooseSites() (positions []int32, where map[int32]locality.Locality) {
	where = map[int32]locality.Locality{}
	at := a.c.Localities()
	sites := SitesOf(a.c)
	for i, site := range sites {
		position := cut.SitePosition(i)
		place := locality.Locality{Node: site.Name, Zone: site.Zone, Region: site.Region}
		near := slices.IndexFunc(at, func(node locality.Locality) bool { return locality.SharesZone(place, node) })
		if near >= 0 {
			place.Region = at[near].Region
		}
		positions, where[position] = append(positions, position), place
	}
	slices.SortStableFunc(positions, func(x, y int32) int {
		return cmp.Compare(sites[cut.SiteIndex(y)].BytesPerSecond, sites[cut.SiteIndex(x)].BytesPerSecond)
	})
	return positions[:min(len(positions), pageSites)], where
}

// writeSites says how much of the traffic is with sites.
func (in Input) writeSites(out io.Writer) {
	if len(in.Sites) > 0 {
		fmt.Fprintf(out, "with %s outside the cluster: %s\n", show.Plural(len(in.Sites), "site"), show.ByteRate(in.SitesBytesPerSecond))
	}
}

// notesOfSites says what traffic with sites means in the figures.
func (r *Report) notesOfSites() []string {
	if len(r.Input.Sites) == 0 || r.Input.BytesPerSecond == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s of the traffic is with sites outside the cluster: it leaves its node wherever pods run, so that no placement saves it there; "+
		"it stays in a zone or a region as far as pods are in that of the site, which is taken to survive every loss", show.Percent(r.Input.SitesBytesPerSecond/r.Input.BytesPerSecond))}
}

// warnOfSites says of which sites the place is not known, or that no node is near.
func (r *Report) warnOfSites(warn func(format string, args ...any), c *cluster.Cluster) {
	gaps := c.SiteGaps()
	if len(gaps.WithoutZone) > 0 {
		warn("%s: whether traffic with them crosses zones is not known; it counts as crossing, and is not in the price", siteList(gaps.WithoutZone, "in a region, and it is not known in which zone"))
	}
	if len(gaps.Apart) > 0 {
		warn("%s: all traffic with them leaves its zone, wherever pods run; compare sites with the labels topology.kubernetes.io/zone and region of nodes", siteList(gaps.Apart, "where no node is"))
	}
}

// siteList names some sites, and says where they are.
func siteList(sites []flowgraph.WorkloadID, where string) string {
	const few = 3
	var names []string
	for _, id := range sites[:min(len(sites), few)] {
		names = append(names, id.String())
	}
	if more := len(sites) - few; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	verb := "are"
	if len(sites) == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%s %s %s (%s)", show.Plural(len(sites), "site"), verb, where, strings.Join(names, ", "))
}

// withSites is the traffic of workloads that serve with sites.
func (run *Run) withSites() *sim.Estimate {
	values := make([]float64, len(run.samples))
	for i := range run.samples {
		values[i] = run.samples[i].Outcome.WithSites
	}
	e := roundedEstimate(sim.NewEstimate(values))
	return &e
}

// exceptSites follows what is said of the outside where it does not hold for sites.
func (r *Report) exceptSites() string {
	if len(r.Input.Sites) == 0 {
		return ""
	}
	return " (except sites)"
}
