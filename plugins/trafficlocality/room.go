package trafficlocality

import (
	v1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph/score"
)

// requestsOf is what a pod takes of a node: what resourcehelper.PodRequests says, which
// allocates a dozen objects, except that thousandths of a core are rounded up container by
// container.
func requestsOf(pod *v1.Pod) score.Room {
	if pod.Spec.Resources != nil || pod.Spec.Overhead != nil {
		requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
		return score.Room{MilliCPU: requests.Cpu().MilliValue(), Memory: requests.Memory().Value(), Pods: 1}
	}
	var all, sidecars, starting score.Room
	for i := range pod.Spec.Containers {
		all = all.Plus(containerRequests(&pod.Spec.Containers[i]))
	}
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		takes := containerRequests(c)
		if c.RestartPolicy != nil && *c.RestartPolicy == v1.ContainerRestartPolicyAlways { // it stays
			all, sidecars = all.Plus(takes), sidecars.Plus(takes)
			takes = score.Room{}
		}
		starting = starting.Max(sidecars.Plus(takes))
	}
	all = all.Max(starting)
	all.Pods = 1
	return all
}

func containerRequests(c *v1.Container) score.Room {
	cpu, memory := c.Resources.Requests[v1.ResourceCPU], c.Resources.Requests[v1.ResourceMemory]
	return score.Room{MilliCPU: cpu.MilliValue(), Memory: memory.Value()}
}

// roomOf is what a node with so many pods has left, and what it has in all.
func roomOf(info fwk.NodeInfo, pods int) (free, all score.Room) {
	has, taken := info.GetAllocatable(), info.GetRequested()
	all = score.Room{MilliCPU: has.GetMilliCPU(), Memory: has.GetMemory(), Pods: int64(has.GetAllowedPodNumber())}
	free = score.Room{
		MilliCPU: all.MilliCPU - taken.GetMilliCPU(),
		Memory:   all.Memory - taken.GetMemory(),
		Pods:     all.Pods - int64(pods),
	}
	return free, all
}

// roomOfNode is what a node has in all.
func roomOfNode(node *v1.Node) score.Room {
	has := node.Status.Allocatable
	return score.Room{MilliCPU: has.Cpu().MilliValue(), Memory: has.Memory().Value(), Pods: has.Pods().Value()}
}

// admitting returns whether a node's labels and taints let a pod on it.
func admitting(pod *v1.Pod) func(*v1.Node) bool {
	anywhere := len(pod.Spec.NodeSelector) == 0 && (pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil)
	required := nodeaffinity.GetRequiredNodeAffinity(pod)
	hard := func(t *v1.Taint) bool { return t.Effect != v1.TaintEffectPreferNoSchedule }
	return func(node *v1.Node) bool {
		if node.Spec.Unschedulable {
			return false
		}
		if len(node.Spec.Taints) > 0 {
			if _, untolerated := corev1helpers.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, pod.Spec.Tolerations, hard, false); untolerated {
				return false
			}
		}
		if anywhere {
			return true
		}
		match, err := required.Match(node)
		return err == nil && match
	}
}
