package trafficlocality

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	st "k8s.io/kubernetes/pkg/scheduler/testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// The size of the benchmarks' clusters.
const (
	benchWorkloads = 10_000
	benchEdges     = 200_000
	benchPods      = 100_000
	benchAgents    = 10 // of the pods, on each node, as of DaemonSets
)

// The clusters are built once for each number of nodes: that takes longer than
// most benchmarks run.
var (
	benchMu       sync.Mutex
	benchClusters = map[int]*cluster{}
)

// benchCluster returns a cluster of the given number of nodes in three zones,
// each node with its share of the pods. Workloads with an even number are found
// by the default constraints of PodTopologySpread through the selector of their
// ReplicaSet, which makes that plugin visit every pod; the others are not.
func benchCluster(b *testing.B, nodeCount int) *cluster {
	b.Helper()
	benchMu.Lock()
	defer benchMu.Unlock()
	if c := benchClusters[nodeCount]; c != nil {
		c.TB = b
		return c
	}
	c := newCluster(b, "")
	random := rand.New(rand.NewPCG(10, 11))
	for i := range nodeCount {
		n := randomNode(random, i)
		n.Status.Allocatable[v1.ResourcePods] = resource.MustParse("1000")
		n.Labels["link"] = "10G"
		c.cache.AddNode(klog.Background(), n)
	}
	for i := range benchPods - nodeCount*benchAgents {
		c.place(c.benchPod(i%benchWorkloads), fmt.Sprintf("n%d", random.IntN(nodeCount)))
	}
	for i := range nodeCount * benchAgents {
		c.place(c.pod(fmt.Sprintf("agent%d", i%benchAgents)), fmt.Sprintf("n%d", i/benchAgents))
	}
	c.update()
	for i := range benchWorkloads {
		rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: benchName(i) + "-" + templateHash,
			Annotations: map[string]string{"deployment.kubernetes.io/desired-replicas": strconv.Itoa(benchPods/benchWorkloads + 1)},
		}}
		if i%2 == 0 {
			rs.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": benchName(i)}}
		}
		c.add(rs)
	}
	edges := make([]flowgraph.Edge, benchEdges)
	for i := range edges {
		edges[i] = flowgraph.Edge{
			From: workload(benchName(i % benchWorkloads)), To: workload(benchName(random.IntN(benchWorkloads))), ObservedAt: dataTime,
			Rates: flowgraph.Rates{SentBytesPerSecond: random.ExpFloat64() * 1e6, ReceivedBytesPerSecond: random.ExpFloat64() * 1e6, RequestsPerSecond: 100},
		}
	}
	c.store.Publish(flowgraph.NewSnapshot(1, dataTime, edges))
	benchClusters[nodeCount] = c
	return c
}

func benchName(i int) string { return fmt.Sprintf("w%d", i) }

func (c *cluster) benchPod(i int) *v1.Pod {
	pod := &st.PodWrapper{Pod: *c.pod(benchName(i))}
	return pod.Label("app", benchName(i)).Req(map[v1.ResourceName]string{"cpu": "100m", "memory": "128Mi"}).Obj()
}

// benchSizes are nodes in the cluster and those that PreScore and Score get:
// all, or what kube-scheduler samples by default.
var benchSizes = []struct{ nodes, candidates int }{{500, 500}, {5000, 500}, {5000, 5000}}

func benchEach(b *testing.B, run func(b *testing.B, c *cluster, candidates []fwk.NodeInfo)) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("nodes=%d/candidates=%d", size.nodes, size.candidates), func(b *testing.B) {
			c := benchCluster(b, size.nodes)
			run(b, c, c.nodes()[:size.candidates])
		})
	}
}

func BenchmarkPreScore(b *testing.B) {
	benchEach(b, func(b *testing.B, c *cluster, candidates []fwk.NodeInfo) {
		p := c.newPlugin("")
		pods := make([]*v1.Pod, 64)
		for i := range pods {
			pods[i] = c.benchPod(i)
		}
		state := framework.NewCycleState()
		p.PreScore(b.Context(), state, pods[0], candidates) // builds the Board
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if status := p.PreScore(b.Context(), state, pods[i%len(pods)], candidates); !status.IsSuccess() {
				b.Fatal(status)
			}
		}
	})
}

