// Command memory measures what vicinity-scheduler holds of a cluster: the informers with
// all pods, nodes and ReplicaSets, the scheduler's own cache, the plugin's Board and the
// traffic graph, all of them real. Only the API server is not: objects come as bytes, as in
// its streams, and are decoded. One line is printed; a size is a process of its own, for the
// peak is that of the process.
//
//	go run ./test/memory -pods 100000 -nodes 5000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/events"
	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/scheduler"
	schedulercache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/kubernetes/pkg/scheduler/profile"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

func main() {
	s := size{}
	flag.IntVar(&s.pods, "pods", 10_000, "pods, each with a sidecar")
	flag.IntVar(&s.nodes, "nodes", 500, "nodes")
	flag.IntVar(&s.edges, "edges", 0, "edges of the traffic graph; 0 is as many as pods")
	flag.IntVar(&s.former, "former-replicasets", 5, "ReplicaSets of each workload that want no pods any more")
	limit := flag.Int64("memory-limit", 0, "bytes that the Go runtime keeps to, as with VICINITY_MEMORY_LIMIT; 0 is none")
	whole := flag.Bool("untrimmed", false, "hold all that kube-scheduler holds")
	config := flag.String("config", "manifests/base/config/scheduler.yaml", "the KubeSchedulerConfiguration")
	flag.Parse()
	if s.edges == 0 {
		s.edges = s.pods
	}
	if *limit > 0 {
		debug.SetMemoryLimit(*limit)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(klog.NewContext(ctx, logr.Discard()), s, !*whole, *config); err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		stop()
		os.Exit(1)
	}
}

// measure builds it all, and prints what the heap has after a collection and what the
// process has taken at most.
func measure(ctx context.Context, s size, trim bool, config string) error {
	if s.pods < podsOfWorkload || s.nodes < 1 || s.edges < 1 || s.former < 0 {
		return fmt.Errorf("%+v: must be at least %d pods, a node and an edge", s, podsOfWorkload)
	}
	klog.SetLogger(logr.Discard())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cfg, err := schedulerconfig.Load(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	if err := feed(factory, s, trim); err != nil {
		return err
	}
	store, preparation := flowgraph.NewStore(), trafficlocality.NewPreparation()
	registry := frameworkruntime.Registry{}
	plugin := trafficlocality.Factory(trafficlocality.Dependencies{
		Store: store, Preparation: preparation, Now: time.Now, Metrics: trafficlocality.NewMetrics(func(...metrics.Registerable) {}),
	})
	if err := registry.Register(trafficlocality.Name, cfg.Honour(plugin)); err != nil {
		return err
	}
	nodeInfos := schedulercache.NewEmptySnapshot()
	recorder := func(string) events.EventRecorderLogger { return events.NewFakeRecorder(0) }
	sched, err := scheduler.New(ctx, fake.NewClientset(), factory, nil, profile.RecorderFactory(recorder),
		scheduler.WithProfiles(cfg.Scheduler.Profiles...), scheduler.WithFrameworkOutOfTreeRegistry(registry),
		scheduler.WithNodeInfoSnapshot(nodeInfos))
	if err != nil {
		return err
	}
	graph := s.graph(time.Now())
	store.Publish(graph.Snapshot())
	began := time.Now()
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	defer cancel()
	factory.WaitForCacheSync(ctx.Done())
	if err := sched.WaitForHandlersSync(ctx); err != nil {
		return fmt.Errorf("waiting for the scheduler's cache: %w", err)
	}
	go preparation.Run(ctx)
	select {
	case <-preparation.Begin():
	case <-ctx.Done():
		return ctx.Err()
	}
	// As each cycle does.
	if err := sched.Cache.UpdateSnapshot(klog.FromContext(ctx), nodeInfos); err != nil {
		return fmt.Errorf("the scheduler's snapshot: %w", err)
	}
	return report(s, time.Since(began), factory, graph, sched)
}

// report prints the line. What it is given is in memory until then.
func report(s size, took time.Duration, factory informers.SharedInformerFactory, keep ...any) error {
	runtime.GC()
	runtime.GC() // finalizers of the first have run
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	peak, err := peakRSS()
	if err != nil {
		return err
	}
	held := len(factory.Core().V1().Pods().Informer().GetIndexer().ListKeys())
	if held != s.pods {
		return fmt.Errorf("the informer holds %d of %d pods", held, s.pods)
	}
	const mebi = 1 << 20
	fmt.Printf("%d pods, %d nodes, %d edges, %d ReplicaSets: heap %d MiB, %.1f KiB a pod, peak RSS %d MiB, read in %s\n",
		s.pods, s.nodes, s.edges, s.workloads()*(1+s.former), m.HeapAlloc/mebi, float64(m.HeapAlloc)/1024/float64(s.pods), peak/mebi, took.Round(time.Second))
	runtime.KeepAlive(keep)
	return nil
}

// peakRSS is the most memory in bytes that the process has had.
func peakRSS() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, after, ok := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(after)
	if !ok || len(fields) == 0 {
		return 0, errors.New("/proc/self/status has no VmHWM")
	}
	kibi, err := strconv.ParseInt(fields[0], 10, 64)
	return kibi << 10, err
}
