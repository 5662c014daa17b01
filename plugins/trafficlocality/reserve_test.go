package trafficlocality

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/flowgraph/score"
)

// want says that a Deployment wants so many pods like one that is given.
func (c *cluster) want(name string, pods int32, like *v1.Pod) {
	c.Helper()
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-" + templateHash},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &pods, Template: v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: like.Labels}, Spec: like.Spec},
		},
	}
	c.add(rs)
}

// sized returns a new pod of the Deployment of that name which asks for CPU.
func (c *cluster) sized(name, cpu string) *v1.Pod {
	pod := c.pod(name)
	pod.Spec.Containers = []v1.Container{{Name: "app", Resources: v1.ResourceRequirements{
		Requests: v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu)},
	}}}
	return pod
}

// TestRoomIsKept has two nodes of 64 cores; the first has a db, and room for one pod
// of 16 cores, and web, which wants one pod, talks to db.
func TestRoomIsKept(t *testing.T) {
	const traffic = "web -> db 100MiB/s; web -> cart 1MiB/s; idle -> cart 1KiB/s; job -> db 1MiB/s; busy -> db 1GiB/s"
	others := func(name, cpu string) func(*cluster) *v1.Pod {
		return func(c *cluster) *v1.Pod { return c.sized(name, cpu) }
	}
	cases := map[string]struct {
		args string
		pod  func(*cluster) *v1.Pod
		web  func(*v1.Pod)
		want string
	}{
		"a pod without traffic goes elsewhere":        {pod: others("none", "8"), want: "n1=0 n2=100"},
		"one that leaves enough may come":             {pod: others("none", "4"), want: "skip"},
		"one that does not fit anyway is no matter":   {pod: others("none", "20"), want: "skip"},
		"a pod that gains less is not drawn":          {pod: others("job", "8"), want: "n1=0 n2=100"},
		"a pod that gains more is":                    {pod: others("busy", "8"), want: "n1=100 n2=0"},
		"the workload does not keep room from itself": {pod: others("web", "12"), want: "n1=100 n2=0"},
		"not where it is switched off":                {args: "reserveRoom: false", pod: others("none", "8"), want: "skip"},
		"not for NetMARKS":                            {args: "strategy: NetMARKS", pod: others("none", "8"), want: "skip"},
		"not on nodes where the pods cannot go":       {pod: others("none", "8"), web: func(p *v1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "ssd"} }, want: "skip"},
		"not for pods that another scheduler places":  {pod: others("none", "8"), web: func(p *v1.Pod) { p.Spec.SchedulerName = "other" }, want: "skip"},
		"not for a template that is not known":        {pod: others("none", "8"), web: func(p *v1.Pod) { p.Spec.Containers = nil }, want: "skip"},
		"where nothing is worth anything on the node": {args: "closeness: {node: 0.5}", pod: others("none", "8"), want: "skip"},
		"a pod without traffic that asks for nothing": {pod: func(c *cluster) *v1.Pod { return c.pod("none") }, want: "skip"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			args := "significantRate: 0, requestBytes: 0, maxShare: {node: 1, zone: 1}"
			if test.args != "" {
				args += ", " + test.args
			}
			c := newCluster(t, args)
			c.traffic(traffic)
			c.assign("n1: db; n2:")
			c.place(c.sized("filler", "48"), "n1")
			c.update()
			web := c.sized("web", "12")
			if test.web != nil {
				test.web(web)
			}
			c.want("web", 1, web)
			c.want("db", 1, c.sized("db", "1"))
			if got := c.scoreText(test.pod(c)); got != test.want {
				t.Errorf("the scores are %s, want %s", got, test.want)
			}
		})
	}
}

