package trafficlocality

import (
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// routingTTL is how long the routing of a workload is not looked up again: to find the
// Services that select a pod takes longer than to score it for an edge.
const routingTTL = time.Second

// routes tells the engine how calls are divided. It is the only place that asks what the
// cluster says of it.
type routes struct {
	keeper *keeper
	// read returns how calls to the workload of a pod are divided.
	read  func(callee *v1.Pod) routing.ByCaller
	now   time.Time // of the cycle
	known []route   // by workload on the Board
}

var _ score.Router = (*routes)(nil)

// route is how calls to a workload were divided when that was last read.
type route struct {
	pod *v1.Pod // of the workload
	at  time.Time
	by  routing.ByCaller
}

// readRouting reads the routing from the arguments or from the cluster.
func (p *Plugin) readRouting(callee *v1.Pod) routing.ByCaller {
	if !p.options.auto {
		return routing.Everywhere(p.options.routing)
	}
	return p.services.ByCaller(callee)
}

// Routing implements score.Router.
func (r *routes) Routing(callee int32, callerNamespace string) affinity.Routing {
	for int(callee) >= len(r.known) {
		r.known = append(r.known, route{})
	}
	last, pod := &r.known[callee], r.keeper.podOf(callee)
	if last.pod != pod || r.now.Sub(last.at).Abs() >= routingTTL {
		*last = route{pod: pod, at: r.now, by: r.read(pod)}
	}
	return last.by.From(callerNamespace).Routing
}

// ofPod returns how calls to the workload of a pod are divided.
func (r *routes) ofPod(pod *v1.Pod) func(callerNamespace string) affinity.Routing {
	by := r.read(pod)
	return func(callerNamespace string) affinity.Routing { return by.From(callerNamespace).Routing }
}
