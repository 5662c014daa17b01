package report

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// sited is the shop with sites: two in its first zone, one of which only says the zone's name,
// one in its region, and one in a zone that no node is in.
func sited() *cluster.Cluster {
	c := shop()
	first := c.Nodes[0]
	for i, site := range []flowgraph.WorkloadID{
		flowgraph.SiteID("orders", first.Region, first.Zone), flowgraph.SiteID("stock", "", first.Zone),
		flowgraph.SiteID("bucket", first.Region, ""), flowgraph.SiteID("far", "other", "zone"),
	} {
		c.Edges = append(c.Edges, edgeOf(c.Workloads[0].ID, site, float64(1000*(i+1))))
	}
	return c
}

func sitedDraft() Draft {
	c := sited()
	d := draftOf(c, 2, 0.02, false)
	_, d.Input.SitesBytesPerSecond, d.Input.ExternalBytesPerSecond = c.Traffic()
	d.Input.Sites = SitesOf(c)
	return routed(c, d)
}

func TestReportOfSites(t *testing.T) {
	r := New(sitedDraft())
	if want := 1000. + 2000 + 3000 + 4000; r.Input.SitesBytesPerSecond != want || r.Summary[0].WithSites == nil || r.Summary[0].WithSites.Mean != want {
		t.Errorf("%v, and %v in the summary, are with sites, want %v", r.Input.SitesBytesPerSecond, r.Summary[0].WithSites, want)
	}
	first := shop().Nodes[0]
	want := []Site{
		{Name: "stock", Zone: first.Zone, BytesPerSecond: 2000}, {Name: "bucket", Region: first.Region, BytesPerSecond: 3000},
		{Name: "orders", Region: first.Region, Zone: first.Zone, BytesPerSecond: 1000}, {Name: "far", Region: "other", Zone: "zone", BytesPerSecond: 4000},
	}
	byName := func(a, b Site) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(want, byName)
	if diff := cmp.Diff(want, slices.SortedFunc(slices.Values(r.Input.Sites), byName)); diff != "" {
		t.Errorf("sites (-want +got):\n%s", diff)
	}
	for _, f := range []string{"@" + first.Region + "/bucket", "@other:zone/far"} {
		if !strings.Contains(strings.Join(r.Warnings, "\n"), "("+f+")") {
			t.Errorf("no warning of %s in %q", f, r.Warnings)
		}
	}
	if zone := r.Runs[0].Summary.Zone; zone.Unknown == nil || zone.Unknown.Mean != 3000 {
		t.Errorf("of %v it is not known whether it crosses zones, want the bucket's", zone.Unknown)
	}
	var text bytes.Buffer
	if err := r.WriteDetails(&text); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"with 4 sites outside the cluster: 9.8 KiB/s", "of it with sites outside", "without traffic with the outside (except sites)"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("no %q in\n%s", part, text.String())
		}
	}
}

// TestPicturesOfSites compares what stays in zones with the figures of the same seed: sites are
// among the nodes, those of a zone beside its nodes.
func TestPicturesOfSites(t *testing.T) {
	r := New(sitedDraft())
	_, d := pageOf(t, r)
	var sites []string
	for i, n := range d.Cluster.Nodes {
		if n.Site {
			sites = append(sites, fmt.Sprintf("%s in %s behind %s", n.Name, n.Zone, d.Cluster.Nodes[max(i-1, 0)].Zone))
		}
	}
	if len(sites) != 4 || d.LeftOut != (pageLeftOut{}) {
		t.Fatalf("the sites are %q, and %+v is left out", sites, d.LeftOut)
	}
	side := len(d.Cluster.Nodes) + 1
	for i, p := range d.Pictures {
		f, zone, node := d.Report.Runs[i].PerSeed[0].Figures, 0.0, 0.0
		for from := range side - 1 {
			for to := range side - 1 {
				a, b := d.Cluster.Nodes[from], d.Cluster.Nodes[to]
				if a.Zone != "" && a.Zone == b.Zone && a.Region == b.Region {
					zone += p.Between[from*side+to]
				}
				if from == to {
					node += p.Between[from*side+to]
				}
			}
		}
		for k, w := range d.Cluster.Workloads {
			for level, local := range p.WorkloadLocal {
				if local[k] > w.BytesPerSecond*(1+1e-9) {
					t.Errorf("%s: %v of the %v of %s stay at the level %s", r.Runs[i].Name, local[k], w.BytesPerSecond, w.Name, level)
				}
			}
		}
		if math.Abs(zone-f.Zone.Configured.Local) > 1e-5*zone || math.Abs(node-f.Node.Configured.Local) > 1e-5*zone {
			t.Errorf("%s: %v and %v stay in zones and on nodes, want %v and %v", r.Runs[i].Name, zone, node, f.Zone.Configured.Local, f.Node.Configured.Local)
		}
	}
}

// TestManySitesOnThePage has more sites than a page shows: those with the least traffic are
// elsewhere.
func TestManySitesOnThePage(t *testing.T) {
	c := shop()
	for i := range pageSites + 3 {
		c.Edges = append(c.Edges, edgeOf(c.Workloads[0].ID, flowgraph.SiteID(fmt.Sprint("s", i), "r", "z"), float64(1000+i)))
	}
	_, d := pageOf(t, New(draftOf(c, 1, 0, false)))
	shown := map[string]bool{}
	for _, n := range d.Cluster.Nodes {
		shown[n.Name] = n.Site
	}
	if d.LeftOut.Sites != 3 || d.LeftOut.Nodes != 0 || shown["s0"] || shown["s2"] || !shown["s3"] || !shown[fmt.Sprint("s", pageSites+2)] {
		t.Errorf("%+v is left out, and %v is shown", d.LeftOut, shown)
	}
}
