// Package cut is the evaluator of an assignment: how much of the traffic stays
// within the nodes, zones and regions and what crosses between them (the cut), what
// the networks of the nodes and the busiest endpoints have to carry, how evenly the
// nodes are used, and what survives the loss of a node or a zone. It measures a
// whole assignment ([Measure]), or what one move after the other changes
// ([Evaluator]), with the same result.
//
// All of it follows from one question: which endpoints do this caller's calls go
// to, in which fractions? Pods that serve make and take calls, and no others: the
// traffic of an edge is divided over the pods that serve, however many are wanted.
package cut

import (
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Model is a way to divide calls over endpoints under which an assignment is
// measured. Uniform and FairLoad look at each level by itself. Under SameNode and
// Configured, where Services prefer what is near, calls are followed to the
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
	// Configured takes for each edge the route of the cluster.
	Configured
	modelCount
)

// Models lists all models.
func Models() []Model { return []Model{Uniform, FairLoad, SameNode, Configured} }

// String returns the model's name as reports have it.
func (m Model) String() string {
	return [...]string{"uniform", "fairLoad", "sameNode", "configured"}[m]
}

// route is how the model divides the calls of an edge.
func (m Model) route(configured cluster.Route) cluster.Route {
	switch m {
	case FairLoad:
		return cluster.Route{Routing: affinity.FairLoad}
	case SameNode:
		return cluster.Route{Routing: affinity.SameNode}
	case Configured:
		return configured
	default:
		return cluster.Route{}
	}
}

// Outcome is what an assignment does to a cluster. Rates are bytes per second in
// both directions.
type Outcome struct {
	// Total is all traffic; External is the part of it that has an end outside
	// the cluster, which never stays local.
	Total, External float64
	// WithSites is the part of it that workloads exchange with sites. It never stays on a
	// node, and stays in a zone or a region as far as the pods are in the site's.
	WithSites float64
	// Unserved is the traffic of edges of which an end is in the cluster and has no
	// pod that serves. It counts as crossing everywhere.
	Unserved float64
	// Levels has one element for each level at which any node has a domain, the
	// nearest first.
	Levels []LevelOutcome
	// Hotspot is the busiest endpoint under SameNode.
	Hotspot Hotspot
	// Placed is the number of pods with a node, Idle how many of them do not serve,
	// and Missing how many more pods workloads want. A surplus of one workload does
	// not make up for what another one misses.
	Placed, Idle, Missing int
	Balance
	Spread
	Links    Links
	Survival Survival
}

// LevelOutcome is the traffic that stays within the domains of a level. A node
// whose domain is unknown shares it with none, but what stays on such a node, or in
// a nearer domain, stays here too.
type LevelOutcome struct {
	Level locality.Level
	// Local is by Model, in bytes per second, at most Outcome.Total. It is part
	// of the Local of every wider level.
	Local [modelCount]float64
	// Unknown is the part of the rest, as Configured, of which it is not known
	// whether it stays: one end is on a node, or is a site, whose domain is not known.
	Unknown float64
	// Incomplete says that the domain of some node, or of some site, is not known here.
	Incomplete bool
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
	if o.Total == 0 {
		return 0
	}
	return 1 - o.Crossing(level, m)/o.Total
}

// Crossing is the traffic that does not stay within the domains of a level, as far
// as is known: that with the outside, and that of pods in unknown domains, included.
func (o *Outcome) Crossing(level locality.Level, m Model) float64 {
	l, _ := o.Level(level)
	return o.rest(o.Total - l.Local[m])
}

// CrossingBetween is the traffic, as Configured, between two different known domains
// of a level. What workloads exchange with sites is between zones and regions only.
func (o *Outcome) CrossingBetween(level locality.Level) float64 {
	l, _ := o.Level(level)
	between := o.Total - o.External - o.Unserved - l.Local[Configured] - l.Unknown
	if level < locality.Zone { // sites are on no node
		between -= o.WithSites
	}
	return o.rest(between)
}

// rest is a difference of sums, 0 where it is no more than their rounding.
func (o *Outcome) rest(bytes float64) float64 {
	if bytes <= negligible*o.Total {
		return 0
	}
	return bytes
}

// negligible is the part of a sum that is the rounding of what was added up.
const negligible = 1e-9

