package score

import (
	"fmt"
	"math"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// Where all peers are still to come, and calls are divided by fair load, they can follow the
// pods wherever these are: no node is better than another, whatever the numbers of replicas
// are, also not by what is left of a difference when fractions are rounded.
func TestPeersThatComeFollowAnywhere(t *testing.T) {
	for replicas := int32(2); replicas <= 12; replicas++ {
		for peers := replicas; peers <= 36; peers += replicas { // otherwise shares are not level
			t.Run(fmt.Sprintf("%d pods, a peer of %d", replicas, peers), func(t *testing.T) {
				o := everyLevel()
				o.Anticipate = true
				s := newScene(t, o)
				s.router.routing = affinity.FairLoad
				for n := range 6 {
					s.node(fmt.Sprint("n", n), fmt.Sprint("z", n%3))
				}
				s.board.SetDesired(workload("web"), Desired{Pods: replicas})
				s.board.SetDesired(workload("db"), Desired{Pods: peers})
				s.traffic(calls("web", "db", 1e6/3))
				for placed := range replicas {
					r := s.engine.Evaluate(s.request("web", replicas))
					if r.Basis != ByNothing {
						t.Fatalf("pod %d: points %v, by %v", placed+1, s.points(r), r.Basis)
					}
					s.board.AddPod(placed%6, served("web"))
				}
			})
		}
	}
}

// Three pods each in three zones, under fair load: one in each zone is what kube-scheduler
// does, and keeps all calls in their zones. A second pod in a zone, beside a peer that is
// there by chance, would leave the pods of other peers behind.
func TestZonesAreFilledEvenly(t *testing.T) {
	for _, test := range []struct {
		name   string
		peers  int32 // pods that each of two other peers wants
		zone   string
		answer string // the better of two nodes
	}{
		{"peers that can be in every zone", 3, "z0", "elsewhere"},
		{"peers that are too few", 1, "z0", "beside"},
		{"the other zone", 3, "z1", "beside"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := everyLevel()
			o.Anticipate = true
			s := newScene(t, o)
			s.router.routing = affinity.FairLoad
			s.node("first", "z0", "web")
			s.node("beside", test.zone, "cart")
			s.node("elsewhere", "z2")
			s.node("other", "z1")
			for _, peer := range []string{"api", "db"} {
				s.board.SetDesired(workload(peer), Desired{Pods: test.peers})
			}
			s.board.SetDesired(workload("cart"), Desired{Pods: 3})
			s.board.SetDesired(workload("web"), Desired{Pods: 3})
			s.traffic(calls("web", "cart", 1e5), calls("api", "web", 1e6), calls("web", "db", 1e6))
			points := s.points(s.engine.Evaluate(s.request("web", 3)))
			better := "elsewhere" // where none is, kube-scheduler spreads the pods
			if points["beside"] > points["elsewhere"] {
				better = "beside"
			}
			if better != test.answer {
				t.Errorf("%s is better, want %s: %v", better, test.answer, points)
			}
		})
	}
}

// TestEvenPart is of three zones.
func TestEvenPart(t *testing.T) {
	s := newScene(t, everyLevel())
	for _, zone := range []string{"a", "b", "c"} {
		s.node("in-"+zone, zone)
	}
	for pods, want := range map[int32]int32{2: 0, 3: 1, 4: 2, 6: 2, 7: 3, math.MaxInt32: 715827883} {
		if got := s.engine.zones.evenPart(pods); got != want {
			t.Errorf("an even part of %d pods is %d, want %d", pods, got, want)
		}
		if got := s.engine.node.evenPart(pods); got != 0 {
			t.Errorf("an even part of %d pods on a node is %d, want none", pods, got)
		}
	}
}
