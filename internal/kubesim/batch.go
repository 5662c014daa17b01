package kubesim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
)

// Batch replays one cluster under several configurations and seeds.
type Batch struct {
	Input *history.Replayable
	Order sim.Order
	// Rollouts is how many times in a row every workload is restarted; 0 and 1 mean
	// once. Only for the order Rollout. Each rollout begins where the one before has
	// ended, with its pods as those of the old ReplicaSets, and the seed's random
	// source goes on. See Run for what the results are.
	Rollouts int
	// Seeds is how many replays each configuration gets, with the seeds First,
	// First+1, ... The same seed is the same order of arrivals for all.
	Seeds int
	First uint64
	// Parallel is how many replays go on at a time.
	Parallel int
	// Now is the clock that decisions are timed by.
	Now func() time.Time
	// Done, when set, is called after each replay, by one goroutine at a time.
	Done func()
}

// Run is a configuration of a Batch.
type Run struct {
	// Name is what errors call it, Title what people call it; From says where its
	// configuration is from.
	Name, Title, From string
	Config            *schedulerconfig.Config
	Profile           string
}

// Run returns the results of each run by seed. The first error ends all.
//
// Of several rollouts, Assigned and Idle are what the last one leaves behind, Took has
// the decisions of all in order, and Unschedulable is a sum: a pod that fits nowhere
// is tried again in each rollout, and counts each time. The pod that it was to replace
// stays until then.
func (b Batch) Run(ctx context.Context, runs []Run) ([][]*sim.Result, error) {
	if b.Rollouts > 1 && b.Order != sim.Rollout {
		return nil, fmt.Errorf("order %s: there are no %d rollouts in it", b.Order, b.Rollouts)
	}
	results := make([][]*sim.Result, len(runs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(b.Parallel, 1))
	var done sync.Mutex
	for i, run := range runs {
		results[i] = make([]*sim.Result, b.Seeds)
		for s := range b.Seeds {
			group.Go(func() error {
				result, err := b.replay(ctx, run, b.First+uint64(s))
				if err != nil {
					return fmt.Errorf("run %s: %w", run.Name, err)
				}
				results[i][s] = result
				if b.Done != nil {
					done.Lock()
					b.Done()
					done.Unlock()
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return results, nil
}

func (b Batch) replay(ctx context.Context, run Run, seed uint64) (*sim.Result, error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	result, err := b.once(ctx, run, b.Input, rng)
	for i := 1; i < b.Rollouts && err == nil; i++ {
		before := result
		if result, err = b.once(ctx, run, after(b.Input, before), rng); err == nil {
			result.Took = slices.Concat(before.Took, result.Took)
			result.Unschedulable += before.Unschedulable
		}
	}
	return result, err
}

// after returns an input with the assignment that a result leaves behind.
func after(in *history.Replayable, result *sim.Result) *history.Replayable {
	next, c := *in, *in.Cluster
	c.Assigned, c.Idle = result.Assigned, result.Idle
	next.Cluster = &c
	return &next
}

// once replays the order one time.
func (b Batch) once(ctx context.Context, run Run, in *history.Replayable, rng *rand.Rand) (*sim.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends what the framework has started
	placer, err := New(ctx, in, Options{Config: run.Config, Profile: run.Profile, Rollout: b.Order == sim.Rollout, Now: b.Now})
	if err != nil {
		return nil, err
	}
	if b.Order == sim.Consolidation {
		return sim.Consolidate(ctx, in.Cluster, rng, placer)
	}
	events, err := sim.Events(in.Cluster, b.Order, rng)
	if err != nil {
		return nil, err
	}
	return sim.Run(ctx, in.Cluster, events, placer)
}
