package trafficlocality

import (
	v1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
)

// room is an amount of what pods take and nodes have.
type room struct{ milliCPU, memory, pods int64 }

// requestsOf is what a pod takes of a node.
func requestsOf(pod *v1.Pod) room {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	return room{requests.Cpu().MilliValue(), requests.Memory().Value(), 1}
}

// freeOn is what a node has left.
func freeOn(info fwk.NodeInfo) room {
	has, taken := info.GetAllocatable(), info.GetRequested()
	return room{
		has.GetMilliCPU() - taken.GetMilliCPU(),
		has.GetMemory() - taken.GetMemory(),
		int64(has.GetAllowedPodNumber() - len(info.GetPods())),
	}
}

func (r room) minus(o room) room {
	return room{r.milliCPU - o.milliCPU, r.memory - o.memory, r.pods - o.pods}
}

func (r room) times(n int32) room {
	return room{r.milliCPU * int64(n), r.memory * int64(n), r.pods * int64(n)}
}

// overdrawn reports whether something is less than nothing.
func (r room) overdrawn() bool { return r.milliCPU < 0 || r.memory < 0 || r.pods < 0 }

// leastShare stands for the share of a node that a pod takes which asks for
// nothing, or for next to nothing.
const leastShare = 1e-4

// shareOf is the part of a node that a pod takes, by the resource of which it is
// the most.
func (r room) shareOf(info fwk.NodeInfo) float64 {
	has := info.GetAllocatable()
	share := leastShare
	if cpu := has.GetMilliCPU(); cpu > 0 {
		share = max(share, float64(r.milliCPU)/float64(cpu))
	}
	if memory := has.GetMemory(); memory > 0 {
		share = max(share, float64(r.memory)/float64(memory))
	}
	return share
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
