package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Published is a Service of the cluster whose only pod is a program of this process.
type Published struct {
	Namespace, Name string
	// Port is that of the Service and of the pod, and PortName its name.
	Port     int32
	PortName string
	// Labels are further ones of both.
	Labels map[string]string
	// Address is what the program listens on, of this machine.
	Address string
}

// publishTimeout is far above the second that it takes.
const publishTimeout = time.Minute

// Publish makes the Service, its pod and their namespace, and returns when the API server's
// proxy and kubectl port-forward lead to the program. The pod is on the first node, is of no
// controller, and takes no room there: no scheduler has a reason to place anything elsewhere.
func (c *Cluster) Publish(ctx context.Context, p Published) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := c.createPublished(ctx, p); err != nil {
		return fmt.Errorf("making Service %s/%s: %w", p.Namespace, p.Name, err)
	}
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		pod, err := c.client.CoreV1().Pods(p.Namespace).Get(ctx, p.podName(), metav1.GetOptions{})
		if err != nil || pod.Status.PodIP == "" {
			return false, err
		}
		c.network.add(types.NamespacedName{Namespace: p.Namespace, Name: pod.Name}, pod.Status.PodIP, p.Port, p.Address)
		return c.isServed(ctx, p)
	})
	if err != nil {
		return fmt.Errorf("waiting for Service %s/%s: %w", p.Namespace, p.Name, err)
	}
	return nil
}

func (p Published) podName() string { return p.Name + "-0" }

func (p Published) labels() map[string]string {
	labels := map[string]string{"app.kubernetes.io/name": p.Name}
	for key, value := range p.Labels {
		labels[key] = value
	}
	return labels
}

// createPublished creates the objects. The namespace may be there.
func (c *Cluster) createPublished(ctx context.Context, p Published) error {
	nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	if len(nodes.Items) == 0 {
		return errors.New("there is no node")
	}
	_, err = c.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.Namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		_, err := c.client.CoreV1().ServiceAccounts(p.Namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
	if err != nil {
		return err
	}
	if _, err := c.client.CoreV1().Pods(p.Namespace).Create(ctx, p.pod(nodes.Items[0].Name), metav1.CreateOptions{}); err != nil {
		return err
	}
	_, err = c.client.CoreV1().Services(p.Namespace).Create(ctx, p.service(), metav1.CreateOptions{})
	return err
}

// isServed reports whether the Service leads to the pod.
func (c *Cluster) isServed(ctx context.Context, p Published) (bool, error) {
	slices, err := c.client.DiscoveryV1().EndpointSlices(p.Namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + p.Name})
	if err != nil {
		return false, err
	}
	for _, slice := range slices.Items {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready != nil && *e.Conditions.Ready {
				return true, nil
			}
		}
	}
	return false, nil
}

func (p Published) pod(node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: p.podName(), Labels: p.labels()},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{
			Name: p.Name, Image: "example.com/" + p.Name + ":1",
			Ports: []corev1.ContainerPort{{Name: p.PortName, ContainerPort: p.Port}},
			// Schedulers take a pod that says nothing for one that needs something.
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.Quantity{}, corev1.ResourceMemory: resource.Quantity{}}},
		}}},
	}
}

func (p Published) service() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, Labels: p.labels()},
		Spec: corev1.ServiceSpec{
			Selector: p.labels(),
			Ports:    []corev1.ServicePort{{Name: p.PortName, Port: p.Port, TargetPort: intstr.FromInt32(p.Port)}},
		},
	}
}
