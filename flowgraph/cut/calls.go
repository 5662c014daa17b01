package cut

import (
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Called is what becomes of the calls to one workload. Rates are bytes per second
// in both directions.
type Called struct {
	// Total is all calls to the workload, also its own and those from outside.
	Total float64
	// Local is the part of them that stays within the domains of a level, by its
	// position in the levels of the cluster's scale.
	Local [maxLevels]float64
	// Unknown is the part of the rest of which it is not known whether it leaves the
	// level's domains, in bytes per second, by the same positions.
	Unknown [maxLevels]float64
	// Busiest is the load of the busiest pod, as in Hotspot; 0 when nothing is
	// called.
	Busiest float64
}

// add adds w times what stays, and what may, of an edge.
func (c *Called) add(local, unknown *byLevel, w float64) {
	for k := range local {
		c.Local[k] += w * local[k]
		c.Unknown[k] += w * unknown[k]
	}
}

// Calls returns what an assignment makes of the calls to each workload, by
// position, when the calls from each namespace are divided as route says; nil: as the
// cluster does.
// The calls to one workload do not depend on how those to others are routed:
// Measure, as Configured, is the sum, and what is called at sites.
func Calls(c *cluster.Cluster, serving cluster.Assignment, route func(callee int32, callerNamespace string) cluster.Route) []Called {
	at, l := resolve(c), NewLayout(c, serving)
	called, loads := make([]Called, len(c.Workloads)), make([]load, len(c.Workloads))
	for i, e := range c.Edges {
		to, w := at[i].to, e.BytesPerSecond()
		if to < 0 {
			continue
		}
		switch {
		case at[i].from < 0:
			loads[to].total += w
			loads[to].all += w
			if l.served(at[i]) {
				local, unknown := l.siteStays(at[i])
				called[to].add(&local, &unknown, w)
			}
		case l.served(at[i]):
			loads[to].total += w
			loads[to].weight = w
			by := l.configured(at[i])
			if route != nil {
				by = route(to, e.From.Namespace)
			}
			local, unknown := l.local(by, at[i], &loads[to]), l.unknownParts(at[i], by)
			called[to].add(&local, &unknown, w)
		default:
			called[to].Total += w
		}
	}
	for w := range called {
		called[w].Total += loads[w].total
		called[w].Busiest = l.busiest(int32(w), &loads[w]).Load
	}
	return called
}
