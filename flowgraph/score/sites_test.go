package score

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// queries is an edge to a site with so many bytes per second.
func queries(from string, site flowgraph.WorkloadID, bytes float64) flowgraph.Edge {
	return flowgraph.Edge{From: workload(from), To: site, ObservedAt: dataTime, Rates: flowgraph.Rates{SentBytesPerSecond: bytes}}
}

// TestSitesDrawPods has nodes n1 and n2 in zone a and n3 in zone b of region r, and n4 in
// zone c of another one.
func TestSitesDrawPods(t *testing.T) {
	inA, inB, inR := flowgraph.SiteID("db", "r", "a"), flowgraph.SiteID("db", "r", "b"), flowgraph.SiteID("db", "r", "")
	cases := map[string]struct {
		change func(*Options)
		reach  flowgraph.Reach
		router router
		edges  []flowgraph.Edge
		want   map[string]int
	}{
		"to the zone":        {edges: []flowgraph.Edge{queries("web", inB, 100)}, want: map[string]int{"n1": 20, "n2": 20, "n3": 100, "n4": 0}},
		"to the region":      {edges: []flowgraph.Edge{queries("web", inR, 100)}, want: map[string]int{"n1": 100, "n2": 100, "n3": 100, "n4": 0}},
		"where no node is":   {edges: []flowgraph.Edge{queries("web", flowgraph.SiteID("db", "x", "a"), 100)}},
		"also as the caller": {edges: []flowgraph.Edge{{From: inB, To: workload("web"), ObservedAt: dataTime, Rates: flowgraph.Rates{ReceivedBytesPerSecond: 100}}}, want: map[string]int{"n1": 20, "n2": 20, "n3": 100, "n4": 0}},
		"beside a peer": {
			// db, on n1, has 100 bytes: 100, 50 and 10 count for n1, n2 and n3. The site
			// has 300: 30, 30 and 150.
			edges: []flowgraph.Edge{calls("web", "db", 100), queries("web", inB, 300)},
			want:  map[string]int{"n1": 81, "n2": 50, "n3": 100, "n4": 0},
		},
		"however calls are divided": {
			router: router{routing: affinity.SameNode},
			edges:  []flowgraph.Edge{queries("web", inA, 100)}, want: map[string]int{"n1": 100, "n2": 100, "n3": 20, "n4": 0},
		},
		"though no other namespace may": {
			reach: flowgraph.Reach{Rules: []flowgraph.ReachRule{{From: []string{"x"}, To: []string{"y"}}}, MaxForeignShare: 0.2, Isolated: true},
			edges: []flowgraph.Edge{queries("web", inB, 100)}, want: map[string]int{"n1": 20, "n2": 20, "n3": 100, "n4": 0},
		},
		"not by the baseline": {
			change: func(o *Options) { o.NetMARKS, o.Closeness = true, []float64{1, 0, 0} },
			edges:  []flowgraph.Edge{queries("web", inB, 100)},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := everyLevel()
			o.SignificantRate = 0
			if c.change != nil {
				c.change(&o)
			}
			s := newScene(t, o)
			s.router = c.router
			s.node("n1", "a", "db")
			s.node("n2", "a")
			s.node("n3", "b")
			s.nodes["n4"] = s.board.AddNode(Node{Locality: locality.Locality{Node: "n4", Zone: "c", Region: "other"}})
			g := flowgraph.NewGraph(flowgraph.Options{Reach: c.reach})
			var flows []flowgraph.Flow
			for _, e := range c.edges {
				flows = append(flows, flowgraph.Flow{From: e.From, To: e.To, Rates: e.Rates, ObservedAt: dataTime})
			}
			g.Observe(dataTime, flows)
			s.snap = g.Snapshot()
			result := s.engine.Evaluate(s.request("web", 1))
			if diff := cmp.Diff(c.want, s.points(result)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for node, points := range s.points(result) {
				if x := result.Explain(s.nodes[node]); int(x.Points) != points || points > 0 && x.Gain < x.Best*float64(points)/100-1e-9 {
					t.Errorf("%s has %d points, and is explained as %+v", node, points, x)
				}
			}
		})
	}
}

// TestSitesAreWhereNodesAre adds the only node in the zone of a site, and takes it away again,
// while the graph stays the same.
func TestSitesAreWhereNodesAre(t *testing.T) {
	o := everyLevel()
	o.SignificantRate = 0
	s := newScene(t, o)
	s.node("n1", "a")
	s.traffic(queries("web", flowgraph.SiteID("db", "", "b"), 100))
	check := func(when string, want map[string]int) {
		t.Helper()
		if diff := cmp.Diff(want, s.points(s.engine.Evaluate(s.request("web", 1)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
		if apart := s.board.SitesApart(s.snap); (apart == 0) != (want != nil) {
			t.Errorf("%s %d sites are apart", when, apart)
		}
	}
	check("without a node in the zone", nil)
	n2 := s.node("n2", "b")
	check("with one", map[string]int{"n1": 20, "n2": 100})
	s.board.MoveNode(n2, Node{Locality: locality.Locality{Node: "n2", Zone: "c", Region: "r"}})
	check("when it has moved", nil)
	s.board.MoveNode(n2, Node{Locality: locality.Locality{Node: "n2", Zone: "b", Region: "r"}})
	s.board.RemoveNode(n2)
	delete(s.nodes, "n2")
	check("when it has left", nil)
}

// TestSitesInform: an inherited edge with a site has a part in the score, and says so.
func TestSitesInform(t *testing.T) {
	for _, baseline := range []bool{false, true} {
		o := everyLevel()
		o.SignificantRate = 0
		if o.NetMARKS = baseline; baseline {
			o.Closeness = []float64{1, 0, 0}
		}
		s := newScene(t, o)
		s.node("n1", "a")
		s.node("n2", "b")
		edge := queries("web", flowgraph.SiteID("db", "r", "a"), 100)
		edge.Origin = flowgraph.Inherited
		s.traffic(calls("web", "gone", 1))
		s.snap = s.snap.With([]flowgraph.Edge{edge})
		r := s.engine.Evaluate(s.request("web", 1))
		if got := r.Origins.Has(flowgraph.Inherited); got == baseline {
			t.Errorf("baseline %v: the site has informed the cycle: %v", baseline, got)
		}
	}
}
