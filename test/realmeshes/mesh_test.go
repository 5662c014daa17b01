//go:build linux

package realmeshes

import (
	"fmt"

	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// mesh is how a mesh configures its sidecars and how Prometheus scrapes them, as far as the
// telemetry depends on it.
type mesh struct {
	// name is of a way to configure the product, which is also the type of the source.
	name, product string
	// upstream names the cluster of a Service at port 80, inbound that of the application
	// behind its sidecar, and admin that of Envoy's own interface, which is scraped.
	upstream, inbound func(service string) string
	admin             string
	// elsewhere are upstreams of the client that are no workload of this cluster, with how
	// the source counts them. It does not see unseen ones at all; here they are with the
	// PromQL of what is sent to them.
	elsewhere map[string]telemetry.Reason
	unseen    map[string]string
	// stats is the stats_config of the sidecar of an application.
	stats func(app string) object
	// labels are those of pods that take part.
	labels map[string]string
	// discovered is what service discovery knows of a pod beyond Kubernetes.
	discovered  func(p *corev1.Pod) map[string]string
	relabelling []string
	// rewrite is what the mesh does to Envoy's exposition on its way to Prometheus.
	rewrite func(map[string]*dto.MetricFamily)
}

func meshes() []mesh { return append(kumas(), consul(), osm()) }

const namespace = "shop"

// newPod is the pod of a Deployment as the API server has it.
func (m *mesh) newPod(app, node string) *corev1.Pod {
	labels := map[string]string{"app": app, "pod-template-hash": "5d8f7c9b4d"}
	for k, v := range m.labels {
		labels[k] = v
	}
	isController := true
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: app + "-5d8f7c9b4d-x2x4z", GenerateName: app + "-5d8f7c9b4d-", Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: app + "-5d8f7c9b4d", Controller: &isController}},
		},
		Spec: corev1.PodSpec{NodeName: node},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}

// newService selects the pods of an application.
func newService(app string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": app}, Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

// meta are the labels that Prometheus' Kubernetes discovery gives a pod.
func (m *mesh) meta(p *corev1.Pod) map[string]string {
	all := map[string]string{
		"__meta_kubernetes_namespace": p.Namespace, "__meta_kubernetes_pod_name": p.Name,
		"__meta_kubernetes_pod_controller_kind": p.OwnerReferences[0].Kind, "__meta_kubernetes_pod_controller_name": p.OwnerReferences[0].Name,
		"__meta_kubernetes_pod_label_app": p.Labels["app"],
	}
	if m.discovered != nil {
		for k, v := range m.discovered(p) {
			all[k] = v
		}
	}
	return all
}

// from copies a label in relabelling.
func from(label, to string) string {
	return fmt.Sprintf("{source_labels: [%s], target_label: %s}", label, to)
}
