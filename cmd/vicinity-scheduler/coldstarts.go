package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube/coldstart"
	"github.com/vicinity-sched/vicinity/internal/kube/optional"
	"github.com/vicinity-sched/vicinity/internal/restart"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// coldStarts is what is declared of new workloads.
type coldStarts struct {
	// observed is where the telemetry publishes: the plugins' store where nothing that is
	// declared counts.
	observed *flowgraph.Store
	starts   *coldstart.Starts // nil where nothing that is declared counts
}

// newColdStarts returns what merges the telemetry and what is declared into a store.
func newColdStarts(logger klog.Logger, cfg *configv1.TelemetryConfiguration, store *flowgraph.Store) coldStarts {
	if cfg == nil || len(cfg.Declared.Kinds) == 0 {
		return coldStarts{observed: store}
	}
	observed := flowgraph.NewStore()
	options := coldstart.Options{Origins: telemetrysetup.DeclaredOrigins(cfg), Window: cfg.Declared.Window.Duration}
	return coldStarts{observed, coldstart.NewStarts(logger, options, telemetrysetup.Declared(cfg), observed, store, time.Now)}
}

// plugin is what the plugins ask.
func (c coldStarts) plugin() trafficlocality.ColdStarts {
	if c.starts == nil {
		return nil
	}
	return c.starts
}

// before returns an observer of the telemetry that merges before another one is told.
func (c coldStarts) before(next telemetry.Observer) telemetry.Observer {
	if c.starts == nil {
		return next
	}
	return mergingObserver{next, c.starts}
}

// mergingObserver merges what the telemetry has published.
type mergingObserver struct {
	telemetry.Observer
	starts *coldstart.Starts
}

// Refreshed implements telemetry.Observer.
func (o mergingObserver) Refreshed(status telemetry.Status) {
	o.starts.Update()
	o.Observer.Refreshed(status)
}

// follow follows the workloads. It must be called before the informers run.
func (c coldStarts) follow(f informers.SharedInformerFactory) error {
	if c.starts == nil {
		return nil
	}
	return c.starts.Follow(f)
}

// run is the task that keeps the store up to date.
func (c coldStarts) run(client kubernetes.Interface, config *rest.Config) restart.Run {
	return func(ctx context.Context, _ func()) error {
		if c.starts == nil {
			return nil
		}
		dynamicClient, err := dynamic.NewForConfig(config)
		if err != nil {
			return fmt.Errorf("AppGroups and Sidecars are not read: %w", err)
		}
		c.starts.Run(ctx, optional.Cluster{
			Discovery: client.Discovery(), Reviews: client.AuthorizationV1().SelfSubjectAccessReviews(), Client: dynamicClient,
		})
		return nil
	}
}
