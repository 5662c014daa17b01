package sim

import (
	"cmp"
	"math"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
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
// each workload at a level, under a model, those that change most first. A
// workload's traffic is that of all its edges; a self-flow counts once.
func Changes(c *Cluster, before, after [][]int32, level locality.Level, m Model) (edges, workloads []Change) {
	ends := resolve(c)
	domains, _ := domainsOf(c.Nodes, level)
	was, is := tallies(before, domains), tallies(after, domains)
	byWorkload := make([]Change, len(c.Workloads))
	for i, e := range c.Edges {
		if ends[i].from < 0 || ends[i].to < 0 {
			continue
		}
		w := e.BytesPerSecond()
		var then, now LevelOutcome
		then.add(c, ends[i], w, was)
		now.add(c, ends[i], w, is)
		edges = append(edges, Change{From: e.From, To: e.To, Total: w, Before: then.Local[m], After: now.Local[m]})
		for _, end := range slices.Compact([]int32{ends[i].from, ends[i].to}) {
			sum := &byWorkload[end]
			sum.Total += w
			sum.Before += then.Local[m]
			sum.After += now.Local[m]
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