// Measure returns what an assignment of serving pods does, beside idle ones, which
// only take room; idle may be nil. Both have one element for each workload of the
// cluster. Fixed workloads count as all others do, except for Spread.
func Measure(c *cluster.Cluster, serving, idle cluster.Assignment) *Outcome {
	l, at := NewLayout(c, serving), resolve(c)
	var s sums
	loads := make([]load, len(c.Workloads)) // under SameNode
	for _, f := range byCallee(c, at) {
		s.count(l, f.ends, f.rate, loads)
	}
	hotspots := make([]Hotspot, len(loads))
	for w := range loads {
		hotspots[w] = l.busiest(int32(w), &loads[w])
	}
	o := &Outcome{
		Total: s.total, External: s.external, WithSites: s.withSites, Unserved: s.unserved, Levels: l.Outcomes(&s.stays), Hotspot: hottest(hotspots),
		Balance: newUsage(c, serving, idle).balance(c), Spread: l.spread(),
		Links: l.links(at), Survival: newCallGraph(c, at).survival(l),
	}
	o.countPods(c, serving, idle)
	return o
}

// sums is what becomes of all edges, in bytes per second.
type sums struct {
	total, external, withSites, unserved float64
	stays                                Stays
}

// count adds an edge of rate w, and what it brings to its callee under SameNode.
func (s *sums) count(l *Layout, e ends, w float64, loads []load) {
	s.total += w
	switch {
	case e.isExternal():
		s.external += w
		if e.to >= 0 {
			loads[e.to].total += w
			loads[e.to].all += w
		}
	case !l.served(e):
		s.unserved += w
	default:
		var to *load
		if e.to >= 0 {
			to = &loads[e.to]
			to.total += w
			to.weight = w
		}
		if e.withSite() {
			s.withSites += w
		}
		stays := l.stays(e, to)
		s.stays.add(&stays, w, len(l.levels))
	}
}

// add adds w times as much.
func (s *Stays) add(other *Stays, w float64, levels int) {
	for m := range s.Local {
		for k := range levels {
			s.Local[m][k] += w * other.Local[m][k]
		}
	}
	for k := range levels {
		s.Unknown[k] += w * other.Unknown[k]
	}
}

// Outcomes returns what stays, in the units of the sums that it is given, at the
// levels at which any node has a domain.
func (l *Layout) Outcomes(s *Stays) []LevelOutcome {
	var outcomes []LevelOutcome
	for k, level := range l.levels {
		if l.domains[k].known == 0 {
			continue
		}
		o := LevelOutcome{Level: level, Unknown: s.Unknown[k], Incomplete: l.domains[k].known < l.domains[k].left || l.hasUndecidedSites(k)}
		for m := range o.Local {
			o.Local[m] = s.Local[m][k]
		}
		outcomes = append(outcomes, o)
	}
	return outcomes
}

func (o *Outcome) countPods(c *cluster.Cluster, serving, idle cluster.Assignment) {
	o.Idle = idle.Pods()
	o.Placed = serving.Pods() + o.Idle
	for w := range c.Workloads {
		pods := len(serving[w])
		if idle != nil {
			pods += len(idle[w])
		}
		o.Missing += max(int(c.Workloads[w].Replicas)-pods, 0)
	}
}

// flow is an edge, with its rate in bytes per second.
type flow struct {
	ends ends
	rate float64
}

// byCallee returns all edges, those to one workload together: what is known of it
// stays at hand.
func byCallee(c *cluster.Cluster, at []ends) []flow {
	begin := make([]int32, len(c.Workloads)+2)
	group := func(e ends) int32 { return max(e.to, Outside) + 1 }
	for _, e := range at {
		begin[group(e)+1]++
	}
	for i := 1; i < len(begin); i++ {
		begin[i] += begin[i-1]
	}
	flows := make([]flow, len(at))
	for i, e := range at {
		flows[begin[group(e)]] = flow{e, c.Edges[i].BytesPerSecond()}
		begin[group(e)]++
	}
	return flows
}

// resolve returns the ends of the cluster's edges.
func resolve(c *cluster.Cluster) []ends {
	position := make(map[flowgraph.WorkloadID]int32, len(c.Workloads))
	for i, w := range c.Workloads {
		position[w.ID] = int32(i)
	}
	for i, id := range c.Sites() { // as NewLayout has them
		position[id] = firstSite - int32(i)
	}
	at := func(id flowgraph.WorkloadID) int32 {
		if i, ok := position[id]; ok {
			return i
		}
		return Outside
	}
	all := make([]ends, len(c.Edges))
	for i := range c.Edges {
		e := &c.Edges[i]
		if i > 0 && e.From == c.Edges[i-1].From { // edges come by caller most often
			all[i] = ends{all[i-1].from, at(e.To)}
			continue
		}
		all[i] = ends{at(e.From), at(e.To)}
	}
	return all
}
