package telemetry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Asker asks sources step by step and merges what they see as a Manager does, but
// keeps and smooths nothing. It is not safe for concurrent use.
type Asker struct {
	sources     []Source
	preferences Preferences
	querier     Querier
	checks      []checks // of each source
	failed      []bool   // whether the source failed last time
}

// Observed is what all sources saw at one time.
type Observed struct {
	// Flows are merged.
	Flows []flowgraph.Flow
	// Sources are those that answered, with or without traffic, in their order.
	Sources []SourceObserved
}

// SourceObserved is what one source says beside its flows.
type SourceObserved struct {
	Name     string
	LeftOut  map[Reason]LeftOut
	Findings []Finding
}

// NewAsker returns an Asker of the sources. preferences may be nil.
func NewAsker(sources []Source, preferences Preferences, q Querier) *Asker {
	return &Asker{sources: sources, preferences: preferences, querier: q, checks: make([]checks, len(sources)), failed: make([]bool, len(sources))}
}

// Observe asks every source once. It is all or nothing: when a source fails, the
// others may not see what that one does. A source without traffic (Empty) fails
// only when no other has any; what it left out and found is there all the same. The
// error joins those of the sources, each with its name.
func (a *Asker) Observe(ctx context.Context, at time.Time) (Observed, error) {
	var seen []sourceFlows
	var all Observed
	var failed, empty []error
	for i, s := range a.sources {
		o, err := ask(ctx, s, a.querier, at)
		if err == nil {
			all.Sources = append(all.Sources, SourceObserved{
				Name: s.Name(), LeftOut: o.LeftOut, Findings: a.checks[i].current(ctx, s, a.querier, at, o, a.failed[i]),
			})
			err = o.stopped(s.Name())
		}
		if ctx.Err() != nil {
			return Observed{}, fmt.Errorf("source %s: %w", s.Name(), ctx.Err())
		}
		a.failed[i] = err != nil || o.isEmpty()
		switch {
		case err != nil:
			failed = append(failed, fmt.Errorf("source %s: %w", s.Name(), err))
		case len(o.Flows) == 0:
			empty = append(empty, fmt.Errorf("source %s: %w", s.Name(), o.empty()))
		default:
			seen = append(seen, sourceFlows{s.Name(), o.Flows})
		}
	}
	switch {
	case len(failed) > 0:
		return Observed{}, errors.Join(failed...)
	case len(seen) == 0:
		return all, errors.Join(empty...)
	}
	all.Flows = a.preferences.merge(seen)
	return all, nil
}

// ask asks a source.
func ask(ctx context.Context, source Source, q Querier, at time.Time) (seen Observation, err error) {
	err = guard(func() (err error) {
		seen, err = source.Collect(ctx, q, at)
		return err
	})
	return seen, err
}

// guard turns a panic into a failure: a scheduler must outlive whatever a source makes of
// an answer.
func guard(run func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &QueryError{Failure: Panicked, Err: fmt.Errorf("panic: %v\n%s", cause, debug.Stack())}
		}
	}()
	return run()
}

// bound leaves out the flows whose names Kubernetes would refuse, and those beyond the
// limits. Sources do so while they read; this holds for all of them.
func (o *Observation) bound(l flowgraph.Limits) {
	leave := map[int]Reason{}
	for i := range o.Flows {
		if !o.Flows[i].From.IsPeer() || !o.Flows[i].To.IsPeer() {
			leave[i] = Invalid
		}
	}
	for _, i := range l.Surplus(len(o.Flows), func(i int) flowgraph.Bounded {
		f := &o.Flows[i]
		return flowgraph.Bounded{From: f.From, To: f.To, Size: f.BytesPerSecond() + f.RequestsPerSecond}
	}) {
		if leave[i] == Included {
			leave[i] = Surplus
		}
	}
	if len(leave) == 0 {
		return
	}
	o.LeftOut = maps.Clone(o.LeftOut)
	if o.LeftOut == nil {
		o.LeftOut = map[Reason]LeftOut{}
	}
	kept := make([]flowgraph.Flow, 0, len(o.Flows)-len(leave))
	for i, f := range o.Flows {
		reason := leave[i]
		if reason == Included {
			kept = append(kept, f)
			continue
		}
		l := o.LeftOut[reason]
		if l.Series++; reason.HasRate() {
			l.BytesPerSecond += f.BytesPerSecond()
		}
		o.LeftOut[reason] = l
	}
	o.Flows = kept
}

// isEmpty reports whether an observation has no traffic.
func (o Observation) isEmpty() bool { return len(o.Flows) == 0 }

// empty is the error of an observation without traffic.
func (o Observation) empty() error {
	return Refreshed{o.Series, o.LeftOut}.EmptyError("traffic between workloads")
}
