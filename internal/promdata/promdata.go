// Package promdata answers PromQL from a Prometheus' data directory, or from a
// snapshot of one, with Prometheus' own storage and engine. It never writes into
// the directory, and needs no Prometheus to run.
package promdata

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

const (
	queryTimeout = 2 * time.Minute
	maxSamples   = 50_000_000 // Prometheus' own default, as is the next
	lookback     = 5 * time.Minute
)

// Data is an open data directory. It is not safe for concurrent use.
type Data struct {
	// From and To are the times of the first and the last sample, as far as they
	// can be told without reading them all: those of blocks are exact to their
	// metadata.
	From, To time.Time

	shadow  string
	blocks  []tsdb.BlockMeta // that can be read, by their beginning
	damaged []damagedBlock
	holes   []span
	db      *tsdb.DBReadOnly
	querier storage.Querier
	engine  *promql.Engine
}

var _ telemetry.Querier = (*Data)(nil)

// Open opens a directory. What has not been written into blocks yet is read into
// memory, as Prometheus does when it starts.
func Open(dir string) (_ *Data, err error) {
	shadow, blocks, err := newShadow(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	d := &Data{shadow: shadow}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", dir, err), d.Close())
		}
	}()
	if d.damaged, err = checkBlocks(shadow, blocks); err != nil {
		return nil, fmt.Errorf("opening the blocks: %w", err)
	}
	if d.db, err = tsdb.OpenDBReadOnly(shadow, shadow, slog.New(slog.DiscardHandler)); err != nil {
		return nil, fmt.Errorf("opening the data: %w", err)
	}
	if err := d.span(); err != nil {
		return nil, err
	}
	if d.querier, err = d.db.Querier(math.MinInt64, math.MaxInt64); err != nil {
		return nil, fmt.Errorf("opening the data: %w", err)
	}
	d.engine = promql.NewEngine(promql.EngineOpts{
		Logger: slog.New(slog.DiscardHandler), MaxSamples: maxSamples, Timeout: queryTimeout, LookbackDelta: lookback,
		EnableAtModifier: true, EnableNegativeOffset: true, Parser: parser.NewParser(parser.Options{}),
	})
	return d, nil
}

// span finds out the time that the data is of, and which of it is missing.
func (d *Data) span() error {
	from, to, err := walSpan(d.shadow)
	if err != nil {
		return err
	}
	blocks, err := d.db.Blocks()
	if err != nil {
		return fmt.Errorf("opening the blocks: %w", err)
	}
	var covered []span
	for _, b := range blocks {
		d.blocks = append(d.blocks, b.Meta())
		covered = append(covered, span{b.Meta().MinTime, b.Meta().MaxTime})
	}
	if len(covered) > 0 {
		from = max(from, covered[len(covered)-1].to) // the storage takes nothing older from the log
	}
	if from <= to {
		covered = append(covered, span{from, to + 1})
	}
	if len(covered) == 0 {
		return d.empty()
	}
	d.holes = holesIn(covered, d.damaged)
	first, last := covered[0].from, covered[0].to
	for _, s := range covered {
		first, last = min(first, s.from), max(last, s.to)
	}
	d.From, d.To = time.UnixMilli(first).UTC(), time.UnixMilli(last-1).UTC()
	return nil
}

// empty says why there is no data.
func (d *Data) empty() error {
	if len(d.damaged) == 0 {
		return errors.New("there is no data in it")
	}
	return fmt.Errorf("there is no data in it that can be read: %s", d.damaged[0])
}

// Query implements telemetry.Querier. A warning of the engine is an error.
func (d *Data) Query(ctx context.Context, query string, at time.Time, yield func(telemetry.Series) error) error {
	run, err := d.engine.NewInstantQuery(ctx, shared{unclosed{d.querier}}, nil, query, at)
	if err != nil {
		return fmt.Errorf("parsing %s: %w", query, err)
	}
	defer run.Close()
	if statement, ok := run.Statement().(*parser.EvalStmt); ok && d.looksIntoHole(statement.Expr, at) {
		return errHole
	}
	result := run.Exec(ctx)
	if result.Err != nil {
		return fmt.Errorf("running %s: %w", query, d.blamed(result.Err, at))
	}
	if warnings, _ := result.Warnings.AsStrings(query, 1, 1); len(warnings) > 0 {
		return fmt.Errorf("running %s: warning: %s", query, warnings[0])
	}
	vector, err := result.Vector()
	if err != nil {
		return fmt.Errorf("running %s: %w", query, err)
	}
	for _, s := range vector {
		value := s.F
		if s.H != nil {
			value = math.NaN() // a native histogram is no rate
		}
		if err := yield(telemetry.Series{Labels: s.Metric, Value: value}); err != nil {
			return err
		}
	}
	return nil
}

// blamed names the block that a query has failed in: damage within the chunks is found
// when they are read.
func (d *Data) blamed(err error, at time.Time) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	looked := span{at.Add(-lookback).UnixMilli(), at.UnixMilli() + 1}
	for _, m := range d.blocks {
		if (span{m.MinTime, m.MaxTime}).overlaps(looked) {
			return fmt.Errorf("%w; if the block %s is damaged, move it out of the directory: its time is then left out", err, m.ULID)
		}
	}
	return err
}

// shared is one querier for all queries: opening one reads all that is in no
// block. The engine tells it in each query which time it looks at.
type shared struct{ querier storage.Querier }

// Querier implements storage.Queryable.
func (s shared) Querier(int64, int64) (storage.Querier, error) { return s.querier, nil }

// unclosed is a querier that outlives a query.
type unclosed struct{ storage.Querier }

// Close does nothing.
func (unclosed) Close() error { return nil }

// Close gives back what Open has taken.
func (d *Data) Close() error {
	var errs []error
	if d.querier != nil {
		errs = append(errs, d.querier.Close())
	}
	if d.engine != nil {
		errs = append(errs, d.engine.Close())
	}
	if d.db != nil {
		errs = append(errs, d.db.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(d.shadow))...)
}
