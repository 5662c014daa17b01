package schedulerconfig

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// Routing is how calls are taken to be divided.
type Routing struct {
	// Policies are the places where it is looked up, unless Fixed says it for all calls.
	Policies routing.Policies
	Fixed    *affinity.Routing
}

// RoutingOf returns how a profile takes calls to be divided, by its name; "" is the first
// profile with arguments of TrafficLocality. Without arguments all policies count.
func (c *Config) RoutingOf(profile string) (Routing, error) {
	for _, p := range c.Scheduler.Profiles {
		for _, plugin := range p.PluginConfig {
			if plugin.Name != trafficlocality.Name || profile != "" && profile != p.SchedulerName {
				continue
			}
			args, err := trafficlocality.DecodeArgs(plugin.Args)
			if err != nil {
				return Routing{}, fmt.Errorf("profile %s: %s: %w", p.SchedulerName, configv1.TrafficLocalityArgsKind, err)
			}
			if fixed, ok := trafficlocality.FixedRouting(args); ok {
				return Routing{Fixed: &fixed}, nil
			}
			return Routing{Policies: trafficlocality.PoliciesOf(args)}, nil
		}
	}
	return Routing{Policies: routing.AllPolicies()}, nil
}

// Fill fills in how calls to a workload are divided, given a pod of it and the routes by the
// Policies.
func (r Routing) Fill(routes routing.Routes, w *cluster.Workload, pod *corev1.Pod) {
	routes.Fill(w, pod)
	if r.Fixed != nil {
		w.Route, w.Exceptions = cluster.Route{Routing: *r.Fixed}, nil
	}
}
