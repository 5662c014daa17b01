package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Step is what happens in a cluster between two moments.
type Step struct {
	// At is the end of the step, Length how long it lasts.
	At     time.Time
	Length time.Duration
	// Gap means that no traffic was observed: then nothing is measured.
	Gap bool
	// Events are in order of time.
	Events []Event
	// Edges are mean rates over the step, with one entry for each pair of
	// workloads at most in each direction. An end that is not among the cluster's
	// workloads is outside the cluster.
	Edges []flowgraph.Edge
	// Traffic is what had been observed before the step: what decisions in it
	// rest on.
	Traffic *flowgraph.Snapshot
}

// start is when the step begins.
func (s *Step) start() time.Time { return s.At.Add(-s.Length) }

// ClusterPlacer is a Placer for a cluster that changes.
type ClusterPlacer interface {
	Placer
	// SetNode says that a node is there, or that it has changed.
	SetNode(node int32) error
	// RemoveNode says that a node is gone. No pod is on it.
	RemoveNode(node int32) error
	// Advance sets the time at which the next decisions are made.
	Advance(now time.Time)
}

// Timeline is one run over a recording. It follows it step by step and holds
// nothing of the steps that are over but sums.
//
// Until the warm-up ends, and without a Placer all the time, every pod is where
// it is in the recording. At the end of the warm-up the Placer takes over the
// cluster as it is then, as the Order says:
//
//   - Rollout: every workload is restarted once, one after the other in a random
//     order, each pod with a surge of one.
//   - Recorded: every pod stays where it is.
//   - Random, ByWorkload: the cluster is emptied, and the pods that there are
//     arrive anew.
//
// From then on every pod of the run stands for one pod of the recording. When a
// pod arrives there, one arrives here and is placed; when it leaves there, the
// one that stands for it leaves. So there are as many pods as in the recording
// at every moment, as far as they fit. When a node goes, the pods that this run
// has on it are lost, and others are placed at once in their stead. A pod that
// fits nowhere is tried again when a node or another pod has changed. Pods of
// Fixed workloads are where they are in the recording.
//
// The traffic is measured after the warm-up, at every moment by the pods that
// serve then: those that do in the recording, where they have a node and are
// ready. In a run, the pods that stand for them do, where they have a node.
type Timeline struct {
	o      TimelineOptions
	active ClusterPlacer // nil while the recording decides; the pods' Placer
	began  bool          // whether the warm-up is over

	pods     pods       // by the ordinals of the recording
	recorded []recorded // by workload
	next     []int32    // by workload: the next ordinal for the Placer
	up       []bool     // by node
	waiting  []Pod      // those that fitted nowhere
	freed    bool       // whether there may be room for them now

	meter  *meter
	curve  curve
	course Course
}

// TimelineOptions is what a run is made of.
type TimelineOptions struct {
	// Cluster has the nodes and the workloads that have been seen by now: between
	// two steps it may grow at the end and change, but for the names. Assigned
	// and Edges are not looked at.
	Cluster *cluster.Cluster
	// Placer decides after the warm-up; nil leaves that to the recording.
	Placer ClusterPlacer
	// Order is how the Placer takes over.
	Order Order
	// Rand is asked for the order.
	Rand *rand.Rand
	// WarmUp is when the warm-up ends: at the beginning of the first step that
	// does not begin before.
	WarmUp time.Time
	// Timed keeps the time of each decision.
	Timed bool
}

// NewTimeline returns a run over a recording that has not begun.
func NewTimeline(o TimelineOptions) *Timeline {
	t := &Timeline{o: o, pods: pods{c: o.Cluster, timed: o.Timed}}
	t.grow()
	t.meter = newMeter(o.Cluster, func(w int32) []int32 { return t.pods.in(serving, w) })
	t.pods.touched = t.meter.touch
	t.curve.zone = slices.Index(o.Cluster.Scale.Levels(), locality.Zone)
	return t
}

