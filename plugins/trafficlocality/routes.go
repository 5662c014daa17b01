package trafficlocality

import (
	"maps"
	"time"

	v1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// routingTTL is how long the routing of a workload is not looked up again while informers
// do not tell of changes, as in a replay: to find the Services that select a pod takes
// longer than to score it for an edge.
const routingTTL = time.Second

// routes tells the engine how calls are divided. It is the only place that asks what the
// cluster says of it.
type routes struct {
	keeper *keeper
	source routeSource
	now    time.Time // of the cycle
	told   bool      // the source tells of changes
	known  []route   // by workload on the Board

	own   routing.ByCaller // of the pod of the cycle
	ofOwn func(callerNamespace string) affinity.Routing
}

// routeSource reads the routing of workloads.
type routeSource interface {
	// ByCaller returns how calls to the workload of a pod are divided.
	ByCaller(callee *v1.Pod) routing.ByCaller
	// Version counts the changes of that, once Followed says so.
	Version(namespace string) routing.Version
	Followed() bool
}

var _ score.Router = (*routes)(nil)

// route is how calls to a workload were divided when that was last read.
type route struct {
	pod     *v1.Pod // of the workload
	at      time.Time
	version routing.Version
	count   uint64 // of the version
	by      routing.ByCaller
}

// everywhere is the routing that the arguments name.
type everywhere affinity.Routing

func (e everywhere) ByCaller(*v1.Pod) routing.ByCaller {
	return routing.Everywhere(affinity.Routing(e))
}
func (everywhere) Version(string) routing.Version { return routing.Version{} }
func (everywhere) Followed() bool                 { return true }

// newRoutes returns the routes by the arguments or by the cluster.
func (p *Plugin) newRoutes() *routes {
	r := &routes{keeper: p.keeper, source: everywhere(p.options.routing)}
	if p.options.auto {
		r.source = p.services
	}
	r.ofOwn = func(callerNamespace string) affinity.Routing { return r.own.From(callerNamespace).Routing }
	return r
}

// begin begins with another cycle.
func (r *routes) begin(now time.Time) {
	r.now = now
	r.told = r.told || r.source.Followed()
}

// Routing implements score.Router.
func (r *routes) Routing(callee int32, callerNamespace string) affinity.Routing {
	return r.of(callee).From(callerNamespace).Routing
}

// of returns how calls to a workload on the Board are divided.
func (r *routes) of(callee int32) *routing.ByCaller {
	for int(callee) >= len(r.known) {
		r.known = append(r.known, route{})
	}
	last, pod := &r.known[callee], r.keeper.podOf(callee)
	if last.pod != pod || !r.isFresh(last) {
		version := r.source.Version(pod.Namespace)
		*last = route{pod: pod, at: r.now, version: version, count: version.Count()}
		last.by = r.source.ByCaller(pod)
	}
	return &last.by
}

func (r *routes) isFresh(last *route) bool {
	if r.told {
		return last.count == last.version.Count()
	}
	return r.now.Sub(last.at).Abs() < routingTTL
}

// ofPod returns how calls to the workload of a pod are divided, until the next pod: as those
// to its workload on the Board, where Services cannot tell the two apart and changes are
// told.
func (r *routes) ofPod(id flowgraph.WorkloadID, pod *v1.Pod) func(callerNamespace string) affinity.Routing {
	if w := r.keeper.board.Workload(id); r.told && w != score.Absent {
		if like := r.keeper.podOf(w); like != nil && like.Namespace == pod.Namespace && maps.Equal(like.Labels, pod.Labels) {
			r.own = *r.of(w)
			return r.ofOwn
		}
	}
	r.own = r.source.ByCaller(pod)
	return r.ofOwn
}
