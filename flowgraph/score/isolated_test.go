package score

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// TestIsolatedNamespacesKeepNoRoomFromEachOther: web calls api on a node with room for two
// pods, which another workload wants too and would make far more of.
func TestIsolatedNamespacesKeepNoRoomFromEachOther(t *testing.T) {
	cases := map[string]struct {
		isolated bool
		other    string // namespace of those who wait
		want     map[string]int
	}{
		"of the same namespace":               {false, "shop", map[string]int{"a": 0, "b": 100}},
		"of another":                          {false, "tenant", map[string]int{"a": 0, "b": 100}},
		"of the same one, isolated":           {true, "shop", map[string]int{"a": 0, "b": 100}},
		"of another one, isolated from web's": {true, "tenant", map[string]int{"a": 100, "b": 0}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := byNode()
			o.SignificantRate, o.ReserveRoom = 0, true
			s := newScene(t, o)
			a := s.node("a", "1", "api")
			s.board.AddPod(a, Pod{Workload: in(tc.other, "store"), Serves: true})
			s.board.SetRoom(a, Room{MilliCPU: 2000, Memory: 1 << 30, Pods: 2}, large)
			s.node("b", "1")
			s.board.SetDesired(in(tc.other, "waiting"), Desired{Pods: 2, Template: &Template{Requests: Room{MilliCPU: 1000, Pods: 1}}})
			s.reaching(flowgraph.Reach{Isolated: tc.isolated},
				calls("web", "api", 1000), between(in(tc.other, "waiting"), in(tc.other, "store"), 1e9))
			result := s.engine.Evaluate(s.request("web", 1))
			if diff := cmp.Diff(tc.want, s.points(result)); diff != "" {
				t.Errorf("points (-want +got):\n%s", diff)
			}
			vetoed := len(result.Explain(a).Vetoes) > 0
			if want := tc.want["a"] == 0; vetoed != want {
				t.Errorf("vetoes on a: %v, want any: %v", result.Explain(a).Vetoes, want)
			}
		})
	}
}

// TestIsolatedSignificanceIsFixed: what others exchange does not matter, unless nothing is
// isolated. A rate that is named counts.
func TestIsolatedSignificanceIsFixed(t *testing.T) {
	elephants := between(in("tenant", "elephant"), in("tenant", "mate"), 1e12)
	cases := map[string]struct {
		isolated bool
		rate     float64 // named
		edges    []flowgraph.Edge
		want     int
	}{
		"isolated":                   {true, -1, nil, 50},
		"isolated, beside elephants": {true, -1, []flowgraph.Edge{elephants}, 50},
		"isolated, with a rate":      {true, 3 * FixedRate, []flowgraph.Edge{elephants}, 25},
		"compared with api":          {false, -1, nil, 100},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := byNode()
			o.SignificantRate = tc.rate
			s := newScene(t, o)
			s.node("a", "1", "api", "web")
			for _, name := range []string{"elephant", "mate"} {
				s.board.AddPod(s.node("b", "1"), Pod{Workload: in("tenant", name), Serves: true})
			}
			s.reaching(flowgraph.Reach{Isolated: tc.isolated}, append(tc.edges, calls("web", "api", FixedRate))...)
			result := s.engine.Evaluate(s.request("web", 1))
			if got := int(result.Best); got != tc.want {
				t.Errorf("the best node has %d points, want %d", got, tc.want)
			}
		})
	}
}

// TestIsolationOutlastsNumbers: a promise stands for some cycles where there is much to do. Its
// workload's number may be another namespace's then.
func TestIsolationOutlastsNumbers(t *testing.T) {
	o := byNode()
	o.SignificantRate, o.ReserveRoom = 0, true
	s := newScene(t, o)
	a := s.node("a", "1", "api")
	s.board.AddPod(a, Pod{Workload: in("tenant", "store"), Serves: true})
	s.board.SetRoom(a, Room{MilliCPU: 2000, Memory: 1 << 30, Pods: 2}, large)
	s.node("b", "1")
	edges := []flowgraph.Edge{calls("web", "api", 1000), between(in("tenant", "waiting"), in("tenant", "store"), 1e9)}
	s.board.SetDesired(in("tenant", "waiting"), Desired{Pods: 2, Template: &Template{Requests: Room{MilliCPU: 1000, Pods: 1}}})
	s.reaching(flowgraph.Reach{Isolated: true}, edges...)
	s.engine.Evaluate(s.request("web", 1))
	if len(s.engine.PromisesOn(a)) == 0 {
		t.Fatal("nothing is promised: the test shows nothing")
	}
	s.board.SetDesired(in("tenant", "waiting"), Desired{})
	for i := range mostWork { // the first has the number
		s.board.SetDesired(workload(fmt.Sprint("another-", i)), Desired{Pods: 1})
	}
	s.reaching(flowgraph.Reach{Isolated: true}, edges...)
	got := s.points(s.engine.Evaluate(s.request("web", 1)))
	if len(s.engine.PromisesOn(a)) == 0 {
		t.Fatal("nothing is promised any more: the test shows nothing")
	}
	if diff := cmp.Diff(map[string]int{"a": 100, "b": 0}, got); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
}
