package kube

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// recordedAnnotations are those that are read: how Services and ReplicaSets are
// meant. Others hold what may not leave a cluster: kubectl apply alone notes whole
// objects.
func recordedAnnotations() [6]string {
	return [...]string{
		routing.TrafficDistributionAnnotation,
		corev1.AnnotationTopologyMode,
		corev1.DeprecatedAnnotationTopologyAwareHints,
		corev1.MirrorPodAnnotationKey,
		desiredReplicas,
		rolloutDesiredReplicas,
	}
}

// Recorded returns the part of an object that a recording has, as a new object:
// what is not named here is not in it, whatever a later Kubernetes adds. It
// returns nil for kinds of which nothing is recorded. The resourceVersion is
// kept, for the caller who watches.
func Recorded(object runtime.Object) runtime.Object {
	switch o := object.(type) {
	case *corev1.Node:
		return recordedNode(o)
	case *corev1.Pod:
		return recordedPod(o)
	case *corev1.Namespace:
		return &corev1.Namespace{TypeMeta: typeMeta("v1", "Namespace"), ObjectMeta: recordedMeta(o)}
	case *corev1.Service:
		return recordedService(o)
	case *corev1.ReplicationController:
		return &corev1.ReplicationController{
			TypeMeta: typeMeta("v1", "ReplicationController"), ObjectMeta: recordedMeta(o),
			Spec: corev1.ReplicationControllerSpec{Replicas: o.Spec.Replicas, Selector: o.Spec.Selector},
		}
	case *appsv1.ReplicaSet:
		return &appsv1.ReplicaSet{
			TypeMeta: typeMeta("apps/v1", "ReplicaSet"), ObjectMeta: recordedMeta(o),
			Spec: appsv1.ReplicaSetSpec{Replicas: o.Spec.Replicas, Selector: o.Spec.Selector},
		}
	case *appsv1.StatefulSet:
		return &appsv1.StatefulSet{
			TypeMeta: typeMeta("apps/v1", "StatefulSet"), ObjectMeta: recordedMeta(o),
			Spec: appsv1.StatefulSetSpec{Replicas: o.Spec.Replicas, Selector: o.Spec.Selector},
		}
	case *appsv1.Deployment:
		return &appsv1.Deployment{
			TypeMeta: typeMeta("apps/v1", "Deployment"), ObjectMeta: recordedMeta(o),
			Spec: appsv1.DeploymentSpec{Replicas: o.Spec.Replicas, Selector: o.Spec.Selector},
		}
	case *appsv1.DaemonSet:
		return &appsv1.DaemonSet{
			TypeMeta: typeMeta("apps/v1", "DaemonSet"), ObjectMeta: recordedMeta(o),
			Spec: appsv1.DaemonSetSpec{Selector: o.Spec.Selector},
		}
	case *policyv1.PodDisruptionBudget:
		return &policyv1.PodDisruptionBudget{
			TypeMeta: typeMeta("policy/v1", "PodDisruptionBudget"), ObjectMeta: recordedMeta(o),
			Spec: policyv1.PodDisruptionBudgetSpec{
				MinAvailable: o.Spec.MinAvailable, MaxUnavailable: o.Spec.MaxUnavailable, Selector: o.Spec.Selector,
			},
			Status: policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: o.Status.DisruptionsAllowed},
		}
	case *schedulingv1.PriorityClass:
		return &schedulingv1.PriorityClass{
			TypeMeta: typeMeta("scheduling.k8s.io/v1", "PriorityClass"), ObjectMeta: recordedMeta(o),
			Value: o.Value, GlobalDefault: o.GlobalDefault, PreemptionPolicy: o.PreemptionPolicy,
		}
	case *unstructured.Unstructured:
		return recordedDestinationRule(o)
	}
	return nil
}

func typeMeta(version, kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: version, Kind: kind}
}

func recordedMeta(o metav1.Object) metav1.ObjectMeta {
	m := metav1.ObjectMeta{
		Namespace: o.GetNamespace(), Name: o.GetName(), GenerateName: o.GetGenerateName(), ResourceVersion: o.GetResourceVersion(),
		Labels: o.GetLabels(), CreationTimestamp: o.GetCreationTimestamp(), DeletionTimestamp: o.GetDeletionTimestamp(),
	}
	for _, key := range recordedAnnotations() {
		if value, ok := o.GetAnnotations()[key]; ok {
			metav1.SetMetaDataAnnotation(&m, key, value)
		}
	}
	for _, owner := range o.GetOwnerReferences() {
		m.OwnerReferences = append(m.OwnerReferences, metav1.OwnerReference{
			APIVersion: owner.APIVersion, Kind: owner.Kind, Name: owner.Name, Controller: owner.Controller,
		})
	}
	return m
}

func recordedNode(o *corev1.Node) *corev1.Node {
	node := &corev1.Node{
		TypeMeta: typeMeta("v1", "Node"), ObjectMeta: recordedMeta(o),
		Spec:   corev1.NodeSpec{Unschedulable: o.Spec.Unschedulable},
		Status: corev1.NodeStatus{Allocatable: o.Status.Allocatable},
	}
	for _, t := range o.Spec.Taints {
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: t.Effect})
	}
	for _, c := range o.Status.Conditions {
		if c.Type == corev1.NodeReady {
			node.Status.Conditions = []corev1.NodeCondition{{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime}}
		}
	}
	return node
}

