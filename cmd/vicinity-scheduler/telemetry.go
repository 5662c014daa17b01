package main

import (
	"context"
	"fmt"
	"runtime/debug"

	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// telemetryLoop keeps the graph up to date.
type telemetryLoop struct{ run func(context.Context) error }

// noTelemetry is what the log says of a scheduler without --telemetry-config.
const noTelemetry = "There is no --telemetry-config: TrafficLocality has no effect, and pods are scheduled as kube-scheduler would"

// newTelemetry returns the loop that follows a configuration. Without one the
// loop says so and does nothing.
func newTelemetry(cfg *configv1.TelemetryConfiguration, store *flowgraph.Store, networks *flowgraph.NodeNetworkStore, observer telemetry.Observer) (telemetryLoop, error) {
	if cfg == nil {
		return telemetryLoop{func(ctx context.Context) error {
			klog.FromContext(ctx).Info(noTelemetry)
			return nil
		}}, nil
	}
	manager, client, err := telemetrysetup.New(cfg, store, networks, observer)
	if err != nil {
		return telemetryLoop{}, err
	}
	return telemetryLoop{func(ctx context.Context) error {
		defer client.Close()
		return manager.Run(ctx)
	}}, nil
}

// guarded runs the loop and turns a panic into its error: without telemetry a
// scheduler still schedules.
func (l telemetryLoop) guarded(ctx context.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return l.run(ctx)
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
