package score

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// in is a workload of any namespace.
func in(namespace, name string) flowgraph.WorkloadID {
	return flowgraph.WorkloadID{Namespace: namespace, Name: name}
}

func between(from, to flowgraph.WorkloadID, bytes float64) flowgraph.Edge {
	return flowgraph.Edge{From: from, To: to, ObservedAt: dataTime, Rates: flowgraph.Rates{SentBytesPerSecond: bytes}}
}

// reaching makes the traffic of a scene with a Reach.
func (s *scene) reaching(reach flowgraph.Reach, edges ...flowgraph.Edge) {
	g := flowgraph.NewGraph(flowgraph.Options{Reach: reach})
	var flows []flowgraph.Flow
	for _, e := range edges {
		flows = append(flows, flowgraph.Flow{From: e.From, To: e.To, Rates: e.Rates, ObservedAt: e.ObservedAt})
	}
	g.Observe(dataTime, flows)
	s.snap = g.Snapshot()
}

// TestReach: web calls api on one node, and a tenant's pod on another claims far more.
func TestReach(t *testing.T) {
	cases := map[string]struct {
		reach flowgraph.Reach
		want  map[string]int
	}{
		"everything counts": {flowgraph.Reach{}, map[string]int{"a": 0, "b": 100, "c": 0}},
		"tenants attract only themselves": {
			flowgraph.Reach{Rules: []flowgraph.ReachRule{{From: []string{"shop"}, To: []string{"*"}}}},
			map[string]int{"a": 100, "b": 0, "c": 0},
		},
		"half of the best gain": {flowgraph.Reach{MaxForeignShare: 0.5}, map[string]int{"a": 100, "b": 50, "c": 0}},
		"a quarter":             {flowgraph.Reach{MaxForeignShare: 0.25}, map[string]int{"a": 100, "b": 25, "c": 0}},
		"all of it":             {flowgraph.Reach{MaxForeignShare: 1}, map[string]int{"a": 0, "b": 100, "c": 0}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := byNode()
			o.SignificantRate = 0
			s := newScene(t, o)
			s.node("a", "1", "api")
			s.board.AddPod(s.node("b", "1"), Pod{Workload: in("tenant", "evil"), Serves: true})
			s.node("c", "1")
			s.reaching(tc.reach, calls("web", "api", 1e6), between(workload("web"), in("tenant", "evil"), 1e12))
			got := s.points(s.engine.Evaluate(s.request("web", 1)))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("points (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOnlyOneOtherNamespaceCountsForNothing with a cap, and for everything without.
func TestOnlyOneOtherNamespaceCountsForNothing(t *testing.T) {
	for share, want := range map[float64]Basis{0.9: ByNothing, 1: ByGain} {
		s := newScene(t, everyLevel())
		s.board.AddPod(s.node("b", "1"), Pod{Workload: in("tenant", "evil"), Serves: true})
		s.reaching(flowgraph.Reach{MaxForeignShare: share}, between(in("tenant", "evil"), workload("web"), 1e6))
		if got := s.engine.Evaluate(s.request("web", 2)).Basis; got != want {
			t.Errorf("with a share of %g the scores rest on %v, want %v", share, got, want)
		}
	}
}

// settlement is a random cluster with pods of web's peers.
func settlement(t *testing.T, rng *rand.Rand, o Options, namespaces int) (*scene, []flowgraph.Edge) {
	s := newScene(t, o)
	s.router.routing = []affinity.Routing{affinity.Uniform, affinity.FairLoad, affinity.SameNode, affinity.SameZone}[rng.IntN(4)]
	for i := range 2 + rng.IntN(8) {
		s.node(fmt.Sprint("n", i), fmt.Sprint("z", rng.IntN(3)))
	}
	var edges []flowgraph.Edge
	for i := range 1 + rng.IntN(6) {
		peer := in("shop", fmt.Sprint("peer-", i))
		if namespaces > 0 && rng.IntN(2) == 0 {
			peer.Namespace = fmt.Sprint("team-", rng.IntN(namespaces))
		}
		edges = append(edges, s.peer(rng, peer, rng.ExpFloat64()*1e6))
	}
	for range rng.IntN(3) {
		s.board.AddPod(int32(rng.IntN(s.board.Len())), served("web"))
	}
	return s, edges
}

// peer places a peer of web, and returns their edge.
func (s *scene) peer(rng *rand.Rand, peer flowgraph.WorkloadID, bytes float64) flowgraph.Edge {
	for range 1 + rng.IntN(3) {
		s.board.AddPod(int32(rng.IntN(s.board.Len())), Pod{Workload: peer, Serves: true})
	}
	s.board.SetDesired(peer, Desired{Pods: int32(1 + rng.IntN(4))})
	if rng.IntN(2) == 0 {
		return between(peer, workload("web"), bytes)
	}
	return between(workload("web"), peer, bytes)
}

// TestForeignShareIsKept: no other namespace contributes more than the share to any
// candidate, and what is explained is what counts.
func TestForeignShareIsKept(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 1))
		o := everyLevel()
		o.Anticipate = rng.IntN(2) == 0
		share := 0.1 + 0.8*rng.Float64()
		s, edges := settlement(t, rng, o, 3)
		s.reaching(flowgraph.Reach{MaxForeignShare: share}, edges...)
		r := s.engine.Evaluate(s.request("web", int32(1+rng.IntN(5))))
		for n := range int32(s.board.Len()) {
			x := r.Explain(n)
			if got := s.engine.gainOn(n); math.Abs(got-max(x.Gain, 0)) > 1e-3+1e-9*x.Gain {
				t.Fatalf("seed %d: the gain is %g, and explained as %g", seed, got, x.Gain)
			}
			by := map[string]float64{}
			for _, p := range x.Peers {
				for _, l := range p.Levels {
					by[p.Peer.Namespace] += l.Placed + l.Anticipated
				}
			}
			for namespace, gain := range by {
				if namespace != "shop" && gain > share*x.Best*(1+1e-9)+1e-3 {
					t.Fatalf("seed %d: %s contributes %g of %g, more than %g", seed, namespace, gain, x.Best, share)
				}
			}
		}
	}
}

// TestPullStaysBelowTheShare: whatever one other namespace claims, and wherever its pods
// are, it moves no score by more than the share of the full range.
func TestPullStaysBelowTheShare(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 2))
		share := 0.1 + 0.8*rng.Float64()
		o := everyLevel()
		o.SignificantRate = 0
		o.Anticipate = rng.IntN(2) == 0
		s, edges := settlement(t, rng, o, 0)
		reach := flowgraph.Reach{MaxForeignShare: share}
		var claims []flowgraph.Edge
		for i := range 1 + rng.IntN(3) {
			claims = append(claims, s.peer(rng, in("tenant", fmt.Sprint("evil-", i)), math.Pow(10, 12*rng.Float64())))
		}
		desired := int32(1 + rng.IntN(5))
		s.reaching(reach, edges...)
		without := s.points(s.engine.Evaluate(s.request("web", desired)))
		s.reaching(reach, append(edges, claims...)...)
		with := s.points(s.engine.Evaluate(s.request("web", desired)))
		if without == nil {
			continue
		}
		for node, points := range with {
			if pull := math.Abs(float64(points - without[node])); pull > math.Ceil(100*share)+1 {
				t.Fatalf("seed %d: %s has %d points instead of %d, by a share of %g", seed, node, points, without[node], share)
			}
		}
	}
}