// recorded is where the pods of a workload are in the recording, by their ordinals.
type recorded map[int32]*recordedPod

type recordedPod struct {
	node    int32 // Anywhere while it has none; it may be gone
	unready bool
}

// serves reports whether a pod does so in the recording, if its node is up.
func (p *recordedPod) serves() bool { return p.node != Anywhere && !p.unready }

// Step goes on by one step. After an error the run is of no more use. The orders
// Consolidation and ScaleOut are always an error: the nodes and pods of a recording come
// and go by themselves.
func (t *Timeline) Step(ctx context.Context, s *Step) error {
	if t.o.Order == Consolidation || t.o.Order == ScaleOut {
		return fmt.Errorf("order %s: cannot be used with a recording over time", t.o.Order)
	}
	t.grow()
	if err := t.meter.begin(s, t.o.Cluster); err != nil {
		return err
	}
	if !t.began && !s.start().Before(t.o.WarmUp) {
		t.began, t.course.From = true, s.start()
		if err := t.takeOver(ctx, s); err != nil {
			return fmt.Errorf("at the end of the warm-up: %w", err)
		}
	} else if t.active != nil {
		t.active.Advance(s.start())
		t.active.Observe(s.Traffic)
	}
	for _, e := range s.Events {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("replaying: %w", err)
		}
		t.meter.advance(e.At.Sub(s.start()))
		if err := t.apply(ctx, e); err != nil {
			return fmt.Errorf("replaying what happens at %s: %w", e.At.UTC().Format(time.RFC3339), err)
		}
	}
	if err := t.retry(ctx); err != nil {
		return err
	}
	kept := t.meter.end(t.began)
	t.course.To = s.At
	t.curve.add(s, kept, t.pods.placed, t.nodes(), t.meter.layout.HasZones())
	return nil
}

// grow makes room for what is new in the cluster.
func (t *Timeline) grow() {
	t.pods.grow()
	for len(t.recorded) < len(t.o.Cluster.Workloads) {
		t.recorded, t.next = append(t.recorded, recorded{}), append(t.next, 0)
	}
	for len(t.up) < len(t.o.Cluster.Nodes) {
		t.up = append(t.up, false)
	}
}

// follows reports whether the pods of a workload are where the recording has
// them.
func (t *Timeline) follows(workload int32) bool {
	return t.active == nil || t.o.Cluster.Workloads[workload].Fixed
}

func (t *Timeline) nodes() (n int) {
	for _, up := range t.up {
		if up {
			n++
		}
	}
	return n
}

// Course is what a run over a recording leaves behind.
type Course struct {
	// From and To are what was measured: after the warm-up. From is zero when the
	// recording ended before.
	From, To time.Time
	// Observed is the part of it that is no gap. Everything below is a mean over
	// it, in bytes per second.
	Observed time.Duration
	// Total, External, WithSites, Unserved and Levels are as in cut.Outcome, of all levels
	// at which any node has a domain.
	Total, External, WithSites, Unserved float64
	Levels                               []cut.LevelOutcome
	// Assigned is where the serving pods are at the end, Idle where those are that
	// take room and do not serve.
	Assigned, Idle cluster.Assignment
	// Unschedulable is how many pods fitted nowhere when they arrived.
	Unschedulable int
	// Lost is how many pods lost their node and were placed again.
	Lost int
	// Decisions is how often the Placer was asked to choose; Took has the time of
	// each, if that was asked for.
	Decisions int
	Took      []time.Duration
	// Moments are the whole recording, the warm-up included, at a few hundred
	// moments at most.
	Moments []Moment
}

// Course returns what the run has come to.
func (t *Timeline) Course() *Course {
	c := t.course
	c.Assigned, c.Idle = t.pods.assignments()
	c.Decisions, c.Took = t.pods.decisions, t.pods.took
	t.meter.report(&c)
	c.Moments = t.curve.moments()
	return &c
}
