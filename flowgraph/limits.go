package flowgraph

import (
	"cmp"
	"math"
	"slices"
)

// Limits bound how much is kept of a graph. A field that is zero is no bound.
type Limits struct {
	// Edges and Workloads are how many there may be in all.
	Edges, Workloads int
	// NamespaceEdges is how many edges may have an end in one namespace, and
	// NamespaceWorkloads how many workloads one namespace may have.
	NamespaceEdges, NamespaceWorkloads int
}

// Bounded is an edge as Limits see it.
type Bounded struct {
	From, To WorkloadID
	// Size is its rate, in any unit.
	Size float64
	// Known says that it was there before.
	Known bool
}

// Surplus returns which of n edges have to leave for the others to keep the limits, in
// ascending order.
//
// Namespaces have equal shares: one that has more edges than others loses its own, not
// theirs. Of the share of a namespace one half belongs to the edges within it, and
// the other half equally to the namespaces that it exchanges traffic with, so that one
// of these cannot take it all. Of the edges between the same two namespaces, known ones
// stay before new ones, and large ones before small ones. Where workloads are beyond the
// limits, the largest edge of each workload stays before the others.
func (l Limits) Surplus(n int, edge func(i int) Bounded) []int {
	if l.cannotExceed(n) {
		return nil
	}
	c := &census{numbers: map[WorkloadID]int32{}, spaces: map[string]int32{}, edges: make([]claim, n)}
	for i := range c.edges {
		c.add(i, edge(i))
	}
	edgesExceed, workloadsExceed := l.exceeded(c)
	if !edgesExceed && !workloadsExceed {
		return nil
	}
	c.rank(workloadsExceed)
	c.place()
	return l.refuse(c)
}

// cannotExceed reports whether so few edges keep the limits whatever they are.
func (l Limits) cannotExceed(n int) bool {
	return !over(n, l.Edges) && !over(n, l.NamespaceEdges) && !over(2*n, l.Workloads) && !over(2*n, l.NamespaceWorkloads)
}

// census is what Limits count.
type census struct {
	numbers map[WorkloadID]int32
	space   []int32  // by workload
	names   []uint64 // by workload: a hash
	spaces  map[string]int32
	edges   []claim
}

// claim is an edge that wants to stay.
type claim struct {
	from, to int32    // workloads
	spaces   [2]int32 // their namespaces, the lower number first
	merit    uint64   // the lower, the longer it stays among those between the same namespaces
	rank     int32    // among these
	turn     int32    // when the worse of the two namespaces lets it in
}

// The highest bits of a claim's merit. The others are those of its size.
const (
	isNew    = 1 << 63
	notFirst = 1 << 62 // it is not the largest of one of its workloads between these namespaces
)

func (c *census) add(i int, e Bounded) {
	from, to := c.number(e.From), c.number(e.To)
	a, b := c.space[from], c.space[to]
	merit := (notFirst - 1) - math.Float64bits(max(e.Size, 0))>>1 // the bits of positive numbers are in their order
	if !e.Known {
		merit |= isNew
	}
	c.edges[i] = claim{from: from, to: to, spaces: [2]int32{min(a, b), max(a, b)}, merit: merit}
}

func (c *census) number(id WorkloadID) int32 {
	n, ok := c.numbers[id]
	if !ok {
		space, ok := c.spaces[id.Namespace]
		if !ok {
			space = int32(len(c.spaces))
			c.spaces[id.Namespace] = space
		}
		n = int32(len(c.numbers))
		c.numbers[id], c.space, c.names = n, append(c.space, space), append(c.names, hash(id))
	}
	return n
}

// hash is FNV-1a of the names. It only breaks ties, so that nobody gains by a collision.
func hash(id WorkloadID) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, name := range [...]string{id.Namespace, "/", id.Name} {
		for i := range len(name) {
			h = (h ^ uint64(name[i])) * prime
		}
	}
	return h
}

// ends are the namespaces of an edge, each once.
func (e *claim) ends() []int32 {
	if e.spaces[0] == e.spaces[1] {
		return e.spaces[:1]
	}
	return e.spaces[:]
}

// over reports whether a count is beyond a limit.
func over(count, limit int) bool { return limit > 0 && count > limit }

// exceeded reports what is beyond the limits.
func (l Limits) exceeded(c *census) (edges, workloads bool) {
	edges, workloads = over(len(c.edges), l.Edges), over(len(c.numbers), l.Workloads)
	of := make([]int, len(c.spaces))
	for i := range c.edges {
		for _, s := range c.edges[i].ends() {
			of[s]++
			edges = edges || over(of[s], l.NamespaceEdges)
		}
	}
	clear(of)
	for _, s := range c.space {
		of[s]++
		workloads = workloads || over(of[s], l.NamespaceWorkloads)
	}
	return edges, workloads
}

// standing is what edges are ordered by.
type standing struct {
	group, merit uint64
	names        uint64 // breaks ties, so that the order of the edges makes no difference
	edge         int32
}

