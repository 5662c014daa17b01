package history

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// tracked is a pod.
type tracked struct {
	object   *corev1.Pod
	requests cluster.Resources
	as       sim.Pod
	// there means that it has arrived and not left, unready that it is not ready.
	there, unready bool
}

// followed is a workload, beside what a replay sees of it.
type followed struct {
	next   int32       // the ordinal of its next pod
	pods   []*tracked  // that are there, in the order of their arrival
	newest *tracked    // of them, or the last when none is there any more
	madeOf *corev1.Pod // what the template is made of
	differ bool        // in how its Services divide calls
}

// pod takes a change of a pod.
func (h *History) pod(pod *corev1.Pod, change recording.ChangeType) error {
	key := objectKey{"Pod", pod.Namespace, pod.Name}
	t, known := h.pods[key]
	if change == recording.Deleted && known && h.replaced(t.object, pod) {
		return nil
	}
	h.missed(known, change)
	if change == recording.Deleted {
		if known {
			h.leave(t)
			delete(h.pods, key)
			h.declares(t.object, nil)
		}
		return nil
	}
	if !known {
		t = &tracked{object: pod}
		h.pods[key] = t
		h.declares(nil, pod)
	} else {
		h.declares(t.object, pod)
	}
	old := t.object
	t.object = pod
	if !kube.IsPeer(pod) {
		h.leave(t)
		return nil
	}
	var err error
	if t.requests, err = requestsOf(pod); err != nil {
		return fmt.Errorf("pod %s: %w", nameOf(pod), err)
	}
	switch from, to := old.Spec.NodeName, pod.Spec.NodeName; {
	case !t.there:
		h.arrive(t)
		return nil
	case kube.IsAnother(old, pod) || kube.WorkloadOf(old) != kube.WorkloadOf(pod):
		h.note("a pod takes the place of one of the same name that was not deleted")
		h.leave(t)
		h.arrive(t)
		return nil
	case from == to:
	case from == "":
		h.event(sim.Event{Kind: sim.Bind, Pod: t.as, Node: h.nodeAt(to)})
		h.onNodes = append(h.onNodes, t)
	default:
		h.note("a pod changes its node; it is taken as another pod")
		h.leave(t)
		h.arrive(t)
		return nil
	}
	h.touched = append(h.touched, t.as.Workload)
	h.ready(t)
	return nil
}

// ready says whether a pod with a node is ready when that has changed.
func (h *History) ready(t *tracked) {
	name := t.object.Spec.NodeName
	unready := name != "" && !kube.Serves(t.object, h.nodeNow(name))
	if unready == t.unready {
		return
	}
	t.unready = unready
	kind := sim.Ready
	if unready {
		kind = sim.Unready
	}
	h.event(sim.Event{Kind: kind, Pod: t.as})
}

func (h *History) leave(t *tracked) {
	if !t.there {
		return
	}
	t.there = false
	f := &h.followed[t.as.Workload]
	f.pods = slices.DeleteFunc(f.pods, func(p *tracked) bool { return p == t })
	h.touched = append(h.touched, t.as.Workload)
	h.event(sim.Event{Kind: sim.Leave, Pod: t.as})
}

func (h *History) arrive(t *tracked) {
	w := h.workloadOf(t.object)
	workload, f := h.all.Cluster.Workloads[w], &h.followed[w]
	if workload.Fixed != isFixed(t.object) {
		h.warnings.Add("a workload is of another kind than before (a DaemonSet, or none any more); the replay treats its pods as those of the first", nameOf(t.object))
	}
	if !workload.Fixed {
		for _, what := range excluded(t.object) {
			h.warnings.Add("the replay ignores "+what, nameOf(t.object))
		}
	}
	t.as, t.there, t.unready = sim.Pod{Workload: w, Ordinal: f.next}, true, false
	f.next++
	f.pods, f.newest = append(f.pods, t), t // end knows better
	h.touched = append(h.touched, w)
	h.event(sim.Event{Kind: sim.Arrive, Pod: t.as, Node: h.nodeAt(t.object.Spec.NodeName)})
	if t.object.Spec.NodeName != "" {
		h.onNodes = append(h.onNodes, t)
	}
	h.ready(t)
}

