package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
	"github.com/vicinity-sched/vicinity/internal/recorder"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// collect asks the sources once and returns what they see. The report is nil
// when none of them succeeded; the error is that of those that failed.
func (o *graphOptions) collect(ctx context.Context, cfg *v1.TelemetryConfiguration, line func(string), now func() time.Time) (*graphReport, error) {
	store := endpoints.NewStore()
	seen, failed := o.observe(ctx, cfg, store, func(sources []telemetry.Source) error {
		names := telemetrysetup.Resolving(sources)
		if len(names) == 0 {
			return nil
		}
		line(readingCluster)
		return o.readEndpoints(ctx, store, names)
	}, line, now)
	if seen == nil {
		return nil, failed
	}
	report := newReport(seen.snapshot, seen.status, seen.sources, now(), o.next)
	report.sites = len(cfg.Sites)
	if o.declared {
		line(readingCluster)
		if err := o.addDeclared(ctx, report, cfg, seen.snapshot, now()); err != nil {
			return nil, errors.Join(failed, err)
		}
	}
	return report, failed
}

// observed is what the sources of a configuration saw when they were asked once.
type observed struct {
	snapshot *flowgraph.Snapshot
	status   telemetry.Status
	sources  []telemetry.Source
}

// observe asks the sources of a configuration once; begin is called before the first
// question. What it returns is nil when none of them succeeded; the error is that of those
// that failed.
func (o *telemetryOptions) observe(ctx context.Context, cfg *v1.TelemetryConfiguration, resolver telemetry.Resolver, begin func([]telemetry.Source) error, line func(string), now func() time.Time) (*observed, error) {
	client, err := o.client(cfg)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	sources, err := telemetrysetup.Sources(cfg, resolver)
	if err != nil {
		return nil, err
	}
	if err := begin(sources); err != nil {
		return nil, err
	}
	querier := refreshing(client, sources, line)
	graph := flowgraph.NewStore()
	manager, err := telemetry.NewManager(telemetry.Options{
		Sources:     sources,
		Preferences: telemetrysetup.Preferences(cfg),
		Querier:     querier,
		Graph:       flowgraph.NewGraph(telemetrysetup.GraphOptions(cfg)),
		Limits:      telemetrysetup.GraphOptions(cfg).Limits,
		Store:       graph,
		Interval:    cfg.Interval.Duration,
		Now:         now,
		Random:      rand.Float64,
	})
	if err != nil {
		return nil, err
	}
	failed := manager.Refresh(ctx)
	snap, status := graph.Load(), manager.Status()
	if ctx.Err() == nil && onlyEmpty(status.Sources) {
		// The scheduler waits for traffic; here the report says why there is none.
		failed = nil
		if snap.Generation() == 0 {
			snap = flowgraph.NewSnapshot(1, status.At, nil)
		}
	}
	if snap.Generation() == 0 { // also when ctx has ended
		return nil, failed
	}
	return &observed{snap, status, sources}, failed
}

// addDeclared adds the edges that count because they are declared, as the scheduler would.
func (o *graphOptions) addDeclared(ctx context.Context, r *graphReport, cfg *v1.TelemetryConfiguration, snap *flowgraph.Snapshot, now time.Time) error {
	client, err := o.connect("vicinity-graph")
	if err != nil {
		return fmt.Errorf("--declared: %w", err)
	}
	workloads, err := recorder.ReadDeclared(ctx, client, telemetrysetup.DeclaredOrigins(cfg), cfg.Declared.Window.Duration)
	if err != nil {
		return clusterError{fmt.Errorf("--declared: %w", err)}
	}
	news, _ := workloads.New(now)
	r.setEdges(declared.NewMerger(telemetrysetup.Declared(cfg)).Merge(snap, news, now))
	r.problems = workloads.Problems()
	return nil
}

// readEndpoints reads the objects of the cluster that say which workloads are behind what
// the sources of these names read.
func (o *graphOptions) readEndpoints(ctx context.Context, into *endpoints.Store, names []string) error {
	client, err := o.connect("vicinity-graph")
	if err == nil {
		err = recorder.ReadEndpoints(ctx, client, into)
	}
	if err != nil {
		return clusterError{fmt.Errorf("source %s may name pods and Services, whose workloads are in the cluster: %w", strings.Join(names, ", "), err)}
	}
	return nil
}

// onlyEmpty takes the errors away from the sources that answered without any
// traffic, and reports whether none is left.
func onlyEmpty(sources []telemetry.SourceStatus) bool {
	for i := range sources {
		if telemetry.FailureOf(sources[i].Err) == telemetry.Empty {
			sources[i].Err = nil
		}
	}
	return !slices.ContainsFunc(sources, func(s telemetry.SourceStatus) bool { return s.Err != nil })
}
