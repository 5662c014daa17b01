package score

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// TestLocal: bytes by hand. A pod of web exchanges (800 + 400)/4 B/s, and 100 requests a
// second that count for nothing here. Of its 200 B/s with db, 2/4 stay on n1 and 3/4 in zone
// a; cart is in zone b.
func TestLocal(t *testing.T) {
	o := everyLevel()
	o.Anticipate, o.RequestBytes, o.MaxNodeShare = true, 1000, 0.5
	s := newScene(t, o)
	s.node("n1", "a", "web", "db", "db")
	s.node("n2", "a", "db")
	s.node("n3", "b", "cart")
	s.board.SetDesired(workload("web"), Desired{Pods: 4})
	s.board.SetDesired(workload("db"), Desired{Pods: 4}) // one is still to come
	toDB := calls("web", "db", 800)
	toDB.RequestsPerSecond = 100
	s.traffic(toDB, calls("cart", "web", 400), calls("web", "gone", 40))
	r := s.engine.Evaluate(s.request("web", 4))
	db := LocalPeer{Peer: workload("db"), Calls: true, Endpoints: 4, Rate: 200}
	cart := LocalPeer{Peer: workload("cart"), Endpoints: 4, Rate: 100}
	on := func(p LocalPeer, node, zone float64) LocalPeer {
		p.Node, p.Zone = node, zone
		return p
	}
	for name, want := range map[string]Local{
		"n1": {Rate: 310, Node: 100, Zone: 150, Peers: []LocalPeer{on(db, 100, 150), cart}},
		"n2": {Rate: 310, Node: 50, Zone: 150, Peers: []LocalPeer{on(db, 50, 150), cart}},
		"n3": {Rate: 310, Node: 100, Zone: 100, Peers: []LocalPeer{on(cart, 100, 100), db}},
	} {
		if diff := cmp.Diff(want, r.Local(s.nodes[name]), approx); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	// Each of two pods calls the other: both ends count. web's first pod on n3 would serve all
	// that cart calls there, of which the other three get their part no more.
	s.traffic(calls("web", "web", 100))
	if got := s.engine.Evaluate(s.request("web", 2)).Local(s.nodes["n1"]); got.Rate != 100 || got.Node != 100 {
		t.Errorf("with itself: %+v", got)
	}
	s.router.routing = affinity.SameNode
	s.traffic(calls("cart", "web", 400))
	if got := s.engine.Evaluate(s.request("web", 4)).Local(s.nodes["n3"]); got.Rate != 100 || got.Node != 100 {
		t.Errorf("the first endpoint: %+v", got)
	}
	s.traffic(calls("cart", "db", 1))
	if got := s.engine.Evaluate(s.request("web", 4)).Local(s.nodes["n1"]); !cmp.Equal(got, Local{}) {
		t.Errorf("without traffic: %+v", got)
	}
}

// TestLocalAfterTheFact: in random clusters under random options, once the pod is on the
// Board the same stays as was said before. Where both the load of networks and the share of
// other namespaces are bounded, it may not: the pod's own load can take a node from those
// against which the share is measured.
func TestLocalAfterTheFact(t *testing.T) {
	some := 0
	for seed := range uint64(1000) {
		rng := rand.New(rand.NewPCG(seed, 12))
		s, r := randomDecision(t, rng)
		if s.engine.options.MaxUtilization > 0 && r.request.Snapshot.Reach().ForeignShare() < 1 {
			continue
		}
		request := *r.request
		for _, name := range slices.Sorted(maps.Keys(s.nodes)) {
			n := s.nodes[name]
			before := s.engine.Evaluate(&request).Local(n)
			pod := Pod{Workload: request.Workload, Revision: request.Revision, Serves: rng.IntN(2) == 0}
			s.board.AddPod(n, pod)
			placed := request
			placed.IsPlaced, placed.On = true, n
			after := s.engine.Evaluate(&placed).Local(n)
			s.board.RemovePod(n, pod)
			if diff := cmp.Diff(before, after, approx); diff != "" {
				t.Fatalf("seed %d, %s (-before +after):\n%s", seed, name, diff)
			}
			if math.IsNaN(before.Rate) || before.Node < 0 || before.Zone < before.Node || before.Rate < before.Zone-1e-6*before.Rate {
				t.Fatalf("seed %d, %s: %+v", seed, name, before)
			}
			if before.Node > 0 {
				some++
			}
		}
	}
	if some < 500 {
		t.Errorf("something stays on %d nodes only", some)
	}
}
