package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// meter adds up over time what stays of the traffic. Which part of an edge stays
// depends on where the pods of its workloads are and not on its rate, so that it
// is computed anew only when pods have changed.
type meter struct {
	pods func(workload int32) (nodes []int32, recorded int32)

	c       cluster.Cluster // as it is measured: Replicas are the pods that there are
	places  placement
	edges   map[edgeKey]*measured
	of      [][]*measured // by workload, those with it at an end
	touched []bool        // by workload: its pods have changed
	dirty   []int32       // the workloads that are touched

	step    int // counts the steps
	length  time.Duration
	gap     bool
	at      time.Duration // since the beginning of the step
	current []flowing     // the edges of the step
	lookup  map[flowgraph.WorkloadID]int32

	window sums
}

type edgeKey struct{ from, to flowgraph.WorkloadID }

// measured is an edge that has been seen.
type measured struct {
	ends pair
	// part is what stays of it, by the pods as they are.
	part [modelCount]byLevel
	// seconds is the integral of part over the step, up to since.
	seconds [modelCount]byLevel
	since   time.Duration
	step    int // which seconds and since are of
}

// flowing is the rate of an edge in a step.
type flowing struct {
	*measured
	rate float64
}

// sums are bytes.
type sums struct {
	observed        time.Duration
	total, external float64
	kept            [modelCount]byLevel
}

func newMeter(c *cluster.Cluster, pods func(int32) ([]int32, int32)) *meter {
	m := &meter{pods: pods, edges: map[edgeKey]*measured{}, lookup: map[flowgraph.WorkloadID]int32{}}
	m.c.Scale = c.Scale
	m.places.c, m.places.scale, m.places.at = &m.c, scaleOf(c), domains(&m.c)
	m.sync(c)
	return m
}

// begin takes over what has changed in the cluster, and the edges of a step.
func (m *meter) begin(s *Step, c *cluster.Cluster) error {
	m.step++
	m.length, m.at, m.gap = max(s.Length, 0), 0, s.Gap
	m.sync(c)
	m.current = m.current[:0]
	if s.Gap {
		return nil
	}
	for _, e := range s.Edges {
		if !e.Valid() {
			return fmt.Errorf("edge %s to %s: a rate is negative, above 1e12 or no number", e.From, e.To)
		}
		m.current = append(m.current, flowing{m.edge(e), e.BytesPerSecond()})
	}
	return nil
}

// sync takes over the nodes and workloads.
func (m *meter) sync(c *cluster.Cluster) {
	same := func(a, b cluster.Node) bool { return a.Locality == b.Locality && slices.Equal(a.Labels, b.Labels) }
	if !slices.EqualFunc(m.c.Nodes, c.Nodes, same) {
		moved := !slices.EqualFunc(m.c.Nodes, c.Nodes[:min(len(m.c.Nodes), len(c.Nodes))], same)
		m.c.Nodes = slices.Clone(c.Nodes)
		for k, l := range domains(&m.c) {
			m.places.at[k].domainOf, m.places.at[k].domains = l.domainOf, l.domains
		}
		if moved {
			for w := range m.c.Workloads {
				m.touch(int32(w))
			}
		}
	}
	for w := len(m.c.Workloads); w < len(c.Workloads); w++ {
		m.c.Workloads = append(m.c.Workloads, c.Workloads[w])
		m.places.assigned = append(m.places.assigned, nil)
		for k := range m.places.at {
			m.places.at[k].places = append(m.places.at[k].places, nil)
		}
		m.of, m.touched = append(m.of, nil), append(m.touched, false)
		m.lookup[c.Workloads[w].ID] = int32(w)
		m.touch(int32(w))
		m.known(c.Workloads[w].ID)
	}
	for w := range m.c.Workloads {
		if was, is := &m.c.Workloads[w], &c.Workloads[w]; !was.Route.Equal(is.Route) || !maps.EqualFunc(was.Exceptions, is.Exceptions, cluster.Route.Equal) {
			was.Route, was.Exceptions = is.Route, is.Exceptions
			m.touch(int32(w))
		}
	}
}

