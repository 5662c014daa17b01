package trafficlocality

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/nodechanges"
)

// The size of the cluster of BenchmarkSteps, which is that of the largest clusters that
// Kubernetes supports, three times over.
const (
	largeNodes      = 15_000
	largeWorkloads  = 50_000
	largePods       = 150_000
	largeEdges      = 200_000
	largeRevisions  = 10  // ReplicaSets of each workload, all but one without pods
	largeCandidates = 750 // what kube-scheduler samples by default
)

// large is that cluster.
type large struct {
	*cluster
	random *rand.Rand
	sets   []*appsv1.ReplicaSet // that want pods, by workload
	state  fwk.CycleState
	pod    int // steps that were run

	preparation *Preparation

	nodes []fwk.NodeInfo
	some  []fwk.NodeInfo // candidates
}

func newLarge(b *testing.B) *large {
	l := &large{cluster: newCluster(b, "networkCapacity: {}"), random: rand.New(rand.NewPCG(21, 22)), state: framework.NewCycleState()}
	for i := range largeNodes {
		l.cache.AddNode(klog.Background(), randomNode(l.random, i))
	}
	edges := make([]flowgraph.Edge, largeEdges)
	for i := range edges {
		edges[i] = flowgraph.Edge{
			From: workload(benchName(i % largeWorkloads)), To: workload(benchName(l.random.IntN(largeWorkloads))), ObservedAt: dataTime,
			Rates: flowgraph.Rates{SentBytesPerSecond: l.random.ExpFloat64() * 1e6, RequestsPerSecond: 100},
		}
	}
	l.store.Publish(flowgraph.NewSnapshot(1, dataTime, edges))
	for i := range largePods {
		l.place(l.benchPod(i%largeWorkloads), fmt.Sprintf("n%d", l.random.IntN(largeNodes)))
	}
	l.update()
	l.nodes = l.cluster.nodes()
	l.some = l.nodes[:largeCandidates]
	l.desired = &kube.DesiredStates{}
	for i := range largeWorkloads {
		l.sets = append(l.sets, l.replicaSet(i, largePods/largeWorkloads+i%2)) // half of them want one more
		l.desired.Put(l.sets[i])
		for range largeRevisions - 1 {
			l.desired.Put(l.replicaSet(i, 0))
		}
	}
	l.objects()
	d := l.dependencies()
	d.Preparation, d.Changes = NewPreparation(), (&nodechanges.Counter{}).Count
	p, err := Factory(d)(l.Context(), rawArgs("networkCapacity: {}"), handle{informers: l.informers, lister: l.snapshot})
	if err != nil {
		b.Fatal(err)
	}
	l.plugin = p.(*Plugin)
	l.plugin.source.synced = nil
	l.preparation = d.Preparation
	return l
}

// objects has the informers know the nodes and pods.
func (l *large) objects() {
	core := l.informers.Core().V1()
	nodes, pods := core.Nodes().Informer().GetIndexer(), core.Pods().Informer().GetIndexer()
	for _, info := range l.nodes {
		if err := nodes.Add(info.Node()); err != nil {
			l.Fatal(err)
		}
		for _, p := range info.GetPods() {
			if err := pods.Add(p.GetPod()); err != nil {
				l.Fatal(err)
			}
		}
	}
}

// prepare has the plugin prepared as after the start.
func (l *large) prepare() {
	l.plugin.startAnew()
	l.preparation.prepare(l.Context(), false)
}

// replicaSet is one of a workload's: the newest, or without pods an older one.
func (l *large) replicaSet(i, pods int) *appsv1.ReplicaSet {
	pod := l.benchPod(i)
	n := int32(pods)
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: benchName(i) + "-" + templateHash, Generation: 1},
		Spec:       appsv1.ReplicaSetSpec{Replicas: &n, Template: v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}},
	}
	if pods == 0 {
		l.pods++
		rs.Name = fmt.Sprintf("%s-%d", benchName(i), l.pods)
	}
	return rs
}

// cycle is PreScore for a pod of a random workload.
func (l *large) cycle(candidates []fwk.NodeInfo) {
	pod := l.benchPod(l.random.IntN(largeWorkloads))
	if status := l.plugin.PreScore(l.Context(), l.state, pod, candidates); !status.IsSuccess() && !status.IsSkip() {
		l.Fatal(status)
	}
}

// settle lets the plugin look at all that has changed.
func (l *large) settle() {
	for l.cycle(l.some); l.plugin.engine.Waiting() > 0 || l.plugin.keeper.catchUp.behind; {
		l.cycle(l.some)
	}
}

// step runs something once. Before it, prepare is run, which does not count.
type step struct {
	name    string
	prepare func()
	run     func()
}

// BenchmarkSteps lists what the plugin does, step by step, in a large cluster: the CPU
// time of the median and of the worst run, in milliseconds. What is not part of a
// scheduling cycle has "event" in its name.
func BenchmarkSteps(b *testing.B) {
	l := newLarge(b)
	runtime.GC()
	l.measure(b, step{name: "event/the Board is prepared", prepare: l.plugin.startAnew, run: func() { l.preparation.prepare(l.Context(), false) }})
	l.measure(b, step{name: "cycle/before the Board is prepared", prepare: l.plugin.startAnew, run: func() { l.cycle(l.some) }})
	l.measure(b, step{name: "cycle/first", prepare: l.prepare, run: func() { l.cycle(l.some) }})
	l.measure(b, step{name: "cycle/another while the Board catches up", prepare: func() {
		if l.cycle(l.some); !l.plugin.keeper.catchUp.behind {
			l.prepare()
			l.cycle(l.some)
		}
	}, run: func() { l.cycle(l.some) }})
	l.settle()
	l.pod = 0
	for _, s := range slices.Concat(l.events(), l.cycles(), l.cyclesAfterChanges()) {
		run := s.run
		s.run = func() { run(); l.pod++ }
		l.measure(b, s)
	}
}

