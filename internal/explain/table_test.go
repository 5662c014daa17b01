package explain

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestShownNodes: the best candidates are shown, that where the pod is and the best one without
// locality, and never more than were asked for.
func TestShownNodes(t *testing.T) {
	r := &Result{Current: &Choice{Nodes: []string{"n5"}}, WithoutLocality: Choice{Nodes: []string{"n7"}}}
	for i := range 8 {
		r.Nodes = append(r.Nodes, Node{Name: fmt.Sprintf("n%d", i+1), Rank: i + 1, Peers: make([]Peer, 6)})
	}
	r.Nodes[3].Filter = "NodeResourcesFit"
	for _, tc := range []struct {
		first, most int
		want        string
		more        int
	}{
		{0, 0, "n1 n2 n3 n5 n6 n7 n8", 0},
		{10, 10, "n1 n2 n3 n5 n6 n7 n8", 0},
		{3, 10, "n1 n2 n3 n5 n7", 2},
		{4, 4, "n1 n2 n5 n7", 3},
		{2, 2, "n1 n5", 5},
		{1, 1, "n1", 6},
	} {
		shown, more := r.shownNodes(tc.first, tc.most)
		var names []string
		for _, n := range shown {
			names = append(names, n.Name)
		}
		if diff := cmp.Diff(tc.want, strings.Join(names, " ")); diff != "" || more != tc.more {
			t.Errorf("the first %d, at most %d: %d more, want %d (-want +got):\n%s", tc.first, tc.most, more, tc.more, diff)
		}
	}
	for limit, want := range map[int][2]int{1: {1, 1}, 2: {2, 4}, 10: {5, 20}, 0: {7, 42}} {
		var out bytes.Buffer
		r.writeWhy(&out, limit)
		if nodes, peers := strings.Count(out.String(), "points"), strings.Count(out.String(), "\n   : "); nodes != want[0] || peers != want[1] {
			t.Errorf("--limit %d takes the points of %d nodes apart, with %d edges, want %v:\n%s", limit, nodes, peers, want, &out)
		}
	}
}
