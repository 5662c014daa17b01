package telemetrytest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Engine returns a PromQL engine that has the series of a load command of Prometheus' own
// tests, whose first sample is of time Unix 0. It is closed with the test.
type Engine func(t testing.TB, load string) telemetry.Querier

// Run checks every property of a mesh's source, each in a subtest of its name.
func Run(t *testing.T, engine Engine, m Mesh) {
	for _, name := range Properties() {
		t.Run(name, func(t *testing.T) {
			if err := Check(t, engine, m, name); err != nil {
				t.Error(err)
			}
		})
	}
}

// Properties returns the names of the properties.
func Properties() []string {
	var all []string
	for _, p := range properties() {
		all = append(all, p.name)
	}
	return all
}

// Check returns how a source fails one property, nil if it has it. Tests that break a mesh
// or its source use it to see that the suite notices.
func Check(t testing.TB, engine Engine, m Mesh, property string) error {
	for _, p := range properties() {
		if p.name == property {
			return p.check(&trial{t, engine, m})
		}
	}
	return fmt.Errorf("there is no property %q", property)
}

// trial is a mesh under test.
type trial struct {
	t      testing.TB
	engine Engine
	mesh   Mesh
}

// evaluateEvery is how often a source is asked.
const evaluateEvery = time.Minute

// follow asks one source again and again, from the first full window on.
func (tr *trial) follow(s *simulation) error {
	q := tr.engine(tr.t, s.load())
	known := &resolver{}
	source, err := tr.source(known, "")
	if err != nil {
		return err
	}
	for at := window; at <= s.now(); at += evaluateEvery {
		known.roster = s.rosters[at/interval]
		o, err := source.Collect(tr.t.Context(), q, timeOf(at))
		if err != nil {
			return err
		}
		least := s.least
		if s.isBlind(at) || s.isBlind(at-window) {
			least = 0
		}
		if err := compareWith(s.books.wanted(at, tr.mesh.Tolerance), o, least); err != nil {
			return fmt.Errorf("after %v: %w", at, err)
		}
	}
	return nil
}

// source returns the source under test. What it learns of pods it may remember, as with the
// scheduler's own resolver.
func (tr *trial) source(known *resolver, selector string) (telemetry.Source, error) {
	return tr.mesh.New(Options{Window: window, Selector: selector, Resolver: telemetry.Remember(known)})
}

// findings are all that a source finds at the end of a simulation, and what it sees.
func (tr *trial) findings(s *simulation, selector string) (telemetry.Observation, []telemetry.Finding, error) {
	q := tr.engine(tr.t, s.load())
	source, err := tr.source(&resolver{s.pods}, selector)
	if err != nil {
		return telemetry.Observation{}, nil, err
	}
	o, err := source.Collect(tr.t.Context(), q, timeOf(s.now()))
	if err != nil {
		return o, nil, err
	}
	found := o.Findings
	if checker, ok := source.(telemetry.Checker); ok {
		checked, err := checker.Check(tr.t.Context(), q, timeOf(s.now()), o)
		if err != nil {
			return o, nil, err
		}
		found = slices.Concat(found, checked)
	}
	return o, found, nil
}

func timeOf(at time.Duration) time.Time { return time.Unix(0, 0).Add(at) }
