package trafficlocality

import (
	"context"
	"fmt"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

// Preparation prepares the Boards of a process's plugins outside of scheduling cycles: from
// the informers, before the first cycle and after a panic. Without one, a plugin reads all
// nodes in its first cycle.
type Preparation struct {
	mu      sync.Mutex
	plugins []*Plugin

	asked    chan struct{} // closed by Begin
	prepared chan struct{} // closed once that is heard and all Boards are ready
}

// NewPreparation returns a Preparation that prepares nothing until it runs.
func NewPreparation() *Preparation {
	return &Preparation{asked: make(chan struct{}), prepared: make(chan struct{})}
}

// How often the Boards are prepared: until they are, and anew until the first cycle, which
// on a standby may be days later.
const (
	prepareEvery = 100 * time.Millisecond
	refreshEvery = 15 * time.Second
	// longestPause bounds how long a Board is left alone after it could not be prepared for
	// a panic; the pauses before are shorter by half each.
	longestPause = time.Minute
)

// Begin says, once, that the first cycle is about to begin. It returns what is closed when
// all Boards are ready for it. A scheduler that takes the first pod only then places none
// without a look at the traffic: after a restart many may be waiting.
func (r *Preparation) Begin() <-chan struct{} {
	close(r.asked)
	return r.prepared
}

// Run prepares Boards until ctx ends. It may be called again after a panic.
func (r *Preparation) Run(ctx context.Context) {
	ticker := time.NewTicker(prepareEvery)
	defer ticker.Stop()
	asked := r.asked
	for tick := 0; ; tick++ {
		begun := asked == nil
		all := r.prepare(ctx, !begun && tick%int(refreshEvery/prepareEvery) == 0)
		if begun && all {
			r.tell()
		}
		select {
		case <-ctx.Done():
			return
		case <-asked:
			asked = nil
		case <-ticker.C:
		}
	}
}

// tell says, once, that all Boards are ready.
func (r *Preparation) tell() {
	select {
	case <-r.prepared:
	default:
		close(r.prepared)
	}
}

// prepare prepares the Boards that are not, or also those that wait for their first cycle.
// It reports whether all are.
func (r *Preparation) prepare(ctx context.Context, refresh bool) bool {
	r.mu.Lock()
	plugins := r.plugins
	r.mu.Unlock()
	all := true
	for _, p := range plugins {
		if p.pause > 0 {
			p.pause--
		} else if s := stage(p.stage.Load()); s == unprepared || s == ready && refresh {
			p.prepare(ctx)
		}
		all = all && stage(p.stage.Load()) != unprepared
	}
	return all
}

func (r *Preparation) add(p *Plugin) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plugins = append(r.plugins, p)
}

// stage says who may write a plugin's Board.
type stage int32

const (
	unprepared stage = iota // Preparation
	ready                   // whoever goes on first
	inUse                   // scheduling cycles
)

// source is where a Board is prepared from: the informers of nodes and pods, which
// kube-scheduler runs anyway.
type source struct {
	synced []func() bool
	nodes  corelisters.NodeLister
	pods   corelisters.PodLister
}

func newSource(f informers.SharedInformerFactory, desired *kube.DesiredStates) *source {
	nodes, pods := f.Core().V1().Nodes(), f.Core().V1().Pods()
	return &source{
		synced: []func() bool{nodes.Informer().HasSynced, pods.Informer().HasSynced, desired.HasSynced},
		nodes:  nodes.Lister(), pods: pods.Lister(),
	}
}

// isPrepared reports whether a cycle may use the Board, which from then on is the cycles'.
func (p *Plugin) isPrepared() bool {
	if p.source == nil && p.stale.Swap(false) {
		p.reset()
	}
	return stage(p.stage.Load()) == inUse || p.stage.CompareAndSwap(int32(ready), int32(inUse))
}

// startAnew has the Board made anew after a panic, when what the plugin remembers may be
// half written: by the Preparation, or else by the next cycle.
func (p *Plugin) startAnew() {
	p.stale.Store(true)
	if p.source != nil {
		p.stage.Store(int32(unprepared))
	}
}

// prepare brings the Board to the state of the informers. No cycle uses it meanwhile.
func (p *Plugin) prepare(ctx context.Context) {
	p.stage.CompareAndSwap(int32(ready), int32(unprepared))
	if stage(p.stage.Load()) != unprepared { // a cycle was quicker
		return
	}
	for _, synced := range p.source.synced {
		if !synced() {
			return
		}
	}
	defer func() {
		if cause := recover(); cause != nil {
			p.recovered(ctx, "preparation", cause)
			p.stale.Store(true)
		}
		p.backOff()
	}()
	if p.stale.Swap(false) {
		p.reset()
	}
	if err := p.read(); err != nil {
		klog.FromContext(ctx).Error(err, "TrafficLocality has no say until the nodes and pods are read")
		return
	}
	if !p.stale.Load() { // for a panic where it was told what controllers want
		p.stage.Store(int32(ready))
	}
}

// backOff has the next attempts wait, the longer the more have failed: each is a line in
// the log.
func (p *Plugin) backOff() {
	if !p.stale.Load() {
		p.failures, p.pause = 0, 0
		return
	}
	p.failures = min(p.failures+1, 16)
	p.pause = min(1<<p.failures, int(longestPause/prepareEvery)) - 1
}

// read reads all nodes and pods from the informers.
func (p *Plugin) read() error {
	nodes, err := p.source.nodes.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	pods, err := p.source.pods.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("listing pods: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keeper.prepare(nodes, pods)
	p.routes.begin(p.now())
	if snap := p.store.Load(); snap.Generation() > 0 {
		p.engine.Prepare(snap)
	}
	return nil
}

// prepare brings the Board to the state of some nodes and the pods on them. The nodes are
// listed by the scheduler later.
func (k *keeper) prepare(nodes []*v1.Node, pods []*v1.Pod) {
	on := make(map[string][]*v1.Pod, len(nodes))
	for _, pod := range pods {
		if pod.Spec.NodeName != "" {
			on[pod.Spec.NodeName] = append(on[pod.Spec.NodeName], pod)
		}
	}
	if len(k.infos) == 0 {
		k.infos = make(map[fwk.NodeInfo]int32, len(nodes))
	}
	there := make(map[string]bool, len(nodes))
	for _, node := range nodes {
		there[node.Name] = true
		n, known := k.names[node.Name]
		if !known {
			n = k.number(node)
			k.nodes[n].generation = prepared
		}
		k.setNode(n, node)
		k.setPods(n, on[node.Name])
		all := roomOfNode(node)
		free := all
		for _, pod := range on[node.Name] {
			free = free.Minus(requestsOf(pod))
		}
		k.board.SetRoom(n, free, all)
	}
	for name, n := range k.names {
		if !there[name] {
			k.forget(n)
		}
	}
}
