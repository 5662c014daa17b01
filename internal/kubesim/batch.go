package kubesim

import (
	"context"
	"fmt"
	"math/rand/v2"
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
	// Name is what errors call it; From says where its configuration is from.
	Name, From string
	Config     *schedulerconfig.Config
	Profile    string
}

// Run returns the results of each run by seed. The first error ends all.
func (b Batch) Run(ctx context.Context, runs []Run) ([][]*sim.Result, error) {
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends what the framework has started
	placer, err := New(ctx, b.Input, Options{Config: run.Config, Profile: run.Profile, Rollout: b.Order == sim.Rollout, Now: b.Now})
	if err != nil {
		return nil, err
	}
	events, err := sim.Events(b.Input.Cluster, b.Order, rand.New(rand.NewPCG(seed, 0)))
	if err != nil {
		return nil, err
	}
	return sim.Run(ctx, b.Input.Cluster, events, placer)
}
