package telemetry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

const (
	// jitterShare is how far a pause may differ from the interval, to either
	// side, so that many schedulers do not query at the same moment.
	jitterShare = 0.1
	// holdIntervals is how many intervals the flows of a failed source take
	// part in the merge.
	holdIntervals = 5
)

// Options is what a Manager is made of. Every field is required unless it says otherwise.
type Options struct {
	// Sources are queried in this order. Their names are unique.
	Sources []Source
	// Preferences may say which of them count alone in some namespaces.
	Preferences Preferences
	// Companions are refreshed after them, in this order. Whether they succeed says
	// nothing of how old the traffic is.
	Companions []Companion
	Querier    Querier
	// Graph smooths the flows. The Manager becomes its owner.
	Graph *flowgraph.Graph
	// Limits bound the flows of each source that are kept for the merge.
	Limits flowgraph.Limits
	// Store receives a snapshot after every round in which a source succeeded.
	Store *flowgraph.Store
	// Interval is the time between two rounds, before jitter. Like a target that
	// Prometheus cannot scrape, a source that fails is asked again in the next
	// round: what it costs is one query that Querier limits, and what it brings
	// is that a recovery shows within two rounds.
	Interval time.Duration
	// Now is the clock; queries are evaluated at its time.
	Now func() time.Time
	// Random returns a number in [0, 1) for the jitter. It is called by one
	// goroutine at a time.
	Random func() float64
	// Observer, when set, is told of every round.
	Observer Observer
}

// Observer turns rounds into metrics and log lines.
type Observer interface {
	// Refreshed is called after every round, by the goroutine that ran it; the
	// next round waits for it.
	Refreshed(Status)
}

// Manager polls sources, merges what they see and publishes snapshots. There
// is never more than one query in flight.
//
// Where several sources see the same edge, the larger of each of its rates
// counts, never the sum: two observers of the same traffic may each miss some
// of it. Where one of them is preferred, the others do not count. The flows of a source that fails stay in this maximum for five
// intervals, so that a short failure does not lower an edge; an edge that no
// other source sees is not renewed by them, because they keep their time.
type Manager struct {
	options Options

	round  sync.Mutex     // held for a whole round; guards states and options.Graph
	states []*sourceState // of the sources, and of the companions last

	mu     sync.Mutex // guards status
	status Status
}

// sourceState is what the Manager knows of one source or companion.
type sourceState struct {
	ask    func(ctx context.Context, at time.Time) (Observation, error)
	source Source      // nil of a companion
	seen   Observation // of the last success
	checks checks
	status SourceStatus
}

// NewManager returns a Manager that has done nothing yet. It reports what is
// missing from o.
func NewManager(o Options) (*Manager, error) {
	switch {
	case len(o.Sources) == 0:
		return nil, errors.New("telemetry: no sources")
	case o.Querier == nil || o.Graph == nil || o.Store == nil || o.Now == nil || o.Random == nil:
		return nil, errors.New("telemetry: Querier, Graph, Store, Now and Random are required")
	case o.Interval <= 0:
		return nil, fmt.Errorf("telemetry: interval %v is not positive", o.Interval)
	}
	m := &Manager{options: o}
	names := map[string]bool{}
	for _, s := range m.polled() {
		name := s.status.Name
		if names[name] {
			return nil, fmt.Errorf("telemetry: two sources have the name %q", name)
		}
		names[name] = true
		m.states = append(m.states, s)
	}
	m.status = m.statusNow(time.Time{}, 0)
	return m, nil
}

// polled returns all that are queried, in their order.
func (m *Manager) polled() (all []*sourceState) {
	for _, s := range m.options.Sources {
		all = append(all, &sourceState{status: SourceStatus{Name: s.Name()}, source: s, ask: func(ctx context.Context, at time.Time) (Observation, error) {
			return ask(ctx, s, m.options.Querier, at)
		}})
	}
	for _, c := range m.options.Companions {
		all = append(all, &sourceState{status: SourceStatus{Name: c.Name(), Companion: true}, ask: func(ctx context.Context, at time.Time) (seen Observation, err error) {
			err = guard(func() error {
				refreshed, err := c.Refresh(ctx, m.options.Querier, at)
				seen.Series, seen.LeftOut = refreshed.Series, refreshed.LeftOut
				return err
			})
			return seen, err
		}})
	}
	return all
}

// Run refreshes at once and then on the interval until ctx ends. A failed round
// does not end it; it returns nil. It must not be called twice.
func (m *Manager) Run(ctx context.Context) error {
	for {
		// What failed is in the status that the observer has seen.
		_ = m.Refresh(ctx)
		jitter := 1 + jitterShare*(2*m.options.Random()-1)
		pause := time.NewTimer(time.Duration(float64(m.options.Interval) * jitter))
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil
		case <-pause.C:
		}
	}
}