// events are the steps outside of cycles.
func (l *large) events() []step {
	return []step{
		{name: "event/old ReplicaSet", run: func() { l.desired.Put(l.replicaSet(l.pod%largeWorkloads, 0)) }},
		{name: "event/status of a ReplicaSet", run: func() { l.desired.Put(l.sets[l.pod%largeWorkloads]) }},
		{name: "event/controller scales", run: func() { l.scale(2) }},
	}
}

// cycles are the steps within cycles in which little changes.
func (l *large) cycles() []step {
	return []step{
		{name: "cycle/nothing changes", run: func() { l.cycle(l.some) }},
		{name: "cycle/nothing changes, all nodes scored", run: func() { l.cycle(l.nodes) }},
		{name: "cycle/a pod was placed", prepare: l.placeOne, run: func() { l.cycle(l.some) }},
		{name: "cycle/a controller has scaled", prepare: func() { l.scale(1_000_000) }, run: func() { l.cycle(l.some) }},
	}
}

// cyclesAfterChanges are those in which much changes.
func (l *large) cyclesAfterChanges() []step {
	turns := l.twins()
	group, inGroup := framework.NewCycleState(), framework.NewCycleState()
	return []step{
		{name: "cycle/first with a new snapshot", prepare: func() { l.settle(); l.store.Publish(turns[l.pod%2]) }, run: func() { l.cycle(l.some) }},
		{name: "cycle/another with a new snapshot", prepare: func() {
			if l.plugin.engine.Waiting() == 0 {
				l.store.Publish(turns[l.pod%2])
				l.cycle(l.some)
			}
		}, run: func() { l.cycle(l.some) }},
		{name: "cycle/the telemetry says new capacities", prepare: func() {
			l.settle()
			l.networks.Publish(l.capacities(l.pod))
		}, run: func() { l.cycle(l.some) }},
		{name: "cycle/a node has come", prepare: func() { l.settle(); l.addNode(l.pod) }, run: func() { l.cycle(l.some) }},
		{name: "cycle/another after a node has come", prepare: func() {
			if l.plugin.engine.Waiting() == 0 {
				l.addNode(1_000_000 + l.pod)
				l.cycle(l.some)
			}
		}, run: func() { l.cycle(l.some) }},
		{name: "cycle/of a pod group", prepare: func() {
			if l.pod%16 == 0 {
				group = framework.NewCycleState()
			}
			l.assume()
			inGroup.SetPodGroupSchedulingCycle(group)
			l.state = inGroup
		}, run: func() { l.cycle(l.some) }},
	}
}

// scale has a controller want another number of pods.
func (l *large) scale(generation int) {
	rs := l.replicaSet(l.pod%largeWorkloads, 3+l.pod%3)
	rs.Generation = int64(generation + l.pod)
	l.desired.Put(rs)
}

// measure runs a step as a benchmark.
func (l *large) measure(b *testing.B, s step) {
	b.Run(s.name, func(b *testing.B) {
		l.TB = b
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var took []time.Duration
		for b.Loop() {
			if s.prepare != nil {
				s.prepare()
			}
			began := threadTime(b)
			s.run()
			took = append(took, threadTime(b)-began)
		}
		slices.Sort(took)
		b.ReportMetric(0, "ns/op") // of prepare too
		b.ReportMetric(took[len(took)/2].Seconds()*1e3, "ms/median")
		b.ReportMetric(took[len(took)-1].Seconds()*1e3, "ms/worst")
	})
	l.TB = b
}

// threadTime is the CPU time of this thread: other work on the machine is no part of it.
func threadTime(b *testing.B) time.Duration {
	const clock = 3 // CLOCK_THREAD_CPUTIME_ID
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		b.Fatal(errno)
	}
	return time.Duration(ts.Nano())
}

func (l *large) placeOne() {
	l.place(l.benchPod(l.random.IntN(largeWorkloads)), fmt.Sprintf("n%d", l.random.IntN(largeNodes)))
	l.update()
}

func (l *large) addNode(i int) {
	n := randomNode(l.random, i)
	n.Name = fmt.Sprintf("new%d", i)
	l.cache.AddNode(klog.Background(), n)
	l.update()
	l.nodes = l.cluster.nodes()
	l.some = l.nodes[:largeCandidates]
}

func (l *large) capacities(i int) map[string]float64 {
	capacities := map[string]float64{}
	for n := range largeNodes {
		capacities[fmt.Sprintf("n%d", n)] = 1e9 + float64(i)
	}
	return capacities
}

// assume has the scheduler assume one more pod of a group.
func (l *large) assume() {
	pod := l.benchPod(l.random.IntN(largeWorkloads))
	pod.Spec.NodeName = fmt.Sprintf("n%d", l.random.IntN(largeNodes))
	info, err := framework.NewPodInfo(pod)
	if err != nil {
		l.Fatal(err)
	}
	if err := l.snapshot.AssumePod(info); err != nil {
		l.Fatal(err)
	}
}
