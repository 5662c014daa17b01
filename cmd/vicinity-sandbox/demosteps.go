package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// rolloutTimeout is far above the seconds that a rollout takes: it is there so
// that a defect ends the demo instead of hanging it.
const rolloutTimeout = 3 * time.Minute

func (d *demo) deploy(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: demoNamespace}}
	if _, err := d.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the namespace: %w", err)
	}
	for _, s := range demoServices() {
		if _, err := d.client.CoreV1().Services(demoNamespace).Create(ctx, s.service(), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating Service %s: %w", s.name, err)
		}
		if _, err := d.client.AppsV1().Deployments(demoNamespace).Create(ctx, s.deployment(), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating Deployment %s: %w", s.name, err)
		}
	}
	for _, s := range demoServices() {
		if err := d.rolledOut(ctx, s.name); err != nil {
			return err
		}
	}
	return nil
}

// rollOver restarts one Deployment after the other, as a careful operator does:
// each finds the pods of those before it already in their new places.
func (d *demo) rollOver(ctx context.Context) error {
	patch := []byte(`{"spec":{"template":{"spec":{"schedulerName":"vicinity"}}}}`)
	for _, s := range demoServices() {
		if _, err := d.client.AppsV1().Deployments(demoNamespace).Patch(ctx, s.name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("patching Deployment %s: %w", s.name, err)
		}
		if err := d.rolledOut(ctx, s.name); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) preferClosest(ctx context.Context) error {
	patch := fmt.Appendf(nil, `{"spec":{"trafficDistribution":%q}}`, d.options.mesh.Closest)
	for _, s := range demoServices() {
		if _, err := d.client.CoreV1().Services(demoNamespace).Patch(ctx, s.name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("patching Service %s: %w", s.name, err)
		}
	}
	return nil
}

// rolledOut waits until a Deployment runs its newest template only.
func (d *demo) rolledOut(ctx context.Context, name string) error {
	var last appsv1.DeploymentStatus
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, rolloutTimeout, true, func(ctx context.Context) (bool, error) {
		if err := d.ended(); err != nil {
			return false, err
		}
		deployment, err := d.client.AppsV1().Deployments(demoNamespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		last = deployment.Status
		want := *deployment.Spec.Replicas
		return last.ObservedGeneration >= deployment.Generation &&
			last.UpdatedReplicas == want && last.Replicas == want && last.AvailableReplicas == want, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for Deployment %s (%d updated, %d available): %w", name, last.UpdatedReplicas, last.AvailableReplicas, err)
	}
	return nil
}

// decisionCounter counts the pods that a scheduler has bound.
type decisionCounter struct {
	factory informers.SharedInformerFactory
	cancel  context.CancelFunc

	mu    sync.Mutex
	bound map[types.UID]bool
}

func countDecisions(ctx context.Context, client kubernetes.Interface) (*decisionCounter, error) {
	c := &decisionCounter{factory: informers.NewSharedInformerFactory(client, 0), bound: map[types.UID]bool{}}
	ctx, c.cancel = context.WithCancel(ctx)
	informer := c.factory.Core().V1().Pods().Informer()
	note := func(obj any) {
		if pod, ok := obj.(*corev1.Pod); ok && pod.Spec.NodeName != "" {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.bound[pod.UID] = true
		}
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: note, UpdateFunc: func(_, obj any) { note(obj) },
	}); err != nil {
		c.cancel()
		return nil, fmt.Errorf("watching pods: %w", err)
	}
	c.factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		c.stop()
		return nil, fmt.Errorf("watching pods: %w", ctx.Err())
	}
	return c, nil
}

func (c *decisionCounter) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.bound)
}

func (c *decisionCounter) stop() {
	c.cancel()
	c.factory.Shutdown()
}

// podsPerNode returns how many of the application's pods each node runs, the
// fullest first.
func (d *demo) podsPerNode(ctx context.Context) ([]int, error) {
	pods, err := d.client.CoreV1().Pods(demoNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	nodes, err := d.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	on := map[string]int{}
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp == nil {
			on[pod.Spec.NodeName]++
		}
	}
	counts := make([]int, 0, len(nodes.Items))
	for _, node := range nodes.Items {
		counts = append(counts, on[node.Name])
	}
	slices.SortFunc(counts, func(a, b int) int { return b - a })
	return counts, nil
}
