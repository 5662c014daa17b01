package mesh

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// at reads "node", "node@zone" or "node@region/zone".
func at(text string) locality.Locality {
	node, place, _ := strings.Cut(text, "@")
	region, zone, ok := strings.Cut(place, "/")
	if !ok {
		region, zone = "", place
	}
	return locality.Locality{Node: node, Zone: zone, Region: region}
}

func TestChoose(t *testing.T) {
	cases := map[string]struct {
		distribution string
		client       string
		endpoints    string
		want         []int
	}{
		"uniform: locality does not matter":        {"", "n1@a", "n1@a n2@a n3@b", []int{0, 1, 2}},
		"an unknown distribution is uniform":       {"PreferSameRack", "n1@a", "n1@a n3@b", []int{0, 1}},
		"uniform: no endpoints":                    {"", "n1@a", "", nil},
		"same node: the local endpoint":            {"PreferSameNode", "n1@a", "n2@a n1@a n3@b", []int{1}},
		"same node: all local endpoints":           {"PreferSameNode", "n1@a", "n1@a n2@a n1@a", []int{0, 2}},
		"same node: widens to the zone":            {"PreferSameNode", "n1@a", "n2@a n3@b n4@a", []int{0, 2}},
		"same node: widens to all":                 {"PreferSameNode", "n1@a", "n3@b n4@c", []int{0, 1}},
		"same node: client without zone":           {"PreferSameNode", "n1", "n2 n1 n3@a", []int{1}},
		"same node: no zones, widens to all":       {"PreferSameNode", "n1", "n2 n3", []int{0, 1}},
		"same node: no endpoints":                  {"PreferSameNode", "n1@a", "", nil},
		"same zone: the local node is not special": {"PreferSameZone", "n1@a", "n1@a n2@a n3@b", []int{0, 1}},
		"same zone: widens to all":                 {"PreferSameZone", "n1@a", "n3@b n4@c", []int{0, 1}},
		"same zone: endpoint without zone":         {"PreferSameZone", "n1@a", "n2 n3@a", []int{1}},
		"same zone: client without zone":           {"PreferSameZone", "n1", "n2 n3@a", []int{0, 1}},
		"same zone: another region's namesake":     {"PreferSameZone", "n1@eu/a", "n2@us/a n3@eu/a", []int{1}},
		"same zone: only another region's":         {"PreferSameZone", "n1@eu/a", "n2@us/a n3@us/b", []int{0, 1}},
		"close means same zone":                    {"PreferClose", "n1@a", "n1@a n2@a n3@b", []int{0, 1}},
		"close: widens to all":                     {"PreferClose", "n1@a", "n3@b n4@c", []int{0, 1}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var endpoints []locality.Locality
			for _, e := range strings.Fields(tc.endpoints) {
				endpoints = append(endpoints, at(e))
			}
			got := choose(tc.distribution, at(tc.client), endpoints)
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("chosen endpoints (-want +got):\n%s", diff)
			}
		})
	}
}
