package history

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// controllers are those of a cluster, and what they want.
type controllers struct {
	table    *objects.Table
	replicas kube.Replicas
	all      map[objectKey]metav1.Object
	// wants is how many pods Deployments and the like want, by kind and name.
	wants map[objectKey]int32
	// idle are those that want pods, have no controller themselves, and own
	// none of the pods that problem has been asked about.
	idle map[objectKey]bool
}

// maxReplicas bounds what one workload wants: a replay brings every pod.
const maxReplicas = 1_000_000

type objectKey struct{ kind, namespace, name string }

// newControllers returns the controllers that are there at the moment.
func newControllers(h *History) *controllers {
	apps := h.stores.Informers.Apps().V1()
	c := &controllers{
		table:    h.table,
		replicas: kube.Replicas{ReplicaSets: apps.ReplicaSets().Lister(), StatefulSets: apps.StatefulSets().Lister()},
		all:      map[objectKey]metav1.Object{},
		wants:    map[objectKey]int32{},
		idle:     map[objectKey]bool{},
	}
	for key, object := range h.current {
		if kind := h.table.KindOf(object); kind.Controls() {
			c.add(key, kind, object)
		}
	}
	return c
}

func (c *controllers) add(key objectKey, kind *objects.Kind, controller runtime.Object) {
	meta, _ := controller.(metav1.Object) // all kinds of objects have it
	c.all[key] = meta
	replicas, says := kind.Wants(controller)
	if !says {
		return
	}
	c.wants[key] = ptr.Deref(replicas, 1)
	if metav1.GetControllerOfNoCopy(meta) == nil && c.wants[key] > 0 {
		c.idle[key] = true
	}
}

// desired returns how many pods a workload wants: the sum of what its
// controllers want, of which there are several when they share a name.
func (c *controllers) desired(id flowgraph.WorkloadID, pods []*corev1.Pod) (int32, error) {
	type controller struct {
		objectKey
		former types.UID // of one that is gone, see former
	}
	index := map[controller]int{}
	var byController [][]*corev1.Pod // in the order of the pods
	for _, pod := range pods {
		key := controller{objectKey: objectKey{namespace: id.Namespace, name: kube.ControllerOf(pod)}}
		if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
			key.kind, key.former = owner.Kind, c.former(pod)
		}
		i, known := index[key]
		if !known {
			i = len(byController)
			index[key] = i
			byController = append(byController, nil)
		}
		byController[i] = append(byController[i], pod)
	}
	var wants int64
	for _, of := range byController {
		n := c.desiredOf(of)
		if n < 0 {
			return 0, fmt.Errorf("wants %d pods; must be at least 0", n)
		}
		wants += int64(n)
	}
	if wants > maxReplicas {
		return 0, fmt.Errorf("wants %d pods; must be at most %d", wants, maxReplicas)
	}
	return int32(wants), nil
}

// desiredOf returns how many pods the controller of some pods wants. Where
// nothing says it, or the controller is gone, it wants those that it has.
func (c *controllers) desiredOf(pods []*corev1.Pod) int32 {
	for _, pod := range pods {
		owner := metav1.GetControllerOfNoCopy(pod)
		if owner == nil || c.former(pod) != "" {
			continue
		}
		// The name is that of the controller, whatever a label calls the workload.
		if n, known := c.replicas.Desired(flowgraph.WorkloadID{Namespace: pod.Namespace, Name: kube.ControllerOf(pod)}, pod); known {
			return n
		}
		for _, key := range [...]objectKey{{owner.Kind, pod.Namespace, owner.Name}, {"Deployment", pod.Namespace, kube.ControllerOf(pod)}} {
			if n, known := c.wants[key]; known {
				return n
			}
		}
	}
	return int32(min(len(pods), maxReplicas))
}

// deepest is how many owners a pod may have above each other: ReplicaSet, Deployment, and
// what an operator may add.
const deepest = 8

// former returns the UID of the controller of a pod, at whatever depth, that is gone and
// whose name another one has; "" where there is none. Its pods are not the other's.
func (c *controllers) former(pod *corev1.Pod) types.UID {
	owner := metav1.GetControllerOfNoCopy(pod)
	for range deepest {
		if owner == nil {
			break
		}
		object, known := c.all[objectKey{owner.Kind, pod.Namespace, owner.Name}]
		switch {
		case !known:
			return ""
		case !kube.OwnedBy(owner, object):
			return owner.UID
		}
		owner = metav1.GetControllerOfNoCopy(object)
	}
	return ""
}

// problem says what is odd about the owners of a pod, "" when nothing is. Only
// owners of the kinds that are read can be missed.
func (c *controllers) problem(pod *corev1.Pod) string {
	owner := metav1.GetControllerOfNoCopy(pod)
	for range deepest {
		if owner == nil || c.table.Controller(owner) == nil {
			return ""
		}
		key := objectKey{owner.Kind, pod.Namespace, owner.Name}
		object, known := c.all[key]
		switch {
		case !known:
			return "the " + owner.Kind + " that owns a pod is not in the input"
		case !kube.OwnedBy(owner, object):
			return "the " + owner.Kind + " that owns a pod is gone, and another one has its name; the pod counts beside those that the other one wants"
		}
		delete(c.idle, key)
		owner = metav1.GetControllerOfNoCopy(object)
	}
	return "the owners of a pod own each other"
}

// withoutPods returns the workloads that want pods and are not among those that have some.
func (c *controllers) withoutPods(have map[flowgraph.WorkloadID]int32) []flowgraph.WorkloadID {
	missing := map[flowgraph.WorkloadID]bool{}
	for key := range c.idle {
		id := flowgraph.WorkloadID{Namespace: key.namespace, Name: key.name}
		if _, has := have[id]; !has {
			missing[id] = true
		}
	}
	return slices.SortedFunc(maps.Keys(missing), flowgraph.WorkloadID.Compare)
}
