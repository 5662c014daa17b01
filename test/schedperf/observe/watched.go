package observe

import (
	"context"
	"fmt"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// WatchedName is the name of TrafficLocality when it is watched.
const WatchedName = "WatchedTrafficLocality"

// Watch counts the cycles of a plugin that is watched. The zero Watch has seen
// none.
type Watch struct {
	mu             sync.Mutex
	cycles, missed int
}

// Seen returns how many cycles the plugin scored, and in how many of them the node
// with the most traffic of the pod's peers was not among those that were scored.
// Cycles without a placed peer do not count.
func (w *Watch) Seen() (cycles, missed int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cycles, w.missed
}

// Reset forgets what was seen.
func (w *Watch) Reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cycles, w.missed = 0, 0
}

func (w *Watch) note(missed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cycles++
	if missed {
		w.missed++
	}
}

// scorer is what TrafficLocality is to the framework.
type scorer interface {
	fwk.PreScorePlugin
	fwk.ScorePlugin
	fwk.SignPlugin
}

// Factory returns the factory of the plugin that inner makes, watched.
func (w *Watch) Factory(store *flowgraph.Store, inner func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error)) func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		plugin, err := inner(ctx, args, handle)
		if err != nil {
			return nil, fmt.Errorf("making the watched plugin: %w", err)
		}
		s, ok := plugin.(scorer)
		if !ok {
			return nil, fmt.Errorf("making the watched plugin: %T scores or signs no pods", plugin)
		}
		return &watched{scorer: s, watch: w, store: store, nodes: handle.SnapshotSharedLister()}, nil
	}
}

type watched struct {
	scorer
	watch *Watch
	store *flowgraph.Store
	nodes fwk.SharedLister
}

func (*watched) Name() string { return WatchedName }

// PreScore asks the plugin, and looks at the nodes only where it did not skip.
func (p *watched) PreScore(ctx context.Context, state fwk.CycleState, pod *v1.Pod, nodes []fwk.NodeInfo) *fwk.Status {
	status := p.scorer.PreScore(ctx, state, pod, nodes)
	if !status.IsSuccess() {
		return status
	}
	all, err := p.nodes.NodeInfos().List()
	if err != nil {
		return status // there is nothing to count; the plugin has its say all the same
	}
	if traffic := trafficByNode(p.store.Load(), pod, all); len(traffic) > 0 {
		p.watch.note(missed(traffic, nodes))
	}
	return status
}

// trafficByNode returns what a pod's workload exchanges with the peers' pods on
// each node, in bytes per second, each peer's traffic divided evenly over its pods.
// Nodes without any are left out.
func trafficByNode(snap *flowgraph.Snapshot, pod *v1.Pod, all []fwk.NodeInfo) map[string]float64 {
	i, ok := snap.Lookup(kube.WorkloadOf(pod))
	if !ok {
		return nil
	}
	rates := map[flowgraph.WorkloadID]float64{}
	for peer, r := range snap.Callees(i) {
		rates[snap.ID(peer)] += r.BytesPerSecond()
	}
	for peer, r := range snap.Callers(i) {
		rates[snap.ID(peer)] += r.BytesPerSecond()
	}
	pods := map[flowgraph.WorkloadID]float64{}
	on := map[string][]flowgraph.WorkloadID{}
	for _, info := range all {
		for _, placed := range info.GetPods() {
			id := kube.WorkloadOf(placed.GetPod())
			if rates[id] > 0 && kube.IsPeer(placed.GetPod()) {
				pods[id]++
				on[info.Node().Name] = append(on[info.Node().Name], id)
			}
		}
	}
	traffic := make(map[string]float64, len(on))
	for node, ids := range on {
		for _, id := range ids {
			traffic[node] += rates[id] / pods[id]
		}
	}
	return traffic
}

// missed reports whether some node has more traffic than every node that is scored.
func missed(traffic map[string]float64, scored []fwk.NodeInfo) bool {
	var best, bestScored float64
	for _, t := range traffic {
		best = max(best, t)
	}
	for _, info := range scored {
		bestScored = max(bestScored, traffic[info.Node().Name])
	}
	// The sums are of the same numbers in the same order, node by node; the margin
	// is for nodes that are equal but for rounding.
	return best > bestScored*(1+1e-9)
}
