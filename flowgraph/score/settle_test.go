package score

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// TestSettle: in a cluster that is too large for one cycle, what is found right after Settle is what
// is found after many cycles, and not what the first one finds.
func TestSettle(t *testing.T) {
	build := func() *scene {
		rng := rand.New(rand.NewPCG(1, 1))
		o := everyLevel()
		o.Anticipate, o.ReserveRoom, o.SignificantRate, o.MaxUtilization = true, true, -1, 0.5
		s := newScene(t, o)
		var edges []flowgraph.Edge
		for i := range 2 * mostReferred {
			name := fmt.Sprintf("w%04d", i)
			s.board.SetDesired(workload(name), Desired{Pods: 2, Template: &Template{Requests: Room{MilliCPU: 2000, Pods: 1}}})
			edges = append(edges, calls(name, fmt.Sprintf("w%04d", rng.IntN(i+1)), 1e3*rng.ExpFloat64()), calls(name, "web", 1e5*rng.ExpFloat64()))
		}
		for i := range 4 * mostLoads {
			n := s.node(fmt.Sprint("n", i), fmt.Sprint("z", i%3), fmt.Sprintf("w%04d", rng.IntN(2*mostReferred)), fmt.Sprintf("w%04d", rng.IntN(2*mostReferred)))
			s.board.SetRoom(n, Room{MilliCPU: 3000, Memory: 1 << 30, Pods: 10}, large)
			s.board.SetBandwidth(n, 1e5*rng.ExpFloat64())
		}
		s.traffic(edges...)
		return s
	}
	settled := build()
	request := settled.request("web", 3)
	settled.engine.Settle(request)
	got := settled.points(settled.engine.Evaluate(request))

	stepwise := build()
	request = stepwise.request("web", 3)
	first := stepwise.points(stepwise.engine.Evaluate(request))
	for range 500 {
		stepwise.engine.Evaluate(request)
	}
	want := stepwise.points(stepwise.engine.Evaluate(request))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("points (-after many cycles +after Settle):\n%s", diff)
	}
	if cmp.Equal(first, want) {
		t.Error("the first cycle finds the same: the test says nothing")
	}
}
