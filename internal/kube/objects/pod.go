package objects

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/internal/kube"
)

func podKind() Kind {
	return typed[corev1.Pod, *corev1.Pod]{
		version: "v1", resource: "pods", required: true,
		keep: keepPod, check: checkPod, anonymize: (*Anonymizer).pod, reuse: reusePod,
	}.kind()
}

// keepPod keeps what scheduler plugins look at.
func keepPod(to, from *corev1.Pod) {
	spec := &from.Spec
	to.Spec = corev1.PodSpec{
		NodeName: spec.NodeName, NodeSelector: spec.NodeSelector, Affinity: spec.Affinity, Tolerations: spec.Tolerations,
		TopologySpreadConstraints: spec.TopologySpreadConstraints, SchedulerName: spec.SchedulerName,
		PriorityClassName: spec.PriorityClassName, Priority: spec.Priority, PreemptionPolicy: spec.PreemptionPolicy,
		Overhead: spec.Overhead, HostNetwork: spec.HostNetwork, SchedulingGates: spec.SchedulingGates,
		SchedulingGroup: spec.SchedulingGroup,
		InitContainers:  keepEach(spec.InitContainers, recordedContainer), Containers: keepEach(spec.Containers, recordedContainer),
		ResourceClaims: keepEach(spec.ResourceClaims, func(c corev1.PodResourceClaim) corev1.PodResourceClaim {
			return corev1.PodResourceClaim{Name: c.Name}
		}),
	}
	if spec.Resources != nil {
		to.Spec.Resources = &corev1.ResourceRequirements{Requests: spec.Resources.Requests, Limits: spec.Resources.Limits}
	}
	for i := range spec.Volumes {
		if v := &spec.Volumes[i]; BindsToNode(v) {
			to.Spec.Volumes = append(to.Spec.Volumes, recordedVolume(v))
		}
	}
	to.Status.Phase, to.Status.PodIPs = from.Status.Phase, from.Status.PodIPs
	if c := kube.ReadyCondition(from); c != nil {
		to.Status.Conditions = []corev1.PodCondition{{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime}}
	}
}

// checkPod keeps what checks look at: where a pod is, or why it waits, from whom it is kept
// apart, and what its containers are and listen to.
func checkPod(to, from *corev1.Pod) {
	spec := &from.Spec
	to.Spec = corev1.PodSpec{
		NodeName: spec.NodeName, SchedulerName: spec.SchedulerName, SchedulingGates: spec.SchedulingGates, HostNetwork: spec.HostNetwork,
		Affinity: spec.Affinity, TopologySpreadConstraints: spec.TopologySpreadConstraints,
		InitContainers: keepEach(spec.InitContainers, checkedContainer), Containers: keepEach(spec.Containers, checkedContainer),
	}
	to.Status.PodIP = from.Status.PodIP
	for _, c := range from.Status.Conditions {
		if c.Type == corev1.PodScheduled && spec.NodeName == "" {
			to.Status.Conditions = append(to.Status.Conditions, corev1.PodCondition{Type: c.Type, Status: c.Status, Message: c.Message})
		}
	}
}

func checkedContainer(c corev1.Container) corev1.Container {
	return corev1.Container{Name: c.Name, Image: c.Image, Ports: keepEach(c.Ports, func(p corev1.ContainerPort) corev1.ContainerPort {
		return corev1.ContainerPort{Name: p.Name, ContainerPort: p.ContainerPort}
	})}
}

func recordedContainer(c corev1.Container) corev1.Container {
	kept := corev1.Container{
		Name: c.Name, Image: c.Image, RestartPolicy: c.RestartPolicy,
		Resources: corev1.ResourceRequirements{Requests: c.Resources.Requests, Limits: c.Resources.Limits},
	}
	for _, p := range c.Ports {
		if p.HostPort != 0 {
			kept.Ports = append(kept.Ports, corev1.ContainerPort{HostPort: p.HostPort, ContainerPort: p.ContainerPort, Protocol: p.Protocol, HostIP: p.HostIP})
		}
	}
	return kept
}

// BindsToNode reports whether a volume can decide where its pod may run.
func BindsToNode(v *corev1.Volume) bool {
	return v.PersistentVolumeClaim != nil || v.Ephemeral != nil || v.CSI != nil ||
		v.GCEPersistentDisk != nil || v.AWSElasticBlockStore != nil || v.AzureDisk != nil ||
		v.Cinder != nil || v.ISCSI != nil || v.RBD != nil
}

// recordedVolume says that a volume can decide where its pod may run, and of which kind
// it is: no more.
func recordedVolume(v *corev1.Volume) corev1.Volume {
	kept := corev1.Volume{Name: v.Name}
	switch {
	case v.PersistentVolumeClaim != nil:
		kept.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: v.PersistentVolumeClaim.ClaimName}
	case v.CSI != nil:
		kept.CSI = &corev1.CSIVolumeSource{Driver: v.CSI.Driver}
	default:
		kept.Ephemeral = &corev1.EphemeralVolumeSource{}
	}
	return kept
}