// workloadOf returns the position of a pod's workload. The first pod of one says whether it
// is Fixed.
func (h *History) workloadOf(pod *corev1.Pod) int32 {
	id := kube.WorkloadOf(pod)
	w, known := h.workloads[id]
	if !known {
		w = int32(len(h.followed))
		h.workloads[id] = w
		h.followed = append(h.followed, followed{})
		h.all.Cluster.Workloads = append(h.all.Cluster.Workloads, cluster.Workload{ID: id, Replicas: 1, Fixed: isFixed(pod), Bare: isBare(pod)})
		h.all.Templates = append(h.all.Templates, nil)
	}
	return w
}

// end completes what a step means.
func (h *History) end() (Happened, error) {
	for _, t := range h.onNodes {
		if h.nodeNow(t.object.Spec.NodeName) == nil && t.there {
			h.warnings.Add("a pod is on a node that is not in the input; it counts as not assigned", nameOf(t.object))
		}
	}
	slices.Sort(h.touched)
	var relabeled []int32
	for _, w := range slices.Compact(h.touched) {
		if h.likeNewest(w) {
			relabeled = append(relabeled, w)
		}
	}
	if h.reroute || h.assume != nil && len(relabeled) > 0 {
		h.reroute = false
		return h.happened, h.route()
	}
	for _, w := range relabeled {
		h.fill(w)
	}
	return h.happened, nil
}

// likeNewest makes the template of a workload anew when its newest pod has changed, and
// reports whether its labels have. When the last pod is gone, the template stays.
func (h *History) likeNewest(w int32) (relabeled bool) {
	f, workload, old := &h.followed[w], &h.all.Cluster.Workloads[w], h.all.Templates[w]
	if len(f.pods) > 0 {
		f.newest = slices.MaxFunc(f.pods, byAge)
	}
	if f.madeOf == f.newest.object {
		return false
	}
	f.madeOf = f.newest.object
	template := asTemplate(workload.ID, f.madeOf)
	h.all.Templates[w], workload.Requests = template, f.newest.requests
	return old == nil || !reflect.DeepEqual(old.Labels, template.Labels)
}

// fill reads how calls to a workload are divided.
func (h *History) fill(w int32) {
	h.followed[w].differ = h.routes.Fill(&h.all.Cluster.Workloads[w], h.all.Templates[w])
}

// route takes over the Services as they are assumed to be, which may depend on the
// workloads, and reads anew how all calls are divided.
func (h *History) route() error {
	for _, key := range h.keys("Service") {
		service, ok := h.current[key].(*corev1.Service)
		if !ok {
			continue
		}
		if h.assume != nil {
			service = h.assume(service)
		}
		indexer := h.stores.Informers.Core().V1().Services().Informer().GetIndexer()
		old, known, _ := indexer.Get(service) // the key of a Service is never an error
		if known && reflect.DeepEqual(old, service) {
			continue
		}
		looksUp := kube.ObjectChange{Object: service}
		if err := h.stores.Put(looksUp); err != nil {
			return fmt.Errorf("taking over Service %s: %w", kube.FullName(service.Namespace, service.Name), err)
		}
		h.happened.Objects = append(h.happened.Objects, looksUp)
	}
	for w := range h.followed {
		h.fill(int32(w))
	}
	return nil
}

func (h *History) serviceGone(key objectKey) error {
	gone := kube.ObjectChange{
		Object: &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: key.namespace, Name: key.name}}, Deleted: true,
	}
	h.happened.Objects = append(h.happened.Objects, gone)
	return h.stores.Put(gone)
}

// keys returns the keys of a kind in order.
func (h *History) keys(kind string) []objectKey {
	var keys []objectKey
	for key := range h.current {
		if key.kind == kind {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b objectKey) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	return keys
}

// Workload returns the newest pod of a workload, nil when there has been none.
func (h *History) Workload(id flowgraph.WorkloadID) *corev1.Pod {
	w, known := h.workloads[id]
	if !known {
		return nil
	}
	return h.all.Templates[w]
}

// HasService reports whether there is a Service of a name at the moment.
func (h *History) HasService(namespace, name string) bool {
	_, there := h.current[objectKey{"Service", namespace, name}]
	return there
}

// nameOf is what warnings and errors call a pod.
func nameOf(pod *corev1.Pod) string { return kube.FullName(pod.Namespace, pod.Name) }
