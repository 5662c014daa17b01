package cut

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// TestPreferredEndpoints has web (4 pods, 20 bytes/s to db each) on the nodes
// n0 and n1 of zone a, n2 of zone b and n3 without a zone.
func TestPreferredEndpoints(t *testing.T) {
	cases := map[string]struct {
		routing              affinity.Routing
		db                   []int32
		node, zone, region   float64 // of web's 80 bytes/s
		busiest              float64 // with db's own 10
		secondRegion, noZone bool
	}{
		"same node, one in each zone":      {routing: affinity.SameNode, db: []int32{0, 2}, node: 40, zone: 60, region: 80, busiest: (20 + 20 + 10 + 5) / 45.0},
		"same zone, one in each zone":      {routing: affinity.SameZone, db: []int32{0, 2}, node: 40, zone: 60, region: 80, busiest: (20 + 20 + 10 + 5) / 45.0},
		"same node, two in a zone":         {routing: affinity.SameNode, db: []int32{0, 1}, node: 40, zone: 40, region: 80, busiest: 1},
		"same zone, two in a zone":         {routing: affinity.SameZone, db: []int32{0, 1}, node: 20, zone: 40, region: 80, busiest: 1},
		"same zone falls back to all":      {routing: affinity.SameZone, db: []int32{0, 1}, node: 20, zone: 40, region: 40, secondRegion: true, busiest: 1},
		"same node falls back to all":      {routing: affinity.SameNode, db: []int32{1, 2}, node: 40, zone: 60, region: 40 + 20 + 10, secondRegion: true, busiest: (20 + 20 + 10 + 5) / 45.0},
		"same node without a zone":         {routing: affinity.SameNode, db: []int32{3, 3}, node: 20, zone: 20, region: 80, busiest: 1},
		"same zone without a zone":         {routing: affinity.SameZone, db: []int32{2, 3}, node: 20 + 10, zone: 20 + 10, region: 80, busiest: (20 + 30 + 7.5) / 45.0},
		"same node or any":                 {routing: affinity.SameNodeOrAny, db: []int32{1, 2}, node: 40, zone: 40 + 10, region: 80, busiest: 1},
		"80 % in the zone":                 {routing: affinity.ZoneShare(80), db: []int32{0, 2}, node: 32, zone: 16 + 16 + 16, region: 80, busiest: (16 + 16 + 4 + 10 + 5) / 45.0},
		"80 %, and none elsewhere":         {routing: affinity.ZoneShare(80), db: []int32{0, 1}, node: 20, zone: 40, region: 80, busiest: 1},
		"80 % of two in the zone":          {routing: affinity.ZoneShare(80), db: []int32{0, 1, 3}, node: 16 + 20.0/3, zone: 32 + 20.0/3, region: 32 + 40.0/3, secondRegion: true, busiest: (16 + 40.0/3 + 34.0/9) / 30},
		"none in the zone":                 {routing: affinity.ZoneShare(0), db: []int32{0, 2}, node: 0, zone: 0, region: 80, busiest: (20 + 20 + 10 + 5) / 45.0},
		"same zone where no zone is known": {routing: affinity.SameZone, db: []int32{0, 1}, node: 20, zone: 20, region: 80, noZone: true, busiest: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := measureCluster()
			if tc.secondRegion { // of zone b and of n3
				c.Nodes[2].Region, c.Nodes[3].Region = "s", "s"
			}
			for i := range c.Nodes {
				if tc.noZone {
					c.Nodes[i].Zone = ""
				}
			}
			c.Workloads[1].Routing = tc.routing
			assigned := cluster.Assignment{{0, 1, 2, 3}, tc.db}
			local := NewLayout(c, assigned).local(c.Workloads[1].Route, ends{0, 1}, nil)
			if diff := cmp.Diff(byLevel{tc.node / 80, tc.zone / 80, tc.region / 80}, local, about()); diff != "" {
				t.Errorf("what stays (-want +got):\n%s", diff)
			}
			if db := Calls(c, assigned, nil)[1]; !near(db.Busiest, tc.busiest) {
				t.Errorf("the busiest pod of db has %v, want %v", db.Busiest, tc.busiest)
			}
		})
	}
}
