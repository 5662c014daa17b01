package promdata

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Steps asks telemetry sources step by step, as a scheduler would have.
type Steps struct {
	querier telemetry.Querier
	sources []telemetry.Source
	at, to  time.Time
	step    time.Duration
}

// NewSteps returns the steps from one time to another, the last one as long as the
// others.
func NewSteps(q telemetry.Querier, sources []telemetry.Source, from, to time.Time, step time.Duration) *Steps {
	return &Steps{q, sources, from, to, step}
}

// Next returns the next step, io.EOF after the last. A step in which the sources
// saw no traffic is a gap.
func (s *Steps) Next(ctx context.Context) (*recording.Step, error) {
	at := s.at.Add(s.step)
	if at.After(s.to) {
		return nil, io.EOF
	}
	s.at = at
	step := &recording.Step{At: at, Length: s.step}
	flows, err := telemetry.Observe(ctx, s.sources, s.querier, at)
	switch {
	case telemetry.FailureOf(err) == telemetry.Empty:
		step.Gap = true
	case err != nil:
		return nil, fmt.Errorf("at %s: %w", at.UTC().Format(time.RFC3339), err)
	}
	for _, f := range flows {
		if f.From.IsZero() || f.To.IsZero() || !f.Valid() || f.Rates == (flowgraph.Rates{}) {
			continue
		}
		step.Edges = append(step.Edges, flowgraph.Edge{From: f.From, To: f.To, Rates: f.Rates, ObservedAt: at})
	}
	return step, nil
}
