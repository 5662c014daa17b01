package cut

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// TestDistanceAgreesWithMeasure: what single edges do adds up to the outcome.
func TestDistanceAgreesWithMeasure(t *testing.T) {
	unknown, beyond := false, false
	eachRandom(t, func(t *testing.T, _ *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		o, l := Measure(c, assigned, nil), NewLayout(c, assigned)
		position := func(id flowgraph.WorkloadID) int32 {
			return int32(slices.IndexFunc(c.Workloads, func(w cluster.Workload) bool { return w.ID == id }))
		}
		var all Distance
		for _, e := range c.Edges {
			d := l.Distance(position(e.From), position(e.To), e.BytesPerSecond())
			if !near(d.Total(), e.BytesPerSecond()) {
				t.Errorf("of %v the parts are %+v", e.BytesPerSecond(), d)
			}
			all.Add(&d)
		}
		local, widest := 0.0, LevelOutcome{}
		for k, level := range c.Scale.Levels() {
			local += all.Within[k]
			if at, ok := o.Level(level); ok {
				widest = at
				if !near(local, at.Local[Configured]) {
					t.Errorf("%v stays within %v, want %v", local, level, at.Local[Configured])
				}
				if !near(all.Between[k], o.CrossingBetween(level)) {
					t.Errorf("%v goes between domains of %v, want %v", all.Between[k], level, o.CrossingBetween(level))
				}
			} else if all.Within[k] != 0 {
				t.Errorf("%v stays within %v, which no node has", all.Within[k], level)
			}
		}
		if !near(all.Unknown, widest.Unknown) || !near(all.Unserved, o.Unserved) || !near(all.External, o.External) {
			t.Errorf("unknown %v, unserved %v, external %v; want %v, %v, %v", all.Unknown, all.Unserved, all.External, widest.Unknown, o.Unserved, o.External)
		}
		unknown, beyond = unknown || all.Unknown > 0, beyond || all.Beyond > 0
	})
	if !unknown || !beyond {
		t.Error("no cluster has traffic of each kind")
	}
}
