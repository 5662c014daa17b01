package trafficlocality

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/nodechanges"
)

// The size of the cluster of BenchmarkFilling, which is that of the case of the same name
// in test/schedperf.
const (
	fillingNodes      = 5_000
	fillingWorkloads  = 500
	fillingCallees    = 10 // of each workload
	fillingPlaced     = 5  // pods of each workload at the beginning
	fillingWanted     = 40 // likewise, in the end
	fillingCandidates = 500
)

// filling is that cluster.
type filling struct {
	*cluster
	random *rand.Rand
	nodes  []fwk.NodeInfo
	next   int // pod to be placed
}

func newFilling(b *testing.B, args string) *filling {
	f := &filling{cluster: newCluster(b, ""), random: rand.New(rand.NewPCG(31, 32))}
	for i := range fillingNodes {
		f.cache.AddNode(klog.Background(), node(fmt.Sprintf("n%d", i), "r", fmt.Sprintf("z%d", i%3)))
	}
	var edges []flowgraph.Edge
	wants := int32(fillingWanted)
	for i := range fillingWorkloads {
		for _, to := range f.random.Perm(fillingWorkloads)[:fillingCallees] {
			rate := math.Exp(f.random.Float64()*math.Log(10<<10)) * (1 << 10)
			edges = append(edges, flowgraph.Edge{
				From: workload(benchName(i)), To: workload(benchName(to)), ObservedAt: dataTime,
				Rates: flowgraph.Rates{SentBytesPerSecond: rate / 5, ReceivedBytesPerSecond: rate * 4 / 5, RequestsPerSecond: rate / 2048},
			})
		}
		f.route(benchName(i), "PreferClose")
		pod := f.benchPod(i)
		f.add(&appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: benchName(i) + "-" + templateHash, Generation: 1},
			Spec:       appsv1.ReplicaSetSpec{Replicas: &wants, Template: v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}},
		})
	}
	f.store.Publish(flowgraph.NewSnapshot(1, dataTime, edges))
	d := f.dependencies()
	d.Preparation, d.Changes, d.Now = NewPreparation(), (&nodechanges.Counter{}).Count, time.Now
	f.store.Publish(flowgraph.NewSnapshot(2, time.Now(), edges))
	p, err := Factory(d)(f.Context(), rawArgs(args), handle{informers: f.informers, lister: f.snapshot})
	if err != nil {
		b.Fatal(err)
	}
	f.plugin = p.(*Plugin)
	f.plugin.source.synced = nil
	f.update()
	f.nodes = f.cluster.nodes()
	f.objects()
	d.Preparation.prepare(f.Context(), false)
	for range fillingWorkloads * fillingPlaced {
		f.placeNext(nil)
	}
	return f
}

// objects has the informers know the nodes.
func (f *filling) objects() {
	indexer := f.informers.Core().V1().Nodes().Informer().GetIndexer()
	for _, info := range f.nodes {
		if err := indexer.Add(info.Node()); err != nil {
			f.Fatal(err)
		}
	}
}

// placeNext schedules one pod, as scheduler and binding do: it is assumed, and comes from the
// API server later. measure runs what is the plugin's.
func (f *filling) placeNext(measure func(cycle func())) {
	pod := f.benchPod(f.next % fillingWorkloads)
	start := f.next * fillingCandidates % fillingNodes
	f.next++
	candidates := f.nodes[start : start+fillingCandidates]
	best, most := candidates[f.random.IntN(len(candidates))], int64(0)
	cycle := func() {
		state := framework.NewCycleState()
		status := f.plugin.PreScore(f.Context(), state, pod, candidates)
		if !status.IsSuccess() {
			return
		}
		for _, info := range candidates {
			if points, _ := f.plugin.Score(f.Context(), state, pod, info); points > most {
				best, most = info, points
			}
		}
	}
	if measure != nil {
		measure(cycle)
	} else {
		cycle()
	}
	placed := pod.DeepCopy()
	placed.Spec.NodeName = best.Node().Name
	if err := f.cache.AssumePod(klog.Background(), placed); err != nil {
		f.Fatal(err)
	}
	f.update()
	if err := f.cache.AddPod(klog.Background(), placed); err != nil {
		f.Fatal(err)
	}
	f.update()
}

// BenchmarkFilling is what the plugin takes for one pod while a cluster fills: the CPU time
// of the thread, in milliseconds, and what it allocates.
func BenchmarkFilling(b *testing.B) {
	for _, args := range []string{"", "reserveRoom: false"} {
		b.Run("args="+args, func(b *testing.B) {
			f := newFilling(b, args)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			b.ReportAllocs()
			var took time.Duration
			b.ResetTimer()
			b.StopTimer()
			for range b.N {
				f.placeNext(func(cycle func()) {
					b.StartTimer()
					began := threadTime(b)
					cycle()
					took += threadTime(b) - began
					b.StopTimer()
				})
			}
			b.ReportMetric(0, "ns/op") // of the wall clock
			b.ReportMetric(took.Seconds()*1e3/float64(b.N), "ms/pod")
			b.ReportMetric(float64(f.plugin.engine.Waiting()), "waiting")
		})
	}
}
