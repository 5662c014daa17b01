package sim

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Model is a way to divide calls over endpoints under which an assignment is
// measured. Uniform and FairLoad look at each level by itself. Where Services
// prefer what is near, under SameNode and Configured, calls are followed to the
// endpoints that they go to, at all levels: those of a caller without an endpoint
// in its zone go to all, and stay in its region by the endpoints' share there.
type Model int

const (
	// Uniform assumes affinity.Uniform for every edge.
	Uniform Model = iota
	// FairLoad assumes affinity.FairLoad for every edge.
	FairLoad
	// SameNode assumes affinity.SameNode for every edge.
	SameNode
	// Configured takes for each edge the routing of the called workload.
	Configured
	modelCount
)

// Models lists all models.
func Models() []Model { return []Model{Uniform, FairLoad, SameNode, Configured} }

// String returns the model's name as reports have it.
func (m Model) String() string {
	return [...]string{"uniform", "fairLoad", "sameNode", "configured"}[m]
}

func (m Model) routing(callee affinity.Routing) affinity.Routing {
	switch m {
	case FairLoad:
		return affinity.FairLoad
	case SameNode:
		return affinity.SameNode
	case Configured:
		return callee
	default:
		return affinity.Uniform
	}
}

// Outcome is what an assignment does to a cluster. Rates are bytes per second in
// both directions.
type Outcome struct {
	// Total is all traffic; External is the part of it that has an end outside
	// the cluster, which never stays local.
	Total, External float64
	// Levels has one element for each level at which any node has a domain, the
	// nearest first.
	Levels []LevelOutcome
	// Hotspot is the busiest endpoint under SameNode.
	Hotspot Hotspot
	// Placed is the number of pods with a node; Missing is how many more pods
	// workloads want. A surplus of one workload does not make up for what
	// another one misses.
	Placed, Missing int
	Balance
	Spread
	Links Links
}

// LevelOutcome is the traffic that stays within the domains of a level. A node
// whose domain is unknown shares it with none.
type LevelOutcome struct {
	Level locality.Level
	// Local is by Model, in bytes per second, at most Outcome.Total. It is part
	// of the Local of every wider level, where domains nest.
	Local [modelCount]float64
}

// Level returns the outcome at a level; ok is false when no node has a domain
// there.
func (o *Outcome) Level(level locality.Level) (l LevelOutcome, ok bool) {
	i := slices.IndexFunc(o.Levels, func(l LevelOutcome) bool { return l.Level == level })
	if i < 0 {
		return LevelOutcome{Level: level}, false
	}
	return o.Levels[i], true
}

// LocalShare is the share of the traffic that stays within a level, 0 when there
// is no traffic.
func (o *Outcome) LocalShare(level locality.Level, m Model) float64 {
	l, _ := o.Level(level)
	if o.Total == 0 {
		return 0
	}
	return l.Local[m] / o.Total
}

// Crossing is the traffic that leaves the domains of a level, that with the
// outside included.
func (o *Outcome) Crossing(level locality.Level, m Model) float64 {
	l, _ := o.Level(level)
	return o.Total - l.Local[m]
}

// Measure returns what an assignment does. It is assigned as in Cluster, with
// one element for each workload; one with fewer pods than Replicas is missing
// some. Fixed workloads count as all others do, but for Spread. It agrees with
// package cut, and is faster: it visits pods and edges, never all pairs of
// workload and node.
func Measure(c *cluster.Cluster, assigned cluster.Assignment) *Outcome {
	ends, p := resolve(c), place(c, assigned)
	o := &Outcome{Balance: balance(c, assigned), Spread: spread(p), Links: p.links(ends)}
	o.Placed, o.Missing = assigned.Pods(), assigned.Missing(c)
	var sums [modelCount]byLevel
	loads := make([]load, len(c.Workloads)) // under SameNode
	for i, e := range c.Edges {
		w := e.BytesPerSecond()
		o.Total += w
		from, to := ends[i].from, ends[i].to
		if from < 0 || to < 0 {
			o.External += w
		}
		if to < 0 {
			continue
		}
		loads[to].total += w
		if from < 0 {
			loads[to].addAll(w)
			continue
		}
		for m, local := range p.underModels(ends[i], w, &loads[to]) {
			sums[m].add(&local)
		}
	}
	o.Levels = p.outcomes(func(m Model, position int) float64 { return sums[m][position] })
	o.Hotspot = hottest(p.busiest(loads))
	return o
}

// pair is the positions of an edge's workloads, Anywhere where one is outside
// the cluster.
type pair struct{ from, to int32 }

func resolve(c *cluster.Cluster) []pair {
	position := make(map[flowgraph.WorkloadID]int32, len(c.Workloads))
	for i, w := range c.Workloads {
		position[w.ID] = int32(i)
	}
	at := func(id flowgraph.WorkloadID) int32 {
		if i, ok := position[id]; ok {
			return i
		}
		return Anywhere
	}
	ends := make([]pair, len(c.Edges))
	for i, e := range c.Edges {
		ends[i] = pair{at(e.From), at(e.To)}
	}
	return ends
}
