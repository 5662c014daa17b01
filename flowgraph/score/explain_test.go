package score

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

var approx = cmpopts.EquateApprox(1e-9, 1e-9)

// TestExplain builds a Board by hand, asks for a Result, and reads its explanation.
func TestExplain(t *testing.T) {
	o := everyLevel()
	o.Anticipate, o.SignificantRate = true, 300
	s := newScene(t, o)
	s.node("n1", "a", "web", "db", "db")
	s.node("n2", "a", "db")
	s.node("n3", "b", "cart")
	s.board.SetDesired(workload("web"), Desired{Pods: 4})
	s.board.SetDesired(workload("db"), Desired{Pods: 4})
	s.traffic(calls("web", "db", 800), calls("cart", "web", 400))
	result := s.engine.Evaluate(s.request("web", 4))

	got := result.Explain(s.nodes["n1"])
	// A pod of web exchanges (800 + 400)/4 = 300 B/s. Of its 200 B/s with db, 2/4 stay
	// on the node, 3/4 in the zone and in the region; all its calls from cart stay in
	// the region. The steps of the levels are 0.5, 0.4 and 0.1. The pod of db that is to
	// come is expected where web's only pod is.
	want := Explanation{
		Node: "n1",
		Peers: []PeerGain{
			{Peer: workload("db"), Calls: true, Weight: 800, Part: 1, Levels: []LevelGain{
				{locality.Node, 0.5 * 100, 0.5 * 50}, {locality.Zone, 0.4 * 150, 0.4 * 50}, {locality.Region, 0.1 * 150, 0.1 * 50},
			}},
			{Peer: workload("cart"), Weight: 400, Part: 1, Levels: []LevelGain{{locality.Region, 0.1 * 100, 0}}},
		},
		Gain: 135 + 50, Anticipated: 50, Best: 185,
		PodRate: 300, Significance: 0.5, Influence: 1, Basis: ByGain, GainPoints: 50, Points: 50,
	}
	if diff := cmp.Diff(want, got, approx); diff != "" {
		t.Errorf("n1 (-want +got):\n%s", diff)
	}
	far := result.Explain(s.nodes["n3"])
	if far.Gain >= got.Gain || len(far.Vetoes) != 0 || int(far.Points) != s.points(result)["n3"] {
		t.Errorf("n3 is explained as %+v", far)
	}
}

// TestExplainVetoes has each veto act alone.
func TestExplainVetoes(t *testing.T) {
	cases := map[string]struct {
		options func(*Options)
		build   func(*scene)
		want    []VetoReason // on n1
	}{
		"none": {},
		"the node has its share": {
			options: func(o *Options) { o.MaxNodeShare = 0.5 },
			build:   func(s *scene) { s.board.AddPod(s.nodes["n1"], served("web")) },
			want:    []VetoReason{{Veto: VetoShare, Level: locality.Node, Pods: 1, Limit: 1}},
		},
		"the zone has its share": {
			options: func(o *Options) { o.MaxZoneShare = 0.5 },
			build:   func(s *scene) { s.board.AddPod(s.node("n3", "a"), served("web")) },
			want:    []VetoReason{{Veto: VetoShare, Level: locality.Zone, Pods: 1, Limit: 1}},
		},
		"the network": {
			options: func(o *Options) { o.MaxUtilization = 0.5 },
			build: func(s *scene) {
				s.board.SetBandwidth(s.nodes["n1"], 200)
				s.traffic(calls("web", "db", 400), calls("web", "cart", 600))
			},
			// db, on the node, receives 400 from web, of which the pod's 200 stay; to
			// cart it sends 300.
			want: []VetoReason{{Veto: VetoNetwork, Load: 0, Added: 300, Bound: 100}},
		},
		"the room": {
			options: func(o *Options) { o.ReserveRoom, o.SignificantRate = true, 1000 },
			build: func(s *scene) {
				s.board.SetRoom(s.nodes["n1"], Room{2000, 1 << 30, 10}, large)
				s.board.SetDesired(workload("busy"), Desired{Pods: 1, Template: &Template{Requests: Room{1500, 0, 1}}})
				s.traffic(calls("web", "db", 400), calls("busy", "db", 9000))
			},
			want: []VetoReason{{Veto: VetoReserved, Reserved: []Reservation{{
				Workload: workload("busy"), Room: Room{1500, 0, 1}, Density: 9000 / (1500. / 64000), Own: 200 / (1000. / 64000), Significance: 0.9,
			}}}},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			o := everyLevel()
			if test.options != nil {
				test.options(&o)
			}
			s := newScene(t, o)
			s.node("n1", "a", "db")
			s.node("n2", "b", "cart")
			s.board.SetDesired(workload("web"), Desired{Pods: 2})
			s.traffic(calls("web", "db", 400))
			if test.build != nil {
				test.build(s)
			}
			result := s.engine.Evaluate(s.request("web", 2))
			got := result.Explain(s.nodes["n1"])
			if diff := cmp.Diff(test.want, got.Vetoes, approx); diff != "" {
				t.Errorf("vetoes (-want +got):\n%s", diff)
			}
			if got.Gain <= 0 {
				t.Error("the explanation does not say what the node would have gained")
			}
			if points := s.points(result)["n1"]; (points < 10) != (len(test.want) > 0) || points != int(got.Points) {
				t.Errorf("n1 scores %d, explained as %d", points, got.Points)
			}
		})
	}
}

// TestRoutingIsThatOfTheCaller: two namespaces' calls to one workload are divided in two
// ways.
func TestRoutingIsThatOfTheCaller(t *testing.T) {
	s := newScene(t, byNode())
	s.node("n1", "a", "db")
	s.node("n2", "a", "db", "db", "db")
	s.router = router{affinity.Uniform, map[string]affinity.Routing{"shop": affinity.SameNode}}
	s.traffic(calls("web", "db", 400))
	request := s.request("web", 2)
	if got := s.engine.Evaluate(request).Explain(s.nodes["n1"]).Peers[0]; got.Routing != affinity.SameNode || got.Levels[0].Placed != 100 {
		t.Errorf("from its own namespace: %+v, want 100 B/s by SameNode", got)
	}
	other := workload("web")
	other.Namespace = "other"
	edge := calls("web", "db", 400)
	edge.From = other
	s.traffic(edge)
	request.Workload, request.Snapshot = other, s.snap
	if got := s.engine.Evaluate(request).Explain(s.nodes["n1"]).Peers[0]; got.Routing != affinity.Uniform || got.Levels[0].Placed != 50 {
		t.Errorf("from another namespace: %+v, want 50 B/s by Uniform", got)
	}
}
