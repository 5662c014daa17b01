package cut

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

// Changes returns what two assignments make of each edge and of each workload at a level
// of the scale, under a model, those that change most first. Each assignment is measured
// with the routes of its own cluster; both clusters have the same nodes, workloads and
// edges, at the same positions. A workload's traffic is that of all its edges; a
// self-flow counts once. What is exchanged with sites is left out at levels where it
// cannot stay.
func Changes(c *cluster.Cluster, before cluster.Assignment, then *cluster.Cluster, after cluster.Assignment, level locality.Level, m Model) (edges, workloads []Change) {
	at := resolve(c)
	was, is := NewLayout(c, before), NewLayout(then, after)
	k := slices.Index(was.levels, level)
	byWorkload := make([]Change, len(c.Workloads))
	for i, e := range c.Edges {
		if at[i].isExternal() || at[i].withSite() && level < locality.Zone {
			continue
		}
		w := e.BytesPerSecond()
		stayed, stays := w*was.keeps(at[i], m, k), w*is.keeps(at[i], m, k)
		edges = append(edges, Change{From: e.From, To: e.To, Total: w, Before: stayed, After: stays})
		for _, end := range slices.Compact([]int32{at[i].from, at[i].to}) {
			if end < 0 {
				continue
			}
			sum := &byWorkload[end]
			sum.Total += w
			sum.Before += stayed
			sum.After += stays
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

// keeps is the part of an edge that stays within a level under a model.
func (l *Layout) keeps(e ends, m Model, level int) float64 {
	if !l.served(e) {
		return 0
	}
	return l.local(m.route(l.configured(e)), e, nil)[level]
}
