package trafficlocality

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph/score"
)

// mostCores and mostMemory are more than any machine has. Beyond, the conversion to
// thousandths wraps around: 7Ei cores are less than nothing then.
const (
	mostCores  = 1 << 40
	mostMemory = 1 << 60
)

// milliCPU is an amount of cores in thousandths, from 0 to that of mostCores.
func milliCPU(q *resource.Quantity) int64 {
	switch {
	case q.Sign() < 0:
		return 0
	case q.CmpInt64(mostCores) >= 0:
		return mostCores * 1000
	}
	return q.MilliValue()
}

// amount is a whole number, from 0 to mostMemory.
func amount(q *resource.Quantity) int64 {
	switch {
	case q.Sign() < 0:
		return 0
	case q.CmpInt64(mostMemory) >= 0:
		return mostMemory
	}
	return q.Value()
}

// requestsOf is what a pod takes of a node: what resourcehelper.PodRequests says, which
// allocates a dozen objects, except that thousandths of a core are rounded up container by
// container.
func requestsOf(pod *v1.Pod) score.Room {
	if pod.Spec.Resources != nil || pod.Spec.Overhead != nil {
		requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
		return score.Room{MilliCPU: milliCPU(requests.Cpu()), Memory: amount(requests.Memory()), Pods: 1}
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
	return score.Room{MilliCPU: min(all.MilliCPU, mostCores*1000), Memory: min(all.Memory, mostMemory), Pods: 1}
}

func containerRequests(c *v1.Container) score.Room {
	cpu, memory := c.Resources.Requests[v1.ResourceCPU], c.Resources.Requests[v1.ResourceMemory]
	return score.Room{MilliCPU: milliCPU(&cpu), Memory: amount(&memory)}
}

// roomOf is what a node with so many pods has left, and what it has in all.
func roomOf(info fwk.NodeInfo, pods int) (free, all score.Room) {
	has, taken := info.GetAllocatable(), info.GetRequested()
	all = score.Room{MilliCPU: has.GetMilliCPU(), Memory: has.GetMemory(), Pods: int64(has.GetAllowedPodNumber())}
	return all.Minus(score.Room{MilliCPU: taken.GetMilliCPU(), Memory: taken.GetMemory(), Pods: int64(pods)}), all
}

// roomOfNode is what a node has in all.
func roomOfNode(node *v1.Node) score.Room {
	has := node.Status.Allocatable
	return score.Room{MilliCPU: milliCPU(has.Cpu()), Memory: amount(has.Memory()), Pods: amount(has.Pods())}
}

// rulesOf is the same for pods that ask the same of a node's labels and taints: a text, "" where
// they ask nothing and tolerate nothing. The tolerations that every pod gets from the API
// server, and no template has, do not count.
func rulesOf(pod *v1.Pod) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(pod.Spec.NodeSelector)) {
		fmt.Fprintf(&b, "%q=%q ", key, pod.Spec.NodeSelector[key])
	}
	if a := pod.Spec.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		b.WriteString(a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.String())
	}
	for i := range pod.Spec.Tolerations {
		if t := &pod.Spec.Tolerations[i]; t.Operator != v1.TolerationOpExists || !isAdded(t.Key, t.Effect) {
			fmt.Fprintf(&b, "%q %q %q %q ", t.Key, t.Operator, t.Value, t.Effect)
		}
	}
	return b.String()
}

// isAdded reports whether the API server adds to every pod a toleration of taints with this key
// and effect, unless it has one.
func isAdded(key string, effect v1.TaintEffect) bool {
	return effect == v1.TaintEffectNoExecute && (key == v1.TaintNodeNotReady || key == v1.TaintNodeUnreachable)
}

// admitting returns whether a node's labels and taints let a pod on it, the same for pods with
// the same rules.
func admitting(pod *v1.Pod) func(*v1.Node) bool {
	anywhere := len(pod.Spec.NodeSelector) == 0 && (pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil)
	required := nodeaffinity.GetRequiredNodeAffinity(pod)
	hard := func(t *v1.Taint) bool { return t.Effect != v1.TaintEffectPreferNoSchedule && !isAdded(t.Key, t.Effect) }
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
