package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

// admission refuses the pods that do not fit their node, as kubelets do and
// kwok does not: with two schedulers, each may give away what the other has just
// taken. It checks as a kubelet does, with scheduler.AdmissionCheck, in the order
// in which pods reach their node.
type admission struct {
	client kubernetes.Interface
	pods   corelisters.PodLister
	nodes  corelisters.NodeLister
	queue  workqueue.TypedRateLimitingInterface[cache.ObjectName]

	// Only the one worker uses these.
	rooms  map[string]*framework.NodeInfo   // by node, with the pods admitted there
	guests map[cache.ObjectName]*corev1.Pod // those admitted, as they were then
}

func (c *Cluster) newAdmission(shared informers.SharedInformerFactory) (*admission, error) {
	core := shared.Core().V1()
	a := &admission{
		client: c.client,
		pods:   core.Pods().Lister(),
		nodes:  core.Nodes().Lister(),
		queue:  workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[cache.ObjectName]()),
		rooms:  map[string]*framework.NodeInfo{},
		guests: map[cache.ObjectName]*corev1.Pod{},
	}
	enqueue := func(object any) {
		if name, err := cache.DeletionHandlingObjectToName(object); err == nil {
			a.queue.Add(name)
		}
	}
	_, err := core.Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    enqueue,
		UpdateFunc: func(_, object any) { enqueue(object) },
		DeleteFunc: enqueue,
	})
	return a, err
}

// run works until ctx ends.
func (a *admission) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, a.queue.ShutDown)
	defer stop()
	for {
		name, ended := a.queue.Get()
		if ended {
			return
		}
		if err := a.sync(ctx, name); err != nil {
			a.queue.AddRateLimited(name)
		} else {
			a.queue.Forget(name)
		}
		a.queue.Done(name)
	}
}

// sync brings one pod's state up to date.
func (a *admission) sync(ctx context.Context, name cache.ObjectName) error {
	pod, err := a.pods.Pods(name.Namespace).Get(name.Name)
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	guest := a.guests[name]
	if guest != nil && (pod == nil || pod.UID != guest.UID || finished(pod)) {
		if err := a.rooms[guest.Spec.NodeName].RemovePod(klog.FromContext(ctx), guest); err != nil {
			return err
		}
		delete(a.guests, name)
		guest = nil
	}
	if pod == nil || pod.Spec.NodeName == "" || finished(pod) || guest != nil {
		return nil
	}
	node, err := a.nodes.Get(pod.Spec.NodeName)
	if err != nil {
		return err // not seen yet, or gone
	}
	room := a.rooms[node.Name]
	if room == nil {
		room = framework.NewNodeInfo()
		a.rooms[node.Name] = room
	}
	room.SetNode(node)
	if failures := scheduler.AdmissionCheck(pod, room, true); len(failures) > 0 {
		return a.refuse(ctx, pod, failures[0])
	}
	room.AddPod(pod)
	a.guests[name] = pod
	return nil
}

// finished reports whether a pod needs its room no more. One that is on its way
// out still does.
func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// refuse ends a pod with the status that a kubelet gives it. Its controller makes
// another one.
func (a *admission) refuse(ctx context.Context, pod *corev1.Pod, failure scheduler.AdmissionResult) error {
	status := corev1.PodStatus{Phase: corev1.PodFailed, Reason: failure.Name, Message: "Pod was rejected: Predicate " + failure.Name + " failed: " + failure.Reason}
	if r := failure.InsufficientResource; r != nil {
		status.Reason = fmt.Sprint("OutOf", r.ResourceName)
		status.Message = fmt.Sprintf("Pod was rejected: Node didn't have enough resource: %s, requested: %d, used: %d, capacity: %d",
			r.ResourceName, r.Requested, r.Used, r.Capacity)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": status})
	if err != nil {
		return fmt.Errorf("the status of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	_, err = a.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return fmt.Errorf("refusing pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}
