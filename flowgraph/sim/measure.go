package sim

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Model is a way to divide calls over endpoints under which an assignment is
// measured.
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
	// Hotspot is the busiest local endpoint under SameNode.
	Hotspot Hotspot
	// Placed is the number of pods with a node; Missing is how many more pods
	// workloads want. A surplus of one workload does not make up for what
	// another one misses.
	Placed, Missing int
	Balance
	Spread
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

// Hotspot is the pods of one workload on one node that have most to do, when
// every caller calls the endpoints on its own node first.
type Hotspot struct {
	// Workload and Node are positions in the cluster, Anywhere when nothing is
	// called.
	Workload, Node int32
	// Load is what each of these pods gets, relative to its fair share: the
	// traffic of all calls to the workload over the replicas that it wants. 1 is
	// even; it can be up to the number of replicas.
	Load float64
}

// Measure returns what an assignment does. It is assigned as in Cluster, with
// one element for each workload; one with fewer pods than Replicas is missing
// some. Fixed workloads count as all others do, but for Spread. It agrees with
// package cut, and is faster: it visits pods and edges, never all pairs of
// workload and node.
func Measure(c *Cluster, assigned [][]int32) *Outcome {
	ends, levels := resolve(c), placesOf(c, assigned)
	o := &Outcome{Balance: balance(c, assigned), Spread: spread(c, levels)}
	for w, nodes := range assigned {
		o.Placed += len(nodes)
		o.Missing += max(int(c.Workloads[w].Replicas)-len(nodes), 0)
	}
	for i, e := range c.Edges {
		o.Total += e.BytesPerSecond()
		if ends[i].from < 0 || ends[i].to < 0 {
			o.External += e.BytesPerSecond()
		}
	}
	for _, at := range levels {
		l := LevelOutcome{Level: at.level}
		for i, e := range c.Edges {
			if ends[i].from >= 0 && ends[i].to >= 0 {
				l.add(c, ends[i], e.BytesPerSecond(), at.places)
			}
		}
		o.Levels = append(o.Levels, l)
	}
	o.Hotspot = hotspot(c, ends, levels)
	return o
}

// pair is the positions of an edge's workloads, Anywhere where one is outside
// the cluster.
type pair struct{ from, to int32 }

func resolve(c *Cluster) []pair {
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

// domainsOf numbers the domains of a level: one number for each node, negative
// where its domain is unknown.
func domainsOf(nodes []Node, level locality.Level) (domains []int32, known bool) {
	numbers := map[string]int32{}
	domains = make([]int32, len(nodes))
	for i, n := range nodes {
		key := n.Domain(level)
		if key == "" {
			domains[i] = -1
			continue
		}
		number, ok := numbers[key]
		if !ok {
			number = int32(len(numbers))
			numbers[key] = number
		}
		domains[i] = number
	}
	return domains, len(numbers) > 0
}

// tally is how many pods of a workload are in a domain.
type tally struct{ domain, pods int32 }

// tallies counts each workload's pods by domain, ordered by domain.
func tallies(assigned [][]int32, domains []int32) [][]tally {
	counts := make([][]tally, len(assigned))
	var at []int32
	for w, nodes := range assigned {
		at = at[:0]
		for _, n := range nodes {
			if d := domains[n]; d >= 0 {
				at = append(at, d)
			}
		}
		slices.Sort(at)
		for _, d := range at {
			if last := len(counts[w]) - 1; last >= 0 && counts[w][last].domain == d {
				counts[w][last].pods++
				continue
			}
			counts[w] = append(counts[w], tally{d, 1})
		}
	}
	return counts
}

// levelPlaces is where the pods are at one level: of how many domains, and for
// each workload by domain.
type levelPlaces struct {
	level   locality.Level
	domains int
	places  [][]tally
}

// placesOf returns the levels at which any node has a domain, the nearest first.
func placesOf(c *Cluster, assigned [][]int32) []levelPlaces {
	var levels []levelPlaces
	for _, level := range locality.Levels() {
		if domains, known := domainsOf(c.Nodes, level); known {
			levels = append(levels, levelPlaces{level, int(slices.Max(domains)) + 1, tallies(assigned, domains)})
		}
	}
	return levels
}

// add counts one edge of rate w under every model. During a rollout a workload
// may have more pods than it wants; an edge keeps no more than all of it.
func (l *LevelOutcome) add(c *Cluster, ends pair, w float64, places [][]tally) {
	from, to := &c.Workloads[ends.from], &c.Workloads[ends.to]
	var local [modelCount]float64
	if ends.from == ends.to {
		self := selfLocal(w, places[ends.from], from.Replicas)
		for m := range local {
			local[m] = self
		}
	} else {
		meet(places[ends.from], places[ends.to], func(caller, callee tally) {
			a := affinity.Replicas{Placed: caller.pods, Desired: from.Replicas}
			b := affinity.Replicas{Placed: callee.pods, Desired: to.Replicas}
			for m := range modelCount {
				local[m] += affinity.Local(m.routing(to.Routing), w, a, b)
			}
		})
	}
	for m := range local {
		l.Local[m] += min(local[m], w)
	}
}

// meet calls f for each domain that has pods of both, in order.
func meet(callers, callees []tally, f func(caller, callee tally)) {
	for len(callers) > 0 && len(callees) > 0 {
		switch a, b := callers[0], callees[0]; {
		case a.domain < b.domain:
			callers = callers[1:]
		case a.domain > b.domain:
			callees = callees[1:]
		default:
			f(a, b)
			callers, callees = callers[1:], callees[1:]
		}
	}
}

// selfLocal is the part of a workload's traffic with itself that stays: x(x-1)
// of d(d-1) ordered pairs of pods, as in package cut, under every model.
func selfLocal(w float64, places []tally, replicas int32) float64 {
	if replicas < 2 {
		return 0
	}
	d := float64(replicas)
	var sum float64
	for _, p := range places {
		x := float64(p.pods)
		sum += w * x * (x - 1) / (d * (d - 1))
	}
	return sum
}
