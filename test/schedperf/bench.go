package schedperf

import (
	"context"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	componentmetrics "k8s.io/component-base/metrics"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	perf "k8s.io/kubernetes/test/integration/scheduler_perf"
	"k8s.io/kubernetes/test/utils/client-go/ktesting"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/nodechanges"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
	"github.com/vicinity-sched/vicinity/test/schedperf/measure"
	"github.com/vicinity-sched/vicinity/test/schedperf/observe"
)

// bench runs one after the other what is asked for.
type bench struct {
	options  measure.Options
	progress io.Writer
	store    *flowgraph.Store
	changes  *nodechanges.Counter
	bound    *observe.Counter
	watch    *observe.Watch
	results  []measure.Result

	metrics *trafficlocality.Metrics
	// Of the plugins of the cluster that is made next, or runs.
	preparation *trafficlocality.Preparation
	factory     frameworkruntime.PluginFactory
}

func newBench(o measure.Options, progress io.Writer) *bench {
	b := &bench{
		options:  o,
		progress: progress,
		store:    flowgraph.NewStore(),
		changes:  &nodechanges.Counter{},
		bound:    &observe.Counter{},
		watch:    &observe.Watch{},
		metrics:  trafficlocality.NewMetrics(componentmetrics.NewKubeRegistry().MustRegister),
	}
	b.begin()
	return b
}

// begin begins with the plugins of another cluster. They get what vicinity-scheduler gives
// them where there are neither DestinationRules nor networks of known capacity. Their
// metrics are counted, but in a registry that nobody reads: each cluster has plugins of its
// own, and the process's registry takes a metric only once.
func (b *bench) begin() {
	b.preparation = trafficlocality.NewPreparation()
	b.factory = trafficlocality.Factory(trafficlocality.Dependencies{
		Store: b.store, Preparation: b.preparation, Changes: b.changes.Count, Now: time.Now, Metrics: b.metrics,
	})
}

// registry returns the plugins that scheduler_perf knows beside the in-tree ones.
func (b *bench) registry() frameworkruntime.Registry {
	factory := func(ctx context.Context, args runtime.Object, handle fwk.Handle) (fwk.Plugin, error) {
		return b.factory(ctx, args, handle)
	}
	return frameworkruntime.Registry{
		trafficlocality.Name: factory,
		observe.WatchedName:  b.watch.Factory(b.store, factory),
		observe.BoundName:    b.bound.Factory(),
	}
}

// runOf returns the run of a name.
func (b *bench) runOf(name string) (measure.Run, error) {
	for _, r := range b.options.Runs {
		if r.String() == name {
			return r, nil
		}
	}
	return measure.Run{}, fmt.Errorf("scheduler_perf runs %q, which was not asked for", name)
}

// drive is what scheduler_perf calls in a cluster that has no nodes yet.
func (b *bench) drive(tCtx ktesting.TContext, s *scheduler.Scheduler, w *perf.Workload, _ *corev1.NodeList) error {
	run, err := b.runOf(w.Name)
	if err != nil {
		return err
	}
	size := sizeOf(run)
	c := &cluster{
		run: run, size: size, client: tCtx.Client(), scheduler: s, bound: b.bound, preparation: b.preparation,
		mesh: newMesh(size.workloads, min(callees, size.workloads/4)),
	}
	defer b.prepare(tCtx)()
	b.watch.Reset()
	b.store.Publish(c.mesh.snapshot(1, time.Now()))
	if run.Churn {
		stop := b.churn(tCtx, c.mesh)
		defer stop()
	}
	result, err := b.compare(tCtx, c)
	if err != nil {
		return fmt.Errorf("%s: %w", run, err)
	}
	b.results = append(b.results, result)
	return nil
}

// prepare prepares the plugins of a cluster until the returned function is called, which
// waits for the end of it.
func (b *bench) prepare(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.preparation.Run(ctx)
	}()
	return func() {
		cancel()
		<-ended
		b.begin()
	}
}

// churn publishes a new snapshot every second until the returned function is
// called, which waits for the end of it.
func (b *bench) churn(ctx context.Context, m *mesh) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for generation := uint64(2); ; generation++ {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				b.store.Publish(m.snapshot(generation, now))
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// compare runs the pairs of a case, then counts allocations and watches the
// plugin.
func (b *bench) compare(ctx context.Context, c *cluster) (measure.Result, error) {
	b.say("%s: creating the cluster: %d nodes, %d pods", c.run, c.run.Nodes, c.size.workloads*int(c.size.placed))
	result := measure.Result{Run: c.run}
	if err := c.populate(ctx); err != nil {
		return result, err
	}
	for i := range b.options.Pairs {
		pair, err := c.pair(ctx, i%2 == 1)
		if err != nil {
			return result, err
		}
		result.Pairs = append(result.Pairs, pair)
		b.say("%s: pair %d of %d: %.0f -> %.0f pods/s, own %.2f ms/pod", c.run, i+1, b.options.Pairs,
			pair.Without.PerSecond(), pair.With.PerSecond(), pair.OwnPerPod())
	}
	if c.run.ByHand {
		return result, nil
	}
	var err error
	_, with := sides(c.run.Case)
	if result.AllocatedBy, err = c.allocations(ctx, with); err != nil {
		return result, fmt.Errorf("counting allocations: %w", err)
	}
	err = c.around(ctx, with, func() error {
		return c.schedule(ctx, c.nextPods(c.size.block, watchedProfile, false), c.size.sequence)
	})
	if err != nil {
		return result, fmt.Errorf("watching the plugin: %w", err)
	}
	result.Cycles, result.Missed = b.watch.Seen()
	return result, nil
}

// pair runs a block of each side. Which is first alternates from pair to pair, so
// that what changes while the cluster fills favours neither.
func (c *cluster) pair(ctx context.Context, withFirst bool) (pair measure.Pair, err error) {
	without, with := sides(c.run.Case)
	if withFirst {
		if pair.With, err = c.measure(ctx, with); err != nil {
			return pair, err
		}
	}
	if pair.Without, err = c.measure(ctx, without); err != nil {
		return pair, err
	}
	if !withFirst {
		pair.With, err = c.measure(ctx, with)
	}
	return pair, err
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
