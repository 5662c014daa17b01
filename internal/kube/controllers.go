package kube

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appslisters "k8s.io/client-go/listers/apps/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// controllers is what a file has of them.
type controllers struct {
	replicas Replicas
	// owners has the controller of each controller, nil when it has none.
	owners map[objectKey]*metav1.OwnerReference
	// wants is how many pods Deployments and the like want, by kind and name.
	wants map[objectKey]int32
	// idle are those that want pods, have no controller themselves, and own
	// none of the pods that problem has been asked about.
	idle map[objectKey]bool
}

type objectKey struct{ kind, namespace, name string }

func newControllers(o *Objects) *controllers {
	byNamespace := cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}
	sets, stateful := cache.NewIndexer(cache.MetaNamespaceKeyFunc, byNamespace), cache.NewIndexer(cache.MetaNamespaceKeyFunc, byNamespace)
	c := &controllers{
		replicas: Replicas{
			ReplicaSets: appslisters.NewReplicaSetLister(sets), StatefulSets: appslisters.NewStatefulSetLister(stateful),
		},
		owners: map[objectKey]*metav1.OwnerReference{},
		wants:  map[objectKey]int32{},
		idle:   map[objectKey]bool{},
	}
	for _, rs := range o.ReplicaSets {
		// The key of an object with a name is never an error.
		_ = sets.Add(rs)
		c.add("ReplicaSet", rs, rs.Spec.Replicas)
	}
	for _, set := range o.StatefulSets {
		_ = stateful.Add(set)
		c.add("StatefulSet", set, set.Spec.Replicas)
	}
	for _, d := range o.Deployments {
		c.add("Deployment", d, d.Spec.Replicas)
	}
	for _, rc := range o.ReplicationControllers {
		c.add("ReplicationController", rc, rc.Spec.Replicas)
	}
	for _, set := range o.DaemonSets {
		c.owners[objectKey{"DaemonSet", set.Namespace, set.Name}] = metav1.GetControllerOf(set)
	}
	return c
}

func (c *controllers) add(kind string, object metav1.Object, replicas *int32) {
	key := objectKey{kind, object.GetNamespace(), object.GetName()}
	owner := metav1.GetControllerOf(object)
	c.owners[key], c.wants[key] = owner, orOne(replicas)
	if owner == nil && orOne(replicas) > 0 {
		c.idle[key] = true
	}
}

// desired returns how many pods a workload wants: the sum of what its
// controllers want, of which there are several when they share a name.
func (c *controllers) desired(id flowgraph.WorkloadID, pods []*corev1.Pod) (int32, error) {
	index := map[objectKey]int{}
	var byController [][]*corev1.Pod // in the order of the pods
	for _, pod := range pods {
		key := objectKey{namespace: id.Namespace, name: controllerOf(pod)}
		if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
			key.kind = owner.Kind
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
// nothing says it, it wants those that it has.
func (c *controllers) desiredOf(pods []*corev1.Pod) int32 {
	for _, pod := range pods {
		owner := metav1.GetControllerOfNoCopy(pod)
		if owner == nil {
			continue
		}
		if n, known := c.replicas.desiredBy(pod); known {
			return n
		}
		for _, key := range [...]objectKey{{owner.Kind, pod.Namespace, owner.Name}, {"Deployment", pod.Namespace, controllerOf(pod)}} {
			if n, known := c.wants[key]; known {
				return n
			}
		}
	}
	return int32(min(len(pods), maxReplicas))
}

// problem says what is odd about the owners of a pod, "" when nothing is. Only
// owners of the kinds that are read can be missed.
func (c *controllers) problem(pod *corev1.Pod) string {
	const deepest = 8 // ReplicaSet, Deployment, and what an operator may add
	owner := metav1.GetControllerOfNoCopy(pod)
	for range deepest {
		if owner == nil || !isRead(owner) {
			return ""
		}
		key := objectKey{owner.Kind, pod.Namespace, owner.Name}
		delete(c.idle, key)
		next, known := c.owners[key]
		if !known {
			return "the " + owner.Kind + " that owns a pod is not in the input"
		}
		owner = next
	}
	return "the owners of a pod own each other"
}

// isRead reports whether owners of this kind are held.
func isRead(owner *metav1.OwnerReference) bool {
	switch owner.Kind {
	case "ReplicationController":
		return owner.APIVersion == "v1"
	case "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet":
		return owner.APIVersion == appsv1.SchemeGroupVersion.String()
	}
	return false
}

// withoutPods returns the workloads that want pods and have none.
func (c *controllers) withoutPods(found map[flowgraph.WorkloadID][]*corev1.Pod) []flowgraph.WorkloadID {
	missing := map[flowgraph.WorkloadID]bool{}
	for key := range c.idle {
		if id := (flowgraph.WorkloadID{Namespace: key.namespace, Name: key.name}); len(found[id]) == 0 {
			missing[id] = true
		}
	}
	return sortedIDs(missing)
}
