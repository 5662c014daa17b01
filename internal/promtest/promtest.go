// Package promtest answers PromQL with the real Prometheus engine from series
// that a test writes down. Only tests may import it: it links the engine.
package promtest

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Querier runs queries in an engine. It implements telemetry.Querier.
type Querier struct {
	// ToleratesWarnings ignores warnings of the engine, as the client does. Without it, a
	// test notices a query that makes one of what is no mistake.
	ToleratesWarnings bool

	engine  *promql.Engine
	storage storage.Queryable
}

var _ telemetry.Querier = (*Querier)(nil)

// New returns a Querier over the series of load, which is a list of load
// commands as Prometheus' own tests have them; the first sample is of time
// Unix 0:
//
//	load 30s
//	  istio_requests_total{reporter="source"} 0+30x20
//
// It is closed with the test.
func New(t testing.TB, load string) *Querier {
	t.Helper()
	s := promqltest.LoadedStorage(t, load)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the storage: %v", err)
		}
	})
	return &Querier{
		engine:  promqltest.NewTestEngine(t, false, 5*time.Minute, 50_000_000),
		storage: s,
	}
}

// Query implements telemetry.Querier. A warning of the engine is an error
// unless it is tolerated.
func (q *Querier) Query(ctx context.Context, query string, at time.Time, yield func(telemetry.Series) error) error {
	run, err := q.engine.NewInstantQuery(ctx, q.storage, nil, query, at)
	if err != nil {
		return fmt.Errorf("parsing %s: %w", query, err)
	}
	defer run.Close()
	result := run.Exec(ctx)
	if result.Err != nil {
		return fmt.Errorf("running %s: %w", query, result.Err)
	}
	if warnings, _ := result.Warnings.AsStrings(query, 1, 1); len(warnings) > 0 && !q.ToleratesWarnings {
		return fmt.Errorf("running %s: warning: %s", query, warnings[0])
	}
	vector, err := result.Vector()
	if err != nil {
		return fmt.Errorf("running %s: %w", query, err)
	}
	for _, s := range vector {
		if err := yield(telemetry.Series{Labels: s.Metric, Value: valueOf(s)}); err != nil {
			return err
		}
	}
	return nil
}

// valueOf returns what the client of the HTTP API yields: a native histogram is
// no rate.
func valueOf(s promql.Sample) float64 {
	if s.H != nil {
		return math.NaN()
	}
	return s.F
}

// Engine returns what New does, as the Engine of package telemetrytest.
func Engine(t testing.TB, load string) telemetry.Querier { return New(t, load) }