func recordedService(o *corev1.Service) *corev1.Service {
	s := &corev1.Service{
		TypeMeta: typeMeta("v1", "Service"), ObjectMeta: recordedMeta(o),
		Spec: corev1.ServiceSpec{
			Selector: o.Spec.Selector, Type: o.Spec.Type,
			InternalTrafficPolicy: o.Spec.InternalTrafficPolicy, TrafficDistribution: o.Spec.TrafficDistribution,
		},
	}
	if o.Spec.ClusterIP == corev1.ClusterIPNone {
		s.Spec.ClusterIP = corev1.ClusterIPNone
	}
	return s
}

func recordedPod(o *corev1.Pod) *corev1.Pod {
	spec := &o.Spec
	pod := &corev1.Pod{
		TypeMeta: typeMeta("v1", "Pod"), ObjectMeta: recordedMeta(o),
		Spec: corev1.PodSpec{
			NodeName: spec.NodeName, NodeSelector: spec.NodeSelector, Affinity: spec.Affinity, Tolerations: spec.Tolerations,
			TopologySpreadConstraints: spec.TopologySpreadConstraints, SchedulerName: spec.SchedulerName,
			PriorityClassName: spec.PriorityClassName, Priority: spec.Priority, PreemptionPolicy: spec.PreemptionPolicy,
			Overhead: spec.Overhead, HostNetwork: spec.HostNetwork, SchedulingGates: spec.SchedulingGates,
			SchedulingGroup: spec.SchedulingGroup,
			InitContainers:  recordedContainers(spec.InitContainers), Containers: recordedContainers(spec.Containers),
		},
		Status: corev1.PodStatus{Phase: o.Status.Phase},
	}
	if spec.Resources != nil {
		pod.Spec.Resources = &corev1.ResourceRequirements{Requests: spec.Resources.Requests, Limits: spec.Resources.Limits}
	}
	for _, claim := range spec.ResourceClaims {
		pod.Spec.ResourceClaims = append(pod.Spec.ResourceClaims, corev1.PodResourceClaim{Name: claim.Name})
	}
	for _, v := range spec.Volumes {
		if bindsToNode(&v) {
			pod.Spec.Volumes = append(pod.Spec.Volumes, recordedVolume(&v))
		}
	}
	for _, c := range o.Status.Conditions {
		if c.Type == corev1.PodReady {
			pod.Status.Conditions = []corev1.PodCondition{{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime}}
		}
	}
	return pod
}

// recordedContainers leaves out images: where they are is not recorded either.
func recordedContainers(containers []corev1.Container) []corev1.Container {
	var recorded []corev1.Container
	for _, c := range containers {
		r := corev1.Container{
			Name: c.Name, RestartPolicy: c.RestartPolicy,
			Resources: corev1.ResourceRequirements{Requests: c.Resources.Requests, Limits: c.Resources.Limits},
		}
		for _, p := range c.Ports {
			if p.HostPort != 0 {
				r.Ports = append(r.Ports, corev1.ContainerPort{HostPort: p.HostPort, ContainerPort: p.ContainerPort, Protocol: p.Protocol, HostIP: p.HostIP})
			}
		}
		recorded = append(recorded, r)
	}
	return recorded
}

// recordedVolume says that a volume can decide where its pod may run, and of
// which kind it is: no more.
func recordedVolume(v *corev1.Volume) corev1.Volume {
	r := corev1.Volume{Name: v.Name}
	switch {
	case v.PersistentVolumeClaim != nil:
		r.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: v.PersistentVolumeClaim.ClaimName}
	case v.CSI != nil:
		r.CSI = &corev1.CSIVolumeSource{Driver: v.CSI.Driver}
	default:
		r.Ephemeral = &corev1.EphemeralVolumeSource{}
	}
	return r
}

// recordedDestinationRule keeps where calls to a host go: the load balancing and
// the outlier detection, without which Istio's locality settings have no effect.
func recordedDestinationRule(o *unstructured.Unstructured) runtime.Object {
	if o.GetKind() != "DestinationRule" {
		return nil
	}
	r := &unstructured.Unstructured{Object: map[string]any{"apiVersion": o.GetAPIVersion(), "kind": o.GetKind()}}
	m := recordedMeta(o)
	if meta, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&m); err == nil {
		r.Object["metadata"] = meta
	}
	spec, _ := o.Object["spec"].(map[string]any)
	policy := pick(spec["trafficPolicy"], "loadBalancer", "outlierDetection")
	if all, ok := spec["trafficPolicy"].(map[string]any); ok {
		if ports, ok := all["portLevelSettings"].([]any); ok {
			var kept []any
			for _, port := range ports {
				kept = append(kept, pick(port, "port", "loadBalancer", "outlierDetection"))
			}
			policy["portLevelSettings"] = kept
		}
	}
	kept := pick(spec, "host", "exportTo", "workloadSelector")
	kept["trafficPolicy"] = policy
	r.Object["spec"] = runtime.DeepCopyJSON(kept)
	return r
}

// pick returns some fields of a JSON object. Of a load balancer's it takes those
// that say where calls go, not those that name a cookie or a header.
func pick(object any, fields ...string) map[string]any {
	from, _ := object.(map[string]any)
	picked := map[string]any{}
	for _, field := range fields {
		value, ok := from[field]
		if !ok {
			continue
		}
		if field == "loadBalancer" {
			value = pick(value, "simple", "localityLbSetting", "warmup")
		}
		picked[field] = value
	}
	return picked
}
