package trafficlocality

import (
	"math/rand/v2"
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"

	"github.com/vicinity-sched/vicinity/flowgraph/score"
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

// TestRulesOf: pods have the same rules where no label or taint tells them apart.
func TestRulesOf(t *testing.T) {
	pod := func(edit func(*v1.PodSpec)) string {
		p := &v1.Pod{}
		edit(&p.Spec)
		return rulesOf(p)
	}
	selects := func(key, value string) func(*v1.PodSpec) {
		return func(s *v1.PodSpec) { s.NodeSelector = map[string]string{"zone": "a", key: value} }
	}
	tolerates := func(key string) func(*v1.PodSpec) {
		return func(s *v1.PodSpec) {
			s.Tolerations = append(s.Tolerations, v1.Toleration{Key: key, Operator: v1.TolerationOpExists})
		}
	}
	requires := func(value string) func(*v1.PodSpec) {
		return func(s *v1.PodSpec) {
			s.Affinity = &v1.Affinity{NodeAffinity: &v1.NodeAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
					MatchExpressions: []v1.NodeSelectorRequirement{{Key: "disk", Operator: v1.NodeSelectorOpIn, Values: []string{value}}},
				}}},
			}}
		}
	}
	nothing := pod(func(*v1.PodSpec) {})
	different := map[string]string{"nothing": nothing}
	for name, edit := range map[string]func(*v1.PodSpec){
		"a label": selects("disk", "ssd"), "another value": selects("disk", "hdd"), "a value with a quote": selects("disk", "\"ssd"),
		"a taint": tolerates("gpu"), "another taint": tolerates("batch"), "an expression": requires("ssd"), "another one": requires("hdd"),
	} {
		rules := pod(edit)
		if rules != pod(edit) {
			t.Errorf("%s: the rules are %q, and others the next time", name, rules)
		}
		for other, r := range different {
			if r == rules {
				t.Errorf("%s and %s have the same rules %q", name, other, rules)
			}
		}
		different[name] = rules
	}
	for _, added := range []string{v1.TaintNodeNotReady, v1.TaintNodeUnreachable} {
		toleration := v1.Toleration{Key: added, Operator: v1.TolerationOpExists, Effect: v1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))}
		if got := pod(func(s *v1.PodSpec) { s.Tolerations = []v1.Toleration{toleration} }); got != nothing {
			t.Errorf("the API server adds a toleration of %s, which makes the rules %q", added, got)
		}
	}
}

// TestSameRulesAdmitTheSame: pods with the same rules are admitted by the same nodes, so that
// the answer for one of them is kept for all.
func TestSameRulesAdmitTheSame(t *testing.T) {
	keys := []string{v1.TaintNodeNotReady, v1.TaintNodeUnreachable, "gpu", ""}
	effects := []v1.TaintEffect{v1.TaintEffectNoExecute, v1.TaintEffectNoSchedule, v1.TaintEffectPreferNoSchedule, ""}
	var nodes []*v1.Node
	for _, key := range keys[:3] {
		for _, effect := range effects[:3] {
			n := node("n", "r", "a")
			n.Spec.Taints = []v1.Taint{{Key: key, Effect: effect}}
			nodes = append(nodes, n)
		}
	}
	pods := []*v1.Pod{{}}
	for _, key := range keys {
		for _, effect := range effects {
			for _, operator := range []v1.TolerationOperator{v1.TolerationOpExists, v1.TolerationOpEqual} {
				if key != "" || operator == v1.TolerationOpExists {
					pods = append(pods, &v1.Pod{Spec: v1.PodSpec{Tolerations: []v1.Toleration{{Key: key, Operator: operator, Effect: effect}}}})
				}
			}
		}
	}
	answers := map[string][]bool{}
	for _, pod := range pods {
		var got []bool
		for _, n := range nodes {
			got = append(got, admitting(pod)(n))
		}
		rules := rulesOf(pod)
		if want, known := answers[rules]; known && !slices.Equal(got, want) {
			t.Errorf("%v has the rules %q, as others that %v admits, and is admitted by %v", pod.Spec.Tolerations, rules, want, got)
		}
		answers[rules] = got
	}
	if len(answers) < len(pods)-5 {
		t.Errorf("%d pods have only %d rules", len(pods), len(answers))
	}
}
