// Package recorder records a cluster: what its telemetry sources see at every
// step, and its objects with what happens to them. It has no files: it writes to
// a recording.Writer.
package recorder

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/recording"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// Options is what a recording is made from. Every field is required unless it says
// otherwise.
type Options struct {
	Sources []telemetry.Source
	// Preferences say which of them count alone in some namespaces; nil is none.
	Preferences telemetry.Preferences
	// Endpoints is what the sources look endpoints up in, which the Recorder keeps up to
	// date; nil where none of them does.
	Endpoints *endpoints.Store
	Querier   telemetry.Querier
	Client    dynamic.Interface
	Step      time.Duration
	Now       func() time.Time
	// Wait returns after so long, or with the error of ctx when that ends.
	Wait func(ctx context.Context, d time.Duration) error
	// Progress is told of every step that has been written, and when the first one
	// begins; nil where nobody watches.
	Progress func(Progress)
	// Anonymize renames; nil keeps the names.
	Anonymize Anonymizer
}

// Progress is how far a recording is.
type Progress struct {
	Steps, Gaps, All int // All is how many steps there will be
	Left             time.Duration
}

// Summary is what was recorded.
type Summary struct {
	From, To    time.Time
	Steps, Gaps int
	// Edges is how many different ones there were, at most recording.MaxEdges.
	Edges int
	// BytesPerSecond is the mean over the steps that were observed, and SitesBytesPerSecond
	// the part of it with sites.
	BytesPerSecond, SitesBytesPerSecond float64
	// Objects is how many were there at the beginning or were added, Changes how
	// many changes and deletions followed.
	Objects, Changes int
	// LastFailure is why the last of the gaps is one.
	LastFailure error
	// LeftOut is the traffic that is in none of the edges.
	LeftOut []telemetry.LeftOutBytes
	// Findings say what is wrong with the telemetry. Notes do not repeat them.
	Findings []telemetry.Lasted
	// Notes say what was not seen.
	Notes []Note
}

// Recorder is one recording under way.
type Recorder struct {
	o       Options
	kinds   []objects.Kind // that may be read
	asker   *telemetry.Asker
	account telemetry.Account // of the goroutine that asks

	mu      sync.Mutex // guards what follows: objects and edges come at the same time
	writer  *recording.Writer
	objects map[objectKey]recorded
	edges   map[[2]flowgraph.WorkloadID]bool
	sum     Summary
	bytes   float64 // sum over the steps that were observed
	sites   float64 // of it, with sites
	leading int     // gaps without traffic that come before all else
	notes   notes
	err     error // of the writer
	stop    context.CancelCauseFunc
}

// New finds out what there is to record and whether it may be read, and asks the
// sources once: what cannot work is an error before there is any file. A source
// that sees no traffic yet is a note. With live, objects must be watchable.
func New(ctx context.Context, o Options, live bool) (*Recorder, error) {
	r := &Recorder{
		o: o, objects: map[objectKey]recorded{}, edges: map[[2]flowgraph.WorkloadID]bool{},
		asker: telemetry.NewAsker(o.Sources, o.Preferences, o.Querier),
	}
	if o.Endpoints != nil {
		if err := ReadEndpoints(ctx, o.Client, o.Endpoints); err != nil {
			return nil, err
		}
	}
	if _, err := telemetry.NewAsker(o.Sources, o.Preferences, o.Querier).Observe(ctx, o.Now()); err != nil {
		if telemetry.FailureOf(err) != telemetry.Empty {
			return nil, err
		}
		r.notes.add(Note{Code: NoTrafficYet, Detail: err.Error()})
	}
	if err := r.probe(ctx, live); err != nil {
		return nil, err
	}
	return r, nil
}

// Past records a time that has gone by, as far as the sources still know it. Of
// the objects only the present state is known.
func (r *Recorder) Past(ctx context.Context, w *recording.Writer, from, to time.Time) (Summary, error) {
	ctx = r.begin(ctx, w, from)
	later, err := r.present(ctx, from, to)
	if err != nil {
		return r.end(ctx, err)
	}
	r.notes.add(Note{Code: OnlyPresent})
	all := int(to.Sub(from) / r.o.Step)
	began := r.o.Now()
	for i := range all {
		at := from.Add(time.Duration(i+1) * r.o.Step)
		for len(later) > 0 && !later[0].At.After(at) {
			if err := r.write(later[0]); err != nil {
				return r.end(ctx, err)
			}
			later = later[1:]
		}
		if err := r.step(ctx, at); err != nil {
			return r.end(ctx, err)
		}
		took := r.o.Now().Sub(began)
		r.progress(all, took/time.Duration(i+1)*time.Duration(all-i-1))
	}
	return r.end(ctx, nil)
}

// Live records from now on.
func (r *Recorder) Live(ctx context.Context, w *recording.Writer, from, to time.Time) (Summary, error) {
	ctx = r.begin(ctx, w, from)
	watches := r.watch(ctx)
	err := r.steps(ctx, from, to)
	r.stop(nil)
	watches.Wait()
	return r.end(ctx, err)
}

