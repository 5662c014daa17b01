package main

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/component-base/metrics/legacyregistry"
	schedulerserverconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	"github.com/vicinity-sched/vicinity/internal/livelocality"
	"github.com/vicinity-sched/vicinity/internal/restart"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// newLocality returns the task that measures how far traffic goes. It follows the informers
// that kube-scheduler runs anyway.
func newLocality(cc *schedulerserverconfig.CompletedConfig, config *schedulerconfig.Config, rules *routing.DestinationRules, store *flowgraph.Store) (restart.Run, error) {
	policies, err := policiesOf(config)
	if err != nil {
		return nil, err
	}
	core := cc.InformerFactory.Core().V1()
	routes, err := routing.NewRoutes(core, rules, policies)
	if err != nil {
		return nil, err
	}
	scoring := config.Scoring()
	follower, err := livelocality.NewFollower(core, routes, func(scheduler string) bool { return slices.Contains(scoring, scheduler) })
	if err != nil {
		return nil, fmt.Errorf("measuring how far traffic goes: %w", err)
	}
	metrics := livelocality.NewMetrics()
	metrics.Register(legacyregistry.MustRegister)
	return untilEnd(func(ctx context.Context) { livelocality.Run(ctx, follower, store, metrics) }), nil
}

// policiesOf returns the places where it is looked up how calls are divided: those of the
// first profile with TrafficLocality, by default all.
func policiesOf(config *schedulerconfig.Config) (routing.Policies, error) {
	profiles, err := config.TrafficLocality()
	if err != nil || len(profiles) == 0 {
		return routing.AllPolicies(), err
	}
	return trafficlocality.PoliciesOf(profiles[0]), nil
}
