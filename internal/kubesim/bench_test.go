package kubesim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
)

// BenchmarkReplay restarts pods one after the other on clusters of several sizes
// with ten pods to a node and reports the pods placed in a second, and what a
// replay adds to the time that is spent inside the framework: the cache, its
// snapshot, the choice among the best nodes and the bookkeeping of the replay.
// With services=true, a Service and a ReplicaSet select each pod, so that
// kube-scheduler spreads it by default, which is the larger part of its work.
func BenchmarkReplay(b *testing.B) {
	for _, nodes := range []int{100, 1000, 5000} {
		for _, run := range []string{DefaultRun, LatencyRun} {
			for _, services := range []bool{true, false} {
				b.Run(fmt.Sprintf("nodes=%d/run=%s/services=%v", nodes, run, services), func(b *testing.B) {
					benchReplay(b, nodes, run, services)
				})
			}
		}
	}
}

func benchReplay(b *testing.B, nodes int, name string, services bool) {
	run, _, err := BuiltIn(name)
	if err != nil {
		b.Fatal(err)
	}
	cluster := benchCluster(nodes)
	in := history.Synthetic(cluster)
	if !services {
		in.Objects = nil
	}
	p, err := New(b.Context(), in, Options{Config: run.Config, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	timed := &timedFramework{Framework: p.engine.framework}
	p.engine.framework = timed
	rng := rand.New(rand.NewPCG(3, 4))
	newest := make([]int32, len(cluster.Workloads))
	events := func(yield func(sim.Event) bool) {
		yield(sim.Event{Kind: sim.Observe, Traffic: flowgraph.NewSnapshot(1, sim.Clock(), cluster.Edges)})
		for w, workload := range cluster.Workloads {
			newest[w] = workload.Replicas - 1
			for i := range workload.Replicas {
				yield(sim.Event{Pod: sim.Pod{Workload: int32(w), Ordinal: i}, Node: rng.Int32N(int32(nodes))})
			}
		}
		for b.Loop() {
			w := rng.Int32N(int32(len(newest)))
			newest[w]++
			yield(sim.Event{Kind: sim.Restart, Node: sim.Anywhere, Pod: sim.Pod{Workload: w, Ordinal: newest[w]}, Instead: newest[w] - cluster.Workloads[w].Replicas})
		}
	}
	if _, err := sim.Run(b.Context(), cluster, events, p); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pods/s")
	b.ReportMetric(100*(b.Elapsed().Seconds()/timed.took.Seconds()-1), "%added")
}

// benchCluster has two workloads of five pods to a node, each of which calls
// five others.
func benchCluster(nodes int) *cluster.Cluster {
	rng := rand.New(rand.NewPCG(1, 2))
	c := &cluster.Cluster{}
	for i := range nodes {
		c.Nodes = append(c.Nodes, cluster.Node{
			Locality:    locality.Locality{Node: fmt.Sprintf("n%04d", i), Zone: fmt.Sprint("z", i%3), Region: "r"},
			Allocatable: cluster.Resources{MilliCPU: 16000, Memory: 64 << 30}, MaxPods: 110,
		})
	}
	for i := range 2 * nodes {
		c.Workloads = append(c.Workloads, cluster.Workload{
			ID:       flowgraph.WorkloadID{Namespace: "x", Name: fmt.Sprint("w", i)},
			Replicas: 5, Requests: cluster.Resources{MilliCPU: 500, Memory: 1 << 30},
		})
	}
	for i, w := range c.Workloads {
		for k := range 5 {
			peer := c.Workloads[(i+1+rng.IntN(10)+k*13)%len(c.Workloads)]
			c.Edges = append(c.Edges, flowgraph.Edge{From: w.ID, To: peer.ID, Rates: flowgraph.Rates{SentBytesPerSecond: rng.ExpFloat64() * 1e6}})
		}
	}
	return c
}

// timedFramework adds up the time that is spent in a framework's plugins.
type timedFramework struct {
	framework.Framework
	took time.Duration
}

func (f *timedFramework) since(began time.Time) { f.took += time.Since(began) }

func (f *timedFramework) RunPreFilterPlugins(ctx context.Context, state fwk.CycleState, pod *corev1.Pod) (*fwk.PreFilterResult, *fwk.Status, sets.Set[string]) {
	defer f.since(time.Now())
	return f.Framework.RunPreFilterPlugins(ctx, state, pod)
}

func (f *timedFramework) RunFilterPlugins(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, node fwk.NodeInfo) *fwk.Status {
	defer f.since(time.Now())
	return f.Framework.RunFilterPlugins(ctx, state, pod, node)
}

func (f *timedFramework) RunPreScorePlugins(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) *fwk.Status {
	defer f.since(time.Now())
	return f.Framework.RunPreScorePlugins(ctx, state, pod, nodes)
}

func (f *timedFramework) RunScorePlugins(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, nodes []fwk.NodeInfo) ([]fwk.NodePluginScores, *fwk.Status) {
	defer f.since(time.Now())
	return f.Framework.RunScorePlugins(ctx, state, pod, nodes)
}
