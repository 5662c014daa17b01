package score

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// exactSignificance is the formula as it is documented, over single workloads.
func exactSignificance(rates []float64, rate float64) float64 {
	sum := 0.0
	for _, r := range rates {
		sum += min(1, rate/r)
	}
	return math.Pow(sum/float64(len(rates)), 1.5) * min(rate/leastRate, 1)
}

// TestSignificanceIsAPowerOfTheMean: bands of rates differ from single workloads by as much
// as the rates of a band do, and in one direction.
func TestSignificanceIsAPowerOfTheMean(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		var b bands
		b.reset()
		var rates []float64
		sigma := 5 * random.Float64()
		for range 1 + random.IntN(300) {
			rate := math.Exp(10 + sigma*random.NormFloat64())
			rates = append(rates, rate)
			b.add(rate)
		}
		last, lastRate := 0.0, 0.0
		for rate := 1e-6; rate < 1e15; rate *= 1.1 {
			got, want := b.significance(rate), exactSignificance(rates, rate)
			if got < want-1e-12 || got > 1.4*want {
				t.Fatalf("seed %d: %v bytes per second have %v, want %v", seed, rate, got, want)
			}
			if got < last || got > 1 || got-last > 0.16 {
				t.Fatalf("seed %d: from %v to %v bytes per second it goes from %v to %v", seed, lastRate, rate, last, got)
			}
			last, lastRate = got, rate
		}
		if got := b.significance(math.Inf(1)); math.Abs(got-1) > 1e-12 {
			t.Errorf("seed %d: the most has %v", seed, got)
		}
	}
	for i := range bandCount {
		if got := bandOf(lowestOf(i)); got != i {
			t.Errorf("the lowest rate of band %d is in band %d", i, got)
		}
	}
	var none bands
	none.reset()
	if got := none.significance(1); got != 0 {
		t.Errorf("without any traffic it is %v", got)
	}
}

// crowd is a scene of so many pairs of workloads with traffic beside the pod that is
// placed, and what others add to it.
func crowd(t *testing.T, random *rand.Rand, pairs int) (*scene, []flowgraph.Edge) {
	o := everyLevel()
	o.SignificantRate = -1
	s := newScene(t, o)
	s.node("n1", "a", "db")
	s.node("n2", "a", "cart")
	s.node("n3", "b")
	s.board.SetDesired(workload("web"), Desired{Pods: 3})
	rate := func() float64 { return math.Exp(9 + 3*random.NormFloat64()) }
	edges := []flowgraph.Edge{calls("web", "db", rate()), calls("web", "cart", rate())}
	for i := range pairs {
		from, to := fmt.Sprintf("from-%d", i), fmt.Sprintf("to-%d", i)
		s.board.AddPod(s.nodes["n3"], served(from))
		s.board.AddPod(s.nodes["n3"], served(to))
		edges = append(edges, calls(from, to, rate()))
	}
	return s, edges
}

