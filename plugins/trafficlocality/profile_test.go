package trafficlocality

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	configlatest "k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/dynamicresources"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/nodevolumelimits"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	st "k8s.io/kubernetes/pkg/scheduler/testing"
	"k8s.io/kubernetes/pkg/scheduler/util/assumecache"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// profile returns kube-scheduler's default profile over the cluster.
func (c *cluster) profile() framework.Framework {
	c.Helper()
	return c.newProfile(func(*schedconfig.KubeSchedulerProfile, frameworkruntime.Registry) {})
}

// profileWith returns the default profile and TrafficLocality with the weight 5.
func (c *cluster) profileWith(d Dependencies, args string) framework.Framework {
	c.Helper()
	return c.profileOf(Factory(d), args)
}

// profileOf is profileWith for a plugin of that name made by the given factory.
func (c *cluster) profileOf(factory frameworkruntime.PluginFactory, args string) framework.Framework {
	c.Helper()
	return c.newProfile(func(profile *schedconfig.KubeSchedulerProfile, registry frameworkruntime.Registry) {
		if err := registry.Register(Name, factory); err != nil {
			c.Fatal(err)
		}
		profile.Plugins.MultiPoint.Enabled = append(profile.Plugins.MultiPoint.Enabled, schedconfig.Plugin{Name: Name, Weight: 5})
		profile.PluginConfig = append(profile.PluginConfig, schedconfig.PluginConfig{Name: Name, Args: rawArgs(args)})
	})
}

func (c *cluster) newProfile(change func(*schedconfig.KubeSchedulerProfile, frameworkruntime.Registry)) framework.Framework {
	c.Helper()
	defaults, err := configlatest.Default()
	if err != nil {
		c.Fatal(err)
	}
	profile, registry := &defaults.Profiles[0], plugins.NewInTreeRegistry()
	change(profile, registry)
	c.profiles++
	profile.SchedulerName = fmt.Sprintf("scheduler-%d", c.profiles) // the profiles' indexes on the informers are named by it
	claims := assumecache.NewAssumeCache(klog.Background(), c.informers.Resource().V1().ResourceClaims().Informer(), "ResourceClaim", "", nil)
	fw, err := frameworkruntime.NewFramework(c.Context(), registry, profile,
		frameworkruntime.WithInformerFactory(c.informers),
		frameworkruntime.WithSnapshotSharedLister(c.snapshot),
		frameworkruntime.WithSharedDRAManager(dynamicresources.NewDRAManager(c.Context(), claims, nil, c.informers)),
		frameworkruntime.WithSharedCSIManager(nodevolumelimits.NewCSIManager(c.informers.Storage().V1().CSINodes().Lister())),
	)
	if err != nil {
		c.Fatal(err)
	}
	return fw
}

// filter returns the state after PreFilter and the nodes that the pod may use.
func (c *cluster) filter(fw framework.Framework, pod *v1.Pod) (fwk.CycleState, []fwk.NodeInfo) {
	c.Helper()
	state := framework.NewCycleState()
	if _, status, _ := fw.RunPreFilterPlugins(c.Context(), state, pod); !status.IsSuccess() {
		c.Fatalf("PreFilter: %v", status)
	}
	feasible := slices.DeleteFunc(slices.Clone(c.nodes()), func(n fwk.NodeInfo) bool {
		return !fw.RunFilterPlugins(c.Context(), state, pod, n).IsSuccess()
	})
	return state, feasible
}

// totals runs a profile's score plugins for a pod.
func (c *cluster) totals(fw framework.Framework, pod *v1.Pod) map[string]int64 {
	c.Helper()
	state, nodes := c.filter(fw, pod)
	if status := fw.RunPreScorePlugins(c.Context(), state, pod, nodes); !status.IsSuccess() {
		c.Fatalf("PreScore: %v", status)
	}
	scores, status := fw.RunScorePlugins(c.Context(), state, pod, nodes)
	if !status.IsSuccess() {
		c.Fatalf("Score: %v", status)
	}
	totals := map[string]int64{}
	for _, s := range scores {
		totals[s.Name] = s.TotalScore
	}
	return totals
}

