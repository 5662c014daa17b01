package score

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// A pod that some nodes admit, and its peers' pods they do not, goes where these can follow.
func TestPodsGoWhereTheirPeersCanFollow(t *testing.T) {
	for _, routing := range []affinity.Routing{affinity.Uniform, affinity.FairLoad} {
		t.Run(routing.String(), func(t *testing.T) {
			o := everyLevel()
			o.Anticipate = true
			s := newScene(t, o)
			s.router.routing = routing
			s.node("dedicated", "a")
			s.node("common", "a")
			s.node("another", "b")
			open := map[string]bool{"common": true, "another": true}
			admits := func(n int32) bool { return open[s.board.nodes[n].name] }
			s.board.SetDesired(workload("cache"), Desired{Pods: 1, Template: &Template{Rules: "tolerates"}})
			s.board.SetDesired(workload("web"), Desired{Pods: 2, Template: &Template{Admits: admits}})
			s.traffic(calls("web", "cache", 1e6))
			check := func(want map[string]int) {
				t.Helper()
				r := s.engine.Evaluate(s.request("cache", 1))
				points := s.points(r)
				for node := range s.nodes {
					if points[node] != want[node] {
						t.Errorf("points %v, want %v", points, want)
						break
					}
					x := r.Explain(s.nodes[node])
					if got := s.engine.gainOn(s.nodes[node]); got != max(x.Gain, 0) {
						t.Errorf("on %s the gain is %v, and explained as %v", node, got, x.Gain)
					}
				}
			}
			check(map[string]int{"dedicated": 0, "common": 100, "another": 100})
			open["dedicated"] = true
			s.board.AlterNode(s.nodes["dedicated"])
			check(nil) // all alike: kube-scheduler decides
			open["dedicated"], open["common"] = false, false
			s.board.AlterNode(s.nodes["dedicated"])
			s.board.AlterNode(s.nodes["common"])
			check(map[string]int{"dedicated": 0, "common": 0, "another": 100})
			s.board.AddPod(s.nodes["another"], served("web"))
			s.board.AddPod(s.nodes["another"], served("web"))
			if r := s.engine.Evaluate(s.request("cache", 1)); r.Explain(s.nodes["common"]).Anticipated > 0 {
				t.Error("nobody is still to come, and is expected")
			}
		})
	}
}

// TestAbsentCandidatesChangeNoScores: a candidate that the Board does not have is no place where
// peers' pods cannot follow.
func TestAbsentCandidatesChangeNoScores(t *testing.T) {
	o := everyLevel()
	o.Anticipate = true
	s := newScene(t, o)
	s.node("a", "1", "web")
	s.node("b", "2")
	everywhere := &Template{Rules: "everywhere", Admits: func(int32) bool { return true }}
	s.board.SetDesired(workload("cache"), Desired{Pods: 1, Template: &Template{Rules: "tolerates"}})
	s.board.SetDesired(workload("web"), Desired{Pods: 2, Template: everywhere})
	s.traffic(calls("web", "cache", 1e6))
	request := s.request("cache", 1)
	want := s.points(s.engine.Evaluate(request))
	request.Candidates = append(request.Candidates, Absent)
	if diff := cmp.Diff(want, s.points(s.engine.Evaluate(request))); diff != "" {
		t.Errorf("points beside a candidate that is not on the Board (-want +got):\n%s", diff)
	}
}

