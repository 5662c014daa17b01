package score

import (
	"runtime"
	"testing"
	"weak"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// TestNoOldSnapshotIsKept: whatever an engine remembers of a snapshot, it does not keep
// the snapshot alive once that is superseded.
func TestNoOldSnapshotIsKept(t *testing.T) {
	o := byNode()
	o.MaxUtilization, o.ReserveRoom, o.Anticipate = 1, true, true
	s := newScene(t, o)
	n := s.node("n1", "a", "web", "db")
	s.board.SetBandwidth(n, 1e12)
	s.node("n2", "a", "db")
	s.board.SetDesired(workload("web"), Desired{Pods: 4, Template: &Template{}})
	next := func(bytes float64) weak.Pointer[flowgraph.Snapshot] {
		s.traffic(calls("web", "db", bytes))
		s.engine.Evaluate(s.request("web", 4))
		return weak.Make(s.snap)
	}
	old := next(1)
	s.snap = nil
	runtime.GC()
	if old.Value() != nil {
		t.Error("a snapshot is kept that nobody else knows")
	}
	s.board.AddPod(n, served("new")) // looks for its number in the snapshot, which is gone
	s.board.RemovePod(n, served("new"))
	old = next(2)
	newest := next(3)
	runtime.GC()
	if old.Value() != nil {
		t.Error("a superseded snapshot is kept")
	}
	if newest.Value() == nil {
		t.Error("the newest snapshot is gone")
	}
	runtime.KeepAlive(s)
}
