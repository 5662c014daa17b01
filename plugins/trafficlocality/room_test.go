package trafficlocality

import (
	"math/rand/v2"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
)

// TestRequests compares with what Kubernetes says of random pods.
func TestRequests(t *testing.T) {
	random := rand.New(rand.NewPCG(41, 42))
	always := v1.ContainerRestartPolicyAlways
	list := func() v1.ResourceList {
		all := v1.ResourceList{}
		if random.IntN(4) > 0 {
			all[v1.ResourceCPU] = *resource.NewMilliQuantity(random.Int64N(1000), resource.DecimalSI)
		}
		if random.IntN(4) > 0 {
			all[v1.ResourceMemory] = *resource.NewQuantity(random.Int64N(1<<30), resource.BinarySI)
		}
		return all
	}
	containers := func(n int, sidecars bool) (all []v1.Container) {
		for range n {
			c := v1.Container{Resources: v1.ResourceRequirements{Requests: list()}}
			if sidecars && random.IntN(2) == 0 {
				c.RestartPolicy = &always
			}
			all = append(all, c)
		}
		return all
	}
	for range 1000 {
		pod := &v1.Pod{Spec: v1.PodSpec{Containers: containers(random.IntN(4), false), InitContainers: containers(random.IntN(4), true)}}
		if random.IntN(4) == 0 {
			pod.Spec.Overhead = list()
		}
		if random.IntN(4) == 0 {
			pod.Spec.Resources = &v1.ResourceRequirements{Requests: list()}
		}
		want := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
		got := requestsOf(pod)
		if got.MilliCPU != want.Cpu().MilliValue() || got.Memory != want.Memory().Value() || got.Pods != 1 {
			t.Fatalf("a pod takes %+v, want %v of %+v", got, want, pod.Spec)
		}
	}
}

// TestRequestsAllocateNothing: they are added up in each cycle.
func TestRequestsAllocateNothing(t *testing.T) {
	c := newCluster(t, "")
	pod := c.sized("web", "250m")
	pod.Spec.Containers = append(pod.Spec.Containers, pod.Spec.Containers[0])
	pod.Spec.InitContainers = pod.Spec.Containers[:1]
	if n := testing.AllocsPerRun(100, func() { requestsOf(pod) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
