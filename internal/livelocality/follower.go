// Package livelocality says how far the traffic of a running cluster goes, as its pods are
// placed and as calls are divided now. It follows the pods and nodes of informers that
// somebody else runs, and evaluates them as package cut does in a replay.
package livelocality

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// Follower follows where the pods of each workload are. What happens is only noted as it
// happens; Measure works out what has changed since it was last called.
type Follower struct {
	routes routing.Routes
	fill   func(*cluster.Workload, *corev1.Pod)
	ours   func(schedulerName string) bool
	synced []cache.InformerSynced

	mu        sync.Mutex
	nodes     map[string]*corev1.Node
	workloads map[flowgraph.WorkloadID]*members
	changed   map[flowgraph.WorkloadID]bool // whose pods are to be looked at again
	moved     bool                          // a node has come, gone, moved, or changed whether it is ready

	measured // of the goroutine that calls Measure
}

// members are the pods of a workload that have a node.
type members struct {
	pods map[types.UID]*corev1.Pod
	// routed is the pod by which the routing was looked up, when it was counted so.
	routed  *corev1.Pod
	version routing.Version
	count   uint64
}

// NewFollower returns a Follower of the pods and nodes of informers. It registers handlers
// that only note what they are told. fill says how calls to a workload are divided, given a pod
// of it; routes tell when that changes, and ours says which schedulers place pods by traffic.
func NewFollower(core coreinformers.Interface, routes routing.Routes, fill func(*cluster.Workload, *corev1.Pod), ours func(schedulerName string) bool) (*Follower, error) {
	f := &Follower{
		routes: routes, fill: fill, ours: ours,
		nodes: map[string]*corev1.Node{}, workloads: map[flowgraph.WorkloadID]*members{}, changed: map[flowgraph.WorkloadID]bool{},
	}
	pods, err := core.Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { f.setPod(nil, o.(*corev1.Pod)) },
		UpdateFunc: func(was, is any) { f.setPod(was.(*corev1.Pod), is.(*corev1.Pod)) },
		DeleteFunc: func(o any) { f.removePod(last[*corev1.Pod](o)) },
	})
	if err != nil {
		return nil, fmt.Errorf("following the pods: %w", err)
	}
	nodes, err := core.Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { f.setNode(o.(*corev1.Node)) },
		UpdateFunc: func(_, is any) { f.setNode(is.(*corev1.Node)) },
		DeleteFunc: func(o any) { f.removeNode(last[*corev1.Node](o)) },
	})
	if err != nil {
		return nil, fmt.Errorf("following the nodes: %w", err)
	}
	f.synced = []cache.InformerSynced{pods.HasSynced, nodes.HasSynced, routes.Followed}
	return f, nil
}

// HasSynced reports whether the Follower knows all pods, nodes and routes that were there
// at the beginning.
func (f *Follower) HasSynced() bool {
	return !slices.ContainsFunc(f.synced, func(synced cache.InformerSynced) bool { return !synced() })
}

// last is the last known state of an object that was deleted, the zero T when there is none.
func last[T any](o any) T {
	if missed, ok := o.(cache.DeletedFinalStateUnknown); ok {
		o = missed.Obj
	}
	object, _ := o.(T)
	return object
}

// counts reports whether a pod is where traffic can go.
func counts(pod *corev1.Pod) bool { return pod.Spec.NodeName != "" && kube.IsPeer(pod) }

func (f *Follower) setPod(was, is *corev1.Pod) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := kube.WorkloadOf(is)
	if was != nil && (was.UID != is.UID || kube.WorkloadOf(was) != id) {
		f.drop(was)
	}
	if !counts(is) {
		f.drop(is)
		return
	}
	w := f.workloads[id]
	if w == nil {
		w = &members{pods: map[types.UID]*corev1.Pod{}}
		f.workloads[id] = w
	}
	known := w.pods[is.UID]
	w.pods[is.UID] = is
	if known == nil || known.Spec.NodeName != is.Spec.NodeName || kube.Serves(known, nil) != kube.Serves(is, nil) {
		f.changed[id] = true
	}
}

func (f *Follower) removePod(pod *corev1.Pod) {
	if pod == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(pod)
}

func (f *Follower) drop(pod *corev1.Pod) {
	id := kube.WorkloadOf(pod)
	w := f.workloads[id]
	if w == nil || w.pods[pod.UID] == nil {
		return
	}
	delete(w.pods, pod.UID)
	f.changed[id] = true
	if len(w.pods) == 0 {
		delete(f.workloads, id)
	}
}

func (f *Follower) setNode(node *corev1.Node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.nodes[node.Name]
	f.nodes[node.Name] = node
	// Most updates are heartbeats.
	f.moved = f.moved || was == nil || isReady(was) != isReady(node) ||
		kube.LocalityOf(was) != kube.LocalityOf(node)
}

func (f *Follower) removeNode(node *corev1.Node) {
	if node == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.nodes, node.Name)
	f.moved = true
}

// isReady reports whether pods on a node may serve.
func isReady(node *corev1.Node) bool { return kube.Serves(&corev1.Pod{}, node) }

// serving returns the nodes of the pods of a workload that serve, by position, and whether
// all of these were placed by a scheduler of ours.
func (f *Follower) serving(w *members) (nodes []int32, ours bool) {
	ours = true
	for _, pod := range w.pods {
		n, ok := f.at[pod.Spec.NodeName]
		if !ok || !kube.Serves(pod, f.nodes[pod.Spec.NodeName]) {
			continue
		}
		nodes = append(nodes, n)
		ours = ours && f.ours(pod.Spec.SchedulerName)
	}
	return nodes, ours && len(nodes) > 0
}

// any returns a pod of a workload, the same as long as it is there.
func (w *members) any() *corev1.Pod {
	if w.routed != nil {
		if pod := w.pods[w.routed.UID]; pod != nil {
			return pod
		}
	}
	for _, pod := range w.pods {
		return pod
	}
	return nil
}

// clusterNodes returns the nodes in the order of their names, with their positions.
func (f *Follower) clusterNodes() ([]cluster.Node, map[string]int32) {
	var nodes []cluster.Node
	at := make(map[string]int32, len(f.nodes))
	for i, name := range slices.Sorted(maps.Keys(f.nodes)) {
		nodes, at[name] = append(nodes, cluster.Node{Locality: kube.LocalityOf(f.nodes[name])}), int32(i)
	}
	return nodes, at
}
