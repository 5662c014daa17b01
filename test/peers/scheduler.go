package main

import (
	"context"
	"fmt"
	"math"
	"time"

	agv1alpha1 "github.com/diktyo-io/appgroup-api/pkg/apis/appgroup/v1alpha1"
	ntv1alpha1 "github.com/diktyo-io/networktopology-api/pkg/apis/networktopology/v1alpha1"
	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	schedulercache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/backend/heap"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/dynamicresources"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	schedulermetrics "k8s.io/kubernetes/pkg/scheduler/metrics"
	"k8s.io/kubernetes/pkg/scheduler/util/assumecache"
	pluginconfig "sigs.k8s.io/scheduler-plugins/apis/config"
	"sigs.k8s.io/scheduler-plugins/pkg/networkaware/networkoverhead"
	"sigs.k8s.io/scheduler-plugins/pkg/networkaware/topologicalsort"
)

// scheduler is the part of kube-scheduler that decides, with the peer's plugins.
type scheduler struct {
	framework framework.Framework
	cache     schedulercache.Cache
	snapshot  *schedulercache.Snapshot
	pods      cache.Indexer // what the plugins' lister of pods returns
	logger    klog.Logger
}

// newScheduler returns one over nodes without pods, which lives until ctx ends. A
// weight of 0 leaves NetworkOverhead out.
func newScheduler(ctx context.Context, c *cluster, group *agv1alpha1.AppGroup, weight int32) (*scheduler, error) {
	logger := logr.Discard()
	ctx = klog.NewContext(ctx, logger)
	klog.SetLogger(logger)
	schedulermetrics.Register() // the framework counts in package variables
	profile, err := profile(weight)
	if err != nil {
		return nil, err
	}
	registry := plugins.NewInTreeRegistry()
	for name, factory := range map[string]frameworkruntime.PluginFactory{
		networkoverhead.Name: networkoverhead.New, topologicalsort.Name: topologicalsort.New,
	} {
		if err := registry.Register(name, factory); err != nil {
			return nil, fmt.Errorf("registering the plugins: %w", err)
		}
	}
	shared, err := filled(c.objects)
	if err != nil {
		return nil, err
	}
	s := &scheduler{
		cache: schedulercache.New(ctx, 0, nil), snapshot: schedulercache.NewEmptySnapshot(),
		pods: shared.Core().V1().Pods().Informer().GetIndexer(), logger: logger,
	}
	served := api{
		{agv1alpha1.SchemeGroupVersion.WithKind("AppGroup"), "appgroups", group},
		{ntv1alpha1.SchemeGroupVersion.WithKind("NetworkTopology"), "networktopologies", networkTopology(c)},
	}
	claims := assumecache.NewAssumeCache(logger, shared.Resource().V1().ResourceClaims().Informer(), "ResourceClaim", "", nil)
	s.framework, err = frameworkruntime.NewFramework(ctx, registry, profile,
		frameworkruntime.WithKubeConfig(served.config()),
		frameworkruntime.WithInformerFactory(shared),
		frameworkruntime.WithSnapshotSharedLister(s.snapshot),
		frameworkruntime.WithSharedDRAManager(dynamicresources.NewDRAManager(ctx, claims, nil, shared)),
		frameworkruntime.WithParallelism(1),
	)
	if err != nil {
		return nil, fmt.Errorf("building the framework: %w", err)
	}
	for _, node := range c.nodes {
		s.cache.AddNode(logger, node)
	}
	return s, s.cache.UpdateSnapshot(logger, s.snapshot)
}

// profile is kube-scheduler's default one with the plugins and, as for all
// profiles of a scheduler with TopologicalSort, its order of the queue.
func profile(weight int32) (*config.KubeSchedulerProfile, error) {
	defaults, err := latest.Default()
	if err != nil {
		return nil, fmt.Errorf("kube-scheduler's default configuration: %w", err)
	}
	profile := &defaults.Profiles[0]
	if weight > 0 {
		profile.Plugins.MultiPoint.Enabled = append(profile.Plugins.MultiPoint.Enabled, config.Plugin{Name: networkoverhead.Name, Weight: weight})
	}
	profile.Plugins.QueueSort = config.PluginSet{
		Enabled: []config.Plugin{{Name: topologicalsort.Name}}, Disabled: []config.Plugin{{Name: "*"}},
	}
	profile.PluginConfig = append(profile.PluginConfig,
		config.PluginConfig{Name: networkoverhead.Name, Args: &pluginconfig.NetworkOverheadArgs{
			Namespaces: []string{crNamespace}, WeightsName: weightsName, NetworkTopologyName: topologyName,
		}},
		config.PluginConfig{Name: topologicalsort.Name, Args: &pluginconfig.TopologicalSortArgs{Namespaces: []string{crNamespace}}},
	)
	return profile, nil
}

// filled returns informers that are never started and hold the given objects.
func filled(objects []runtime.Object) (informers.SharedInformerFactory, error) {
	shared := informers.NewSharedInformerFactory(nil, 0)
	core, apps := shared.Core().V1(), shared.Apps().V1()
	for _, object := range objects {
		var informer cache.SharedIndexInformer
		switch object.(type) {
		case *corev1.Service:
			informer = core.Services().Informer()
		case *corev1.Namespace:
			informer = core.Namespaces().Informer()
		case *corev1.ReplicationController:
			informer = core.ReplicationControllers().Informer()
		case *appsv1.ReplicaSet:
			informer = apps.ReplicaSets().Informer()
		case *appsv1.StatefulSet:
			informer = apps.StatefulSets().Informer()
		default:
			return nil, fmt.Errorf("no plugin looks up a %T", object)
		}
		if err := informer.GetIndexer().Add(object); err != nil {
			return nil, fmt.Errorf("indexing a %T: %w", object, err)
		}
	}
	return shared, nil
}

