package trafficlocality

import (
	"context"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// SignPod allows two pods to share their scores only where the scores cannot
// differ and where placing one leaves those of all nodes as they are: when the
// node is the only level, the gain does not depend on the workload's own pods (as
// it may when the routing is read from the cluster),
// the workload has no traffic with itself, and its controller says how many
// pods it wants, so that the number does not grow with those that are placed.
// It is called under the scheduling queue's lock: it reads one snapshot and the
// listers' memory. A panic is a refusal.
func (p *Plugin) SignPod(ctx context.Context, pod *v1.Pod) (fragments []fwk.SignFragment, status *fwk.Status) {
	defer func() {
		if cause := recover(); cause != nil {
			p.recovered(ctx, "SignPod", cause)
			fragments, status = nil, fwk.NewStatus(fwk.Unschedulable, "TrafficLocality has panicked")
		}
	}()
	if !p.options.nodeLocal() {
		return nil, fwk.NewStatus(fwk.Unschedulable, "placing a pod changes the scores of other nodes")
	}
	id := kube.WorkloadOf(pod)
	fragments = []fwk.SignFragment{{Key: "vicinity.dev/WorkloadID", Value: id.String()}}
	snap := p.store.Load()
	i, ok := snap.Lookup(id)
	if !ok {
		return fragments, nil
	}
	if !p.options.NetMARKS && snap.Self(i) != (flowgraph.Rates{}) {
		return nil, fwk.NewStatus(fwk.Unschedulable, "the workload has traffic with itself")
	}
	desired, ok := p.replicas.Desired(id, pod)
	if !ok || desired <= 0 {
		return nil, fwk.NewStatus(fwk.Unschedulable, "how many pods the workload wants is not known")
	}
	return append(fragments, fwk.SignFragment{Key: "vicinity.dev/DesiredReplicas", Value: desired}), nil
}
