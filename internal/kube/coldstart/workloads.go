package coldstart

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// Workloads follows the objects that say which workloads there are, since when, and what is
// declared of their traffic. It is safe for concurrent use.
//
// A workload is as old as the oldest of its ReplicaSets and StatefulSets that there are or
// have been since the Workloads follow it, or of its pods where it has neither. One whose
// oldest ReplicaSet is not its first revision is older than that, and never new.
type Workloads struct {
	options Options

	mu        sync.Mutex
	known     map[flowgraph.WorkloadID]*workload
	within    map[string]map[flowgraph.WorkloadID]*workload // the same by namespace
	kin       map[kinship]map[*workload]bool                // the same by what makes them versions of one another
	recent    map[flowgraph.WorkloadID]*workload            // those that were new when that was last looked at
	groups    map[objectName]*AppGroup
	sidecars  map[string]map[string]*Sidecar // by namespace and name
	found     *found                         // while New goes on
	problems  map[string]string              // by the object that has the annotation
	unhandled []string                       // problems that nobody was told of
}

// Options says what counts, and for how long.
type Options struct {
	// Origins are those that count.
	Origins []flowgraph.Origin
	// Window is how long a workload is new.
	Window time.Duration
	// Services finds those that annotations and Sidecars name; nil finds none.
	Services corelisters.ServiceLister
}

type objectName struct{ namespace, name string }

// workload is one of which there are objects.
type workload struct {
	facts          // of the newest object
	byPod    facts // of the newest pod, where the controller does not say what its pods are like
	objects  int   // that count
	since    time.Time
	old      bool  // it is older than since
	all      int32 // pods that are wanted
	peers    []NamedPeer
	kinships []kinship
	state    uint64 // counts what has changed of what is declared
	merged   uint64 // the state that is in the snapshot
}

// NewWorkloads returns Workloads that know of none.
func NewWorkloads(o Options) *Workloads {
	return &Workloads{
		options: o, known: map[flowgraph.WorkloadID]*workload{}, within: map[string]map[flowgraph.WorkloadID]*workload{},
		kin: map[kinship]map[*workload]bool{}, recent: map[flowgraph.WorkloadID]*workload{}, groups: map[objectName]*AppGroup{},
		sidecars: map[string]map[string]*Sidecar{}, problems: map[string]string{},
	}
}

// counts reports whether an origin does.
func (o *Options) counts(origin flowgraph.Origin) bool { return slices.Contains(o.Origins, origin) }

// Changed takes over that an object was one thing and is another; nil is none. Objects of
// other types mean nothing. It reports whether declared edges may have changed.
func (w *Workloads) Changed(was, is any) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	was = untombed(was)
	switch {
	case isAppGroup(was) || isAppGroup(is):
		return w.group(was, is)
	case isSidecar(was) || isSidecar(is):
		return w.sidecar(was, is)
	}
	old, wasKnown := factsOf(was)
	now, isKnown := factsOf(is)
	changed := false
	if isKnown {
		changed = w.put(&now)
	}
	if wasKnown {
		w.drop(&old, isKnown && now.id == old.id)
	}
	return changed
}

// Meet takes over a pod of a workload whose controller is not known yet, and reports whether
// what is declared of the pod's workload is still to be merged into a snapshot.
func (w *Workloads) Meet(pod *corev1.Pod) bool {
	id := kube.WorkloadOf(pod)
	w.mu.Lock()
	defer w.mu.Unlock()
	is := w.known[id]
	if is == nil {
		f := factsOfPod(pod)
		f.counts = false
		w.put(&f)
		is = w.known[id]
	}
	return is.merged != is.state && w.recent[id] != nil && w.declares(is)
}

// put adds what an object says, and reports whether it says anything new of a workload that
// may be new.
func (w *Workloads) put(f *facts) bool {
	is := w.known[f.id]
	if is == nil {
		is = &workload{since: f.created, old: f.revision > 1}
		w.known[f.id], w.recent[f.id] = is, is
		if w.within[f.id.Namespace] == nil {
			w.within[f.id.Namespace] = map[flowgraph.WorkloadID]*workload{}
		}
		w.within[f.id.Namespace][f.id] = is
	}
	if f.counts {
		is.objects++
		is.all += f.pods
	}
	if f.created.Before(is.since) {
		is.since, is.old = f.created, f.revision > 1
	}
	before := *is
	switch {
	case is.id.IsZero(), f.counts && !is.counts, f.counts == is.counts && f.precedes(&is.facts):
		is.facts = *f
	case !f.counts && is.partial && !f.created.Before(is.byPod.created):
		is.byPod = *f
	}
	if before.id == is.id && before.text() == is.text() && before.owner == is.owner && maps.Equal(before.podLabels(), is.podLabels()) {
		return false
	}
	is.state++
	w.read(is)
	w.relate(is)
	return w.recent[f.id] != nil && w.declares(is)
}

