package trafficlocality

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
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
	options  options
	store    *flowgraph.Store
	networks *flowgraph.NodeNetworkStore
	lister   fwk.SharedLister
	replicas kube.Replicas
	choices  kube.Choices
	desired  *kube.DesiredStates
	services routing.Routes
	now      func() time.Time
	metrics  *Metrics
	changes  func() uint64 // as in Dependencies
	starts   ColdStarts    // likewise

	source *source      // of Preparation; nil without one
	stage  atomic.Int32 // a stage
	stale  atomic.Bool  // the Board is to be made anew before it is prepared, or used

	// Of Preparation's goroutine: how often in a row a panic has ended it, and for how many
	// more of its rounds it waits.
	failures, pause int

	batching  batching
	decisions decisions
	events    *Events // nil where none are written
	recorder  recorder

	mu     sync.Mutex // held by whoever writes what follows: PreScore, once it is in use
	engine *score.Engine
	keeper *keeper
	routes *routes

	sitesSeen uint64 // generation of the snapshot whose sites were looked for
}

// Dependencies are what a process shares between the plugins of its profiles.
type Dependencies struct {
	// Store holds the traffic graph.
	Store *flowgraph.Store
	// Networks is what the telemetry knows of the networks of nodes; nil is nothing.
	Networks *flowgraph.NodeNetworkStore
	// Desired is what controllers want. Without it the plugins follow the ReplicaSets
	// and StatefulSets of the informers that the framework hands them.
	Desired *kube.DesiredStates
	// Rules are Istio's DestinationRules; nil is none.
	Rules *routing.DestinationRules
	// Preparation prepares Boards outside of scheduling cycles, and bounds what a cycle
	// does. Without one, a cycle takes over all that has changed, the first one all.
	Preparation *Preparation
	// Changes counts what may have changed NodeInfos: where it returns the same as before,
	// none has. Without it, each cycle compares the generations of all nodes.
	Changes func() uint64
	// ColdStarts knows what is declared of pods without a past; nil knows nothing.
	ColdStarts ColdStarts
	// Now returns the current time.
	Now func() time.Time
	// Events writes the events of profiles that want them; nil writes none.
	Events *Events
	// Metrics counts what the plugins do.
	Metrics *Metrics
}

// Factory returns the plugin's factory for a scheduler registry. The factory
// fails when the arguments are not valid TrafficLocalityArgs; the error names
// the field and the rule.
func Factory(d Dependencies) func(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	shared := &sharedDesired{given: d.Desired}
	return func(_ context.Context, obj runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		args, err := DecodeArgs(obj)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", configv1.TrafficLocalityArgsKind, err)
		}
		informers := handle.SharedInformerFactory()
		services, err := routing.NewRoutes(informers.Core().V1(), d.Rules, PoliciesOf(args))
		if err != nil {
			return nil, err
		}
		desired, err := shared.of(informers)
		if err != nil {
			return nil, err
		}
		apps := informers.Apps().V1()
		p := &Plugin{
			options:  optionsOf(args),
			store:    d.Store,
			networks: d.Networks,
			lister:   handle.SnapshotSharedLister(),
			replicas: kube.Replicas{
				ReplicaSets:  apps.ReplicaSets().Lister(),
				StatefulSets: apps.StatefulSets().Lister(),
			},
			choices: kube.Choices{
				Namespaces: informers.Core().V1().Namespaces().Lister(), ReplicaSets: apps.ReplicaSets().Lister(), StatefulSets: apps.StatefulSets().Lister(),
			},
			desired:  desired,
			services: services,
			now:      d.Now,
			metrics:  d.Metrics,
		}
		p.changes, p.starts = d.Changes, d.ColdStarts
		p.decisions.pods = informers.Core().V1().Pods().Informer
		if d.Events != nil && *args.Events && !args.Shadow && handle.EventRecorder() != nil {
			p.events, p.recorder = d.Events, handle.EventRecorder()
			if err := p.events.follow(informers); err != nil {
				return nil, err
			}
		}
		p.stage.Store(int32(inUse))
		if d.Preparation != nil {
			p.source = newSource(informers, desired)
			p.stage.Store(int32(unprepared))
		}
		p.forget()
		desired.Observe(p)
		if d.Preparation != nil {
			d.Preparation.add(p)
		}
		if args.Shadow {
			return &Shadow{plugin: p, scorer: handle, counts: d.Metrics.inShadow()}, nil
		}
		return p, nil
	}
}

// Name returns the plugin's name.
func (*Plugin) Name() string { return Name }

// sharedDesired is what controllers want, read once for all profiles.
type sharedDesired struct {
	given *kube.DesiredStates

	mu       sync.Mutex
	followed map[informers.SharedInformerFactory]*kube.DesiredStates
}

// of returns what is given, or else what the informers of a factory say.
func (s *sharedDesired) of(factory informers.SharedInformerFactory) (*kube.DesiredStates, error) {
	if s.given != nil {
		return s.given, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.followed[factory]; d != nil {
		return d, nil
	}
	apps := factory.Apps().V1()
	d := &kube.DesiredStates{}
	if err := d.Follow(apps.ReplicaSets().Informer(), apps.StatefulSets().Informer(), factory.Core().V1().Namespaces().Informer()); err != nil {
		return nil, err
	}
	if s.followed == nil {
		s.followed = map[informers.SharedInformerFactory]*kube.DesiredStates{}
	}
	s.followed[factory] = d
	return d, nil
}

// forget makes the plugin look at everything anew.
func (p *Plugin) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	board := score.NewBoard(p.options.Scale)
	p.keeper = newKeeper(board, p.options)
	p.keeper.changes.count, p.keeper.catchUp.bounded = p.changes, p.source != nil
	p.routes = p.newRoutes()
	p.engine = score.NewEngine(p.options.Options, board, p.routes)
}

// reset does so and learns anew what controllers want.
func (p *Plugin) reset() { p.desired.Tell(p, p.forget) }

// recovered turns a panic of the plugin's own into the answer that leaves the
// pod to the other plugins, and a metric.
func (p *Plugin) recovered(ctx context.Context, phase string, cause any) {
	p.metrics.panicked()
	klog.FromContext(ctx).Error(fmt.Errorf("panic: %v", cause), "TrafficLocality recovered; the pod is scheduled without it", "phase", phase)
}

// ages are when data begin to lose their influence, and when they have lost it.
type ages struct{ stale, expired time.Duration }

// influence is what data of some age still count, in [0,1].
func (a ages) influence(age time.Duration) float64 {
	return affinity.Influence(float64(age), float64(a.stale), float64(a.expired))
}
