package score

import (
	"fmt"
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
