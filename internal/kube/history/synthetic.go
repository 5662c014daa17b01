package history

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// syntheticHash is the pod template's hash of every synthetic Deployment.
const syntheticHash = "synthetic"

// Synthetic returns objects for a cluster that was never in Kubernetes: each
// workload is a Deployment with its ReplicaSet and a Service, without which
// kube-scheduler would not spread its pods by default. A fixed workload is a
// DaemonSet. FairLoad, which no Service can ask for, becomes a plain Service.
func Synthetic(c *cluster.Cluster) *Replayable {
	r := &Replayable{Cluster: c}
	for _, n := range c.Nodes {
		r.Nodes = append(r.Nodes, syntheticNode(n))
	}
	for _, w := range c.Workloads {
		template := syntheticPod(w)
		r.Templates = append(r.Templates, template)
		r.Objects = append(r.Objects, &corev1.Service{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			ObjectMeta: metav1.ObjectMeta{Namespace: w.ID.Namespace, Name: w.ID.Name},
			Spec: corev1.ServiceSpec{
				Selector: map[string]string{"app": w.ID.Name}, TrafficDistribution: distributionOf(w.Routing),
			},
		})
		if !w.Fixed {
			r.Objects = append(r.Objects, syntheticReplicaSet(w, template))
		}
	}
	return r
}

func syntheticReplicaSet(w cluster.Workload, template *corev1.Pod) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSet"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.ID.Namespace, Name: w.ID.Name + "-" + syntheticHash,
			Annotations: map[string]string{kube.DesiredReplicasAnnotation: strconv.Itoa(int(w.Replicas))},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &w.Replicas, Selector: &metav1.LabelSelector{MatchLabels: template.Labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: template.Labels}, Spec: template.Spec},
		},
	}
}

func syntheticNode(n cluster.Node) *corev1.Node {
	room := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewMilliQuantity(n.Allocatable.MilliCPU, resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(n.Allocatable.Memory, resource.BinarySI),
		corev1.ResourcePods:   *resource.NewQuantity(int64(n.MaxPods), resource.DecimalSI),
	}
	labels := map[string]string{corev1.LabelHostname: n.Node}
	if n.Zone != "" {
		labels[corev1.LabelTopologyZone] = n.Zone
	}
	if n.Region != "" {
		labels[corev1.LabelTopologyRegion] = n.Region
	}
	node := &corev1.Node{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{Name: n.Node, Labels: labels},
		Status:     corev1.NodeStatus{Capacity: room, Allocatable: room},
	}
	if n.Dedicated {
		node.Spec.Taints = []corev1.Taint{{Key: dedicatedTaint, Effect: corev1.TaintEffectNoSchedule}}
	}
	return node
}

// dedicatedTaint is what nodes have that only some workloads may use.
const dedicatedTaint = "dedicated"

func syntheticPod(w cluster.Workload) *corev1.Pod {
	controller := true
	name := w.ID.Name + "-" + syntheticHash
	labels := map[string]string{"app": w.ID.Name, appsv1.DefaultDeploymentUniqueLabelKey: syntheticHash}
	owner := metav1.OwnerReference{
		APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name, UID: types.UID(w.ID.String()), Controller: &controller,
	}
	if w.Fixed {
		owner.Kind, owner.Name = "DaemonSet", w.ID.Name
		delete(labels, appsv1.DefaultDeploymentUniqueLabelKey)
	}
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.ID.Namespace, Name: name, Labels: labels, OwnerReferences: []metav1.OwnerReference{owner},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU:    *resource.NewMilliQuantity(w.Requests.MilliCPU, resource.DecimalSI),
				corev1.ResourceMemory: *resource.NewQuantity(w.Requests.Memory, resource.BinarySI),
			}},
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	if w.Tolerant {
		pod.Spec.Tolerations = []corev1.Toleration{{Key: dedicatedTaint, Operator: corev1.TolerationOpExists}}
	}
	if w.Spread {
		pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": w.ID.Name}},
		}}
	}
	return pod
}

func distributionOf(r affinity.Routing) *string {
	var d string
	switch r {
	case affinity.SameNode:
		d = corev1.ServiceTrafficDistributionPreferSameNode
	case affinity.SameZone:
		d = corev1.ServiceTrafficDistributionPreferSameZone
	default:
		return nil
	}
	return &d
}
