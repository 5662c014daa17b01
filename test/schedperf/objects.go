package schedperf

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Labels of the pods.
const (
	appLabel   = "app"
	blockLabel = "block" // the block that created the pod
	hash       = "5d8f9"
)

const zones = 3

// newNode returns node number i, of the size that scheduler_perf's nodes have: 40
// of our pods fit.
func newNode(i int) *corev1.Node {
	name := fmt.Sprintf("node-%05d", i)
	size := corev1.ResourceList{
		corev1.ResourcePods:   resource.MustParse("110"),
		corev1.ResourceCPU:    resource.MustParse("4"),
		corev1.ResourceMemory: resource.MustParse("32Gi"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelHostname:       name,
			corev1.LabelTopologyZone:   fmt.Sprintf("zone-%d", i%zones),
			corev1.LabelTopologyRegion: "region",
		}},
		Status: corev1.NodeStatus{
			Capacity: size, Allocatable: size,
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
}

// newService returns the Service in front of a workload.
func newService(workload string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: workload},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{appLabel: workload},
			Ports:    []corev1.ServicePort{{Port: 80}},
		},
	}
}

// newReplicaSet returns the ReplicaSet of a workload, named as a Deployment does
// it. No controller runs that would create its pods: the blocks do.
func newReplicaSet(workload string, replicas int32) *appsv1.ReplicaSet {
	labels := map[string]string{appLabel: workload, appsv1.DefaultDeploymentUniqueLabelKey: hash}
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: workload + "-" + hash, Labels: labels},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec("")},
		},
	}
}

// newJob returns a Job, whose pods the blocks create too.
func newJob(name string) *batchv1.Job {
	spec := podSpec("")
	spec.RestartPolicy = corev1.RestartPolicyNever
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: spec}},
	}
}

func podSpec(profile string) corev1.PodSpec {
	return corev1.PodSpec{
		SchedulerName: profile,
		Containers: []corev1.Container{{
			Name: "app", Image: "registry.k8s.io/pause:3.10",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse("100m"),
				corev1.ResourceMemory: resource.MustParse("500Mi"),
			}},
		}},
	}
}

// barePod returns a pod without a controller.
func barePod(profile string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "bare-"},
		Spec:       podSpec(profile),
	}
}

// podOf returns a pod of a workload, as its ReplicaSet would make it.
func podOf(workload string, rs *appsv1.ReplicaSet, profile string) *corev1.Pod {
	pod := barePod(profile)
	pod.GenerateName = rs.Name + "-"
	pod.Labels = map[string]string{appLabel: workload, appsv1.DefaultDeploymentUniqueLabelKey: hash}
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
	return pod
}

// podOfJob returns a pod of a Job.
func podOfJob(job *batchv1.Job, profile string) *corev1.Pod {
	pod := barePod(profile)
	pod.GenerateName = job.Name + "-"
	pod.Labels = map[string]string{batchv1.JobNameLabel: job.Name}
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))}
	return pod
}

// drawTo asks by hand for what the plugin does of its own: nodes where pods of the
// peers run, the first of them most.
func drawTo(pod *corev1.Pod, peers []string) {
	affinity := &corev1.PodAffinity{}
	for i, peer := range peers {
		affinity.PreferredDuringSchedulingIgnoredDuringExecution = append(affinity.PreferredDuringSchedulingIgnoredDuringExecution,
			corev1.WeightedPodAffinityTerm{
				Weight: int32(100 / (i + 1)),
				PodAffinityTerm: corev1.PodAffinityTerm{
					LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{appLabel: peer}},
					TopologyKey:   corev1.LabelHostname,
				},
			})
	}
	pod.Spec.Affinity = &corev1.Affinity{PodAffinity: affinity}
}