// text is the annotation.
func (w *workload) text() string {
	if w.partial {
		return cmp.Or(w.own, w.template, w.byPod.template)
	}
	return cmp.Or(w.own, w.template)
}

// podLabels are those of the workload's pods.
func (w *workload) podLabels() map[string]string {
	if w.partial && w.byPod.labels != nil {
		return w.byPod.labels
	}
	return w.labels
}

// read reads the annotation.
func (w *Workloads) read(is *workload) {
	var err error
	if is.peers, err = ParsePeers(is.text(), is.id.Namespace); err == nil {
		delete(w.problems, is.called)
		return
	}
	problem := fmt.Sprintf("%s: annotation %s: %v", is.called, PeersAnnotation, err)
	if w.problems[is.called] != problem {
		w.problems[is.called] = problem
		w.unhandled = append(w.unhandled, problem)
	}
}

// drop takes away what an object has said. stays means that the object says something of
// the workload still.
func (w *Workloads) drop(f *facts, stays bool) {
	is := w.known[f.id]
	if is == nil || !f.counts {
		return
	}
	is.all -= f.pods
	if is.objects--; is.objects <= 0 {
		w.forget(is)
	} else if !stays && f.revision == is.revision && f.created.Equal(is.created) {
		is.revision, is.created = 0, time.Time{} // the next to change says more
	}
}

func (w *Workloads) forget(is *workload) {
	delete(w.known, is.id)
	delete(w.recent, is.id)
	w.unrelate(is)
	delete(w.problems, is.called)
	if delete(w.within[is.id.Namespace], is.id); len(w.within[is.id.Namespace]) == 0 {
		delete(w.within, is.id.Namespace)
	}
}

// Problems returns what is wrong with annotations, in order.
func (w *Workloads) Problems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Values(w.problems))
}

// NewProblems returns those that it has not returned before.
func (w *Workloads) NewProblems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.unhandled
	w.unhandled = nil
	return all
}

// New returns the workloads that are new at a time and of which anything is declared, in the
// order of their names. Until merged is called, Meet reports those that have changed.
func (w *Workloads) New(now time.Time) (all []declared.Workload, merged func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = newFound()
	defer func() { w.found = nil }()
	var fresh []*workload
	for id, is := range w.recent {
		switch {
		case is.old || now.Sub(is.since) >= w.options.Window:
			if delete(w.recent, id); is.objects == 0 { // nothing would say that it is gone
				w.forget(is)
			}
		case w.declares(is):
			fresh = append(fresh, is)
		}
	}
	slices.SortFunc(fresh, func(a, b *workload) int { return a.id.Compare(b.id) })
	states := make([]uint64, len(fresh))
	for i, is := range fresh {
		states[i] = is.state
		d := declared.Workload{ID: is.id, Since: is.since, Pods: is.all, Peers: w.peersOf(is), Predecessors: w.predecessorsOf(is)}
		if len(d.Peers)+len(d.Predecessors) > 0 {
			all = append(all, d)
		}
	}
	return all, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for i, is := range fresh {
			is.merged = states[i]
		}
	}
}

// declares reports whether anything may be declared of a workload.
func (w *Workloads) declares(is *workload) bool {
	return len(is.peers) > 0 && w.options.counts(flowgraph.FromAnnotation) ||
		w.groupOf(is) != nil || w.sidecarOf(is) != nil || w.hasKin(is)
}

// peersOf returns the declared peers of a workload.
func (w *Workloads) peersOf(is *workload) (peers []declared.Peer) {
	if w.options.counts(flowgraph.FromAnnotation) {
		peers = w.namedPeers(is)
	}
	peers = append(peers, w.groupPeers(is)...)
	return append(peers, w.sidecarPeers(is)...)
}

// namedPeers returns those of the annotation: as many others as may count, though a Service may
// stand for all workloads of a namespace.
func (w *Workloads) namedPeers(is *workload) (peers []declared.Peer) {
	others := 0
	for _, named := range is.peers {
		for _, part := range w.resolve(named.WorkloadID) {
			if others == declared.MaxPeers {
				return peers
			}
			if part.id != is.id {
				others++
			}
			peers = append(peers, declared.Peer{ID: part.id, Rate: named.Rate * part.share, Share: part.share, Origin: flowgraph.FromAnnotation})
		}
	}
	return peers
}

// untombed returns the object that a deletion is about: of one that an informer has missed,
// the last known state.
func untombed(object any) any {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		return tombstone.Obj
	}
	return object
}
