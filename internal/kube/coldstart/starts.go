package coldstart

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
	"github.com/vicinity-sched/vicinity/internal/kube/optional"
)

// pause is how often declared edges are merged anew when nothing happens: they fade.
const pause = 30 * time.Second

// Starts keeps a store up to date with the snapshots of the telemetry and what is declared
// of new workloads. Without declarations both stores hold the same snapshot.
type Starts struct {
	workloads        *Workloads
	observed, merged *flowgraph.Store
	now              func() time.Time
	logger           klog.Logger
	changed          chan struct{} // holds one while something has changed

	mu     sync.Mutex // held while merging
	merger *declared.Merger
	// free is when merging has taken no more than a tenth of the time since it last began.
	free atomic.Pointer[time.Time]
}

const (
	// pace is the least time between two merges that events cause.
	pace = time.Second
	// mergingPart is what part of the time pods may wait for merging.
	mergingPart = 10
)

// NewStarts returns Starts that merge what is declared into the snapshots of a store and
// publish the result in another.
func NewStarts(logger klog.Logger, o Options, by declared.Options, observed, merged *flowgraph.Store, now func() time.Time) *Starts {
	return &Starts{
		workloads: NewWorkloads(o), observed: observed, merged: merged, now: now, logger: logger,
		changed: make(chan struct{}, 1), merger: declared.NewMerger(by),
	}
}

// Follow follows the workloads in informers that kube-scheduler runs anyway. It must be
// called before they run.
func (s *Starts) Follow(f informers.SharedInformerFactory) error {
	s.workloads.options.Services = f.Core().V1().Services().Lister()
	handler := s.handler()
	for _, informer := range []cache.SharedIndexInformer{f.Apps().V1().ReplicaSets().Informer(), f.Apps().V1().StatefulSets().Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("following new workloads: %w", err)
		}
	}
	pods := cache.FilteringResourceEventHandler{FilterFunc: saysMore, Handler: handler}
	if _, err := f.Core().V1().Pods().Informer().AddEventHandler(pods); err != nil {
		return fmt.Errorf("following new workloads: %w", err)
	}
	return nil
}

// saysMore reports whether a pod is the only object that tells of its workload.
func saysMore(object any) bool {
	pod, ok := untombed(object).(*corev1.Pod)
	return ok && !isControlled(pod)
}

// handler takes over what informers tell. A panic ends with the event: it would end the
// scheduler.
func (s *Starts) handler() cache.ResourceEventHandlerFuncs {
	take := func(was, is any) {
		defer func() {
			if cause := recover(); cause != nil {
				s.logger.Error(fmt.Errorf("panic: %v", cause), "What an object declares is left out")
			}
		}()
		if s.workloads.Changed(was, is) {
			s.signal()
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(is any) { take(nil, is) },
		UpdateFunc: func(was, is any) { take(was, is) },
		DeleteFunc: func(was any) { take(was, nil) },
	}
}

func (s *Starts) signal() {
	select {
	case s.changed <- struct{}{}:
	default: // it is known already
	}
}

// Meet makes what is declared of the workload of a pod count before the pod is scored, also
// where no informer has told of the workload yet. Where so many workloads come that merging
// would take more than a tenth of the time, the pod does not wait for the next merge.
func (s *Starts) Meet(pod *corev1.Pod) {
	if !s.workloads.Meet(pod) {
		return
	}
	if free := s.free.Load(); free != nil && s.now().Before(*free) {
		s.signal()
		return
	}
	s.Update()
}

// HasNews reports whether something is declared of the workload of a pod that is not merged
// yet. It merges nothing, and has Run do so.
func (s *Starts) HasNews(pod *corev1.Pod) bool {
	if !s.workloads.Meet(pod) {
		return false
	}
	s.signal()
	return true
}

// Update merges the newest snapshot of the telemetry with what is declared at the moment.
func (s *Starts) Update() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	declared, done := s.workloads.New(now)
	if merged := s.merger.Merge(s.observed.Load(), declared, now); merged != s.merged.Load() {
		s.merged.Publish(merged)
	}
	done()
	end := s.now()
	free := end.Add(mergingPart * end.Sub(now))
	s.free.Store(&free)
}

// Run keeps the store up to date until ctx ends, and follows the AppGroups and Sidecars of
// a cluster while it has them and they may be read. It may be called again after a panic.
func (s *Starts) Run(ctx context.Context, cluster optional.Cluster) {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop() // also after a panic, which is to be told
	for _, kind := range s.kinds() {
		running.Go(func() { optional.NewWatcher(s.logger, kind, cluster).Run(ctx) })
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		s.Update()
		for _, problem := range s.workloads.NewProblems() {
			s.logger.Info("A declaration of traffic is wrong; what is right in it counts", "problem", problem)
		}
		if !s.wait(ctx, tick.C) {
			return
		}
	}
}

// wait waits until something has changed, or it is time to look again. It returns false when
// ctx has ended.
func (s *Starts) wait(ctx context.Context, again <-chan time.Time) bool {
	rest := time.NewTimer(pace)
	defer rest.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-again:
		return true
	case <-s.changed:
	}
	select {
	case <-ctx.Done():
		return false
	case <-rest.C:
	}
	return true
}

// kinds are those that the cluster need not have.
func (s *Starts) kinds() (kinds []optional.Kind) {
	const grantedBy = "manifests/components/cold-starts"
	if s.workloads.options.counts(flowgraph.FromAppGroup) {
		kinds = append(kinds, optional.Kind{
			GroupResource: schema.GroupResource{Group: AppGroupGroup, Resource: AppGroupResource}, Versions: []string{AppGroupVersion},
			Called: "AppGroups", GrantedBy: grantedBy, Handler: s.handler(),
			Transform: reading(s.logger, ReadAppGroup),
			Publish:   s.forgetting(func(object any) bool { return isAppGroup(object) }),
		})
	}
	if s.workloads.options.counts(flowgraph.FromSidecar) {
		kinds = append(kinds, optional.Kind{
			GroupResource: schema.GroupResource{Group: SidecarGroup, Resource: SidecarResource}, Versions: SidecarVersions(),
			Called: "Sidecars", GrantedBy: grantedBy, Handler: s.handler(),
			Transform: reading(s.logger, ReadSidecar),
			Publish:   s.forgetting(func(object any) bool { return isSidecar(object) }),
		})
	}
	return kinds
}

// reading returns what translates the objects of an informer. One that cannot be decoded
// declares nothing.
func reading[T any](logger klog.Logger, read func(*unstructured.Unstructured) (T, error)) cache.TransformFunc {
	return func(object any) (any, error) {
		u, ok := object.(*unstructured.Unstructured)
		if !ok {
			return object, nil // as it was read before
		}
		result, err := read(u)
		if err != nil {
			logger.Info("A declaration of traffic cannot be decoded and is left out", "err", err)
		}
		return result, nil
	}
}

// forgetting returns what forgets all objects of a kind when they are followed no longer.
func (s *Starts) forgetting(kind func(any) bool) func(cache.Indexer) {
	return func(store cache.Indexer) {
		if store == nil {
			s.workloads.forgetAll(kind)
			s.signal()
		}
	}
}

// forgetAll forgets the AppGroups or Sidecars that are of a kind.
func (w *Workloads) forgetAll(kind func(any) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, group := range w.groups {
		if kind(group) {
			delete(w.groups, name)
		}
	}
	for namespace, all := range w.sidecars {
		for name, sidecar := range all {
			if kind(sidecar) {
				delete(all, name)
			}
		}
		if len(all) == 0 {
			delete(w.sidecars, namespace)
		}
	}
	w.unmerge()
}
