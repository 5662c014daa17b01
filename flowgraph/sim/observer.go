package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
)

// Observer is what a scheduler would know of the traffic of a recording, and the
// mean of what has been measured. It is common to all runs.
type Observer struct {
	options flowgraph.Options
	graph   *flowgraph.Graph
	pods    map[flowgraph.WorkloadID]int
	last    map[edgeKey]time.Time // when there was traffic last
	sums    map[edgeKey]*flowgraph.Rates
	seconds float64
}

// NewObserver returns one that has seen nothing, and smooths as o says.
func NewObserver(o flowgraph.Options) *Observer {
	return &Observer{
		options: o, graph: flowgraph.NewGraph(o), pods: map[flowgraph.WorkloadID]int{},
		last: map[edgeKey]time.Time{}, sums: map[edgeKey]*flowgraph.Rates{},
	}
}

// Observe takes in a step that is over and returns what is known then. An edge
// without traffic is observed as such while both of its workloads have pods, as
// their counters stand still; else it is not observed.
func (o *Observer) Observe(s *Step, c *cluster.Cluster) *flowgraph.Snapshot {
	for _, e := range s.Events {
		switch e.Kind {
		case Arrive:
			o.pods[c.Workloads[e.Pod.Workload].ID]++
		case Leave:
			o.pods[c.Workloads[e.Pod.Workload].ID]--
		}
	}
	if s.Gap {
		return o.graph.Snapshot()
	}
	flows := make([]flowgraph.Flow, 0, len(s.Edges))
	for _, e := range s.Edges {
		flows = append(flows, flowgraph.Flow{From: e.From, To: e.To, Rates: e.Rates, ObservedAt: s.At})
		o.last[edgeKey{e.From, e.To}] = s.At
	}
	for key, at := range o.last {
		switch {
		case at.Equal(s.At):
		case o.options.RetainFor > 0 && s.At.Sub(at) > o.options.RetainFor:
			delete(o.last, key)
		case o.pods[key.from] > 0 && o.pods[key.to] > 0:
			flows = append(flows, flowgraph.Flow{From: key.from, To: key.to, ObservedAt: s.At})
		}
	}
	o.graph.Observe(s.At, flows)
	return o.graph.Snapshot()
}

// Measure adds a step to the mean.
func (o *Observer) Measure(s *Step) {
	seconds := s.Length.Seconds()
	if s.Gap || seconds <= 0 {
		return
	}
	o.seconds += seconds
	for _, e := range s.Edges {
		key := edgeKey{e.From, e.To}
		sum := o.sums[key]
		if sum == nil {
			sum = &flowgraph.Rates{}
			o.sums[key] = sum
		}
		sum.SentBytesPerSecond += e.SentBytesPerSecond * seconds
		sum.ReceivedBytesPerSecond += e.ReceivedBytesPerSecond * seconds
		sum.RequestsPerSecond += e.RequestsPerSecond * seconds
	}
}

// Mean returns the mean rates of what has been measured, in the order of From
// and To.
func (o *Observer) Mean() []flowgraph.Edge {
	var edges []flowgraph.Edge
	for key, sum := range o.sums {
		edges = append(edges, flowgraph.Edge{From: key.from, To: key.to, Rates: flowgraph.Rates{
			SentBytesPerSecond:     sum.SentBytesPerSecond / o.seconds,
			ReceivedBytesPerSecond: sum.ReceivedBytesPerSecond / o.seconds,
			RequestsPerSecond:      sum.RequestsPerSecond / o.seconds,
		}})
	}
	slices.SortFunc(edges, func(a, b flowgraph.Edge) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) })
	return edges
}

// Outcome returns what a run did to a cluster: of the traffic the means of its
// course, of everything else what its assignment at the end does. The cluster is
// that at the end, with the mean of the traffic as its edges; nodes and workloads
// of the universe that it does not have are left out. assigned is where the pods
// serve at the end.
func (r *Course) Outcome(universe, end *cluster.Cluster) (o *cut.Outcome, assigned cluster.Assignment) {
	assigned = translate(universe, r.Assigned, end)
	var idle cluster.Assignment
	if r.Idle != nil {
		idle = translate(universe, r.Idle, end)
	}
	o = cut.Measure(end, assigned, idle)
	o.Total, o.External, o.Unserved, o.Levels = r.Total, r.External, r.Unserved, r.Levels
	o.WithSites = r.WithSites
	return o, assigned
}

// translate returns an assignment by the positions of another cluster.
func translate(from *cluster.Cluster, assigned cluster.Assignment, to *cluster.Cluster) cluster.Assignment {
	nodes, workloads := map[string]int32{}, map[flowgraph.WorkloadID]int{}
	for i, n := range to.Nodes {
		nodes[n.Node] = int32(i)
	}
	for i, w := range to.Workloads {
		workloads[w.ID] = i
	}
	translated := make(cluster.Assignment, len(to.Workloads))
	for w, at := range assigned {
		i, known := workloads[from.Workloads[w].ID]
		if !known {
			continue
		}
		for _, n := range at {
			if node, known := nodes[from.Nodes[n].Node]; known {
				translated[i] = append(translated[i], node)
			}
		}
	}
	return translated
}
