package score

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestPointsStayWhatTheyWere: the points of a pod are those of each node's own gain, and
// stay what they were when nodes move, come and go.
func TestPointsStayWhatTheyWere(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	zone := func() string { return []string{"", "a", "b", "c"}[random.IntN(4)] }
	for _, size := range []int{10, 300} { // listed densely, and sparsely
		s := newScene(t, everyLevel())
		s.traffic(calls("web", "db", 1e6), calls("web", "web", 1e5))
		nodes := []int32{s.node("here", "a", "db", "web")}
		for i := range size {
			nodes = append(nodes, s.node(fmt.Sprintf("n%d", i), zone()))
		}
		var earlier []*Points
		var were [][]uint8
		for range 50 {
			r := s.engine.Evaluate(s.request("web", 3))
			points := make([]uint8, s.board.Len())
			for n := range points {
				points[n] = r.Points.Of(int32(n))
				if want := pointsOf(s.engine.gainOn(int32(n)) * r.scale()); points[n] != want {
					t.Fatalf("%d nodes: node %d has %d points, want %d", size, n, points[n], want)
				}
			}
			earlier, were = append(earlier, r.Points), append(were, points)
			for range 20 {
				i := 1 + random.IntN(len(nodes)-1)
				switch random.IntN(3) {
				case 0:
					s.board.RemoveNode(nodes[i])
					fallthrough
				case 1:
					s.node("new", zone())
					nodes[i] = s.nodes["new"]
				default:
					s.board.setDomains(nodes[i], []string{"", zone(), "r"})
				}
			}
			for k, p := range earlier {
				for n, want := range were[k] {
					if got := p.Of(int32(n)); got != want {
						t.Fatalf("%d nodes: node %d had %d points, and has %d", size, n, want, got)
					}
				}
			}
		}
		for c, members := range s.board.members {
			for i, n := range members {
				if s.board.class[n] != int32(c) || s.board.member[n] != int32(i) {
					t.Fatalf("node %d is not member %d of class %d", n, i, c)
				}
			}
		}
	}
}
