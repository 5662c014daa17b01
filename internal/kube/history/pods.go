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
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

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
		}
		return nil
	}
	if !known {
		t = &tracked{object: pod}
		h.pods[key] = t
	}
	old := t.object
	t.object = pod
	switch from, to := old.Spec.NodeName, pod.Spec.NodeName; {
	case !kube.IsPeer(pod):
		h.leave(t)
		return nil
	case !t.there:
		return h.arrive(t)
	case kube.IsAnother(old, pod) || kube.WorkloadOf(old) != kube.WorkloadOf(pod):
		h.note("a pod takes the place of one of the same name that was not deleted")
		h.leave(t)
		return h.arrive(t)
	case from == to:
	case from == "":
		h.event(sim.Event{Kind: sim.Bind, Pod: t.as, Node: h.nodeAt(to)})
		h.onNodes = append(h.onNodes, t)
	default:
		h.note("a pod changes its node; it is taken as another pod")
		h.leave(t)
		return h.arrive(t)
	}
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
	if t.there {
		t.there = false
		h.event(sim.Event{Kind: sim.Leave, Pod: t.as})
	}
}

func (h *History) arrive(t *tracked) error {
	id := kube.WorkloadOf(t.object)
	template := asTemplate(id, t.object)
	requests, err := requestsOf(template)
	if err != nil {
		return fmt.Errorf("pod %s: %w", nameOf(t.object), err)
	}
	w, known := h.workloads[id]
	if !known {
		w = int32(len(h.next))
		h.workloads[id] = w
		h.next = append(h.next, 0)
		h.all.Cluster.Workloads = append(h.all.Cluster.Workloads, cluster.Workload{ID: id, Replicas: 1, Fixed: stays(t.object), Bare: isBare(t.object)})
		h.all.Templates = append(h.all.Templates, nil)
	}
	workload := &h.all.Cluster.Workloads[w]
	if workload.Fixed != stays(t.object) {
		h.warnings.Add("a workload is of another kind than before (a DaemonSet, or none any more); the replay treats its pods as those of the first", nameOf(t.object))
	}
	workload.Requests = requests
	if old := h.all.Templates[w]; old == nil || !reflect.DeepEqual(old.Labels, template.Labels) {
		h.relabeled = append(h.relabeled, w)
	}
	h.all.Templates[w] = template
	t.as, t.there, t.unready = sim.Pod{Workload: w, Ordinal: h.next[w]}, true, false
	h.next[w]++
	if !workload.Fixed {
		for _, what := range excluded(t.object) {
			h.warnings.Add("the replay ignores "+what, nameOf(t.object))
		}
	}
	h.event(sim.Event{Kind: sim.Arrive, Pod: t.as, Node: h.nodeAt(t.object.Spec.NodeName)})
	if t.object.Spec.NodeName != "" {
		h.onNodes = append(h.onNodes, t)
	}
	h.ready(t)
	return nil
}

// stays reports whether a pod is Fixed throughout a recording.
func stays(pod *corev1.Pod) bool {
	return isFixed(pod) || isBare(pod)
}

// end completes what a step means.
func (h *History) end() (Happened, error) {
	for _, t := range h.onNodes {
		if _, there := h.current[objectKey{kind: "Node", name: t.object.Spec.NodeName}]; !there && t.there {
			h.warnings.Add("a pod is on a node that is not in the recording; it counts as not assigned", nameOf(t.object))
		}
	}
	if h.reroute || h.assume != nil && len(h.relabeled) > 0 {
		if err := h.route(); err != nil {
			return Happened{}, err
		}
	}
	for _, w := range h.relabeled {
		h.routes.Fill(&h.all.Cluster.Workloads[w], h.all.Templates[w])
	}
	h.reroute, h.relabeled = false, nil
	return h.happened, nil
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
	for w, template := range h.all.Templates {
		h.routes.Fill(&h.all.Cluster.Workloads[w], template)
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

// Now translates the cluster as it is at the moment, by positions of its own,
// with the Services as they are (assumed or not).
func (h *History) Now(assumed bool) (*Replayable, []objects.Warning, error) {
	o := &objects.Objects{}
	for _, object := range h.current {
		if service, ok := object.(*corev1.Service); ok && assumed && h.assume != nil {
			object = h.assume(service)
		}
		o.Add(object)
	}
	for _, t := range h.pods {
		o.Add(t.object)
	}
	return Translate(o)
}

// nameOf is what warnings and errors call a pod.
func nameOf(pod *corev1.Pod) string { return kube.FullName(pod.Namespace, pod.Name) }