// TestRoomIsKeptByWhatIsGainedOnTheNode has rates that differ little, and zones: what a
// pod gains by being in a zone, or by pods that are expected, does not count against
// what is promised on a node, nor against the pod.
func TestRoomIsKeptByWhatIsGainedOnTheNode(t *testing.T) {
	const nodes = "n1@r/a: db; n2@r/a: cart; n3@r/b:"
	for _, closeness := range []string{"", "closeness: {zone: 0, region: 0}, ", "closeness: {node: 1, zone: 0.95, region: 0.2}, "} {
		for name, test := range map[string]struct {
			traffic string
			kept    bool // from the other pod
		}{
			"one that gains more on the node":      {"job -> db 150MiB/s", false},
			"one that gains less":                  {"job -> db 90MiB/s", true},
			"one whose peer is in the zone":        {"job -> cart 1GiB/s", true},
			"one whose peer is expected":           {"job -> db 90MiB/s; job -> cart 20MiB/s", true},
			"one that gains more, and in the zone": {"job -> db 110MiB/s; job -> cart 50MiB/s", false},
		} {
			c := newCluster(t, closeness+"significantRate: 0, requestBytes: 0, maxShare: {node: 1, zone: 1}")
			c.traffic("web -> db 100MiB/s; " + test.traffic)
			c.assign(nodes)
			c.place(c.sized("filler", "48"), "n1")
			c.update()
			c.want("web", 1, c.sized("web", "12"))
			c.want("job", 1, c.sized("job", "12"))
			if got := c.scores(c.sized("job", "12"), c.nodes())["n1"]; (got == 0) != test.kept {
				t.Errorf("%s%s: n1 scores %d, want room to be kept there: %v", closeness, name, got, test.kept)
			}
		}
	}
}

func TestRoomIsKeptAsFarAsTheTrafficIsSignificant(t *testing.T) {
	c := newCluster(t, "significantRate: 1Mi, requestBytes: 0")
	c.traffic("web -> db 1MiB/s")
	c.assign("n1: db; n2:")
	c.place(c.sized("filler", "48"), "n1")
	c.update()
	c.want("web", 1, c.sized("web", "12"))
	if got, want := c.scoreText(c.sized("none", "8")), "n1=50 n2=100"; got != want {
		t.Errorf("the scores are %s, want %s", got, want)
	}
}

// TestPromisesFollowTheIndex compares a plugin that has seen pods and nodes come and
// go with one that sees the cluster for the first time.
func TestPromisesFollowTheIndex(t *testing.T) {
	const workloads, rounds = 12, 300
	for _, args := range []string{"routing: FairLoad", "routing: Uniform", "routing: FairLoad, maxShare: {node: 0.3}"} {
		t.Run(args, func(t *testing.T) {
			random := rand.New(rand.NewPCG(4, 2))
			c := newCluster(t, args)
			for i := range 6 {
				c.cache.AddNode(klog.Background(), node(fmt.Sprintf("n%d", i), "r", fmt.Sprint("z", i%2)))
			}
			text := ""
			for i := range workloads {
				c.want(fmt.Sprint("w", i), int32(1+random.IntN(8)), c.sized(fmt.Sprint("w", i), "2"))
				text += fmt.Sprintf("w%d -> w%d %dKiB/s;", i, random.IntN(workloads), 1+random.IntN(1000))
				text += fmt.Sprintf("w%d -> w%d %dKiB/s;", random.IntN(workloads), i, 1+random.IntN(1000))
			}
			c.traffic(text)
			var placed []*v1.Pod
			promised := 0
			for round := range rounds {
				if len(placed) > 0 && random.IntN(3) == 0 {
					i := random.IntN(len(placed))
					if err := c.cache.RemovePod(klog.Background(), placed[i]); err != nil {
						t.Fatal(err)
					}
					placed = slices.Delete(placed, i, i+1)
				} else {
					pod := c.sized(fmt.Sprint("w", random.IntN(workloads)), "2")
					placed = append(placed, c.place(pod, fmt.Sprintf("n%d", random.IntN(6))))
				}
				if round%50 == 49 {
					c.traffic(text)
				}
				c.update()
				pod := c.sized(fmt.Sprint("w", random.IntN(workloads)), "2")
				c.scores(pod, c.nodes())
				fresh := c.newPlugin(args)
				old := c.plugin
				c.plugin = fresh
				c.scores(pod, c.nodes())
				c.plugin = old
				got, want := promisesOf(old), promisesOf(fresh)
				if !slices.Equal(got, want) {
					t.Fatalf("round %d: promised is\n%v, want\n%v", round, got, want)
				}
				promised += len(want)
			}
			if promised < rounds {
				t.Errorf("only %d promises in %d rounds", promised, rounds)
			}
		})
	}
}

