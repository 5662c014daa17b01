package score

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// TestDeclaredKeepsToReach: an edge that is declared attracts as one that was observed does,
// within the same bounds, and says where it comes from where it may attract.
func TestDeclaredKeepsToReach(t *testing.T) {
	tenants := flowgraph.Reach{Rules: []flowgraph.ReachRule{{From: []string{"shop"}, To: []string{"*"}}}}
	cases := map[string]struct {
		reach    flowgraph.Reach
		declared bool
		want     map[string]int
		informed bool
	}{
		"observed":                        {flowgraph.Reach{}, false, map[string]int{"a": 0, "b": 100}, false},
		"declared":                        {flowgraph.Reach{}, true, map[string]int{"a": 0, "b": 100}, true},
		"tenants attract only themselves": {tenants, true, map[string]int{"a": 100, "b": 0}, false},
		"half of the best gain":           {flowgraph.Reach{MaxForeignShare: 0.5}, true, map[string]int{"a": 100, "b": 50}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := byNode()
			o.SignificantRate = 0
			s := newScene(t, o)
			s.node("a", "1", "api")
			s.board.AddPod(s.node("b", "1"), Pod{Workload: in("tenant", "evil"), Serves: true})
			claim := between(workload("web"), in("tenant", "evil"), 1e12)
			if tc.declared {
				claim.Origin = flowgraph.FromAnnotation
				s.reaching(tc.reach, calls("web", "api", 1e6))
				s.snap = s.snap.With([]flowgraph.Edge{claim})
			} else {
				s.reaching(tc.reach, calls("web", "api", 1e6), claim)
			}
			result := s.engine.Evaluate(s.request("web", 1))
			if diff := cmp.Diff(tc.want, s.points(result)); diff != "" {
				t.Errorf("points (-want +got):\n%s", diff)
			}
			if got := result.Origins.Has(flowgraph.FromAnnotation); got != tc.informed {
				t.Errorf("the annotation has informed the cycle: %v, want %v", got, tc.informed)
			}
		})
	}
}
