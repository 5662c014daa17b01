package cut

import (
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// TestTrafficWithSites has four pods, three of them in zone a, that exchange 400 bytes per
// second with a site, and 100 with something unknown outside.
func TestTrafficWithSites(t *testing.T) {
	cases := map[string]struct {
		site         flowgraph.WorkloadID
		zone, region float64 // stay
		unknownZone  float64
		betweenZones float64
	}{
		"in the zone of most pods":       {flowgraph.SiteID("db", "eu", "a"), 300, 400, 0, 100},
		"in the other zone":              {flowgraph.SiteID("db", "eu", "b"), 100, 400, 0, 300},
		"in a zone without nodes":        {flowgraph.SiteID("db", "eu", "c"), 0, 400, 0, 400},
		"in a region":                    {flowgraph.SiteID("db", "eu", ""), 0, 400, 400, 0},
		"in a region without nodes":      {flowgraph.SiteID("db", "us", ""), 0, 0, 0, 400},
		"in a zone of unknown region":    {flowgraph.SiteID("db", "", "b"), 100, 400, 0, 300},
		"in a zone that another has too": {flowgraph.SiteID("db", "us", "a"), 0, 0, 0, 400},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			web := flowgraph.WorkloadID{Namespace: "shop", Name: "web"}
			rates := func(sent float64) flowgraph.Rates { return flowgraph.Rates{SentBytesPerSecond: sent} }
			shop := &cluster.Cluster{
				Nodes: []cluster.Node{
					{Locality: locality.Locality{Node: "n0", Zone: "a", Region: "eu"}, Bandwidth: 1000},
					{Locality: locality.Locality{Node: "n1", Zone: "b", Region: "eu"}},
				},
				Workloads: []cluster.Workload{{ID: web, Replicas: 4}},
				Edges: []flowgraph.Edge{
					{From: web, To: c.site, Rates: rates(300)},
					{From: c.site, To: web, Rates: rates(100)},
					{From: web, To: flowgraph.WorkloadID{Namespace: "else", Name: "where"}, Rates: rates(100)},
				},
			}
			o := Measure(shop, cluster.Assignment{{0, 0, 0, 1}}, nil)
			if o.Total != 500 || o.External != 100 || o.WithSites != 400 || o.Unserved != 0 {
				t.Errorf("%v in all, %v external, %v with sites, %v unserved; want 500, 100, 400, 0", o.Total, o.External, o.WithSites, o.Unserved)
			}
			for _, m := range Models() {
				at := func(level locality.Level) LevelOutcome { l, _ := o.Level(level); return l }
				if node, zone, region := at(locality.Node).Local[m], at(locality.Zone).Local[m], at(locality.Region).Local[m]; node != 0 || zone != c.zone || region != c.region {
					t.Errorf("%v: %v, %v, %v stay on the node, in the zone and the region; want 0, %v, %v", m, node, zone, region, c.zone, c.region)
				}
			}
			if l, _ := o.Level(locality.Zone); l.Unknown != c.unknownZone {
				t.Errorf("of %v it is not known whether it stays in the zone, want %v", l.Unknown, c.unknownZone)
			}
			if got := o.CrossingBetween(locality.Zone); got != c.betweenZones {
				t.Errorf("%v between zones, want %v", got, c.betweenZones)
			}
			if got := o.CrossingBetween(locality.Node); got != 0 {
				t.Errorf("%v between nodes, want none: a site is on no node", got)
			}
			if want := 0.75 * (300 + 100) / 1000; o.Links.Busiest != want {
				t.Errorf("the busiest network is used by %v, want %v: three quarters of what is sent", o.Links.Busiest, want)
			}
		})
	}
}