// steps observes at the end of each step. Where asking takes longer than a step,
// those that have passed meanwhile are gaps: a slow server is not asked faster.
func (r *Recorder) steps(ctx context.Context, from, to time.Time) error {
	all := int(to.Sub(from) / r.o.Step)
	r.progress(all, to.Sub(from)) // the first step may be long
	for i := range all {
		at := from.Add(time.Duration(i+1) * r.o.Step)
		wait := at.Sub(r.o.Now())
		if wait < -r.o.Step && i+1 < all {
			if err := r.writeStep(at, nil, errors.New("the sources take longer to answer than a step lasts")); err != nil {
				return err
			}
			continue
		}
		if err := r.o.Wait(ctx, max(0, wait)); err != nil {
			return err
		}
		if err := r.step(ctx, at); err != nil {
			return err
		}
		r.progress(all, to.Sub(at))
	}
	return nil
}

// begin returns a context that ends when nothing can be written any more.
func (r *Recorder) begin(ctx context.Context, w *recording.Writer, from time.Time) context.Context {
	r.writer, r.sum.From, r.sum.To = w, from, from
	ctx, r.stop = context.WithCancelCause(ctx)
	return ctx
}

// end completes the summary. The end of the caller's context is not an error:
// what has been recorded is a result.
func (r *Recorder) end(ctx context.Context, err error) (Summary, error) {
	r.stop(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.err != nil:
		err = r.err
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		err = nil
	}
	if r.leading > 0 && r.leading < r.sum.Steps {
		before := r.sum.From.Add(time.Duration(r.leading) * r.o.Step)
		r.notes.all = append(r.notes.all, Note{Code: LeadingGaps, Count: r.leading, Before: before})
	}
	r.sum.Edges, r.sum.Notes = len(r.edges), r.notes.all
	r.sum.LeftOut, r.sum.Findings = r.account.LeftOut(), r.account.Findings()
	if n := r.sum.Steps - r.sum.Gaps; n > 0 {
		r.sum.BytesPerSecond, r.sum.SitesBytesPerSecond = r.bytes/float64(n), r.sites/float64(n)
	}
	return r.sum, err
}

func (r *Recorder) progress(all int, left time.Duration) {
	if r.o.Progress != nil {
		r.o.Progress(Progress{Steps: r.sum.Steps, Gaps: r.sum.Gaps, All: all, Left: left})
	}
}

// step observes and writes one step. A failure of the sources is a gap.
func (r *Recorder) step(ctx context.Context, at time.Time) error {
	seen, failed := r.asker.Observe(ctx, at)
	if err := ctx.Err(); err != nil {
		return err
	}
	r.account.Add(seen, r.o.Step)
	return r.writeStep(at, seen.Flows, failed)
}

func (r *Recorder) writeStep(at time.Time, flows []flowgraph.Flow, failed error) error {
	var edges []flowgraph.Edge
	invalid := 0
	for _, f := range flows {
		if f.From.IsZero() || f.To.IsZero() || !f.Valid() {
			invalid++
			continue
		}
		e := flowgraph.Edge{From: f.From, To: f.To, Rates: f.Rates, ObservedAt: at}
		if r.o.Anonymize != nil {
			e.From, e.To = r.o.Anonymize.Workload(e.From), r.o.Anonymize.Workload(e.To)
		}
		edges = append(edges, e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	if err := r.writer.Step(at, edges); err != nil {
		return r.broken(err)
	}
	r.sum.To = at
	r.sum.Steps++
	if invalid > 0 {
		r.notes.add(Note{Code: InvalidRates})
	}
	if len(edges) == 0 {
		if r.leading == r.sum.Gaps && r.sum.Gaps == r.sum.Steps-1 && telemetry.FailureOf(failed) == telemetry.Empty {
			r.leading++
		}
		r.sum.Gaps++
		if failed != nil {
			r.sum.LastFailure = failed
		}
	}
	for _, e := range edges {
		r.bytes += e.BytesPerSecond()
		if e.From.IsSite() || e.To.IsSite() {
			r.sites += e.BytesPerSecond()
		}
		if len(r.edges) < recording.MaxEdges {
			r.edges[[2]flowgraph.WorkloadID{e.From, e.To}] = true
		}
	}
	return nil
}

// write writes a change. The caller does not hold the lock.
func (r *Recorder) write(c recording.Change) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writeLocked(c)
}

func (r *Recorder) writeLocked(c recording.Change) error {
	if r.err != nil {
		return r.err
	}
	if err := r.writer.Change(c); err != nil {
		return r.broken(err)
	}
	if c.Type == recording.Added {
		r.sum.Objects++
	} else {
		r.sum.Changes++
	}
	return nil
}

// broken keeps the writer's error and ends everything.
func (r *Recorder) broken(err error) error {
	r.err = err
	r.stop(err)
	return err
}