// sorted returns the numbers of edges in the order of the groups that they are in, and
// within these by merit.
func (c *census) sorted(edges []standing) []standing {
	for i := range edges {
		e := &c.edges[edges[i].edge]
		edges[i].merit, edges[i].names = e.merit, c.names[e.from]*3+c.names[e.to]
	}
	slices.SortFunc(edges, func(a, b standing) int {
		switch {
		case a.group != b.group:
			return cmp.Compare(a.group, b.group)
		case a.merit != b.merit:
			return cmp.Compare(a.merit, b.merit)
		}
		return cmp.Compare(a.names, b.names)
	})
	return edges
}

// all returns all edges, each in the group that of gives.
func (c *census) all(of func(e *claim) uint64) []standing {
	edges := make([]standing, len(c.edges))
	for i := range c.edges {
		edges[i].edge, edges[i].group = int32(i), of(&c.edges[i])
	}
	return edges
}

// rank orders the edges between the same two namespaces. firstOfEach has the largest
// edge of each workload stay before the others.
func (c *census) rank(firstOfEach bool) {
	pair := func(e *claim) uint64 { return uint64(e.spaces[0])<<32 | uint64(e.spaces[1]) }
	order := c.sorted(c.all(pair))
	if firstOfEach {
		c.markFirst(order)
		order = c.sorted(order)
	}
	for i := 1; i < len(order); i++ {
		if order[i].group == order[i-1].group {
			c.edges[order[i].edge].rank = c.edges[order[i-1].edge].rank + 1
		}
	}
}

// markFirst marks the edges that are not the largest of one of their workloads.
func (c *census) markFirst(order []standing) {
	seen := make([]int, len(c.space)) // by workload: the last pair of namespaces, from 1 on
	pair := 0
	for i, o := range order {
		e := &c.edges[o.edge]
		if i == 0 || o.group != order[i-1].group {
			pair++
		}
		if seen[e.from] == pair && seen[e.to] == pair {
			e.merit |= notFirst
		}
		seen[e.from], seen[e.to] = pair, pair
	}
}

// place gives each edge its turn: in each of its namespaces the edges within have the even
// turns, and those with other namespaces the odd ones, one from each of these after the
// other.
func (c *census) place() {
	foreign := make([][]standing, len(c.spaces))
	for i := range c.edges {
		e := &c.edges[i]
		if e.spaces[0] == e.spaces[1] {
			e.turn = 2 * e.rank
			continue
		}
		for _, s := range e.spaces {
			foreign[s] = append(foreign[s], standing{edge: int32(i), group: uint64(e.rank)})
		}
	}
	for _, edges := range foreign {
		for i, o := range c.sorted(edges) {
			e := &c.edges[o.edge]
			e.turn = max(e.turn, int32(2*i+1))
		}
	}
}

// admission counts the edges that have been let in.
type admission struct {
	Limits
	space                []int32 // by workload
	edges, workloads     int
	edgesOf, workloadsOf []int  // by namespace
	in                   []bool // by workload
}

// refuse goes through the edges in the order in which they are let in, and returns those
// for which there is no room any more.
func (l Limits) refuse(c *census) (surplus []int) {
	a := admission{
		Limits: l, space: c.space, in: make([]bool, len(c.space)),
		edgesOf: make([]int, len(c.spaces)), workloadsOf: make([]int, len(c.spaces)),
	}
	for _, o := range c.sorted(c.all(func(e *claim) uint64 { return uint64(e.turn) })) {
		if !a.admit(&c.edges[o.edge]) {
			surplus = append(surplus, int(o.edge))
		}
	}
	slices.Sort(surplus)
	return surplus
}

// admit lets an edge in if there is room for it and its workloads.
func (a *admission) admit(e *claim) bool {
	if over(a.edges+1, a.Edges) {
		return false
	}
	for _, s := range e.ends() {
		if over(a.edgesOf[s]+1, a.NamespaceEdges) {
			return false
		}
	}
	var more [2]int // workloads, at either end
	if !a.in[e.from] {
		more[0] = 1
	}
	if !a.in[e.to] && e.to != e.from {
		more[1] = 1
	}
	from, to := a.space[e.from], a.space[e.to]
	if from == to {
		more[0], more[1] = more[0]+more[1], 0
	}
	for i, s := range [2]int32{from, to} {
		if more[i] > 0 && over(a.workloadsOf[s]+more[i], a.NamespaceWorkloads) {
			return false
		}
	}
	if sum := more[0] + more[1]; sum > 0 && over(a.workloads+sum, a.Workloads) {
		return false
	}
	a.edges++
	for _, s := range e.ends() {
		a.edgesOf[s]++
	}
	a.workloadsOf[from] += more[0]
	a.workloadsOf[to] += more[1]
	a.workloads += more[0] + more[1]
	a.in[e.from], a.in[e.to] = true, true
	return true
}
