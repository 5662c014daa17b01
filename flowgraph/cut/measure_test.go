package cut

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// about compares sums that were added up in another order.
func about() cmp.Option { return cmpopts.EquateApprox(1e-9, 1e-9) }

// measureCluster is n0 and n1 in zone a, n2 in zone b, n3 without a zone, all of
// region r; web (4 pods) calls db (2 pods, routed by same node), db calls itself,
// and both ends of the outside are there.
func measureCluster() *cluster.Cluster {
	node := func(name, zone string) cluster.Node {
		return cluster.Node{
			Locality:    locality.Locality{Node: name, Zone: zone, Region: "r"},
			Allocatable: cluster.Resources{MilliCPU: 1000, Memory: 8000}, MaxPods: 10,
		}
	}
	id := func(name string) flowgraph.WorkloadID { return flowgraph.WorkloadID{Namespace: "shop", Name: name} }
	edge := func(from, to string, sent, received float64) flowgraph.Edge {
		return flowgraph.Edge{From: id(from), To: id(to), Rates: flowgraph.Rates{SentBytesPerSecond: sent, ReceivedBytesPerSecond: received}}
	}
	return &cluster.Cluster{
		Nodes: []cluster.Node{node("n0", "a"), node("n1", "a"), node("n2", "b"), node("n3", "")},
		Workloads: []cluster.Workload{
			{ID: id("web"), Replicas: 4, Requests: cluster.Resources{MilliCPU: 100, Memory: 1000}},
			{ID: id("db"), Replicas: 2, Requests: cluster.Resources{MilliCPU: 300, Memory: 500}, Route: cluster.Route{Routing: affinity.SameNode}},
		},
		Edges: []flowgraph.Edge{
			edge("web", "db", 60, 20), edge("db", "db", 10, 0), edge("internet", "web", 5, 5), edge("db", "backup", 4, 0),
		},
	}
}

// level is what stays within a level of measureCluster, whose only callee is
// routed by same node.
func level(l locality.Level, uniform, fairLoad, sameNode float64) LevelOutcome {
	return LevelOutcome{Level: l, Local: [modelCount]float64{uniform, fairLoad, sameNode, sameNode}}
}

