package trafficlocality

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	"github.com/vicinity-sched/vicinity/plugins/config"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/config/validation"
)

// Name is the plugin's name in a KubeSchedulerConfiguration.
const Name = "TrafficLocality"

var (
	_ fwk.PreScorePlugin = (*Plugin)(nil)
	_ fwk.ScorePlugin    = (*Plugin)(nil)
	_ fwk.SignPlugin     = (*Plugin)(nil)
)

// Plugin scores nodes by traffic locality for one profile.
type Plugin struct {
	scorer   scorer
	store    *flowgraph.Store
	nodes    fwk.SharedLister
	replicas kube.Replicas
	routes   routing.Routes
	now      func() time.Time
	metrics  *Metrics

	mu     sync.Mutex // held through PreScore, which writes what follows
	index  *index
	levels []levelGains // used anew for each pod
	zones  *levelGains  // of levels, nil when zones are none of them
	bySlot []float64    // likewise
	wanted []want       // by number in the snapshot

	reserved reservations
	links    links
}

// Dependencies are what a process shares between the plugins of its profiles.
type Dependencies struct {
	// Store holds the traffic graph.
	Store *flowgraph.Store
	// Rules are Istio's DestinationRules; nil is none.
	Rules *routing.DestinationRules
	// Now returns the current time.
	Now func() time.Time
	// Metrics counts what the plugins do.
	Metrics *Metrics
}

// Factory returns the plugin's factory for a scheduler registry. The factory
// fails when the arguments are not valid TrafficLocalityArgs; the error names
// the field and the rule.
func Factory(d Dependencies) func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return func(_ context.Context, obj runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		args, err := DecodeArgs(obj)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", configv1.TrafficLocalityArgsKind, err)
		}
		apps := handle.SharedInformerFactory().Apps().V1()
		routes, err := routing.NewRoutes(handle.SharedInformerFactory().Core().V1(), d.Rules, policies(args))
		if err != nil {
			return nil, err
		}
		p := &Plugin{
			scorer: newScorer(args),
			store:  d.Store,
			nodes:  handle.SnapshotSharedLister(),
			replicas: kube.Replicas{
				ReplicaSets:  apps.ReplicaSets().Lister(),
				StatefulSets: apps.StatefulSets().Lister(),
			},
			routes:  routes,
			now:     d.Now,
			metrics: d.Metrics,
		}
		p.reset()
		return p, nil
	}
}

// reset makes the plugin look at all nodes anew: after a panic what it
// remembers of them may be half written.
func (p *Plugin) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.index, p.levels, p.bySlot, p.wanted = newIndex(p.scorer.topology), newLevels(p.scorer), nil, nil
	p.index.watched = p.scorer.reserves
	p.reserved, p.links = newReservations(), newLinks()
	p.zones = nil
	if i := slices.IndexFunc(p.levels, func(l levelGains) bool { return l.level == locality.Zone }); i >= 0 {
		p.zones = &p.levels[i]
	}
}

// DecodeArgs reads the raw arguments that kube-scheduler hands to a plugin
// whose kind it does not know, fills in the defaults, and checks them; nil means
// defaults. Its errors name the field and the rule.
func DecodeArgs(obj runtime.Object) (*configv1.TrafficLocalityArgs, error) {
	args := &configv1.TrafficLocalityArgs{}
	switch raw := obj.(type) {
	case nil:
	case *runtime.Unknown:
		if err := config.DecodeStrict(raw.Raw, args); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("unexpected type %T", obj)
	}
	args.SetDefaults()
	if err := validation.TrafficLocalityArgs(args).ToAggregate(); err != nil {
		return nil, err
	}
	return args, nil
}

// policies translates what counts.
func policies(a *configv1.TrafficLocalityArgs) routing.Policies {
	counts := func(p configv1.RoutingPolicy) bool { return slices.Contains(a.RoutingPolicies, p) }
	return routing.Policies{
		InternalTrafficPolicy: counts(configv1.RoutingPolicyInternalTrafficPolicy),
		TrafficDistribution:   counts(configv1.RoutingPolicyTrafficDistribution),
		Annotation:            counts(configv1.RoutingPolicyAnnotation),
		DestinationRules:      counts(configv1.RoutingPolicyDestinationRules),
		Mesh:                  mesh(a.Istio),
	}
}

// mesh translates what Istio's MeshConfig says; nil is nothing.
func mesh(i *configv1.Istio) routing.Mesh {
	if i == nil {
		return routing.Mesh{}
	}
	m := routing.Mesh{RootNamespace: i.RootNamespace}
	if s := i.ZoneAwareLbSetting; s != nil {
		m.ZoneAware = &routing.ZoneAware{Enabled: *s.Enabled, MinClusterSize: int(*s.MinClusterSize)}
	}
	return m
}

// Name returns the plugin's name.
func (*Plugin) Name() string { return Name }

// SignPod allows two pods to share their scores only where the scores cannot
// differ and where placing one leaves those of all nodes as they are: when the
// node is the only level, the gain does not depend on the workload's own pods (as
// it may when the routing is read from the cluster),
// the workload has no traffic with itself, and its controller says how many
// pods it wants, so that the number does not grow with those that are placed.
// It is called under the scheduling queue's lock: it reads one snapshot and the
// listers' memory.
func (p *Plugin) SignPod(_ context.Context, pod *v1.Pod) ([]fwk.SignFragment, *fwk.Status) {
	if !p.scorer.nodeLocal() {
		return nil, fwk.NewStatus(fwk.Unschedulable, "placing a pod changes the scores of other nodes")
	}
	id := kube.WorkloadOf(pod)
	fragments := []fwk.SignFragment{{Key: "vicinity.dev/WorkloadID", Value: id.String()}}
	snap := p.store.Load()
	i, ok := snap.Lookup(id)
	if !ok {
		return fragments, nil
	}
	if p.scorer.countsSelf() && snap.Self(i) != (flowgraph.Rates{}) {
		return nil, fwk.NewStatus(fwk.Unschedulable, "the workload has traffic with itself")
	}
	desired, ok := p.replicas.Desired(id, pod)
	if !ok || desired <= 0 {
		return nil, fwk.NewStatus(fwk.Unschedulable, "how many pods the workload wants is not known")
	}
	return append(fragments, fwk.SignFragment{Key: "vicinity.dev/DesiredReplicas", Value: desired}), nil
}

// ScoreExtensions returns nil: PreScore has already put the scores on the
// framework's scale.
func (*Plugin) ScoreExtensions() fwk.ScoreExtensions { return nil }

// recovered turns a panic of the plugin's own into the answer that leaves the
// pod to the other plugins, and a metric.
func (p *Plugin) recovered(ctx context.Context, phase string, cause any) {
	p.metrics.panicked()
	klog.FromContext(ctx).Error(fmt.Errorf("panic: %v", cause), "TrafficLocality recovered; the pod is scheduled without it", "phase", phase)
}
