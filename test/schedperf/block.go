package schedperf

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/google/pprof/profile"
	"k8s.io/component-base/metrics/testutil"
	"k8s.io/kubernetes/pkg/scheduler/metrics"

	"github.com/vicinity-sched/vicinity/test/schedperf/measure"
)

// side is one of the two that take turns.
type side struct {
	profile string
	byHand  bool
}

// sides returns what a case compares.
func sides(c measure.Case) (without, with side) {
	if c.ByHand {
		return side{profile: stockProfile}, side{profile: stockProfile, byHand: true}
	}
	return side{profile: stockProfile}, side{profile: pluginProfile}
}

// around places pods of a side unmeasured, so that the plugin has caught up with
// what the other side did, then runs do, then leaves the cluster as the case
// wants it.
func (c *cluster) around(ctx context.Context, s side, do func() error) error {
	before, err := c.scheduler.Cache.PodCount()
	if err != nil {
		return fmt.Errorf("counting pods: %w", err)
	}
	if err := c.schedule(ctx, c.nextPods(c.size.warmUp, s.profile, s.byHand), c.size.sequence); err != nil {
		return fmt.Errorf("warming up: %w", err)
	}
	runtime.GC()
	if err := do(); err != nil {
		return err
	}
	if c.run.Cleans() {
		return c.clean(ctx, before)
	}
	return nil
}

// measure times one block of a side and profiles it.
func (c *cluster) measure(ctx context.Context, s side) (measure.Block, error) {
	block := measure.Block{Pods: c.size.block}
	err := c.around(ctx, s, func() error {
		pods := c.nextPods(block.Pods, s.profile, s.byHand)
		shared, err := hintsUsed(s.profile)
		if err != nil {
			return err
		}
		var data bytes.Buffer
		if err := pprof.StartCPUProfile(&data); err != nil {
			return fmt.Errorf("starting the CPU profile: %w", err)
		}
		// A profile that still runs would make the check for leaked goroutines hang.
		defer pprof.StopCPUProfile()
		start := time.Now()
		if err := c.schedule(ctx, pods, c.size.sequence); err != nil {
			return err
		}
		block.Took = time.Since(start)
		pprof.StopCPUProfile()
		p, err := profile.ParseData(data.Bytes())
		if err != nil {
			return fmt.Errorf("reading the CPU profile: %w", err)
		}
		block.CPU = measure.Attribute(p)
		now, err := hintsUsed(s.profile)
		block.Shared = now - shared
		return err
	})
	return block, err
}

// hintsUsed returns how many pods of a profile took over the scores of the pod
// before.
func hintsUsed(profile string) (int, error) {
	n, err := testutil.GetCounterMetricValue(metrics.BatchAttemptStats.WithLabelValues(profile, metrics.BatchAttemptHintUsed))
	if err != nil {
		return 0, fmt.Errorf("reading how many scores were shared: %w", err)
	}
	return int(n), nil
}

// sampled is one of how many bytes are sampled while allocations are counted. It
// slows the process down, so that nothing else is measured then.
const sampled = 8 << 10

// allocations counts what the plugin allocates in a block of its own.
func (c *cluster) allocations(ctx context.Context, s side) (measure.Allocations, error) {
	rate := runtime.MemProfileRate
	defer func() { runtime.MemProfileRate = rate }()
	var sum measure.Allocations
	err := c.around(ctx, s, func() error {
		pods := c.nextPods(c.size.block, s.profile, s.byHand)
		runtime.MemProfileRate = sampled
		before := memProfile()
		if err := c.schedule(ctx, pods, c.size.sequence); err != nil {
			return err
		}
		sum = measure.Allocated(before, memProfile(), sampled)
		sum.Objects /= float64(len(pods))
		sum.Bytes /= float64(len(pods))
		return nil
	})
	return sum, err
}

// memProfile reads the profile of all allocations so far. It is up to date after
// two collections.
func memProfile() []runtime.MemProfileRecord {
	runtime.GC()
	runtime.GC()
	for n, ok := runtime.MemProfile(nil, true); ; {
		records := make([]runtime.MemProfileRecord, n+100)
		if n, ok = runtime.MemProfile(records, true); ok {
			return records[:n]
		}
	}
}
