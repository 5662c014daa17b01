package sim

import (
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Called is what becomes of the calls to one workload. Rates are bytes per second
// in both directions.
type Called struct {
	// Total is all calls to the workload, also its own and those from outside.
	Total float64
	// Local is the part of them that stays within the domains of a level, by its
	// position in the levels of Cluster.Scale.
	Local [maxLevels]float64
	// Busiest is the load of the busiest pod, as in Hotspot; 0 when nothing is
	// called.
	Busiest float64
}

// Calls returns what an assignment makes of the calls to each workload, by
// position, when they are divided as routing says of that position. The calls to
// one workload do not depend on how those to others are routed: Measure, as
// Configured, is the sum.
func Calls(c *cluster.Cluster, assigned cluster.Assignment, routing func(workload int32) affinity.Routing) []Called {
	ends, p := resolve(c), place(c, assigned)
	called, loads := make([]Called, len(c.Workloads)), make([]load, len(c.Workloads))
	for i, e := range c.Edges {
		to, w := ends[i].to, e.BytesPerSecond()
		if to < 0 {
			continue
		}
		loads[to].total += w
		if ends[i].from < 0 {
			loads[to].addAll(w)
			continue
		}
		local := p.local(routing(to), ends[i], w, &loads[to])
		(*byLevel)(&called[to].Local).add(&local)
	}
	for w, h := range p.busiest(loads) {
		called[w].Total, called[w].Busiest = loads[w].total, h.Load
	}
	return called
}
