package score

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// TestExplanationsAddUp: in random clusters under random options, what an explanation says
// of peers and levels is the gain, and what it says of gain and room are the points.
func TestExplanationsAddUp(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 11))
		s, r := randomDecision(t, rng)
		for name, n := range s.nodes {
			x := r.Explain(n)
			what := fmt.Sprintf("seed %d, %s: %+v", seed, name, x)
			var gain, anticipated float64
			for _, p := range x.Peers {
				for _, l := range p.Levels {
					gain += l.Placed + l.Anticipated
					anticipated += l.Anticipated
				}
			}
			close := func(a, b float64) bool { return math.Abs(a-b) <= 1e-3+1e-6*math.Abs(b) }
			if !close(gain, x.Gain) || !close(anticipated, x.Anticipated) {
				t.Fatalf("the peers' gains are %g, of it anticipated %g: %s", gain, anticipated, what)
			}
			counts := max(x.Gain, 0)
			if len(x.Vetoes) > 0 {
				counts = 0
			}
			points := x.RoomPoints
			if x.Basis == ByGain {
				points += 100 * x.Significance * x.Influence * counts / x.Best
			}
			if x.Basis != ByNothing && s.isCandidate(r, n) && !(math.Abs(points-float64(x.Points)) <= 0.5+1e-3) {
				t.Fatalf("gain and room make %g points: %s", points, what)
			}
			if x.Basis != ByNothing && int(x.Points) != s.points(r)[name] {
				t.Fatalf("the score is %d: %s", s.points(r)[name], what)
			}
			if sum := x.GainPoints + x.RoomPoints; x.RoomPoints < 0 || x.GainPoints < 0 || s.isCandidate(r, n) && sum > 100+1e-6 {
				t.Fatalf("points are out of range: %s", what)
			}
			seen[x.Basis.String()]++
			for _, v := range x.Vetoes {
				seen[v.Veto.String()]++
			}
			for _, p := range x.Peers {
				if p.Part < 1 {
					seen["part"]++
				}
			}
			if x.Anticipated != 0 {
				seen["anticipated"]++
			}
		}
	}
	for _, what := range []string{"gain", "room", "nothing", "share", "network", "reserved", "part", "anticipated"} {
		if seen[what] < 20 {
			t.Errorf("%q was there %d times only: %v", what, seen[what], seen)
		}
	}
}

func (s *scene) isCandidate(r *Result, n int32) bool {
	for _, c := range r.request.Candidates {
		if c == n {
			return true
		}
	}
	return false
}

// randomDecision evaluates a pod of web in a random cluster.
func randomDecision(t *testing.T, rng *rand.Rand) (*scene, *Result) {
	o := everyLevel()
	o.Anticipate = rng.IntN(2) == 0
	o.ReserveRoom = o.Anticipate && rng.IntN(2) == 0
	o.SignificantRate = []float64{-1, 0, 1e5}[rng.IntN(3)]
	o.RequestBytes = 1024
	if rng.IntN(3) == 0 {
		o.MaxNodeShare, o.MaxZoneShare = 0.34, 0.67
	}
	if rng.IntN(3) == 0 {
		o.MaxUtilization = 0.5
	}
	s, edges := settlement(t, rng, o, rng.IntN(3))
	for n := range int32(s.board.Len()) {
		s.board.SetBandwidth(n, rng.ExpFloat64()*1e6)
		s.board.SetRoom(n, Room{MilliCPU: int64(rng.IntN(4000)), Memory: 1 << 30, Pods: 10}, large)
	}
	if rng.IntN(2) == 0 { // others wait for the same room
		edges = append(edges, calls("busy", "peer-0", rng.ExpFloat64()*1e7))
		s.board.SetDesired(workload("busy"), Desired{Pods: 2, Template: &Template{Requests: Room{1500, 0, 1}}})
	}
	if rng.IntN(3) == 0 {
		edges = append(edges, calls("web", "web", 1e5))
	}
	reach := flowgraph.Reach{}
	if rng.IntN(3) == 0 {
		reach.MaxForeignShare = 0.3
	}
	s.reaching(reach, edges...)
	desired := int32(1 + rng.IntN(5))
	s.board.SetDesired(workload("web"), Desired{Pods: desired})
	name := "web"
	if rng.IntN(10) == 0 {
		name = "quiet"
	}
	request := s.request(name, desired)
	if rng.IntN(2) == 0 { // the last node is no candidate
		request.Candidates = request.Candidates[:len(request.Candidates)-1]
	}
	s.engine.Settle(request)
	settled := s.points(s.engine.Evaluate(request))
	for range 3 {
		if again := s.points(s.engine.Evaluate(request)); fmt.Sprint(again) != fmt.Sprint(settled) {
			t.Fatalf("after Settle the points are %v, then %v", settled, again)
		}
	}
	return s, s.engine.Evaluate(request)
}
