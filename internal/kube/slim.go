package kube

import (
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// slimMeta drops what is large and of no use. kubectl apply notes whole objects
// in an annotation, environment variables included.
func slimMeta(object metav1.Object) {
	object.SetManagedFields(nil)
	if annotations := object.GetAnnotations(); annotations != nil {
		delete(annotations, corev1.LastAppliedConfigAnnotation)
	}
}

func slimNode(node *corev1.Node) {
	node.Status.VolumesInUse, node.Status.VolumesAttached, node.Status.Addresses = nil, nil, nil
}

func slimService(service *corev1.Service) { service.Status = corev1.ServiceStatus{} }

func slimReplicationController(rc *corev1.ReplicationController) {
	rc.Spec.Template, rc.Status = nil, corev1.ReplicationControllerStatus{}
}

func slimReplicaSet(rs *appsv1.ReplicaSet) {
	rs.Spec.Template, rs.Status = corev1.PodTemplateSpec{}, appsv1.ReplicaSetStatus{}
}

func slimStatefulSet(set *appsv1.StatefulSet) {
	set.Spec.Template, set.Spec.VolumeClaimTemplates, set.Status = corev1.PodTemplateSpec{}, nil, appsv1.StatefulSetStatus{}
}

func slimDeployment(d *appsv1.Deployment) {
	d.Spec.Template, d.Status = corev1.PodTemplateSpec{}, appsv1.DeploymentStatus{}
}

func slimDaemonSet(set *appsv1.DaemonSet) {
	set.Spec.Template, set.Status = corev1.PodTemplateSpec{}, appsv1.DaemonSetStatus{}
}

// slimPod keeps what scheduler plugins look at.
func slimPod(pod *corev1.Pod) {
	spec := &pod.Spec
	slimContainers(spec.InitContainers)
	slimContainers(spec.Containers)
	spec.EphemeralContainers, spec.ImagePullSecrets, spec.HostAliases, spec.DNSConfig, spec.ReadinessGates = nil, nil, nil, nil, nil
	var volumes []corev1.Volume
	for _, v := range spec.Volumes {
		if bindsToNode(&v) {
			volumes = append(volumes, v)
		}
	}
	spec.Volumes = volumes
	pod.Status = corev1.PodStatus{Phase: pod.Status.Phase}
}

func slimContainers(containers []corev1.Container) {
	for i, c := range containers {
		containers[i] = corev1.Container{
			Name: c.Name, Image: c.Image, Ports: c.Ports, Resources: c.Resources, RestartPolicy: c.RestartPolicy,
		}
	}
}

// bindsToNode reports whether a volume can decide where its pod may run.
func bindsToNode(v *corev1.Volume) bool {
	return v.PersistentVolumeClaim != nil || v.Ephemeral != nil || v.CSI != nil ||
		v.GCEPersistentDisk != nil || v.AWSElasticBlockStore != nil || v.AzureDisk != nil ||
		v.Cinder != nil || v.ISCSI != nil || v.RBD != nil
}

// share lets a pod have what is equal in another one, most often all of it: in
// a large cluster that is more than half of what pods take. Nothing writes to
// objects that have been read.
func share(pod, other *corev1.Pod) {
	shareIfEqual(&pod.Labels, other.Labels)
	shareIfEqual(&pod.Annotations, other.Annotations)
	shareIfEqual(&pod.OwnerReferences, other.OwnerReferences)
	a, b := &pod.Spec, &other.Spec
	shareIfEqual(&a.Containers, b.Containers)
	shareIfEqual(&a.InitContainers, b.InitContainers)
	shareIfEqual(&a.Affinity, b.Affinity)
	shareIfEqual(&a.Tolerations, b.Tolerations)
	shareIfEqual(&a.TopologySpreadConstraints, b.TopologySpreadConstraints)
	shareIfEqual(&a.SecurityContext, b.SecurityContext)
}

func shareIfEqual[T any](mine *T, others T) {
	if reflect.DeepEqual(*mine, others) {
		*mine = others
	}
}
