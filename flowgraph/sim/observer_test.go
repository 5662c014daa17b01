package sim

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// TestObserverKeepsReach: what namespaces may do to each other's scores holds in replays,
// also in gaps.
func TestObserverKeepsReach(t *testing.T) {
	reach := flowgraph.Reach{Rules: []flowgraph.ReachRule{{From: []string{"data"}, To: []string{"*"}}}, MaxForeignShare: 0.5, Isolated: true}
	o := NewObserver(flowgraph.Options{Reach: reach})
	for _, gap := range []bool{false, true} {
		snap := o.Observe(&Step{At: time.Unix(60, 0), Gap: gap}, &cluster.Cluster{})
		if diff := cmp.Diff(&reach, snap.Reach()); diff != "" {
			t.Errorf("gap %v: the reach (-want +got):\n%s", gap, diff)
		}
	}
}
