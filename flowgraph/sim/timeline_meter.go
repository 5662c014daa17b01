package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
)

// meter adds up over time what stays of the traffic. Which part of an edge stays
// depends on where the pods of its workloads are and not on its rate, so that it
// is computed anew only when pods have changed.
type meter struct {
	// serving returns on which nodes the pods of a workload are that serve.
	serving func(workload int32) []int32

	c       cluster.Cluster // as it is measured
	layout  *cut.Layout
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
	from, to int32 // positions as in cut.Layout, cut.Outside where one is unknown
	// stays is what stays of it, by the pods as they are, nothing while an end has
	// none that serves: served is 1 or 0.
	stays  cut.Stays
	served float64
	// seconds is the integral of stays over the step, up to since; servedFor that of
	// served.
	seconds   cut.Stays
	servedFor float64
	since     time.Duration
	step      int // which seconds and since are of
}

// flowing is the rate of an edge in a step.
type flowing struct {
	*measured
	rate float64
}

// sums are bytes.
type sums struct {
	observed                             time.Duration
	total, external, withSites, unserved float64
	kept                                 cut.Stays
}

func newMeter(c *cluster.Cluster, serving func(int32) []int32) *meter {
	m := &meter{serving: serving, edges: map[edgeKey]*measured{}, lookup: map[flowgraph.WorkloadID]int32{}}
	m.c.Scale = c.Scale
	m.layout = cut.NewLayout(&m.c, nil)
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
	same := func(a, b cluster.Node) bool {
		return a.Locality == b.Locality && slices.Equal(a.Labels, b.Labels)
	}
	if !slices.EqualFunc(m.c.Nodes, c.Nodes, same) {
		// A new node may tell the region of others in its zone.
		m.c.Nodes = slices.Clone(c.Nodes)
		m.layout.SetNodes()
		for w := range m.c.Workloads {
			m.touch(int32(w))
		}
	}
	for w := len(m.c.Workloads); w < len(c.Workloads); w++ {
		m.c.Workloads = append(m.c.Workloads, c.Workloads[w])
		m.of, m.touched = append(m.of, nil), append(m.touched, false)
		m.lookup[c.Workloads[w].ID] = int32(w)
		m.touch(int32(w))
		m.known(c.Workloads[w].ID)
	}
	m.layout.Grow()
	for w := range m.c.Workloads {
		if was, is := &m.c.Workloads[w], &c.Workloads[w]; !was.RoutesEqual(is) {
			was.Route, was.Exceptions, was.Headless = is.Route, is.Exceptions, is.Headless
			m.touch(int32(w))
		}
	}
}

// known forgets the edges of a workload that was outside the cluster so far.
func (m *meter) known(id flowgraph.WorkloadID) {
	for key := range m.edges {
		if key.from != id && key.to != id {
			continue
		}
		old := m.edges[key]
		for _, end := range [...]int32{old.from, old.to} {
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
		return m.layout.Site(id)
	}
	added := &measured{from: at(e.From), to: at(e.To)}
	m.edges[key] = added
	if cut.IsExternal(added.from, added.to) {
		return added
	}
	for _, end := range slices.Compact([]int32{added.from, added.to}) {
		if end >= 0 {
			m.touch(end) // what stays is found before time goes on
			m.of[end] = append(m.of[end], added)
		}
	}
	return added
}

// measure finds what stays of an edge as the pods are.
func (m *meter) measure(e *measured) {
	served := false
	e.stays, served = m.layout.Stays(e.from, e.to)
	e.served = 0
	if served {
		e.served = 1
	}
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
		m.layout.Set(w, m.serving(w))
	}
	for _, w := range m.dirty {
		m.touched[w] = false
		for _, e := range m.of[w] {
			m.settle(e)
			m.measure(e)
		}
	}
	m.dirty = m.dirty[:0]
}

// settle brings the integral of an edge up to the moment.
func (m *meter) settle(e *measured) {
	if e.step != m.step {
		e.step, e.since, e.seconds, e.servedFor = m.step, 0, cut.Stays{}, 0
	}
	if dt := (m.at - e.since).Seconds(); dt > 0 {
		e.seconds.Add(&e.stays, dt)
		e.servedFor += e.served * dt
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
		if cut.IsExternal(e.from, e.to) {
			s.external += bytes
			continue
		}
		m.settle(e.measured)
		if cut.IsWithSite(e.from, e.to) {
			s.withSites += e.rate * e.servedFor
		}
		s.kept.Add(&e.seconds, e.rate)
		s.unserved += e.rate * max(m.length.Seconds()-e.servedFor, 0)
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
	s.withSites += other.withSites
	s.unserved += other.unserved
	s.kept.Add(&other.kept, 1)
}

// report fills in the means over the window.
func (m *meter) report(c *Course) {
	c.Observed = m.window.observed
	seconds := cmp.Or(m.window.observed.Seconds(), 1)
	c.Total, c.External, c.Unserved = m.window.total/seconds, m.window.external/seconds, m.window.unserved/seconds
	c.WithSites = m.window.withSites / seconds
	var kept cut.Stays
	kept.Add(&m.window.kept, 1/seconds)
	c.Levels = m.layout.Outcomes(&kept)
	for i := range c.Levels {
		for model := range c.Levels[i].Local {
			c.Levels[i].Local[model] = min(c.Levels[i].Local[model], c.Total)
		}
	}
}
