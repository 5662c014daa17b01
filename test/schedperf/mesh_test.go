package schedperf

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/test/schedperf/measure"
)

func TestMesh(t *testing.T) {
	m := newMesh(workloads, callees)
	snap := m.snapshot(1, time.Unix(1, 0))
	if snap.Len() != 500 || snap.EdgeCount() != 5000 {
		t.Errorf("%d workloads and %d edges, want 500 and 5000", snap.Len(), snap.EdgeCount())
	}
	if diff := cmp.Diff(m.edges, newMesh(workloads, callees).edges); diff != "" {
		t.Errorf("a second mesh is another (-first +second):\n%s", diff)
	}
	for i, peers := range m.peers {
		if len(peers) != 3 || peers[0] == m.names[i] {
			t.Errorf("%s has the peers %v, want three others", m.names[i], peers)
		}
	}
}

// The pods of every case fit the cluster: 40 to a node.
func TestSizeFits(t *testing.T) {
	for _, c := range measure.Cases() {
		for _, nodes := range []int{20, 100, 1000, 5000} {
			s := sizeOf(measure.Run{Case: c, Nodes: nodes})
			const blocks = 2*6 + 2
			pods := s.workloads*int(s.placed) + blocks*(s.block+s.warmUp)
			if pods > 40*nodes || s.block < 1 || s.sequence < 1 {
				t.Errorf("%s with %d nodes: %d pods, %+v", c.Name, nodes, pods, s)
			}
		}
	}
}
