package score

import (
	"testing"

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
