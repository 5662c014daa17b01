package sim

import (
	"cmp"
	"math"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Change is how much of the traffic of an edge or a workload stays local under
// two assignments, in bytes per second.
type Change struct {
	// From and To are the ends of an edge; To is zero for a workload.
	From, To flowgraph.WorkloadID
	// Total is all its traffic.
	Total         float64
	Before, After float64
}

// Gained is how much more stays local.
func (c Change) Gained() float64 { return c.After - c.Before }

// Changes returns what two assignments of a cluster make of each edge and of
// each workload at a level of its scale, under a model, those that change most first. A
// workload's traffic is that of all its edges; a self-flow counts once.
func Changes(c *cluster.Cluster, before, after cluster.Assignment, level locality.Level, m Model) (edges, workloads []Change) {
	ends := resolve(c)
	was, is := place(c, before), place(c, after)
	at := slices.Index(is.levels, level)
	byWorkload := make([]Change, len(c.Workloads))
	for i, e := range c.Edges {
		if ends[i].from < 0 || ends[i].to < 0 {
			continue
		}
		w := e.BytesPerSecond()
		routing := m.routing(was.route(ends[i]).Routing)
		then, now := was.local(routing, ends[i], w, nil)[at], is.local(routing, ends[i], w, nil)[at]
		edges = append(edges, Change{From: e.From, To: e.To, Total: w, Before: then, After: now})
		for _, end := range slices.Compact([]int32{ends[i].from, ends[i].to}) {
			sum := &byWorkload[end]
			sum.Total += w
			sum.Before += then
			sum.After += now
		}
	}
	for i, sum := range byWorkload {
		if sum.Total > 0 {
			sum.From = c.Workloads[i].ID
			workloads = append(workloads, sum)
		}
	}
	order := func(a, b Change) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Gained()), math.Abs(a.Gained())), a.From.Compare(b.From), a.To.Compare(b.To))
	}
	slices.SortFunc(edges, order)
	slices.SortFunc(workloads, order)
	return edges, workloads
}