// queued returns the arrivals in the order in which the scheduling queue, with
// TopologicalSort's order, hands them out when all of them wait in it.
func (s *scheduler) queued(arrivals []arrival) []arrival {
	type waiting struct {
		*framework.QueuedPodInfo
		arrival arrival
	}
	less := s.framework.QueueSortFunc()
	queue := heap.New(
		func(w waiting) string { return w.arrival.String() },
		func(a, b waiting) bool { return less(a.QueuedPodInfo, b.QueuedPodInfo) },
	)
	for i, a := range arrivals {
		queue.AddOrUpdate(waiting{arrival: a, QueuedPodInfo: &framework.QueuedPodInfo{
			PodInfo: &framework.PodInfo{Pod: a.workload.template}, Timestamp: time.Unix(int64(i), 0),
		}})
	}
	out := make([]arrival, 0, len(arrivals))
	for queue.Len() > 0 {
		next, _ := queue.Pop() // it fails only when empty
		out = append(out, next.arrival)
	}
	return out
}

// place places a pod and returns its node, "" when it fits nowhere.
func (s *scheduler) place(ctx context.Context, a arrival) (node string, err error) {
	pod := newPod(a)
	ctx = klog.NewContext(ctx, s.logger)
	best, err := s.best(ctx, pod)
	if err != nil {
		return "", fmt.Errorf("pod %s: %w", a, err)
	}
	if len(best) == 0 {
		return "", nil
	}
	node = freest(best).Node().Name
	return node, s.assume(pod, node)
}

func newPod(a arrival) *corev1.Pod {
	pod := *a.workload.template
	pod.Name = fmt.Sprintf("%s-%d", pod.Name, a.ordinal)
	pod.UID = types.UID(fmt.Sprintf("%s/%d", a.workload.name, a.ordinal))
	return &pod
}

// assume puts a pod on a node. The plugins see it at once, in a cluster only once
// it is bound.
func (s *scheduler) assume(pod *corev1.Pod, node string) error {
	pod.Spec.NodeName = node
	if err := s.cache.AssumePod(s.logger, pod); err != nil {
		return fmt.Errorf("assuming %s on node %s: %w", pod.Name, node, err)
	}
	if err := s.pods.Add(pod); err != nil {
		return fmt.Errorf("indexing %s: %w", pod.Name, err)
	}
	return s.cache.UpdateSnapshot(s.logger, s.snapshot)
}

// best returns the feasible nodes with the highest score.
func (s *scheduler) best(ctx context.Context, pod *corev1.Pod) ([]fwk.NodeInfo, error) {
	state := framework.NewCycleState()
	feasible, err := s.feasible(ctx, state, pod)
	if err != nil || len(feasible) < 2 {
		return feasible, err
	}
	if status := s.framework.RunPreScorePlugins(ctx, state, pod, feasible); !status.IsSuccess() {
		return nil, fmt.Errorf("scoring: %w", status.AsError())
	}
	scores, status := s.framework.RunScorePlugins(ctx, state, pod, feasible)
	if !status.IsSuccess() {
		return nil, fmt.Errorf("scoring: %w", status.AsError())
	}
	highest := int64(math.MinInt64)
	var best []fwk.NodeInfo
	for i, score := range scores {
		if score.TotalScore > highest {
			highest, best = score.TotalScore, nil
		}
		if score.TotalScore == highest {
			best = append(best, feasible[i])
		}
	}
	return best, nil
}

func (s *scheduler) feasible(ctx context.Context, state fwk.CycleState, pod *corev1.Pod) ([]fwk.NodeInfo, error) {
	all, err := s.snapshot.NodeInfos().List()
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	only, status, _ := s.framework.RunPreFilterPlugins(ctx, state, pod)
	switch {
	case status.IsRejected():
		return nil, nil
	case !status.IsSuccess():
		return nil, fmt.Errorf("filtering: %w", status.AsError())
	}
	var feasible []fwk.NodeInfo
	for _, info := range all {
		if !only.AllNodes() && !only.NodeNames.Has(info.Node().Name) {
			continue
		}
		switch status := s.framework.RunFilterPlugins(ctx, state, pod, info); {
		case status.IsSuccess():
			feasible = append(feasible, info)
		case !status.IsRejected():
			return nil, fmt.Errorf("filtering node %s: %w", info.Node().Name, status.AsError())
		}
	}
	return feasible, nil
}

// freest breaks a tie as the replay does: the node with the largest sum of free
// shares of CPU and memory, of those the first by name.
func freest(nodes []fwk.NodeInfo) fwk.NodeInfo {
	best, most := nodes[0], -1.0
	for _, info := range nodes {
		has, taken := info.GetAllocatable(), info.GetRequested()
		free := freeShare(taken.GetMilliCPU(), has.GetMilliCPU()) + freeShare(taken.GetMemory(), has.GetMemory())
		if free > most || free == most && info.Node().Name < best.Node().Name {
			best, most = info, free
		}
	}
	return best
}

func freeShare(taken, has int64) float64 {
	if has <= 0 {
		return 0
	}
	return max(0, 1-float64(taken)/float64(has))
}
