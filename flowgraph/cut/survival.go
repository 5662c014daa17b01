package cut

import (
	"cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Survival is how much of the requests still completes, end to end through the call
// graph, after the loss of a node and of a zone. A call is made while its caller has
// a pod that serves, and completes when its callee has one left and all calls that
// the callee makes in turn complete. Assumed is that a workload needs every edge
// that it has, that what is outside the cluster is always there, sites in a
// lost zone included, and that the pods
// that are left can take the load: Loss.Load says how much that grows.
type Survival struct {
	// InBytes says that no edge has requests, so that parts are of bytes instead.
	// Else edges without requests have no weight, and are needed all the same.
	InBytes bool
	// Before is the part that completes while all is well, in [0,1]; it is less
	// than 1 where a workload has no pod that serves.
	Before float64
	// Node and Zone are the loss of that node and zone, of all, after which the
	// least completes.
	Node, Zone Loss
}

// Loss is what the loss of one topology domain leaves.
type Loss struct {
	// Domain is its name, "" when there is none to lose, or no traffic.
	Domain string
	// Complete is the part of all requests that still completes, in [0,1].
	Complete float64
	// Load is what each pod gets, relative to before, of the called workload of those
	// with pods left that gains most: 2 when half of its pods are lost. It is 1 when no
	// such workload loses only some of its pods.
	Load float64
}

// worse orders losses: that which leaves less first, then that which leaves more to
// do, then by name.
func (a Loss) worse(b Loss) bool {
	return cmp.Or(cmp.Compare(a.Complete, b.Complete), cmp.Compare(b.Load, a.Load), cmp.Compare(a.Domain, b.Domain)) < 0
}

// callGraph is who calls whom. Workloads that call each other in circles are one
// vertex: they complete together.
type callGraph struct {
	inBytes bool
	total   float64
	// calls are the edges with traffic, ordered by caller, those from outside first;
	// those of a workload begin at its position in begin, and end at the next.
	calls []call
	begin []int32
	// vertex is by workload; vertices is how many there are.
	vertex   []int32
	vertices int32
	// callers is, by vertex, those that call it.
	callers [][]int32
	// into is the weight of the calls to a vertex that some pod makes; called says of
	// each workload whether there are such calls.
	into   []float64
	called []bool

	state []callState // by vertex, used anew
}

// call is an edge with a weight: requests per second, or bytes.
type call struct {
	ends
	weight float64
}

// callState says which vertices do not complete: those of the last round that
// touched them, or of none but 0, which is before any loss.
type callState struct {
	fails bool  // before any loss
	round int32 // the last loss after which it fails
}

func newCallGraph(c *cluster.Cluster, resolved []ends) *callGraph {
	g := &callGraph{inBytes: true, begin: make([]int32, len(c.Workloads)+2)}
	at := make([]ends, len(resolved))
	for i, e := range resolved { // sites are always there, as all that is outside
		at[i] = ends{max(e.from, Outside), max(e.to, Outside)}
	}
	flows := func(e *flowgraph.Edge) bool { return e.BytesPerSecond() > 0 || e.RequestsPerSecond > 0 }
	for i := range c.Edges {
		e := &c.Edges[i]
		g.inBytes = g.inBytes && e.RequestsPerSecond == 0
		if flows(e) {
			g.begin[at[i].from+2]++
		}
	}
	for i := 1; i < len(g.begin); i++ {
		g.begin[i] += g.begin[i-1]
	}
	g.calls = make([]call, g.begin[len(g.begin)-1])
	for i := range c.Edges {
		e := &c.Edges[i]
		if !flows(e) {
			continue
		}
		weight := e.RequestsPerSecond
		if g.inBytes {
			weight = e.BytesPerSecond()
		}
		g.calls[g.begin[at[i].from+1]] = call{at[i], weight}
		g.begin[at[i].from+1]++
		g.total += weight
	}
	// Each place was moved on to the beginning of the next one.
	g.condense()
	return g
}

// out returns the calls of a workload.
func (g *callGraph) out(workload int32) []call {
	return g.calls[g.begin[workload]:g.begin[workload+1]]
}

// survival returns what the losses of a layout's domains leave.
func (g *callGraph) survival(l *Layout) Survival {
	s := Survival{InBytes: g.inBytes}
	if g.total == 0 {
		return s
	}
	before := g.unharmed(l)
	s.Before = before / g.total
	s.Node = g.worst(l, atNode, before)
	s.Zone = g.worst(l, l.zone, before)
	return s
}

// unharmed finds what fails before any loss and returns the weight of what completes.
func (g *callGraph) unharmed(l *Layout) float64 {
	g.state = append(g.state[:0], make([]callState, g.vertices)...)
	g.into = append(g.into[:0], make([]float64, g.vertices)...)
	g.called = append(g.called[:0], make([]bool, len(l.pods))...)
	var dead []int32
	for w, pods := range l.pods {
		if pods == 0 {
			dead = append(dead, int32(w))
		}
	}
	g.spread(dead, func(s *callState) bool {
		was := s.fails
		s.fails = true
		return !was
	}, nil)
	var completes float64
	for i := range g.calls {
		c := &g.calls[i]
		if c.from >= 0 && l.pods[c.from] == 0 {
			continue // nobody makes it
		}
		if c.to < 0 {
			completes += c.weight
			continue
		}
		g.called[c.to] = true
		v := g.vertex[c.to]
		g.into[v] += c.weight
		if !g.state[v].fails {
			completes += c.weight
		}
	}
	return completes
}

// spread marks the vertices of workloads and of all that call them, directly or
// not, and calls visit for each that mark reports as new.
func (g *callGraph) spread(workloads []int32, mark func(*callState) bool, visit func(vertex int32)) {
	var stack []int32
	push := func(v int32) {
		if mark(&g.state[v]) {
			stack = append(stack, v)
		}
	}
	for _, w := range workloads {
		push(g.vertex[w])
	}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if visit != nil {
			visit(v)
		}
		for _, caller := range g.callers[v] {
			push(caller)
		}
	}
}

