package promdata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Steps asks telemetry sources step by step, as a scheduler would have.
type Steps struct {
	asker   *telemetry.Asker
	account telemetry.Account
	from    time.Time
	at, to  time.Time
	step    time.Duration
	seen    bool  // whether there has been traffic
	gap     error // why the last gap is one
}

// NewSteps returns the steps from one time to another, the last one as long as the
// others. preferences may be nil.
func NewSteps(q telemetry.Querier, sources []telemetry.Source, preferences telemetry.Preferences, from, to time.Time, step time.Duration) *Steps {
	return &Steps{asker: telemetry.NewAsker(sources, preferences, q), from: from, at: from, to: to, step: step}
}

// Next returns the next step, io.EOF after the last. A step in which the sources
// saw no traffic, or whose queries look at a time without data, is a gap; it is an error when all of them are.
func (s *Steps) Next(ctx context.Context) (*recording.Step, error) {
	at := s.at.Add(s.step)
	switch {
	case at.After(s.to) && s.gap != nil && !s.seen:
		err := fmt.Errorf("no traffic from %s to %s: %w", s.from.UTC().Format(time.RFC3339), s.to.UTC().Format(time.RFC3339), s.gap)
		for _, f := range s.account.Findings() {
			err = fmt.Errorf("%w; %s; %s", err, f.Note(), nextInFile(f.Source, f.Finding))
		}
		return nil, err
	case at.After(s.to):
		return nil, io.EOF
	}
	s.at = at
	step := &recording.Step{At: at, Length: s.step}
	seen, err := s.asker.Observe(ctx, at)
	s.account.Add(seen, s.step)
	switch {
	case telemetry.FailureOf(err) == telemetry.Empty, errors.Is(err, errHole):
		step.Gap, s.gap = true, err
	case err != nil:
		err = fmt.Errorf("at %s: %w", at.UTC().Format(time.RFC3339), err)
		if stopped := (*telemetry.FindingError)(nil); errors.As(err, &stopped) {
			err = fmt.Errorf("%w; %s", err, nextInFile(stopped.Source, stopped.Finding))
		}
		return nil, err
	}
	s.seen = s.seen || !step.Gap
	for _, f := range seen.Flows {
		if f.From.IsZero() || f.To.IsZero() || !f.Valid() || f.Rates == (flowgraph.Rates{}) {
			continue
		}
		step.Edges = append(step.Edges, flowgraph.Edge{From: f.From, To: f.To, Rates: f.Rates, ObservedAt: at})
	}
	return step, nil
}

// Account has what the steps up to now left out and found.
func (s *Steps) Account() *telemetry.Account { return &s.account }

// nextInFile is the next step after a finding: a data directory has no flags for
// settings of sources.
func nextInFile(source string, f telemetry.Finding) string {
	return f.Next(telemetry.SetInFile("a file given with --telemetry-config", source))
}