// TestTotalsWithoutData places a thousand random pods and compares the totals
// of every feasible node: without data, and with data that have expired, they
// are those of the default profile.
func TestTotalsWithoutData(t *testing.T) {
	const podCount, nodeCount, workloadCount = 1000, 24, 40
	c := newCluster(t, "")
	random := rand.New(rand.NewPCG(1, 2))
	for i := range nodeCount {
		c.cache.AddNode(klog.Background(), randomNode(random, i))
	}
	c.update()
	c.store.Publish(randomGraph(random, workloadCount))
	for i := range workloadCount {
		if i%2 == 0 {
			c.desire(fmt.Sprintf("w%d=%d", i, podCount/workloadCount))
		}
	}

	reference := c.profile()
	empty, expired, filled := c.dependencies(), c.dependencies(), c.dependencies()
	empty.Store = flowgraph.NewStore()
	expired.Now = func() time.Time { return dataTime.Add(31 * time.Minute) }
	silent := map[string]framework.Framework{
		"without data":      c.profileWith(empty, ""),
		"with expired data": c.profileWith(expired, ""),
	}
	heard := c.profileWith(filled, "")

	different, placed := 0, 0
	for i := range podCount {
		pod := c.randomPod(random, i, workloadCount)
		want := c.totals(reference, pod)
		for name, fw := range silent {
			if diff := cmp.Diff(want, c.totals(fw, pod)); diff != "" {
				t.Fatalf("%s the totals of pod %d differ (-default profile, +ours):\n%s", name, i, diff)
			}
		}
		if !cmp.Equal(want, c.totals(heard, pod)) {
			different++
		}
		if best := bestNode(want); best != "" {
			c.place(pod, best)
			c.update()
			placed++
		}
	}
	if placed < podCount*9/10 {
		t.Errorf("only %d pods found a node", placed)
	}
	if different < podCount/2 {
		t.Errorf("with data the totals differ for %d pods only", different)
	}
}

func bestNode(totals map[string]int64) string {
	best := ""
	for name, total := range totals {
		if best == "" || total > totals[best] || total == totals[best] && name < best {
			best = name
		}
	}
	return best
}

func randomNode(random *rand.Rand, i int) *v1.Node {
	n := node(fmt.Sprintf("n%d", i), "r", fmt.Sprintf("z%d", i%3))
	n.Labels[v1.LabelHostname] = n.Name
	n.Labels["disk"] = []string{"ssd", "hdd"}[random.IntN(2)]
	if random.IntN(4) == 0 {
		n.Spec.Taints = []v1.Taint{{Key: "spot", Effect: v1.TaintEffectPreferNoSchedule}}
	}
	n.Status.Images = []v1.ContainerImage{{Names: []string{fmt.Sprintf("image%d", random.IntN(5))}, SizeBytes: 500 << 20}}
	return n
}

func (c *cluster) randomPod(random *rand.Rand, i, workloads int) *v1.Pod {
	name := fmt.Sprintf("w%d", random.IntN(workloads))
	labels := map[string]string{"app": name}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	p := &st.PodWrapper{Pod: *c.pod(name)}
	p.Label("app", name).Req(map[v1.ResourceName]string{
		"cpu":    fmt.Sprintf("%dm", 50+random.IntN(1000)),
		"memory": fmt.Sprintf("%dMi", 64+random.IntN(2048)),
	})
	p.Spec.Containers[0].Image = fmt.Sprintf("image%d", random.IntN(5))
	switch random.IntN(6) {
	case 0:
		p.PodAntiAffinity(v1.LabelHostname, selector, st.PodAntiAffinityWithPreferredReq)
	case 1:
		p.PodAffinity(v1.LabelTopologyZone, selector, st.PodAffinityWithPreferredReq)
	case 2:
		p.SpreadConstraint(1, v1.LabelTopologyZone, v1.ScheduleAnyway, selector, nil, nil, nil, nil)
	case 3:
		p.Toleration("spot")
	case 4:
		p.NodeAffinityIn("disk", []string{"ssd"}, st.NodeSelectorTypeMatchExpressions)
	}
	return p.Obj()
}

// randomGraph returns a graph in which each workload has a few peers.
func randomGraph(random *rand.Rand, workloads int) *flowgraph.Snapshot {
	var edges []flowgraph.Edge
	for i := range workloads {
		for range 3 {
			edges = append(edges, flowgraph.Edge{
				From: workload(fmt.Sprintf("w%d", i)), To: workload(fmt.Sprintf("w%d", random.IntN(workloads))), ObservedAt: dataTime,
				Rates: flowgraph.Rates{SentBytesPerSecond: random.ExpFloat64() * 1e6, ReceivedBytesPerSecond: random.ExpFloat64() * 1e6, RequestsPerSecond: random.ExpFloat64() * 100},
			})
		}
	}
	return flowgraph.NewSnapshot(1, dataTime, edges)
}