// BenchmarkNetworkCapacity is PreScore with a bound on the nodes' networks: after the
// first look at the loads, and with a new snapshot in each cycle.
func BenchmarkNetworkCapacity(b *testing.B) {
	for _, known := range []bool{true, false} {
		b.Run(fmt.Sprintf("known=%v", known), func(b *testing.B) {
			benchEach(b, func(b *testing.B, c *cluster, candidates []fwk.NodeInfo) {
				p := c.newPlugin("networkCapacity: {label: link}")
				pods := make([]*v1.Pod, 64)
				for i := range pods {
					pods[i] = c.benchPod(i)
				}
				state := framework.NewCycleState()
				for range 100 {
					for _, pod := range pods {
						p.PreScore(b.Context(), state, pod, candidates)
					}
				}
				turns := c.twins()
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if !known {
						c.store.Publish(turns[i%2])
					}
					if status := p.PreScore(b.Context(), state, pods[i%len(pods)], candidates); !status.IsSuccess() {
						b.Fatal(status)
					}
				}
			})
		})
	}
}

// twins returns the snapshot, and another one of the same traffic.
func (c *cluster) twins() [2]*flowgraph.Snapshot {
	snap := c.store.Load()
	return [2]*flowgraph.Snapshot{flowgraph.NewSnapshot(snap.Generation(), snap.At(), slices.Collect(snap.Edges())), snap}
}

// BenchmarkReserve is PreScore while a whole cluster comes up: every hundredth or
// every workload wants one pod more than it has. scope=cycle has a pod come or go
// since the last cycle; scope=desired has a controller scale; scope=snapshot begins with
// a new snapshot, as after each poll.
func BenchmarkReserve(b *testing.B) {
	for _, every := range []int{100, 1} {
		for _, scope := range []string{"cycle", "desired", "snapshot"} {
			b.Run(fmt.Sprintf("nodes=500/wanting=%d/scope=%s", benchWorkloads/every, scope), func(b *testing.B) {
				c := benchCluster(b, 500)
				p, sets := c.wantingPlugin(every)
				candidates := c.nodes()
				pods := make([]*v1.Pod, 64)
				for i := range pods {
					pods[i] = c.benchPod(i * every)
				}
				info, err := framework.NewPodInfo(c.benchPod(0))
				if err != nil {
					b.Fatal(err)
				}
				state := framework.NewCycleState()
				p.PreScore(b.Context(), state, pods[0], candidates) // builds the Board
				for p.engine.Waiting() > 0 {
					p.PreScore(b.Context(), state, pods[0], candidates)
				}
				turns := c.twins()
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					switch n := candidates[i/2%len(candidates)]; {
					case scope == "desired":
						rs := sets[i%len(sets)]
						rs.Generation++
						p.desired.Put(rs)
					case scope == "snapshot":
						c.store.Publish(turns[i%2])
					case i%2 == 0:
						n.AddPodInfo(info)
					default:
						if err := n.RemovePod(klog.Background(), info.GetPod()); err != nil {
							b.Fatal(err)
						}
					}
					if status := p.PreScore(b.Context(), state, pods[i%len(pods)], candidates); !status.IsSuccess() {
						b.Fatal(status)
					}
				}
			})
		}
	}
}

// wantingPlugin returns a plugin for which every so many of the workloads wants one pod
// more than the cluster has, and the others fewer than there are; and the ReplicaSets.
func (c *cluster) wantingPlugin(every int) (*Plugin, []*appsv1.ReplicaSet) {
	c.Helper()
	d := c.dependencies()
	d.Desired = &kube.DesiredStates{}
	var sets []*appsv1.ReplicaSet
	for i := range benchWorkloads {
		pod := c.benchPod(i)
		wants := int32(1)
		if i%every == 0 {
			wants = benchPods/benchWorkloads + 1
		}
		sets = append(sets, &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: benchName(i) + "-" + templateHash},
			Spec:       appsv1.ReplicaSetSpec{Replicas: &wants, Template: v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}},
		})
		d.Desired.Put(sets[i])
	}
	p, err := Factory(d)(c.Context(), rawArgs(""), handle{informers: c.informers, lister: c.snapshot})
	if err != nil {
		c.Fatal(err)
	}
	return p.(*Plugin), sets
}

