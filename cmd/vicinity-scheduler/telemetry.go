package main

import (
	"context"

	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
	"github.com/vicinity-sched/vicinity/internal/restart"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// noTelemetry is what the log says of a scheduler without --telemetry-config.
const noTelemetry = "There is no --telemetry-config: TrafficLocality has no effect, and pods are scheduled as kube-scheduler would"

// reader reads the telemetry.
type reader interface {
	// Run reads until ctx ends.
	Run(ctx context.Context) error
}

// newTelemetry returns the task that follows a configuration. Without one it says so
// and does nothing. resolver may be nil. After a panic, what it has gathered may be half
// written: it begins with a new graph, and the last snapshot counts until there is another.
func newTelemetry(cfg *configv1.TelemetryConfiguration, store *flowgraph.Store, networks *flowgraph.NodeNetworkStore, resolver *endpoints.Resolver, observer telemetry.Observer) (restart.Run, error) {
	if cfg == nil {
		return func(ctx context.Context, _ func()) error {
			klog.FromContext(ctx).Info(noTelemetry)
			return nil
		}, nil
	}
	watched := &workingObserver{Observer: observer}
	build := func() (reader, func(), error) {
		var finds telemetry.Resolver
		if resolver != nil {
			finds = resolver
		}
		manager, client, err := telemetrysetup.New(cfg, store, networks, finds, watched)
		if err != nil {
			return nil, nil, err
		}
		return manager, client.Close, nil
	}
	run, err := keepReading(watched, build)
	if err != nil || resolver == nil {
		return run, err
	}
	return whenSynced(resolver.HasSynced, run), nil
}

// newResolver returns what finds the workloads behind endpoints, nil where no source of a
// configuration names anything else than workloads.
func newResolver(cfg *configv1.TelemetryConfiguration) (*endpoints.Resolver, error) {
	if cfg == nil {
		return nil, nil
	}
	sources, err := telemetrysetup.Sources(cfg, nil)
	if err != nil || len(telemetrysetup.Resolving(sources)) == 0 {
		return nil, err
	}
	return &endpoints.Resolver{}, nil
}

// whenSynced returns a task that begins when the objects have been read by which the
// workloads behind endpoints are found: until then all traffic of other endpoints would be
// left out.
func whenSynced(synced cache.InformerSynced, run restart.Run) restart.Run {
	return func(ctx context.Context, works func()) error {
		if !cache.WaitForCacheSync(ctx.Done(), synced) {
			return nil // asked to stop
		}
		return run(ctx, works)
	}
}

// keepReading returns a task that reads by what is made anew each time it begins; the
// first is made at once, for what is wrong with the configuration.
func keepReading(watched *workingObserver, build func() (reader, func(), error)) (restart.Run, error) {
	next, closeNext, err := build()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, works func()) error {
		if next == nil {
			if next, closeNext, err = build(); err != nil {
				return err
			}
		}
		running, closeRunning := next, closeNext
		next = nil
		defer closeRunning()
		watched.works = works
		return running.Run(ctx)
	}, nil
}

// workingObserver tells of every round that the telemetry works: that a source fails is
// not the end of it.
type workingObserver struct {
	telemetry.Observer
	works func()
}

// Refreshed implements telemetry.Observer.
func (o *workingObserver) Refreshed(status telemetry.Status) {
	o.Observer.Refreshed(status)
	o.works()
}

// sourceNames returns what the configuration calls its sources, in metrics.
func sourceNames(cfg *configv1.TelemetryConfiguration) []string {
	if cfg == nil {
		return nil
	}
	var names []string
	for _, s := range cfg.Sources {
		names = append(names, s.Name)
	}
	if cfg.NodeNetworks != nil {
		names = append(names, configv1.NodeNetworksName)
	}
	return names
}
