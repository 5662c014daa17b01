package main

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-base/metrics/legacyregistry"
	schedulerserverconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	"github.com/vicinity-sched/vicinity/internal/livelocality"
	"github.com/vicinity-sched/vicinity/internal/restart"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
)

// newLocality returns the task that measures how far traffic goes. It follows the informers
// that kube-scheduler runs anyway.
func newLocality(cc *schedulerserverconfig.CompletedConfig, config *schedulerconfig.Config, rules *routing.DestinationRules, store *flowgraph.Store) (restart.Run, error) {
	divided, err := config.RoutingOf("")
	if err != nil {
		return nil, err
	}
	core := cc.InformerFactory.Core().V1()
	routes, err := routing.NewRoutes(core, rules, divided.Policies)
	if err != nil {
		return nil, err
	}
	scoring := config.Scoring()
	fill := func(w *cluster.Workload, pod *corev1.Pod) { divided.Fill(routes, w, pod) }
	follower, err := livelocality.NewFollower(core, routes, fill, func(scheduler string) bool { return slices.Contains(scoring, scheduler) })
	if err != nil {
		return nil, fmt.Errorf("measuring how far traffic goes: %w", err)
	}
	metrics := livelocality.NewMetrics()
	metrics.Register(legacyregistry.MustRegister)
	return untilEnd(func(ctx context.Context) { livelocality.Run(ctx, follower, store, metrics) }), nil
}