// namedPromise is a promise with the name of its node.
type namedPromise struct {
	node string
	score.Promise
}

func promisesOf(p *Plugin) []namedPromise {
	var all []namedPromise
	for name, n := range p.keeper.names {
		for _, promise := range p.engine.PromisesOn(n) {
			all = append(all, namedPromise{name, promise})
		}
	}
	slices.SortFunc(all, func(a, b namedPromise) int {
		return cmp.Or(cmp.Compare(a.node, b.node), a.Workload.Compare(b.Workload))
	})
	return all
}

// TestPromisesStayWhileOtherNodesChange has a thousand promises; a hundred other nodes change
// their labels, taints, room and status, get pods and lose them, and a hundred more join.
func TestPromisesStayWhileOtherNodesChange(t *testing.T) {
	const promised, others = 1000, 100
	c := newCluster(t, "")
	text := ""
	for i := range promised {
		c.want(fmt.Sprint("web", i), 1, c.sized(fmt.Sprint("web", i), "1"))
		text += fmt.Sprintf("web%d -> db%d %dKiB/s;", i, i, i+1)
	}
	for i := range promised / 20 {
		c.cache.AddNode(klog.Background(), node(fmt.Sprint("n", i), "r", "a"))
	}
	for i := range promised {
		c.place(c.pod(fmt.Sprint("db", i)), fmt.Sprint("n", i/20))
	}
	nodes := map[string]*v1.Node{}
	add := func(name string) {
		nodes[name] = node(name, "r", "b")
		c.cache.AddNode(klog.Background(), nodes[name])
		c.place(c.pod("agent"), name)
	}
	for i := range others {
		add(fmt.Sprint("other", i))
	}
	c.traffic(text)
	cycle := func() []namedPromise {
		c.update()
		c.scores(c.pod("agent"), c.nodes()[:100])
		return promisesOf(c.plugin)
	}
	for cycle(); c.plugin.engine.Waiting() > 0; {
		cycle()
	}
	want := cycle()
	if len(want) != promised {
		t.Fatalf("%d promises", len(want))
	}
	for i := range others {
		add(fmt.Sprint("new", i))
		name := fmt.Sprint("other", i)
		changed := nodes[name].DeepCopy()
		changed.Labels[v1.LabelTopologyZone] = "c"
		changed.Spec.Taints = []v1.Taint{{Key: "full", Effect: v1.TaintEffectNoSchedule}}
		changed.Status.Allocatable[v1.ResourceCPU] = resource.MustParse("32")
		changed.Status.Conditions = []v1.NodeCondition{{Type: v1.NodeReady, Status: v1.ConditionTrue}}
		c.cache.UpdateNode(klog.Background(), nodes[name], changed)
		pod := c.place(c.pod("agent"), name)
		if got := cycle(); !slices.Equal(got, want) {
			t.Fatalf("after %d changes there are %d promises, or others", i+1, len(got))
		}
		if err := c.cache.RemovePod(klog.Background(), pod); err != nil {
			t.Fatal(err)
		}
		if got := cycle(); !slices.Equal(got, want) || c.plugin.engine.Waiting() > 0 {
			t.Fatalf("after %d changes there are %d promises, or others, and %d to be looked at again", i+1, len(got), c.plugin.engine.Waiting())
		}
	}
}
