package telemetry

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Observe asks every source once and merges what they see as a Manager does, but
// keeps and smooths nothing. It is all or nothing: when a source fails, the
// others may not see what that one does. A source without traffic (Empty) fails
// only when no other has any. The error joins those of the sources, each with its
// name.
func Observe(ctx context.Context, sources []Source, q Querier, at time.Time) ([]flowgraph.Flow, error) {
	var seen [][]flowgraph.Flow
	var failed, empty []error
	for _, s := range sources {
		o, err := ask(ctx, s, q, at)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name(), ctx.Err())
		}
		switch {
		case err != nil:
			failed = append(failed, fmt.Errorf("source %s: %w", s.Name(), err))
		case len(o.Flows) == 0:
			empty = append(empty, fmt.Errorf("source %s: %w", s.Name(), o.empty()))
		default:
			seen = append(seen, o.Flows)
		}
	}
	switch {
	case len(failed) > 0:
		return nil, errors.Join(failed...)
	case len(seen) == 0:
		return nil, errors.Join(empty...)
	}
	return merge(seen), nil
}

// ask asks a source.
func ask(ctx context.Context, source Source, q Querier, at time.Time) (seen Observation, err error) {
	return seen, guard(func() error {
		seen, err = source.Collect(ctx, q, at)
		return err
	})
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

// empty is the error of an observation without traffic.
func (o Observation) empty() error {
	return Refreshed{o.Series, o.LeftOut}.EmptyError("traffic between workloads")
}

// merge takes the maximum over the sources for each edge. The time of a merged
// flow is that of the newest.
func merge(seen [][]flowgraph.Flow) []flowgraph.Flow {
	if len(seen) == 1 {
		return seen[0]
	}
	type edge struct{ from, to flowgraph.WorkloadID }
	index := map[edge]int{}
	var merged []flowgraph.Flow
	for _, flows := range seen {
		for _, f := range flows {
			if !f.Valid() {
				merged = append(merged, f) // for Graph.Observe to count
				continue
			}
			i, known := index[edge{f.From, f.To}]
			if !known {
				index[edge{f.From, f.To}] = len(merged)
				merged = append(merged, f)
				continue
			}
			old := &merged[i]
			if f.BytesPerSecond() > old.BytesPerSecond() {
				old.Source = f.Source
			}
			old.Rates = old.Max(f.Rates)
			if f.ObservedAt.After(old.ObservedAt) {
				old.ObservedAt = f.ObservedAt
			}
		}
	}
	return merged
}
