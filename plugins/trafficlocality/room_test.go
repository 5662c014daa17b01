package trafficlocality

import (
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/vicinity-sched/vicinity/flowgraph/score"
)

// TestRequestsBeyondAllMachines: the conversion of the library wraps around, and its sum
// of containers need not fit either.
func TestRequestsBeyondAllMachines(t *testing.T) {
	cases := map[string]struct {
		cpu, memory string
		want        score.Room
	}{
		"usual":                {"250m", "1Gi", score.Room{MilliCPU: 500, Memory: 2 << 30, Pods: 1}},
		"wraps to nothing":     {"10P", "10E", score.Room{MilliCPU: mostCores * 1000, Memory: mostMemory, Pods: 1}},
		"wraps below nothing":  {"7Ei", "7Ei", score.Room{MilliCPU: mostCores * 1000, Memory: mostMemory, Pods: 1}},
		"as much as there is":  {"8Ei", "8Ei", score.Room{MilliCPU: mostCores * 1000, Memory: mostMemory, Pods: 1}},
		"more than one number": {"1e30", "1e30", score.Room{MilliCPU: mostCores * 1000, Memory: mostMemory, Pods: 1}},
		"less than nothing":    {"-1", "-1", score.Room{Pods: 1}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			list := v1.ResourceList{v1.ResourceCPU: resource.MustParse(tc.cpu), v1.ResourceMemory: resource.MustParse(tc.memory)}
			container := v1.Container{Resources: v1.ResourceRequirements{Requests: list}}
			if got := requestsOf(&v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{container, container}}}); got != tc.want {
				t.Errorf("two containers take %+v, want %+v", got, tc.want)
			}
		})
	}
}
