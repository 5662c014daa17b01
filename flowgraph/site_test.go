package flowgraph

import (
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

func TestSite(t *testing.T) {
	cases := map[string]struct {
		id   WorkloadID
		want locality.Locality
		ok   bool
	}{
		"region and zone":     {SiteID("db", "eu-1", "eu-1a"), locality.Locality{Region: "eu-1", Zone: "eu-1a"}, true},
		"region":              {SiteID("assets.s3", "eu-1", ""), locality.Locality{Region: "eu-1"}, true},
		"zone":                {SiteID("db", "", "Z_1.a"), locality.Locality{Zone: "Z_1.a"}, true},
		"neither":             {SiteID("db", "", ""), locality.Locality{}, false},
		"a workload":          {WorkloadID{"shop", "db"}, locality.Locality{}, false},
		"an empty zone":       {WorkloadID{"@eu-1:", "db"}, locality.Locality{}, false},
		"three parts":         {WorkloadID{"@eu-1:eu-1a:x", "db"}, locality.Locality{}, false},
		"no name":             {SiteID("", "eu-1", ""), locality.Locality{}, false},
		"no name of a zone":   {SiteID("db", "eu-1", "-a"), locality.Locality{}, false},
		"no name of a region": {SiteID("db", "eu/1", "a"), locality.Locality{}, false},
		"too long":            {SiteID("db", strings.Repeat("x", 64), ""), locality.Locality{}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if at, ok := c.id.Site(); at != c.want || ok != c.ok {
				t.Errorf("%s is at %+v, %v, want %+v, %v", c.id, at, ok, c.want, c.ok)
			}
			if c.id.IsSite() && c.id.IsValid() {
				t.Errorf("%s is a site, and Kubernetes would accept the name", c.id)
			}
			if want := c.ok || c.id.Namespace == "shop"; c.id.IsPeer() != want {
				t.Errorf("%s is a peer: %v, want %v", c.id, !want, want)
			}
		})
	}
}

// FuzzSite reads any name as a site: what says where it is, is written in one way.
func FuzzSite(f *testing.F) {
	for _, id := range []WorkloadID{SiteID("db", "eu-1", "eu-1a"), SiteID("db", "eu-1", ""), SiteID("db", "", "a"), {"@:", "db"}, {"@a:b:c", "db"}, {"shop", "web"}} {
		f.Add(id.Namespace, id.Name)
	}
	f.Fuzz(func(t *testing.T, namespace, name string) {
		id := WorkloadID{namespace, name}
		if at, ok := id.Site(); ok && (SiteID(name, at.Region, at.Zone) != id || at.Node != "" || id.IsValid() || !id.IsPeer()) {
			t.Errorf("%q is at %+v, which is %q", id, at, SiteID(name, at.Region, at.Zone))
		}
	})
}
