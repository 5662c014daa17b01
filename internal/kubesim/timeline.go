package kubesim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/declared"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// Steps is a recording under way: a recording.Reader, or a database that is asked
// step by step.
type Steps interface {
	// Next returns the next step, io.EOF after the last.
	Next(ctx context.Context) (*recording.Step, error)
}

// Follow replays a recording under several configurations and seeds at once. It
// reads the recording once and holds one step of it: all replays go on step by
// step, so that their clusters are in memory at the same time.
type Follow struct {
	Steps   Steps
	History *history.History
	// Cluster has the objects of a recording that has none itself; else nil.
	Cluster *objects.Objects
	// Graph is how decisions see the traffic, and Declared how much counts of what the
	// History says that new workloads declare.
	Graph    flowgraph.Options
	Declared declared.Options
	// WarmUp is when the warm-up ends.
	WarmUp time.Time
	Order  sim.Order
	// Seeds, First and Parallel are as in Batch.
	Seeds    int
	First    uint64
	Parallel int
	// Now is the clock that decisions are timed by; Timed keeps their times.
	Now   func() time.Time
	Timed bool
	// WarmedUp, when set, is called when the first step after the warm-up is known
	// to the History, before any pod is placed. Its error ends all.
	WarmedUp func() error
	// Done, when set, is called after each step with the time it ended.
	Done func(time.Time)
}

// Followed is what becomes of a recording.
type Followed struct {
	// Recorded is the recording itself; Runs is by run and seed.
	Recorded *sim.Course
	Runs     [][]*sim.Course
	// Mean is the mean of the traffic after the warm-up.
	Mean []flowgraph.Edge
	// From and To are the whole recording; Gaps is how many of its Steps are gaps.
	From, To    time.Time
	Steps, Gaps int
	// Blind means that no traffic was known at the end of the warm-up.
	Blind bool
}

// following is the state of Follow.
type following struct {
	Follow
	recorded  *sim.Timeline
	timelines [][]*sim.Timeline
	placers   []*Placer
	observer  *sim.Observer
	merger    *declared.Merger
	traffic   *flowgraph.Snapshot // that was observed
	warm      bool
	result    Followed
}

// Run follows the recording to its end. It fails when that comes before the end of
// the warm-up.
func (f Follow) Run(ctx context.Context, runs []Run) (*Followed, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends what the frameworks have started
	all := &following{Follow: f, observer: sim.NewObserver(f.Graph), traffic: flowgraph.NewStore().Load()}
	if err := all.begin(ctx, runs); err != nil {
		return nil, err
	}
	for {
		s, err := f.Steps.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all.end()
		}
		if err != nil {
			return nil, err
		}
		if err := all.step(ctx, s); err != nil {
			return nil, err
		}
		if f.Done != nil {
			f.Done(s.At)
		}
	}
}

func (f *following) begin(ctx context.Context, runs []Run) error {
	o := sim.TimelineOptions{Cluster: f.History.Replayable().Cluster, Order: f.Order, WarmUp: f.WarmUp, Timed: f.Timed}
	f.recorded, f.merger = sim.NewTimeline(o), declared.NewMerger(f.Declared)
	for _, run := range runs {
		var timelines []*sim.Timeline
		for s := range f.Seeds {
			placer, err := New(ctx, f.History.Replayable(), Options{Config: run.Config, Profile: run.Profile, Rollout: f.Order == sim.Rollout, Now: f.Now})
			if err != nil {
				return fmt.Errorf("run %s: %w", run.Name, err)
			}
			f.placers = append(f.placers, placer)
			o.Placer, o.Rand = placer, rand.New(rand.NewPCG(f.First+uint64(s), 0))
			timelines = append(timelines, sim.NewTimeline(o))
		}
		f.timelines = append(f.timelines, timelines)
	}
	return nil
}

// step lets all replays go on by one step.
func (f *following) step(ctx context.Context, s *recording.Step) error {
	began := s.At.Add(-s.Length)
	if f.result.From.IsZero() {
		f.result.From = began
	}
	happened, err := f.objects(s, began)
	if err != nil {
		return err
	}
	if !f.warm && !began.Before(f.WarmUp) {
		f.warm, f.result.Blind = true, f.traffic.EdgeCount() == 0
		if f.WarmedUp != nil {
			if err := f.WarmedUp(); err != nil {
				return err
			}
		}
	}
	step := &sim.Step{
		At: s.At, Length: s.Length, Gap: s.Gap, Events: happened.Events, Edges: s.Edges,
		Traffic: f.merger.Merge(f.traffic, f.History.Declared(began), began),
	}
	if err := f.each(ctx, step, happened.Objects); err != nil {
		return err
	}
	f.traffic = f.observer.Observe(step, f.History.Replayable().Cluster)
	if f.warm {
		f.observer.Measure(step)
	}
	f.result.To = s.At
	f.result.Steps++
	if s.Gap {
		f.result.Gaps++
	}
	return nil
}

// objects returns what the changes of a step mean.
func (f *following) objects(s *recording.Step, began time.Time) (history.Happened, error) {
	switch {
	case f.Cluster == nil:
		return f.History.Apply(s.Changes)
	case len(s.Changes) > 0:
		c := s.Changes[0]
		return history.Happened{}, fmt.Errorf("%s:%d: the recording has objects itself; leave out --cluster", c.File, c.Line)
	case f.result.Steps == 0:
		return f.History.Begin(f.Cluster, began)
	}
	return history.Happened{}, nil
}

// each lets the replays go on side by side.
func (f *following) each(ctx context.Context, step *sim.Step, looksUp []kube.ObjectChange) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(f.Parallel, 1))
	group.Go(func() error { return f.recorded.Step(ctx, step) })
	placer := 0
	for _, timelines := range f.timelines {
		for _, timeline := range timelines {
			p := f.placers[placer]
			placer++
			group.Go(func() error {
				for _, c := range looksUp {
					if err := p.Change(c); err != nil {
						return err
					}
				}
				return timeline.Step(ctx, step)
			})
		}
	}
	return group.Wait()
}

func (f *following) end() (*Followed, error) {
	r := &f.result
	switch {
	case r.Steps == 0:
		return nil, errors.New("the recording has no step in it")
	case !f.warm:
		return nil, fmt.Errorf("the recording is too short: no whole step is after the warm-up, which ends at %s; the last step ends at %s. Record longer, or give --warm-up a shorter time, such as 0%%",
			f.WarmUp.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339))
	}
	r.Recorded = f.recorded.Course()
	if r.Recorded.Observed == 0 {
		return nil, fmt.Errorf("no traffic was observed after the warm-up, from %s to %s",
			r.Recorded.From.UTC().Format(time.RFC3339), r.To.UTC().Format(time.RFC3339))
	}
	for _, timelines := range f.timelines {
		var courses []*sim.Course
		for _, timeline := range timelines {
			courses = append(courses, timeline.Course())
		}
		r.Runs = append(r.Runs, courses)
	}
	r.Mean = f.observer.Mean()
	return r, nil
}