// Refresh does one round. It returns the errors of the sources that failed,
// each with its name; the others are published all the same.
func (m *Manager) Refresh(ctx context.Context) error {
	m.round.Lock()
	defer m.round.Unlock()
	at := m.options.Now()
	var errs []error
	succeeded := 0
	for i, s := range m.states {
		err := m.collect(ctx, s, at)
		if ctx.Err() != nil {
			// The end of ctx is not a failure of the source.
			return fmt.Errorf("source %s: %w", s.status.Name, ctx.Err())
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if i < len(m.options.Sources) {
			succeeded++
		}
	}
	invalid := 0
	if succeeded > 0 {
		invalid = m.options.Graph.Observe(at, m.merge(at))
		m.options.Store.Publish(m.options.Graph.Snapshot())
	}
	status := m.statusNow(at, invalid)
	if succeeded > 0 {
		status.SurplusEdges = m.options.Graph.Surplus()
	}
	m.mu.Lock()
	m.status = status
	m.mu.Unlock()
	if m.options.Observer != nil {
		m.options.Observer.Refreshed(status.clone())
	}
	return errors.Join(errs...)
}

// collect asks one source and keeps its flows only when every query succeeded
// and they say something.
func (m *Manager) collect(ctx context.Context, s *sourceState, at time.Time) error {
	began := m.options.Now()
	seen, err := s.ask(ctx, at)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.status.LastAttempt = at
	s.status.Duration = m.options.Now().Sub(began)
	if err == nil || FailureOf(err) == Empty {
		if s.source != nil {
			seen.bound(m.options.Limits)
		}
		s.status.Series, s.status.Flows, s.status.LeftOut = seen.Series, len(seen.Flows), seen.LeftOut
		s.status.SitesBytesPerSecond = seen.SitesBytesPerSecond()
		if s.source != nil {
			s.status.Findings = s.checks.current(ctx, s.source, m.options.Querier, at, seen, s.status.Failures > 0)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err = seen.stopped(s.status.Name); err == nil && seen.isEmpty() { // no data is not zero traffic
				err = seen.empty()
			}
		}
	}
	if err != nil {
		err = fmt.Errorf("source %s: %w", s.status.Name, err)
		s.status.Err = err
		s.status.Failures++
		return err
	}
	s.seen = seen
	s.status.LastSuccess, s.status.Err, s.status.Failures = at, nil, 0
	return nil
}

// merge merges the flows that the sources saw last.
func (m *Manager) merge(at time.Time) []flowgraph.Flow {
	var seen []sourceFlows
	for _, s := range m.states[:len(m.options.Sources)] {
		if len(m.options.Sources) == 1 || at.Sub(s.status.LastSuccess) <= holdIntervals*m.options.Interval {
			seen = append(seen, sourceFlows{s.status.Name, s.seen.Flows})
		}
	}
	return m.options.Preferences.merge(seen)
}

// Status returns what the last round found. Before the first one it names the
// sources and nothing else.
func (m *Manager) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status.clone()
}

func (m *Manager) statusNow(at time.Time, invalid int) Status {
	st := Status{At: at, InvalidFlows: invalid, Generation: m.options.Store.Load().Generation()}
	for _, s := range m.states {
		st.Sources = append(st.Sources, s.status)
	}
	return st
}

// Status is the state of a Manager after a round.
type Status struct {
	// At is when the round began, zero before the first.
	At time.Time
	// Generation is that of the snapshot in the Store.
	Generation uint64
	// InvalidFlows is how many flows of the round the graph refused.
	InvalidFlows int
	// SurplusEdges is how many edges the graph dropped in the round because there are
	// more than its limits allow.
	SurplusEdges int
	// Sources are in the order of Options.Sources, then that of Options.Companions.
	Sources []SourceStatus
}

// SourceStatus is the state of one source.
type SourceStatus struct {
	Name string
	// Companion says that it is one of Options.Companions, which see no traffic.
	Companion bool
	// LastAttempt and LastSuccess are zero when there was none.
	LastAttempt, LastSuccess time.Time
	// Duration is how long the last attempt took, without checks.
	Duration time.Duration
	// Err is the error of the last attempt, nil when it succeeded. FailureOf
	// gives its kind.
	Err error
	// Failures is how many attempts failed since the last success.
	Failures int
	// Series, Flows, LeftOut and Findings are those of the last answer, also when it
	// was Empty or Mixed.
	Series, Flows int
	LeftOut       map[Reason]LeftOut
	// SitesBytesPerSecond is the traffic with sites in it.
	SitesBytesPerSecond float64
	Findings            []Finding
}

func (s Status) clone() Status {
	s.Sources = slices.Clone(s.Sources)
	for i := range s.Sources {
		s.Sources[i].LeftOut = maps.Clone(s.Sources[i].LeftOut)
		s.Sources[i].Findings = slices.Clone(s.Sources[i].Findings)
	}
	return s
}
