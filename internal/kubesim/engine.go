package kubesim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	schedulercache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/dynamicresources"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodevolumelimits"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	schedulermetrics "k8s.io/kubernetes/pkg/scheduler/metrics"
	"k8s.io/kubernetes/pkg/scheduler/util/assumecache"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// Options says how pods are placed.
type Options struct {
	// Config is the scheduler's configuration.
	Config *schedulerconfig.Config
	// Profile is the schedulerName of the profile that places all pods; empty:
	// the first profile.
	Profile string
	// Rollout says that pods for which a node is chosen are those that a rollout
	// brings: of another ReplicaSet than the others of their workload.
	Rollout bool
	// Now is the clock by which decisions are timed. It has no part in them.
	Now func() time.Time
}

// engine is the part of kube-scheduler that decides.
type engine struct {
	framework framework.Framework
	cache     schedulercache.Cache
	snapshot  *schedulercache.Snapshot
	stores    *objects.Stores
	desired   *kube.DesiredStates
	plugin    *trafficlocality.Plugin // nil where the profile has none, or it is switched off
	nodes     []fwk.NodeInfo          // used anew for each pod
}

// New returns a Placer over nodes without pods. It lives until ctx ends. Its
// errors are about the configuration.
func New(ctx context.Context, in *history.Replayable, o Options) (*Placer, error) {
	p := &Placer{
		input: in, now: o.Now, logger: logr.Discard(), store: flowgraph.NewStore(),
		rollout: o.Rollout, next: map[int32]nextTemplate{},
		position: make(map[string]int32, len(in.Nodes)), placed: map[sim.Pod]*corev1.Pod{},
		there: map[int32]*corev1.Node{}, at: sim.Clock(),
	}
	var lookedUp []runtime.Object
	for _, object := range in.Objects {
		lookedUp = append(lookedUp, p.withNext(object)...)
	}
	var err error
	p.engine, err = newEngine(ctx, o, lookedUp, trafficlocality.Dependencies{Store: p.store, Now: func() time.Time { return p.at }})
	if err != nil {
		return nil, err
	}
	for i := range in.Nodes {
		p.node(int32(i))
	}
	return p, p.engine.update(p.logger)
}

// newEngine returns an engine over an empty cluster, in which plugins can look up the given
// objects.
func newEngine(ctx context.Context, o Options, lookedUp []runtime.Object, of trafficlocality.Dependencies) (e engine, err error) {
	logger := logr.Discard()
	ctx = klog.NewContext(ctx, logger)
	// The framework counts what it does in package variables, which must exist.
	schedulermetrics.Register()
	profile, err := o.profile()
	if err != nil {
		return e, err
	}
	e = engine{cache: schedulercache.New(ctx, nil, false, false), snapshot: schedulercache.NewEmptySnapshot(), desired: &kube.DesiredStates{}}
	if e.stores, err = objects.NewStores(); err != nil {
		return e, err
	}
	of.Desired, of.Rules = e.desired, e.stores.Rules
	of.Metrics = trafficlocality.NewMetrics(metrics.NewKubeRegistry().MustRegister)
	registry := plugins.NewInTreeRegistry()
	if err := registry.Register(trafficlocality.Name, e.noting(o.Config.Honour(trafficlocality.Factory(of)))); err != nil {
		return e, fmt.Errorf("registering the plugin: %w", err)
	}
	for _, object := range lookedUp {
		if err := e.put(kube.ObjectChange{Object: object}); err != nil {
			return e, err
		}
	}
	shared := e.stores.Informers
	claims := assumecache.NewAssumeCache(logger, shared.Resource().V1().ResourceClaims().Informer(), "ResourceClaim", "", nil)
	e.framework, err = frameworkruntime.NewFramework(ctx, registry, profile,
		frameworkruntime.WithInformerFactory(shared),
		frameworkruntime.WithSnapshotSharedLister(e.snapshot),
		frameworkruntime.WithSharedDRAManager(dynamicresources.NewDRAManager(ctx, claims, nil, shared)),
		frameworkruntime.WithSharedCSIManager(nodevolumelimits.NewCSIManager(shared.Storage().V1().CSINodes().Lister())),
		// Runs go side by side; within a cycle goroutines cost more than they save.
		frameworkruntime.WithParallelism(1),
	)
	if err != nil {
		return e, fmt.Errorf("profile %s: %w", profile.SchedulerName, err)
	}
	return e, nil
}

// noting returns the factory, which notes the plugin that it makes.
func (e *engine) noting(make schedulerconfig.PluginFactory) schedulerconfig.PluginFactory {
	return func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		made, err := make(ctx, args, handle)
		switch plugin := made.(type) {
		case *trafficlocality.Plugin:
			e.plugin = plugin
		case *trafficlocality.Shadow:
			e.plugin = plugin.Plugin()
		}
		return made, err
	}
}

func (o Options) profile() (*config.KubeSchedulerProfile, error) {
	profiles := o.Config.Scheduler.Profiles
	if o.Profile == "" {
		return &profiles[0], nil
	}
	i := slices.IndexFunc(profiles, func(p config.KubeSchedulerProfile) bool { return p.SchedulerName == o.Profile })
	if i < 0 {
		return nil, fmt.Errorf("there is no profile %q", o.Profile)
	}
	return &profiles[i], nil
}

// update brings the snapshot to the state of the cache.
func (e *engine) update(logger klog.Logger) error {
	if err := e.cache.UpdateSnapshot(logger, e.snapshot); err != nil {
		return fmt.Errorf("updating the snapshot of the nodes: %w", err)
	}
	return nil
}

// put takes over a change of what plugins look up, in informers that are never
// started: what would follow their events is told of it here.
func (e *engine) put(c kube.ObjectChange) error {
	if c.Deleted {
		e.desired.Delete(c.Object)
	} else {
		e.desired.Put(c.Object)
	}
	return e.stores.Put(c)
}