// TestOthersMoveScoresLittle: what k of n workloads do that the pod has no traffic with
// moves its scores by 150 k/n points at most, whatever they exchange and want; names without
// pods move nothing.
func TestOthersMoveScoresLittle(t *testing.T) {
	add := map[string]struct {
		workloads int
		add       func(s *scene, edges []flowgraph.Edge) []flowgraph.Edge
	}{
		"a pair of elephants": {2, func(s *scene, edges []flowgraph.Edge) []flowgraph.Edge {
			s.board.AddPod(s.nodes["n3"], served("elephant"))
			s.board.AddPod(s.nodes["n3"], served("mate"))
			return append(edges, calls("elephant", "mate", 1e12))
		}},
		"a pair that grows": {2, func(_ *scene, edges []flowgraph.Edge) []flowgraph.Edge {
			edges[2].SentBytesPerSecond = 1e12
			return edges
		}},
		"a pair that dwindles": {2, func(_ *scene, edges []flowgraph.Edge) []flowgraph.Edge {
			edges[2].SentBytesPerSecond = 1e-3
			return edges
		}},
		"a controller whose pods never come": {1, func(s *scene, edges []flowgraph.Edge) []flowgraph.Edge {
			s.board.SetDesired(workload("from-0"), Desired{Pods: 1_000_000})
			return edges
		}},
		"a new controller whose pods never come": {1, func(s *scene, edges []flowgraph.Edge) []flowgraph.Edge {
			s.board.SetDesired(workload("stuck"), Desired{Pods: 1000})
			return append(edges, calls("stuck", "from-0", 1))
		}},
		"names without pods": {0, func(_ *scene, edges []flowgraph.Edge) []flowgraph.Edge {
			for i := range 1000 {
				edges = append(edges, calls(fmt.Sprintf("forged-%d", i), fmt.Sprintf("forged-%d", i+1), 1e12))
			}
			return edges
		}},
	}
	for name, c := range add {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(30) {
				random := rand.New(rand.NewPCG(seed, 2))
				pairs := 2 + random.IntN(400) // more than are looked at in one cycle, too
				s, edges := crowd(t, random, pairs)
				before := s.settled(edges)
				after := s.settled(c.add(s, edges))
				// web, db and cart have traffic too; points are rounded.
				most := 150*float64(c.workloads)/float64(2*pairs+3) + 1
				for node, points := range before {
					if d := math.Abs(float64(after[node] - points)); d > most {
						t.Fatalf("seed %d, %d pairs: %s goes from %d to %d points, want %v at most", seed, pairs, node, points, after[node], most)
					}
				}
			}
		})
	}
}

// settled are the scores for web once all workloads of a graph are looked at.
func (s *scene) settled(edges []flowgraph.Edge) map[string]int {
	s.Helper()
	s.traffic(edges...)
	request := s.request("web", 3)
	result := s.engine.Evaluate(request)
	for range s.snap.Len()/mostReferred + 1 {
		result = s.engine.Evaluate(request)
	}
	if !s.engine.reference.settled {
		s.Error("the reference is not settled")
	}
	return s.points(result)
}

// TestScoresGoToThoseWithoutTraffic: where room is kept for others, a pod with next to no
// traffic scores as one with none, and each halving of it changes little.
func TestScoresGoToThoseWithoutTraffic(t *testing.T) {
	o := everyLevel()
	o.SignificantRate, o.ReserveRoom, o.Anticipate = -1, true, true
	s := newScene(t, o)
	s.node("n1", "a", "db")
	s.node("n2", "a", "cart")
	s.node("n3", "b")
	s.board.SetRoom(s.nodes["n1"], Room{2000, 1 << 30, 10}, large)
	s.board.SetDesired(workload("busy"), Desired{Pods: 1, Template: &Template{Requests: Room{1500, 0, 1}}})
	s.board.SetDesired(workload("web"), Desired{Pods: 1})
	others := calls("busy", "db", 1e6)
	s.traffic(others)
	without := s.points(s.engine.Evaluate(s.request("web", 0)))
	if without["n1"] > 50 || without["n2"] != 100 {
		t.Fatalf("without traffic the scores are %v: no room is kept", without)
	}
	last := map[string]int{}
	for rate := 1e6; rate > 1e-3; rate /= 1.2 {
		s.traffic(others, calls("web", "cart", rate), calls("web", "db", rate/2))
		points := s.points(s.engine.Evaluate(s.request("web", 1)))
		for node := range last {
			if d := points[node] - last[node]; d > 12 || d < -12 {
				t.Errorf("at %v bytes per second %s goes from %d to %d points", rate, node, last[node], points[node])
			}
		}
		last = points
	}
	for node, points := range without {
		if d := points - last[node]; d > 1 || d < -1 {
			t.Errorf("%s has %d points with next to no traffic, %d without", node, last[node], points)
		}
	}
}
