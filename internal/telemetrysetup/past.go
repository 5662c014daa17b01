package telemetrysetup

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promapi"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// Past is the graph as a scheduler has it that was refreshed from the same server all along.
type Past struct {
	Snapshot *flowgraph.Snapshot
	Networks *flowgraph.NodeNetworkStore
	// Status is that of the last refresh, and SeenBy says which sources it has an edge from.
	Status telemetry.Status
	SeenBy func(from, to flowgraph.WorkloadID) []string
	// From is the time of the first refresh that was made up for, Refreshes is how many were,
	// and Failed how many of these had no traffic or no answer.
	From              time.Time
	Refreshes, Failed int
	// LastErr is the error of the last refresh, nil when all sources succeeded.
	LastErr error
	Tolerance
}

// Tolerance is how far the rates of a Past may be from those of the scheduler's own graph, in
// parts of how much the rates that the server returned have changed meanwhile. They are the same
// where the traffic is steady.
type Tolerance struct {
	// Phase is for changes while refreshes were made up for: the scheduler's were at other
	// times.
	Phase float64
	// Before is for changes before that.
	Before float64
}

// What is made up for: refreshes close to each other for as many half-lives as leave a sixtieth
// of what was before, and then ever fewer, to find edges that are only retained.
const (
	halfLives     = 6
	stepsPerHalf  = 4
	jitterAllowed = 1.1 // of telemetry.Manager
)

// pastTimes returns when the refreshes are made up for, the earliest first. The last one is now.
func pastTimes(cfg *v1.TelemetryConfiguration, now time.Time) (times []time.Time, step time.Duration) {
	half := cfg.HalfLife.Duration
	if step = max(half/stepsPerHalf, cfg.Interval.Duration); half <= 0 {
		step = cfg.Interval.Duration
	}
	dense := halfLives * half
	var ages []time.Duration
	for age := time.Duration(0); age <= dense; age += step {
		ages = append(ages, age)
	}
	for age := 2 * max(dense, step); age < cfg.RetainFor.Duration; age *= 2 {
		ages = append(ages, age)
	}
	if last := cfg.RetainFor.Duration; last > ages[len(ages)-1] {
		ages = append(ages, last)
	}
	for i := len(ages) - 1; i >= 0; i-- {
		times = append(times, now.Add(-ages[i]))
	}
	return times, step
}

// ReadPast asks the configured server for what a scheduler would have read of it up to now, with
// the same queries, and smooths and retains it alike. resolver may be nil. progress, when not
// nil, is called before each refresh. The error is about the last refresh, when nothing is known
// of the traffic at all. through is as in Client.
func ReadPast(ctx context.Context, cfg *v1.TelemetryConfiguration, resolver telemetry.Resolver, now time.Time, progress func(done, all int), through ...*promapi.Route) (*Past, error) {
	client, err := Client(cfg, through...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	store, at := flowgraph.NewStore(), now
	p := &Past{Networks: &flowgraph.NodeNetworkStore{}}
	sources, err := sourcesKnowing(cfg, resolver, func(from, to flowgraph.WorkloadID) bool { return store.Load().HasEdge(from, to) })
	if err != nil {
		return nil, err
	}
	manager, err := telemetry.NewManager(telemetry.Options{
		Sources: sources, Preferences: Preferences(cfg), Companions: companions(cfg, p.Networks), Querier: client,
		Graph: flowgraph.NewGraph(GraphOptions(cfg)), Limits: limits(cfg), Store: store, Interval: cfg.Interval.Duration,
		Now: func() time.Time { return at }, Random: func() float64 { return 0.5 },
	})
	if err != nil {
		return nil, err
	}
	times, step := pastTimes(cfg, now)
	for i, t := range times {
		if progress != nil {
			progress(i, len(times))
		}
		at = t
		p.LastErr = manager.Refresh(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		p.Refreshes++
		if p.LastErr != nil {
			p.Failed++
		}
		if isFinal(p.LastErr) { // it would be the same at any time
			return nil, p.LastErr
		}
	}
	if p.Snapshot = store.Load(); p.Snapshot.Generation() == 0 {
		return nil, p.LastErr
	}
	p.From, p.Status, p.SeenBy = times[0], manager.Status(), manager.SeenBy
	p.Tolerance = toleranceOf(cfg, step)
	return p, nil
}

// isFinal reports whether a failure is none of the traffic's past.
func isFinal(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	f := telemetry.FailureOf(err)
	return f == telemetry.Unreachable || f == telemetry.Denied
}

func toleranceOf(cfg *v1.TelemetryConfiguration, step time.Duration) Tolerance {
	half := float64(cfg.HalfLife.Duration)
	if half <= 0 {
		return Tolerance{Phase: 1}
	}
	apart := float64(step) + jitterAllowed*float64(cfg.Interval.Duration)
	return Tolerance{Phase: 1 - math.Exp2(-apart/half), Before: math.Exp2(-halfLives)}
}