// TestPodsOfUnknownTemplatesGoWhereTheirPeersCanFollow: nobody says what the pods of cache are
// like, so that its candidates are all that is known of where they may run.
func TestPodsOfUnknownTemplatesGoWhereTheirPeersCanFollow(t *testing.T) {
	for name, wanted := range map[string]Desired{"nobody says how many": {}, "nobody says what they are like": {Pods: 1}} {
		t.Run(name, func(t *testing.T) {
			o := everyLevel()
			o.Anticipate = true
			s := newScene(t, o)
			dedicated := s.node("dedicated", "a")
			s.node("common", "a")
			s.board.SetDesired(workload("cache"), wanted)
			s.board.SetDesired(workload("web"), Desired{Pods: 2, Template: &Template{Admits: func(n int32) bool { return n != dedicated }}})
			s.traffic(calls("web", "cache", 1e6))
			got := s.points(s.engine.Evaluate(s.request("cache", 1)))
			if diff := cmp.Diff(map[string]int{"dedicated": 0, "common": 100}, got); diff != "" {
				t.Errorf("points (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCapsLookAtFewNodes: nodes on which nothing but rules tells one from another need no look
// each where the parts of other namespaces are bounded.
func TestCapsLookAtFewNodes(t *testing.T) {
	o := everyLevel()
	o.Anticipate = true
	s := newScene(t, o)
	s.node("peer", "1", "api")
	s.board.AddPod(s.node("foreign", "1"), Pod{Workload: in("tenant", "evil"), Serves: true})
	for i := range 100 {
		s.node(fmt.Sprint("common-", i), "1")
		s.node(fmt.Sprint("dedicated-", i), "1")
	}
	s.board.SetDesired(workload("web"), Desired{Pods: 2, Template: &Template{Rules: "tolerates"}})
	s.board.SetDesired(workload("api"), Desired{Pods: 2, Template: &Template{Admits: func(n int32) bool { return n%2 == 0 }}})
	s.reaching(flowgraph.Reach{MaxForeignShare: 0.5}, calls("web", "api", 1e6), between(workload("web"), in("tenant", "evil"), 1e6))
	r := s.engine.Evaluate(s.request("web", 2))
	if got := len(r.rows()); got != 4 {
		t.Errorf("%d nodes are looked at, want one of each kind: with api, with evil, one that admits api, one that does not", got)
	}
}

// TestGainsByFollowersAddUp: over random clusters whose nodes admit some, what is explained of a
// node is what it gains, no other namespace contributes more than its share, and an engine that
// has scored other pods before gives the points that a new one gives.
func TestGainsByFollowersAddUp(t *testing.T) {
	counted := 0
	for seed := range uint64(600) {
		rng := rand.New(rand.NewPCG(seed, 5))
		o := everyLevel()
		o.Anticipate, o.ReserveRoom = true, rng.IntN(2) == 0
		o.MaxNodeShare, o.MaxZoneShare = []float64{1, 0.66}[rng.IntN(2)], []float64{1, 0.66}[rng.IntN(2)]
		share := []float64{1, 0.1 + 0.8*rng.Float64()}[rng.IntN(2)]
		s, edges := settlement(t, rng, o, 2)
		tainted := map[int32]int{}
		rules := func() *Template {
			k := rng.IntN(4)
			return &Template{Rules: fmt.Sprint(k), Requests: Room{MilliCPU: 1000, Pods: 1}, Admits: func(n int32) bool { return tainted[n]&(1<<k) == 0 }}
		}
		ids := map[flowgraph.WorkloadID]bool{}
		for _, e := range edges {
			ids[e.From], ids[e.To] = true, true
		}
		for _, id := range slices.SortedFunc(maps.Keys(ids), flowgraph.WorkloadID.Compare) {
			s.board.SetDesired(id, Desired{Pods: int32(1 + rng.IntN(6)), Template: rules()})
		}
		s.reaching(flowgraph.Reach{MaxForeignShare: share}, edges...)
		for round := range 4 {
			n := int32(rng.IntN(s.board.Len()))
			tainted[n] = rng.IntN(16)
			s.board.AlterNode(n)
			request := s.request("web", int32(1+rng.IntN(5)))
			fresh := NewEngine(o, s.board, s)
			got, want := s.engine.Evaluate(request), fresh.Evaluate(request)
			if diff := cmp.Diff(s.points(want), s.points(got)); diff != "" && !o.ReserveRoom {
				t.Fatalf("seed %d, round %d: points (-new engine, +old engine):\n%s", seed, round, diff)
			}
			if s.engine.admission.base > 0 {
				counted++
			}
			for n := range int32(s.board.Len()) {
				x := got.Explain(n)
				if gain := s.engine.gainOn(n); len(x.Vetoes) == 0 && math.Abs(gain-max(x.Gain, 0)) > 1e-3+1e-9*x.Gain {
					t.Fatalf("seed %d: the gain is %g, and explained as %g", seed, gain, x.Gain)
				}
				by := map[string]float64{}
				for _, p := range x.Peers {
					for _, l := range p.Levels {
						by[p.Peer.Namespace] += l.Placed + l.Anticipated
					}
				}
				for namespace, gain := range by {
					if share < 1 && namespace != "shop" && len(x.Vetoes) == 0 && x.Gain > 0 && gain > share*x.Best*(1+1e-9)+1e-3 {
						t.Fatalf("seed %d: %s contributes %g of %g, more than %g", seed, namespace, gain, x.Best, share)
					}
				}
			}
		}
	}
	if counted < 300 {
		t.Errorf("followers counted in %d cycles only", counted)
	}
}