// BenchmarkBoardUpdate is what PreScore takes to follow the nodes when one has
// got a pod since the last cycle and one has lost one.
func BenchmarkBoardUpdate(b *testing.B) {
	benchEach(b, func(b *testing.B, c *cluster, candidates []fwk.NodeInfo) {
		pod := c.benchPod(0)
		info, err := framework.NewPodInfo(pod)
		if err != nil {
			b.Fatal(err)
		}
		x := c.newKeeper()
		x.update(candidates, false)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			n := candidates[i%len(candidates)]
			n.AddPodInfo(info)
			x.update(candidates, false)
			if err := n.RemovePod(klog.Background(), pod); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkScore(b *testing.B) {
	benchEach(b, func(b *testing.B, c *cluster, candidates []fwk.NodeInfo) {
		p, pod := c.newPlugin(""), c.benchPod(0)
		var state fwk.CycleState = framework.NewCycleState()
		if status := p.PreScore(b.Context(), state, pod, candidates); !status.IsSuccess() {
			b.Fatal(status)
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			p.Score(b.Context(), state, pod, candidates[i%len(candidates)])
		}
	})
}

// BenchmarkProfile is what all score plugins of the default profile take for
// one pod: without the plugin, with one that does nothing in its place, which
// is what the framework takes for any plugin more, and with ours. They run in
// turns, so that other work on the machine weighs on all. It reports the
// medians in microseconds and what the plugin adds in percent.
//
// A pod of kind=spread is counted by PodTopologySpread's default constraints,
// as one of a Deployment is; one of kind=plain is not.
func BenchmarkProfile(b *testing.B) {
	benchEach(b, func(b *testing.B, c *cluster, candidates []fwk.NodeInfo) {
		without, idle, with := c.profile(), c.profileOf(newIdle, ""), c.profileWith(c.dependencies(), "")
		for first, kind := range []string{"spread", "plain"} {
			b.Run("kind="+kind, func(b *testing.B) {
				pods := make([]*v1.Pod, 16)
				for i := range pods {
					pods[i] = c.benchPod(first + 2*i)
				}
				turns := [...]func(int) time.Duration{
					benchCycle(b, without, pods, candidates),
					benchCycle(b, idle, pods, candidates),
					benchCycle(b, with, pods, candidates),
				}
				var took [len(turns)][]time.Duration
				for i := 0; b.Loop(); i++ {
					for turn, cycle := range turns {
						took[turn] = append(took[turn], cycle(i))
					}
				}
				reference, ours := median(took[0]), median(took[2])
				b.ReportMetric(0, "ns/op") // of all turns
				b.ReportMetric(reference, "µs/default")
				b.ReportMetric(median(took[1]), "µs/idle")
				b.ReportMetric(ours, "µs/vicinity")
				b.ReportMetric(100*(ours/reference-1), "%added")
			})
		}
	})
}

// idlePlugin scores every node 0.
type idlePlugin struct{ Silent }

func newIdle(context.Context, runtime.Object, fwk.Handle) (fwk.Plugin, error) {
	return idlePlugin{}, nil
}

func (idlePlugin) PreScore(context.Context, fwk.CycleState, *v1.Pod, []fwk.NodeInfo) *fwk.Status {
	return nil
}

// benchCycle returns a function that runs the score plugins for one of the pods
// and says how long they took.
func benchCycle(b *testing.B, fw framework.Framework, pods []*v1.Pod, candidates []fwk.NodeInfo) func(int) time.Duration {
	states := make([]fwk.CycleState, len(pods))
	for i, pod := range pods {
		states[i] = framework.NewCycleState()
		if _, status, _ := fw.RunPreFilterPlugins(b.Context(), states[i], pod); !status.IsSuccess() {
			b.Fatal(status)
		}
	}
	cycle := func(i int) time.Duration {
		pod, state := pods[i%len(pods)], states[i%len(pods)].Clone()
		start := time.Now()
		if status := fw.RunPreScorePlugins(b.Context(), state, pod, candidates); !status.IsSuccess() {
			b.Fatal(status)
		}
		if _, status := fw.RunScorePlugins(b.Context(), state, pod, candidates); !status.IsSuccess() {
			b.Fatal(status)
		}
		return time.Since(start)
	}
	cycle(0) // builds the Board
	return cycle
}

// median returns the median in microseconds.
func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2]) / float64(time.Microsecond)
}

// TestScoreAllocatesNothing, whether decisions are logged and events written or not.
func TestScoreAllocatesNothing(t *testing.T) {
	for _, verbosity := range []int{0, decisionLevel} {
		c := newCluster(t, allOfIt)
		if verbosity > 0 {
			c.announced(allOfIt)
		}
		c.traffic("web -> db 10MiB/s")
		c.assign("n1@r/a: db; n2@r/b:")
		var state fwk.CycleState = framework.NewCycleState()
		pod, nodes := c.pod("web"), c.nodes()
		ctx := klog.NewContext(t.Context(), funcr.New(func(_, _ string) {}, funcr.Options{Verbosity: verbosity}))
		if status := c.plugin.PreScore(ctx, state, pod, nodes); !status.IsSuccess() {
			t.Fatal(status)
		}
		if n := testing.AllocsPerRun(100, func() {
			for _, info := range nodes {
				c.plugin.Score(ctx, state, pod, info)
			}
		}); n != 0 {
			t.Errorf("with verbosity %d scoring %d nodes makes %v allocations", verbosity, len(nodes), n)
		}
	}
}
