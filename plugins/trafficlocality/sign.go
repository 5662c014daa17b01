package trafficlocality

import (
	"context"
	"sync/atomic"
	"time"
	"weak"

	v1 "k8s.io/api/core/v1"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// SignPod allows two pods to share their scores only where the scores cannot
// differ and where placing one leaves those of all nodes as they are: when the plugin has no
// say in their placement; when their workload
// has no traffic and room is kept for nobody, so that the plugin has nothing to say; or when
// the node is the only level, the gain does not depend on the workload's own pods (as
// it may when the routing is read from the cluster),
// the workload has no traffic with itself, and its controller says how many
// pods it wants, so that the number does not grow with those that are placed.
// It is called under the scheduling queue's lock: it reads one snapshot, the listers' memory,
// and whether something is declared that does not count yet, for which it does not wait. A
// panic is a refusal.
func (p *Plugin) SignPod(ctx context.Context, pod *v1.Pod) (fragments []fwk.SignFragment, status *fwk.Status) {
	defer func() {
		if cause := recover(); cause != nil {
			p.recovered(ctx, "SignPod", cause)
			fragments, status = nil, fwk.NewStatus(fwk.Unschedulable, "TrafficLocality has panicked")
		}
	}()
	if !p.options.admits(p.choices.Of(pod)) { // no fragment of others is like this one
		return []fwk.SignFragment{{Key: kube.LocalityAnnotation, Value: kube.Off.String()}}, nil
	}
	if p.hasNews(pod) {
		return nil, fwk.NewStatus(fwk.Unschedulable, "what is declared of the workload does not count yet")
	}
	id := kube.WorkloadOf(pod)
	fragments = []fwk.SignFragment{{Key: "vicinity.dev/WorkloadID", Value: id.String()}}
	snap := p.store.Load()
	i, ok := snap.Lookup(id)
	if !ok {
		if p.options.ReserveRoom && !p.batching.allows(snap) {
			return nil, fwk.NewStatus(fwk.Unschedulable, "room is kept for other pods, or may be")
		}
		return fragments, nil
	}
	if !p.options.nodeLocal() {
		return nil, fwk.NewStatus(fwk.Unschedulable, "placing a pod changes the scores of other nodes")
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

// batching is what SignPod must know of the scores of pods without traffic, which it may not
// wait for.
type batching struct {
	unreserved atomic.Value // the weak.Pointer to the snapshot by which room was kept for nobody
	signed     atomic.Bool  // a pod without traffic was
	silent     time.Time    // when the plugin last had nothing to say of one
}

// reuse is how long kube-scheduler may use the results of a pod for others with the same
// signature, and a cycle's time. It cannot tell a plugin that had nothing to say from one that
// gave 0 points.
const reuse = time.Second

// allows reports whether pods without traffic may be signed.
func (b *batching) allows(snap *flowgraph.Snapshot) bool {
	if b.unreserved.Load() != weak.Make(snap) {
		return false
	}
	b.signed.Store(true)
	return true
}

// note takes note of whether room is kept for anybody.
func (b *batching) note(snap *flowgraph.Snapshot, reserves bool) {
	if reserves {
		snap = nil
	}
	b.unreserved.Store(weak.Make(snap))
}

// staysSilent reports whether a pod without traffic is scored without the plugin, although
// room is kept by now: as others with its signature were, whose results it may be compared
// with. has says that the plugin has something to say.
func (b *batching) staysSilent(now time.Time, has bool) bool {
	if !has {
		b.silent = now
	}
	return !has || b.signed.Load() && now.Sub(b.silent) < reuse
}