// known forgets the edges of a workload that was outside the cluster by now.
func (m *meter) known(id flowgraph.WorkloadID) {
	for key := range m.edges {
		if key.from != id && key.to != id {
			continue
		}
		old := m.edges[key]
		for _, end := range [...]int32{old.ends.from, old.ends.to} {
			if end >= 0 {
				m.of[end] = slices.DeleteFunc(m.of[end], func(e *measured) bool { return e == old })
			}
		}
		delete(m.edges, key)
	}
}

// edge returns what is known of an edge.
func (m *meter) edge(e flowgraph.Edge) *measured {
	key := edgeKey{e.From, e.To}
	if known := m.edges[key]; known != nil {
		return known
	}
	at := func(id flowgraph.WorkloadID) int32 {
		if w, ok := m.lookup[id]; ok {
			return w
		}
		return Anywhere
	}
	added := &measured{ends: pair{at(e.From), at(e.To)}}
	m.edges[key] = added
	if added.ends.from < 0 || added.ends.to < 0 {
		return added
	}
	added.part = m.places.underModels(added.ends, 1, nil)
	m.of[added.ends.from] = append(m.of[added.ends.from], added)
	if added.ends.from != added.ends.to {
		m.of[added.ends.to] = append(m.of[added.ends.to], added)
	}
	return added
}

// touch says that the pods of a workload change at the moment.
func (m *meter) touch(workload int32) {
	if !m.touched[workload] {
		m.touched[workload] = true
		m.dirty = append(m.dirty, workload)
	}
}

// advance goes on to a moment of the step; times do not go back.
func (m *meter) advance(to time.Duration) {
	to = min(max(to, m.at), m.length)
	if to > m.at {
		m.refresh()
		m.at = to
	}
}

// refresh computes anew what has changed.
func (m *meter) refresh() {
	for _, w := range m.dirty {
		nodes, recorded := m.pods(w)
		m.places.assigned[w] = nodes
		m.c.Workloads[w].Replicas = max(recorded, int32(len(nodes)))
		for k := range m.places.at {
			l := &m.places.at[k]
			l.places[w] = tallied(nodes, l.domainOf)
		}
	}
	for _, w := range m.dirty {
		m.touched[w] = false
		for _, e := range m.of[w] {
			m.settle(e)
			e.part = m.places.underModels(e.ends, 1, nil)
		}
	}
	m.dirty = m.dirty[:0]
}

// settle brings the integral of an edge up to the moment.
func (m *meter) settle(e *measured) {
	if e.step != m.step {
		e.step, e.since, e.seconds = m.step, 0, [modelCount]byLevel{}
	}
	if dt := (m.at - e.since).Seconds(); dt > 0 {
		for model := range e.part {
			for level, part := range e.part[model] {
				e.seconds[model][level] += part * dt
			}
		}
	}
	e.since = m.at
}

// end ends the step and returns its sums; those of steps that count are added to
// the window.
func (m *meter) end(counts bool) sums {
	m.advance(m.length)
	m.refresh()
	var s sums
	if !m.gap {
		s.observed = m.length
	}
	for _, e := range m.current {
		bytes := e.rate * m.length.Seconds()
		s.total += bytes
		if e.ends.from < 0 || e.ends.to < 0 {
			s.external += bytes
			continue
		}
		m.settle(e.measured)
		for model := range e.seconds {
			for level, seconds := range e.seconds[model] {
				s.kept[model][level] += e.rate * seconds
			}
		}
	}
	if counts {
		m.window.add(&s)
	}
	return s
}

func (s *sums) add(other *sums) {
	s.observed += other.observed
	s.total += other.total
	s.external += other.external
	for model := range s.kept {
		s.kept[model].add(&other.kept[model])
	}
}

// report fills in the means over the window.
func (m *meter) report(c *Course) {
	c.Observed = m.window.observed
	seconds := cmp.Or(m.window.observed.Seconds(), 1)
	c.Total, c.External = m.window.total/seconds, m.window.external/seconds
	c.Levels = m.places.outcomes(func(model Model, position int) float64 {
		return min(m.window.kept[model][position]/seconds, c.Total)
	})
}
