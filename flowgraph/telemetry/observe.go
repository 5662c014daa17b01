package telemetry

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
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

// ask turns a panic of the source into a failure of it: a scheduler must outlive
// whatever a source makes of an answer.
func ask(ctx context.Context, source Source, q Querier, at time.Time) (seen Observation, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &QueryError{Failure: Panicked, Err: fmt.Errorf("panic: %v\n%s", cause, debug.Stack())}
		}
	}()
	return source.Collect(ctx, q, at)
}

// isEmpty reports whether an observation says nothing.
func (o Observation) isEmpty() bool { return len(o.Flows) == 0 && len(o.NetworkCapacity) == 0 }

// empty is the error of an observation that says nothing.
func (o Observation) empty() error {
	var leftOut []string
	for _, reason := range Reasons() {
		if n := o.LeftOut[reason].Series; n > 0 {
			leftOut = append(leftOut, fmt.Sprintf("%d %s", n, reason))
		}
	}
	what := "traffic between workloads"
	if o.NetworkCapacity != nil {
		what = "node's network capacity"
	}
	err := fmt.Errorf("there is no %s in %d series", what, o.Series)
	if len(leftOut) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.Join(leftOut, ", "))
	}
	return &QueryError{Failure: Empty, Err: err}
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
