// Package declared gives new workloads edges until the telemetry has them: those that
// somebody has declared, and those of a predecessor. It reads no Kubernetes object: who
// does hands it a Workload for each that is new.
package declared

import (
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Workload is a new workload and what is known of its traffic.
type Workload struct {
	ID flowgraph.WorkloadID
	// Since is when it came into being.
	Since time.Time
	// Pods is how many are wanted; less than 1 counts as 1.
	Pods int32
	// Peers are declared.
	Peers []Peer
	// Predecessors are workloads that it may take the place of, the likeliest first.
	// It inherits the edges of the first that has any.
	Predecessors []Predecessor
}

// Peer is a workload that another is declared to exchange traffic with.
type Peer struct {
	ID flowgraph.WorkloadID
	// Rate is in bytes per second, both directions together. Where it is 0 the peer has a
	// part of Options.DefaultRate, by its Share among those without a rate.
	Rate, Share float64
	// Calls says that the peer calls the workload, rather than the reverse.
	Calls  bool
	Origin flowgraph.Origin
}

// Predecessor is a workload whose edges another may inherit.
type Predecessor struct {
	ID   flowgraph.WorkloadID
	Pods int32 // wanted; less than 1 counts as 1
}

// Options says how much declarations count.
type Options struct {
	// Window is how long after a workload came into being its declarations count: in full
	// at first, and less and less until its end. Zero or less: not at all.
	Window time.Duration
	// DefaultRate is what a workload is taken to exchange, in bytes per second, with all
	// peers of which nobody says a rate. 0 is the median of what the workloads of the
	// snapshot exchange, or IsolatedRate where there is none, and where namespaces are
	// isolated.
	DefaultRate float64
	// MaxRate bounds a declared edge, in bytes per second; 0 is no bound.
	MaxRate float64
	// Limits bound the declared edges.
	Limits flowgraph.Limits
}

const (
	// MaxPeers is how many edges a workload may declare or inherit.
	MaxPeers = 32
	// IsolatedRate is the default of Options.DefaultRate, in bytes per second, where no
	// traffic of other workloads can tell: a few calls of some kilobytes each second.
	IsolatedRate = 16 << 10
)

// Merger adds declared edges to snapshots. It is not safe for concurrent use.
type Merger struct {
	options Options
	base    *flowgraph.Snapshot // that median is of
	median  float64
	last    merged
}

// merged is what was returned last, and why.
type merged struct {
	base, result *flowgraph.Snapshot
	edges        []flowgraph.Edge
	at           time.Time
}

// unchanged is for how long the same edges are not merged anew because they count less by
// now: a snapshot that differs has a scheduler look at much anew.
const unchanged = 10 * time.Second

// NewMerger returns a Merger.
func NewMerger(o Options) *Merger { return &Merger{options: o} }

// Merge returns the base with what its workloads without a past have declared at a time, or
// the base itself where that is nothing. A declared edge counts
//
//	rate x (1 - age/window) x (1 - observed/declared)
//
// where age is that of its workload, and observed and declared are all that the telemetry
// sees of this workload and all that it has declared. An edge that the telemetry sees
// replaces the declared ones between the same workloads, in either direction. Where both
// ends declare it, the larger rate counts. Where namespaces are isolated, what only one end
// claims counts within a namespace alone, and with sites. Before there is any telemetry nothing counts.
func (m *Merger) Merge(base *flowgraph.Snapshot, all []Workload, now time.Time) *flowgraph.Snapshot {
	if base.Generation() == 0 {
		return base
	}
	claims := claims{}
	for i := range all {
		w := &all[i]
		if fresh := m.freshness(w, now); fresh > 0 {
			claims.add(w.ID, m.edgesOf(base, w, fresh))
		}
	}
	is := merged{base: base, edges: m.bounded(claims.edges(base.At())), at: now}
	if is.isLike(&m.last) {
		return m.last.result
	}
	is.result = base.With(is.edges)
	m.last = is
	return is.result
}

// isLike reports whether the edges are those of before, and as fresh as these but for a
// moment.
func (m *merged) isLike(last *merged) bool {
	return m.base == last.base && m.at.Sub(last.at).Abs() < unchanged &&
		slices.EqualFunc(m.edges, last.edges, func(a, b flowgraph.Edge) bool {
			return a.From == b.From && a.To == b.To && a.Origin == b.Origin
		})
}

// freshness is 1 when a workload comes into being and 0 at the end of the window.
func (m *Merger) freshness(w *Workload, now time.Time) float64 {
	age := max(now.Sub(w.Since), 0)
	if age >= m.options.Window {
		return 0
	}
	return 1 - float64(age)/float64(m.options.Window)
}

// bounded returns the edges that keep the limits.
func (m *Merger) bounded(edges []flowgraph.Edge) []flowgraph.Edge {
	surplus := m.options.Limits.Surplus(len(edges), func(i int) flowgraph.Bounded {
		e := &edges[i]
		return flowgraph.Bounded{From: e.From, To: e.To, Size: e.BytesPerSecond()}
	})
	if len(surplus) == 0 {
		return edges
	}
	kept := edges[:0]
	for i, e := range edges {
		if len(surplus) > 0 && surplus[0] == i {
			surplus = surplus[1:]
			continue
		}
		kept = append(kept, e)
	}
	return kept
}
