package cut

import (
	"fmt"
	"slices"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Move is one serving pod of a workload that goes from one node to another, all by
// position. Outside as From is a pod that had no node, as To one that has none any
// more.
type Move struct {
	Workload, From, To int32
}

// Gain is what a move brings: how much more stays, in bytes per second,
// negative where less does.
type Gain struct {
	// Local is by Model and the position of the level in the cluster's scale.
	Local [modelCount]byLevel

	levels []locality.Level
}

// At returns how much more traffic stays within a level under a model, 0 for a
// level that the cluster's scale does not have.
func (g *Gain) At(level locality.Level, m Model) float64 {
	k := slices.Index(g.levels, level)
	if k < 0 {
		return 0
	}
	return g.Local[m][k]
}

// Evaluator measures an assignment that changes by one move after the other. A move
// costs what the edges of its workload do; an Outcome costs as much as the edges of
// the workloads that have moved since the last one, and the nodes. It is not safe
// for concurrent use, and the cluster must not change while it is used.
type Evaluator struct {
	l     *Layout
	at    []ends
	rates []float64 // of the edges
	of    [][]int32 // by workload: the edges with it at an end, each once
	into  [][]int32 // by workload: the edges to it

	sums     sums
	edges    []Stays // each in parts of its traffic
	usage    *usage
	spread   Spread
	serving  int
	idle     cluster.Assignment
	have     []int // by workload: pods with a node
	hotspots []Hotspot
	stale    []bool // by workload: its hotspot must be found anew
	graph    *callGraph

	undo undo
}

// undo is what the last move has changed.
type undo struct {
	move  Move
	edges []Stays // of those of the workload
	sums  sums
}

// NewEvaluator returns one for an assignment of serving pods, beside idle ones,
// which only take room and are never moved; idle may be nil. Errors are those of
// the assignments' Validate.
func NewEvaluator(c *cluster.Cluster, serving, idle cluster.Assignment) (*Evaluator, error) {
	for _, a := range [...]cluster.Assignment{serving, idle} {
		if a == nil {
			continue
		}
		if err := a.Validate(c); err != nil {
			return nil, fmt.Errorf("evaluating an assignment: %w", err)
		}
	}
	n := len(c.Workloads)
	v := &Evaluator{
		l: NewLayout(c, serving), at: resolve(c), rates: make([]float64, len(c.Edges)),
		of: make([][]int32, n), into: make([][]int32, n), edges: make([]Stays, len(c.Edges)),
		usage: newUsage(c, serving, idle), serving: serving.Pods(), idle: idle, have: make([]int, n),
		hotspots: make([]Hotspot, n), stale: make([]bool, n),
	}
	v.graph = newCallGraph(c, v.at)
	for i, e := range c.Edges {
		v.rates[i] = e.BytesPerSecond()
		at := v.at[i]
		if at.from >= 0 {
			v.of[at.from] = append(v.of[at.from], int32(i))
		}
		if at.to >= 0 {
			v.into[at.to] = append(v.into[at.to], int32(i))
			if at.from != at.to {
				v.of[at.to] = append(v.of[at.to], int32(i))
			}
		}
		v.sums.total += v.rates[i]
		if at.isExternal() {
			v.sums.external += v.rates[i]
			continue
		}
		v.count(int32(i))
	}
	for w := range c.Workloads {
		v.stale[w] = true
		v.spread.add(v.l.spreadOf(int32(w)), 1)
		v.have[w] = len(serving[w])
		if idle != nil {
			v.have[w] += len(idle[w])
		}
	}
	v.undo.move.Workload = Outside
	return v, nil
}

// count measures an edge that is not external and adds it to the sums.
func (v *Evaluator) count(i int32) {
	if !v.l.served(v.at[i]) {
		v.edges[i] = Stays{}
		v.sums.unserved += v.rates[i]
		return
	}
	if v.at[i].withSite() {
		v.sums.withSites += v.rates[i]
	}
	v.edges[i] = v.l.stays(v.at[i], nil)
	v.sums.stays.add(&v.edges[i], v.rates[i], len(v.l.levels))
}

// discount takes an edge out of the sums.
func (v *Evaluator) discount(i int32) {
	if !v.l.served(v.at[i]) {
		v.sums.unserved -= v.rates[i]
		return
	}
	if v.at[i].withSite() {
		v.sums.withSites -= v.rates[i]
	}
	v.sums.stays.add(&v.edges[i], -v.rates[i], len(v.l.levels))
}

// Move moves a pod and returns how much more traffic stays. The pod must be there.
func (v *Evaluator) Move(m Move) Gain {
	was := v.sums
	v.undo.move, v.undo.sums, v.undo.edges = m, v.sums, v.undo.edges[:0]
	edges := v.of[m.Workload]
	for _, i := range edges {
		v.undo.edges = append(v.undo.edges, v.edges[i])
		if !v.at[i].isExternal() {
			v.discount(i)
		}
	}
	v.move(m)
	for _, i := range edges {
		if !v.at[i].isExternal() {
			v.count(i)
		}
	}
	g := Gain{levels: v.l.levels}
	for model := range g.Local {
		for k := range v.l.levels {
			g.Local[model][k] = v.sums.stays.Local[model][k] - was.stays.Local[model][k]
		}
	}
	return g
}

// Undo takes back the last move, to the digit. It does nothing before the first one,
// and the second time.
func (v *Evaluator) Undo() {
	m := v.undo.move
	if m.Workload == Outside {
		return
	}
	v.undo.move.Workload = Outside
	v.move(Move{Workload: m.Workload, From: m.To, To: m.From})
	for k, i := range v.of[m.Workload] {
		v.edges[i] = v.undo.edges[k]
	}
	v.sums = v.undo.sums
}

// move moves a pod and marks what depends on it.
func (v *Evaluator) move(m Move) {
	v.spread.add(v.l.spreadOf(m.Workload), -1)
	if m.From != Outside {
		v.step(m.Workload, m.From, -1)
	}
	if m.To != Outside {
		v.step(m.Workload, m.To, 1)
	}
	v.spread.add(v.l.spreadOf(m.Workload), 1)
	v.stale[m.Workload] = true
	for _, i := range v.of[m.Workload] {
		if to := v.at[i].to; to >= 0 {
			v.stale[to] = true
		}
	}
}

func (v *Evaluator) step(workload, node, by int32) {
	v.l.add(workload, node, by)
	v.usage.add(v.l.c, workload, node, by)
	v.serving += int(by)
	v.have[workload] += int(by)
}

// Outcome returns what the assignment does as it is now: what Measure would.
func (v *Evaluator) Outcome() *Outcome {
	c := v.l.c
	for w := range v.stale {
		if v.stale[w] {
			v.stale[w] = false
			v.hotspots[w] = v.hotspot(int32(w))
		}
	}
	o := &Outcome{
		Total: v.sums.total, External: v.sums.external, WithSites: max(v.sums.withSites, 0), Unserved: max(v.sums.unserved, 0),
		Levels: v.l.Outcomes(&v.sums.stays), Hotspot: hottest(v.hotspots),
		Placed: v.serving + v.idle.Pods(), Idle: v.idle.Pods(),
		Balance: v.usage.balance(c), Spread: v.spread, Links: v.l.links(v.at), Survival: v.graph.survival(v.l),
	}
	for w := range c.Workloads {
		o.Missing += max(int(c.Workloads[w].Replicas)-v.have[w], 0)
	}
	return o
}

// hotspot finds the busiest pods of a workload under SameNode.
func (v *Evaluator) hotspot(workload int32) Hotspot {
	var to load
	for _, i := range v.into[workload] {
		e := v.at[i]
		switch {
		case e.from < 0:
			to.total += v.rates[i]
			to.all += v.rates[i]
		case v.l.served(e):
			to.total += v.rates[i]
			to.weight = v.rates[i]
			v.l.local(SameNode.route(cluster.Route{}), e, &to)
		}
	}
	return v.l.busiest(workload, &to)
}
