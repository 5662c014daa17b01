package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/util/retry"

	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

// app is a namespace of a test's own with workloads in it.
type app struct {
	*scene
	namespace string
}

// workload is a Deployment with a Service. The zero scheduler is the default
// one, the zero node leaves the choice to it.
type workload struct {
	name      string
	replicas  int32 // default 1
	scheduler string
	node      string
	cpu       string // default 100m
	memory    string // default 128Mi
	// annotations are the Deployment's, and labels further ones of its pods.
	annotations, labels map[string]string
}

func (s *scene) newApp(t *testing.T) *app {
	t.Helper()
	namespace, err := s.client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a := &app{scene: s, namespace: namespace.Name}
	t.Cleanup(func() {
		if err := a.remove(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("removing namespace %s: %v", a.namespace, err)
		}
	})
	eventually(t, "the namespace has its ServiceAccount", func() error {
		_, err := s.client.CoreV1().ServiceAccounts(a.namespace).Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
	return a
}

// remove deletes the workloads; their pods go at once, as nothing runs in them.
func (a *app) remove(ctx context.Context) error {
	now := metav1.DeleteOptions{GracePeriodSeconds: new(int64)}
	return errors.Join(
		a.client.AppsV1().Deployments(a.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}),
		a.client.AppsV1().ReplicaSets(a.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}),
		a.client.CoreV1().Pods(a.namespace).DeleteCollection(ctx, now, metav1.ListOptions{}),
		a.client.CoreV1().Namespaces().Delete(ctx, a.namespace, metav1.DeleteOptions{}),
	)
}

// call is an edge of the simulated mesh between two of the app's workloads, at
// about 2 MB/s.
func (a *app) call(from, to string) mesh.Call {
	return mesh.Call{
		From: a.namespace + "/" + from, To: a.namespace + "/" + to, Protocol: "http",
		RequestsPerSecond: 100, RequestBytes: 1 << 10, ResponseBytes: 20 << 10,
	}
}

func (w workload) selector() map[string]string { return map[string]string{"app": w.name} }

func (w workload) podLabels() map[string]string {
	labels := w.selector()
	maps.Copy(labels, w.labels)
	return labels
}

func (w workload) podSpec() corev1.PodSpec {
	quantity := func(text, otherwise string) resource.Quantity {
		if text == "" {
			text = otherwise
		}
		return resource.MustParse(text)
	}
	spec := corev1.PodSpec{
		SchedulerName: w.scheduler,
		Containers: []corev1.Container{{
			Name: "app", Image: "example.com/app:1",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU: quantity(w.cpu, "100m"), corev1.ResourceMemory: quantity(w.memory, "128Mi"),
			}},
		}},
	}
	if w.node != "" {
		spec.NodeSelector = map[string]string{corev1.LabelHostname: w.node}
	}
	return spec
}

// deploy creates a workload, or gives it a new template, and waits until only
// pods of that template run.
func (a *app) deploy(t *testing.T, w workload) {
	t.Helper()
	if w.replicas == 0 {
		w.replicas = 1
	}
	a.submit(t, w)
	a.rolledOut(t, w)
}

// submit creates a workload or gives it a new template.
func (a *app) submit(t *testing.T, w workload) {
	t.Helper()
	one, none := intstr.FromInt32(1), intstr.FromInt32(0)
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: w.name, Annotations: w.annotations},
		Spec: appsv1.DeploymentSpec{
			Replicas: &w.replicas,
			Selector: &metav1.LabelSelector{MatchLabels: w.selector()},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &one, MaxUnavailable: &none},
			},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: w.podLabels()}, Spec: w.podSpec()},
		},
	}
	deployments := a.client.AppsV1().Deployments(a.namespace)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error { // the controller writes to it too
		old, err := deployments.Get(t.Context(), w.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		// A new template even where the spec is the same: a restart.
		deployment.Spec.Template.Annotations = map[string]string{"restarted-after": fmt.Sprint(old.Generation)}
		deployment.ResourceVersion = old.ResourceVersion
		_, err = deployments.Update(t.Context(), deployment, metav1.UpdateOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		err = a.create(t.Context(), deployment)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rolledOut waits until only pods of the workload's newest template run.
func (a *app) rolledOut(t *testing.T, w workload) {
	t.Helper()
	eventually(t, w.name+" is rolled out", func() error {
		d, err := a.client.AppsV1().Deployments(a.namespace).Get(t.Context(), w.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if d.Status.ObservedGeneration < d.Generation {
			return errors.New("the controller has not seen it")
		}
		return errors.Join(
			want("updated", d.Status.UpdatedReplicas, w.replicas), want("available", d.Status.AvailableReplicas, w.replicas),
			want("replicas", d.Status.Replicas, w.replicas))
	})
}

// create creates a Deployment and its Service.
func (a *app) create(ctx context.Context, deployment *appsv1.Deployment) error {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: deployment.Name},
		Spec: corev1.ServiceSpec{
			Selector: deployment.Spec.Selector.MatchLabels, Ports: []corev1.ServicePort{{Name: "http", Port: 80}},
		},
	}
	if _, err := a.client.CoreV1().Services(a.namespace).Create(ctx, service, metav1.CreateOptions{}); err != nil {
		return err
	}
	_, err := a.client.AppsV1().Deployments(a.namespace).Create(ctx, deployment, metav1.CreateOptions{})
	return err
}

// pods returns a workload's pods that are neither terminating nor refused by
// their node.
func (a *app) pods(t *testing.T, name string) []corev1.Pod {
	t.Helper()
	list, err := a.client.CoreV1().Pods(a.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + name})
	if err != nil {
		t.Fatal(err)
	}
	var pods []corev1.Pod
	for _, pod := range list.Items {
		if kube.IsPeer(&pod) {
			pods = append(pods, pod)
		}
	}
	return pods
}

// nodesOf returns the nodes of a workload's pods, separated by spaces.
func (a *app) nodesOf(t *testing.T, name string) string {
	t.Helper()
	var nodes []string
	for _, pod := range a.pods(t, name) {
		nodes = append(nodes, pod.Spec.NodeName)
	}
	return strings.Join(nodes, " ")
}

// boundBy returns the scheduler that says that it has assigned a pod.
func (a *app) boundBy(ctx context.Context, pod string) (string, error) {
	events, err := a.client.CoreV1().Events(a.namespace).List(ctx, metav1.ListOptions{
		FieldSelector: "involvedObject.name=" + pod + ",reason=Scheduled",
	})
	if err != nil {
		return "", err
	}
	if len(events.Items) != 1 {
		return "", fmt.Errorf("pod %s has %d events Scheduled", pod, len(events.Items))
	}
	return events.Items[0].ReportingController, nil
}
