package kube

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Wanted is what controllers want of a workload.
type Wanted struct {
	// Pods is how many there are to be in all, at least 1.
	Pods int32
	// Pod is as the controller makes it, but for its name. It has no containers
	// where the controller's template is not known.
	Pod *corev1.Pod

	since metav1.Time
}

// Demand remembers what controllers want. The zero Demand knows of none. It is not
// safe for concurrent use.
type Demand struct {
	wanted map[flowgraph.WorkloadID]Wanted
	total  int64
	read   map[metav1.Object]ofWorkload // objects in informers are replaced, never written
}

type ofWorkload struct {
	id flowgraph.WorkloadID
	Wanted
}

// Of returns what is wanted of a workload, no pods when nothing is known.
func (d *Demand) Of(id flowgraph.WorkloadID) Wanted { return d.wanted[id] }

// Total returns how many pods all controllers want together.
func (d *Demand) Total() int64 { return d.total }

// Read takes over what all ReplicaSets and StatefulSets want that want any pods, and
// returns the workloads of which something else is wanted than before. During a
// rollout the newest ReplicaSet counts.
func (d *Demand) Read(from Replicas) (changed []flowgraph.WorkloadID) {
	// Neither lister returns an error: they read memory.
	sets, _ := from.ReplicaSets.List(labels.Everything())
	stateful, _ := from.StatefulSets.List(labels.Everything())
	was := *d
	*d = Demand{
		wanted: make(map[flowgraph.WorkloadID]Wanted, len(was.wanted)),
		read:   make(map[metav1.Object]ofWorkload, len(was.read)),
	}
	for _, rs := range sets {
		if orOne(rs.Spec.Replicas) > 0 {
			d.add(was.read, rs, func() ofWorkload {
				return wantedBy(rs, "ReplicaSet", replicasOf(rs), &rs.Spec.Template, rs.Spec.Selector)
			})
		}
	}
	for _, set := range stateful {
		d.add(was.read, set, func() ofWorkload {
			return wantedBy(set, "StatefulSet", orOne(set.Spec.Replicas), &set.Spec.Template, set.Spec.Selector)
		})
	}
	for id, is := range d.wanted {
		d.total += int64(is.Pods)
		if was.wanted[id] != is {
			changed = append(changed, id)
		}
	}
	for id := range was.wanted {
		if _, still := d.wanted[id]; !still {
			changed = append(changed, id)
		}
	}
	return changed
}

// add takes over what one controller wants, as it was read before where it is the
// same object.
func (d *Demand) add(before map[metav1.Object]ofWorkload, controller metav1.Object, read func() ofWorkload) {
	n, known := before[controller]
	if !known {
		n = read()
	}
	d.read[controller] = n
	if n.Pods <= 0 {
		return
	}
	if other, known := d.wanted[n.id]; !known || other.since.Before(&n.since) {
		d.wanted[n.id] = n.Wanted
	}
}

func wantedBy(controller metav1.Object, kind string, pods int32, template *corev1.PodTemplateSpec, selector *metav1.LabelSelector) ofWorkload {
	pod := PodOf(controller, kind, template, selector)
	id := WorkloadOf(pod)
	if ControllerOf(pod) != id.Name {
		pods = 0 // as in Desired: there may be more controllers of that name
	}
	return ofWorkload{id, Wanted{pods, pod, controller.GetCreationTimestamp()}}
}

// PodOf returns a pod as a controller makes it. Where its template is not known,
// the labels are those that the controller looks for.
func PodOf(controller metav1.Object, kind string, template *corev1.PodTemplateSpec, selector *metav1.LabelSelector) *corev1.Pod {
	is := true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: controller.GetNamespace(), Labels: template.Labels,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: appsv1.SchemeGroupVersion.String(), Kind: kind,
				Name: controller.GetName(), UID: controller.GetUID(), Controller: &is,
			}},
		},
		Spec: template.Spec,
	}
	if pod.Labels == nil && selector != nil {
		pod.Labels = selector.MatchLabels
	}
	return pod
}