func TestMeasure(t *testing.T) {
	cases := map[string]struct {
		assigned cluster.Assignment
		want     []LevelOutcome
		hotspot  Hotspot
		missing  int
		// unknownZone and unserved are bytes per second.
		unknownZone, unserved float64
	}{
		"all over the place": {
			assigned: cluster.Assignment{{0, 0, 1, 2}, {0, 3}},
			want: []LevelOutcome{
				level(locality.Node, 80*0.5*0.5+5, 80*0.5+10, 80*0.5+10),
				level(locality.Zone, 80*0.75*0.5+5, 80*0.5+10, 80*0.75+10),
				level(locality.Region, 90, 90, 90),
			},
			// Half of what web calls from n2 goes to n3.
			unknownZone: 10,
			// db on n0 has the calls of the three web in its zone, half of the other's,
			// and its own.
			hotspot: Hotspot{Workload: 1, Node: 0, Load: (60 + 10 + 5) / 45.0},
		},
		"what stays on a node without a zone stays in its zone": {
			assigned: cluster.Assignment{{3, 3, 3, 3}, {3, 3}},
			want: []LevelOutcome{
				level(locality.Node, 90, 90, 90), level(locality.Zone, 90, 90, 90), level(locality.Region, 90, 90, 90),
			},
			hotspot: Hotspot{Workload: 0, Node: 3, Load: 1},
		},
		"two pods are missing: calls go to those that serve": {
			assigned: cluster.Assignment{{1, 1, 2}, {1}},
			want: []LevelOutcome{
				level(locality.Node, 80*2/3.0+10, 80*2/3.0+10, 80*2/3.0+10),
				level(locality.Zone, 80*2/3.0+10, 80*2/3.0+10, 80*2/3.0+10),
				level(locality.Region, 90, 90, 90),
			},
			hotspot: Hotspot{Workload: 0, Node: 1, Load: 1},
			missing: 2,
		},
		"a surplus serves": {
			assigned: cluster.Assignment{{0, 0, 0, 0, 1, 1, 1, 1}, {0, 0, 2, 2}},
			want: []LevelOutcome{
				level(locality.Node, 80*0.25+5, 80*0.5+10, 80*0.5+10),
				level(locality.Zone, 80*0.5+5, 80*0.5+10, 80+10),
				level(locality.Region, 90, 90, 90),
			},
			hotspot: Hotspot{Workload: 1, Node: 0, Load: 85 / 45.0},
		},
		"nothing is placed": {
			assigned: cluster.Assignment{nil, nil},
			want:     []LevelOutcome{level(locality.Node, 0, 0, 0), level(locality.Zone, 0, 0, 0), level(locality.Region, 0, 0, 0)},
			hotspot:  Hotspot{Workload: Outside, Node: Outside},
			missing:  6, unserved: 90,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := Measure(measureCluster(), c.assigned, nil)
			want := *got
			want.Total, want.External, want.Unserved, want.Levels, want.Hotspot = 104, 14, c.unserved, c.want, c.hotspot
			want.Levels[1].Unknown, want.Levels[1].Incomplete = c.unknownZone, true
			want.Placed, want.Missing = len(c.assigned[0])+len(c.assigned[1]), c.missing
			if diff := cmp.Diff(&want, got, about()); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfiguredTakesTheCalleesRouting(t *testing.T) {
	c := measureCluster()
	assigned := cluster.Assignment{{0, 1, 2, 3}, {0, 1}}
	for _, m := range []Model{Uniform, FairLoad, SameNode} {
		c.Workloads[1].Route = m.route(cluster.Route{Routing: affinity.SameZone})
		c.Workloads[0].Routing = affinity.FairLoad // the caller's counts for nothing
		l, _ := Measure(c, assigned, nil).Level(locality.Node)
		if math.Abs(l.Local[Configured]-l.Local[m]) > 1e-9 {
			t.Errorf("configured as %v, %v stay local, want %v", m, l.Local[Configured], l.Local[m])
		}
	}
}

func TestLevelsThatNoNodeKnowsAreAbsent(t *testing.T) {
	c := measureCluster()
	for i := range c.Nodes {
		c.Nodes[i].Zone, c.Nodes[i].Region = "", ""
	}
	o := Measure(c, cluster.Assignment{{0}, {0}}, nil)
	for l, want := range map[locality.Level]bool{locality.Node: true, locality.Zone: false, locality.Region: false} {
		if _, ok := o.Level(l); ok != want {
			t.Errorf("level %v is there: %v, want %v", l, ok, want)
		}
	}
	if o.LocalShare(locality.Zone, Uniform) != 0 || o.Crossing(locality.Zone, Uniform) != o.Total {
		t.Error("something stays within a zone that nobody knows")
	}
}

func TestNoTraffic(t *testing.T) {
	c := measureCluster()
	c.Edges = nil
	o := Measure(c, cluster.Assignment{{0, 0, 0, 0}, {1, 1}}, nil)
	if share := o.LocalShare(locality.Node, Uniform); share != 0 || o.Hotspot.Workload != Outside {
		t.Errorf("local share %v, hotspot %+v", share, o.Hotspot)
	}
}

func TestBalance(t *testing.T) {
	c := measureCluster()
	// CPU: n0 200 + 300, n1 0, n2 100, n3 100 + 300 of 1000. Memory: 2500, 0,
	// 1000, 1500 of 8000.
	o := Measure(c, cluster.Assignment{{0, 0, 2, 3}, {0, 3}}, nil)
	spreadOf := func(v ...float64) float64 {
		var mean, squares float64
		for _, x := range v {
			mean += x / float64(len(v))
		}
		for _, x := range v {
			squares += (x - mean) * (x - mean) / float64(len(v))
		}
		return math.Sqrt(squares)
	}
	// The 95th percentile is 300 of CPU (db's) and 1000 of memory (web's).
	want := Balance{CPUDeviation: spreadOf(50, 0, 10, 40), MemoryDeviation: spreadOf(31.25, 0, 12.5, 18.75), Headroom: 1 + 3 + 3 + 2}
	if diff := cmp.Diff(want, o.Balance, about()); diff != "" {
		t.Errorf("balance (-want +got):\n%s", diff)
	}
	c.Nodes[2].MaxPods = 2
	c.Nodes[3].Allocatable.Memory = 2500
	if got := Measure(c, cluster.Assignment{{0, 0, 2, 3}, {0, 3}}, nil).Headroom; got != 1+3+1+1 {
		t.Errorf("headroom %d, want 6 with 2 pods at most on n2 and less memory on n3", got)
	}
	c.Nodes[0].Allocatable.MilliCPU = 100 // overfull by more than one pod
	if got := Measure(c, cluster.Assignment{{0, 0, 2, 3}, {0, 3}}, nil).Headroom; got != 0+3+1+1 {
		t.Errorf("headroom %d, want 5 with n0 overfull", got)
	}
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	for n, want := range map[int64]int64{0: 0, 1: 1, 19: 19, 20: 19, 21: 20, 100: 95, 101: 96} {
		var values []int64
		for i := range n {
			values = append(values, n-i)
		}
		if got := percentile(values); got != want {
			t.Errorf("the 95th percentile of 1 to %d is %d, want %d", n, got, want)
		}
	}
}

func TestSpread(t *testing.T) {
	repeat := func(counts ...int) (nodes []int32) {
		for n, count := range counts {
			for range count {
				nodes = append(nodes, int32(n))
			}
		}
		return nodes
	}
	cases := map[string]struct {
		web, db []int32
		fixed   bool
		want    Spread
	}{
		"together":                  {web: repeat(0, 2), db: repeat(1), want: Spread{MultiReplica: 1, Concentrated: 1}},
		"apart":                     {web: repeat(1, 1), db: repeat(0, 2), want: Spread{MultiReplica: 2, Concentrated: 1}},
		"fixed":                     {web: repeat(9, 0), db: repeat(1, 1), fixed: true, want: Spread{MultiReplica: 1}},
		"a node 3 above an empty":   {web: repeat(3), want: Spread{MultiReplica: 1, Concentrated: 1}},
		"a node 4 above an empty":   {web: repeat(4), want: Spread{MultiReplica: 1, Concentrated: 1, NodesOverSkew: 1}},
		"two nodes 4 above another": {web: repeat(5, 5, 1, 2), want: Spread{MultiReplica: 1, NodesOverSkew: 2, ZonesOverSkew: 1}},
		"a zone 5 above another":    {web: repeat(3, 3, 1), want: Spread{MultiReplica: 1}},
		"a zone 6 above another":    {web: repeat(3, 3), want: Spread{MultiReplica: 1, ZonesOverSkew: 1}},
		"no zone is no zone":        {web: repeat(0, 0, 0, 9), want: Spread{MultiReplica: 1, Concentrated: 1, NodesOverSkew: 1}},
		"nothing placed":            {want: Spread{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := measureCluster()
			c.Workloads[0].Fixed = tc.fixed
			if diff := cmp.Diff(tc.want, Measure(c, cluster.Assignment{tc.web, tc.db}, nil).Spread); diff != "" {
				t.Errorf("spread (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNothingCrossesForRounding: shares of sixths do not add up to 1 exactly.
func TestNothingCrossesForRounding(t *testing.T) {
	c := measureCluster()
	c.Edges = c.Edges[:1]
	c.Nodes[3].Zone = "c"
	o := Measure(c, cluster.Assignment{{0, 0, 0, 0, 1, 2}, {0, 1, 2}}, nil)
	for _, level := range []locality.Level{locality.Node, locality.Zone} {
		if crossing, share := o.Crossing(level, Configured), o.LocalShare(level, Configured); crossing != 0 || share != 1 || o.CrossingBetween(level) != 0 {
			t.Errorf("%v: %v cross, %v stays, want none and all", level, crossing, share)
		}
	}
}
