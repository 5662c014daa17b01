package cuttest

import (
	"math"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

var (
	web = flowgraph.WorkloadID{Namespace: "shop", Name: "web"}
	db  = flowgraph.WorkloadID{Namespace: "shop", Name: "db"}
	a1  = locality.Locality{Node: "a1", Zone: "a", Region: "r"}
	a2  = locality.Locality{Node: "a2", Zone: "a", Region: "r"}
	b1  = locality.Locality{Node: "b1", Zone: "b", Region: "r"}
)

func snapshot() *flowgraph.Snapshot {
	return flowgraph.NewSnapshot(1, time.Unix(0, 0), []flowgraph.Edge{
		{From: web, To: db, Rates: flowgraph.Rates{SentBytesPerSecond: 60, ReceivedBytesPerSecond: 40}},
		{From: db, To: db, Rates: flowgraph.Rates{SentBytesPerSecond: 30}},
	})
}

func assignment() *Assignment {
	a := NewAssignment(nil)
	a.Add(web, a1, 1)
	a.Add(web, b1, 1)
	a.Add(db, a1, 1)
	a.Add(db, a2, 1)
	a.Add(db, b1, 1)
	return a
}

func TestMeasure(t *testing.T) {
	cases := map[string]struct {
		routing affinity.Routing
		level   locality.Level
		want    float64
	}{
		// web 1/2 on a1 and b1, db 1/3 each: 100 (1/6 + 1/6); no db pair shares a node.
		"node, uniform":   {affinity.Uniform, locality.Node, 100.0 / 3},
		"node, fair load": {affinity.FairLoad, locality.Node, 200.0/3 + 30},
		// Zone a: web 1/2, db 2/3; zone b: 1/2, 1/3. db pairs within a: 2 of 6 x 30.
		"zone, uniform":   {affinity.Uniform, locality.Zone, 50 + 10},
		"zone, fair load": {affinity.FairLoad, locality.Zone, 50 + 100.0/3 + 30},
		"region, uniform": {affinity.Uniform, locality.Region, 130},
		// Both callers have a db on their nodes; by zone, a has two and b one.
		"node, same node": {affinity.SameNode, locality.Node, 100},
		"node, same zone": {affinity.SameZone, locality.Node, 25 + 50},
		"zone, same zone": {affinity.SameZone, locality.Zone, 100 + 10},
		// As by same node: nobody has to look further.
		"zone, same node or any": {affinity.SameNodeOrAny, locality.Zone, 100 + 10},
		// Each caller sends a fifth to the zone of the other.
		"node, 80 % in the zone": {affinity.ZoneShare(80), locality.Node, 20 + 40},
		"zone, 80 % in the zone": {affinity.ZoneShare(80), locality.Zone, 80 + 10},
		// Zone b has 1/3 of the endpoints for 1/2 of the calls, of which it keeps 2/3.
		"node, fair zone":          {affinity.FairZone(3), locality.Node, 25 + 100.0/3},
		"zone, fair zone":          {affinity.FairZone(3), locality.Zone, 50 + 100.0/3 + 10},
		"node, too few endpoints":  {affinity.FairZone(4), locality.Node, 100.0 / 3},
		"region, 80 % in the zone": {affinity.ZoneShare(80), locality.Region, 130},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := Measure(snapshot(), assignment(), c.routing, c.level)
			if math.Abs(got.Local-c.want) > 1e-6 || got.Total != 130 {
				t.Errorf("%v of %v stay, want %v of 130", got.Local, got.Total, c.want)
			}
			if math.Abs(got.Crossing()+got.Local-got.Total) > 1e-9 || math.Abs(got.Share()-(130-c.want)/130) > 1e-6 {
				t.Errorf("crossing %v, share %v", got.Crossing(), got.Share())
			}
		})
	}
}

// TestPreferencesThatNobodyMeets has no db in zone b, and a caller without a zone.
func TestPreferencesThatNobodyMeets(t *testing.T) {
	c1 := locality.Locality{Node: "c1", Zone: "c", Region: "s"}
	stray := locality.Locality{Node: "d1", Region: "s"}
	a := NewAssignment(map[flowgraph.WorkloadID]int32{web: 4, db: 4})
	for _, at := range []locality.Locality{a1, b1, stray} { // one more is not placed
		a.Add(web, at, 1)
	}
	for _, at := range []locality.Locality{a2, a2, c1} {
		a.Add(db, at, 1)
	}
	// a1 calls a2 twice over; b1 and d1 call all of 4, of which one is missing.
	const self = 30.0 * 2 / 12 // at every level
	for level, want := range map[locality.Level]float64{locality.Node: 0, locality.Zone: 25, locality.Region: 25 + 25*2/4.0 + 25*1/4.0} {
		for _, routing := range []affinity.Routing{affinity.SameNode, affinity.SameZone} {
			if got := Measure(snapshot(), a, routing, level).Local - self; math.Abs(got-want) > 1e-6 {
				t.Errorf("%v, %v: %v stay, want %v", routing, level, got, want)
			}
		}
	}
}

func TestDelta(t *testing.T) {
	a := assignment()
	before := Measure(snapshot(), a, affinity.Uniform, locality.Node)
	got := Delta(snapshot(), a, Move{Workload: db, From: a2, To: b1}, affinity.Uniform, locality.Node)
	// db 2/3 on b1: 100 (1/6 + 2/6) + self 2 of 6 x 30.
	if want := 50 + 10 - 100.0/3; math.Abs(got-want) > 1e-6 {
		t.Errorf("the move gains %v, want %v", got, want)
	}
	if after := Measure(snapshot(), a, affinity.Uniform, locality.Node); after != before {
		t.Errorf("Delta left the assignment changed: %v, was %v", after, before)
	}
}