// worst returns the worst loss of a domain of a level.
func (g *callGraph) worst(l *Layout, level int, before float64) Loss {
	d := &l.domains[level]
	wholly, load := make([][]int32, len(d.names)), make([]float64, len(d.names))
	for w := range l.pods {
		for _, p := range l.at(level, int32(w)) {
			switch left := l.pods[w] - p.pods; {
			case left == 0:
				wholly[p.domain] = append(wholly[p.domain], int32(w))
			case g.called[w]:
				load[p.domain] = max(load[p.domain], float64(l.pods[w])/float64(left))
			}
		}
	}
	for v := range g.state {
		g.state[v].round = -1
	}
	var worst Loss
	for domain, name := range d.names {
		if name == "" || !d.isLeft[domain] {
			continue
		}
		if level == atNode {
			name = l.c.Nodes[d.member[domain]].Node
		}
		left := before - g.lost(int32(domain), wholly[domain])
		loss := Loss{Domain: name, Complete: max(left, 0) / g.total, Load: max(load[domain], 1)}
		if worst.Domain == "" || loss.worse(worst) {
			worst = loss
		}
	}
	return worst
}

// lost is the weight of what completed before, and does not once some workloads have
// no pods.
func (g *callGraph) lost(round int32, dead []int32) (weight float64) {
	g.spread(dead, func(s *callState) bool {
		if s.fails || s.round == round {
			return false
		}
		s.round = round
		return true
	}, func(v int32) { weight += g.into[v] })
	for _, w := range dead {
		for _, c := range g.out(w) { // calls that nobody makes any more
			if c.to < 0 {
				weight += c.weight
				continue
			}
			if s := &g.state[g.vertex[c.to]]; !s.fails && s.round != round {
				weight += c.weight
			}
		}
	}
	return weight
}