// TestForeignClaimsMakeNobodySignificant: what one other namespace claims raises the rate of
// a pod up to the share, and so its say over the other plugins.
func TestForeignClaimsMakeNobodySignificant(t *testing.T) {
	for share, want := range map[float64]float64{0.5: 2e6, 0.2: 1.25e6, 1: 1e12 + 1e6} {
		s := newScene(t, everyLevel())
		s.node("a", "1", "api")
		s.board.AddPod(s.node("b", "1"), Pod{Workload: in("tenant", "evil"), Serves: true})
		s.reaching(flowgraph.Reach{MaxForeignShare: share}, calls("web", "api", 1e6), between(workload("web"), in("tenant", "evil"), 1e12))
		r := s.engine.Evaluate(s.request("web", 1))
		if got := r.Explain(0).PodRate; math.Abs(got/want-1) > 1e-6 {
			t.Errorf("with a share of %g the pod's rate is %g, want %g", share, got, want)
		}
	}
}

// TestPartsDoNotDependOnTheOrderOfNamespaces: the same is asked again and again.
func TestPartsDoNotDependOnTheOrderOfNamespaces(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 4))
		s := newScene(t, everyLevel())
		s.node("a", "1", "api")
		edges := []flowgraph.Edge{calls("web", "api", 1e6)}
		for i := range 20 {
			edges = append(edges, s.peer(rng, in(fmt.Sprint("team-", i), "peer"), rng.ExpFloat64()*1e6))
		}
		s.reaching(flowgraph.Reach{MaxForeignShare: 0.05 + 0.2*rng.Float64()}, edges...)
		want := s.engine.Evaluate(s.request("web", 3)).Explain(0)
		for range 10 {
			if diff := cmp.Diff(want, s.engine.Evaluate(s.request("web", 3)).Explain(0)); diff != "" {
				t.Fatalf("seed %d, the second time (-first +second):\n%s", seed, diff)
			}
		}
	}
}
