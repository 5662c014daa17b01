package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/replayinput"
	"github.com/vicinity-sched/vicinity/internal/replayreport"
)

// followed is a replay over time.
type followed struct {
	in      *timedInput
	o       replayOptions
	order   sim.Order
	plan    *replayPlan
	routes  []route
	history *history.History
	// checked is the cluster at the end of the warm-up, with what --route made of it.
	checked *replayInput
}

// follow replays a recording or a data directory.
func follow(ctx context.Context, s streams, now func() time.Time, in *timedInput, o replayOptions) (err error) {
	defer func() { err = errors.Join(err, in.close()) }()
	f, err := newFollowed(in, o)
	if err != nil {
		return err
	}
	warmUp, err := o.warmUpUntil(in.from, in.to)
	if err != nil {
		return err
	}
	seeds := o.seeds
	if !f.order.Seeded() {
		seeds = 1
	}
	watch := &followProgress{out: s.progress, from: in.from, to: in.to, began: now(), now: now}
	result, err := kubesim.Follow{
		Steps: in.steps, History: f.history, Cluster: in.cluster, Graph: in.graph, WarmUp: warmUp, Order: f.order,
		Seeds: seeds, First: o.firstSeed, Parallel: o.parallel, Now: now, Timed: o.timing, WarmedUp: f.check, Done: watch.done,
	}.Run(ctx, f.plan.replayed)
	clearLine(s.progress)
	if err != nil {
		return f.named(err)
	}
	report, err := f.report(result, seeds)
	if err != nil {
		return f.named(err)
	}
	return o.render(report, s.out)
}

// named puts the input before an error that is about it.
func (f *followed) named(err error) error {
	if mistake := (usageError{}); errors.As(err, &mistake) {
		return err
	}
	return fmt.Errorf("%s: %w", f.in.name, err)
}

func newFollowed(in *timedInput, o replayOptions) (*followed, error) {
	switch {
	case len(o.assignments) > 0:
		return nil, usageErrorf("--assignment does not go with %s, whose pods come and go", in.name)
	case o.write != "":
		return nil, usageErrorf("--write does not go with %s, which goes on over time", in.name)
	}
	f := &followed{in: in, o: o, order: sim.Rollout}
	if o.order != "" {
		var err error
		if f.order, err = sim.ParseOrder(o.order); err != nil {
			return nil, usageErrorf("--%w", err)
		}
	}
	// What pods there are is known at the end of the warm-up.
	unknown := &replayInput{name: in.name, replayable: &history.Replayable{Cluster: &cluster.Cluster{Assigned: cluster.Assignment{}}}}
	plan, err := planRuns(unknown, o)
	if err != nil {
		return nil, err
	}
	f.plan = plan
	for _, arg := range o.routes {
		r, err := parseRoute(arg)
		if err != nil {
			return nil, err
		}
		f.routes = append(f.routes, r)
	}
	var assume func(*corev1.Service) *corev1.Service
	if len(f.routes) > 0 {
		assume = f.assume
	}
	if f.history, err = history.New(assume); err != nil {
		return nil, err
	}
	scale, err := plan.scale()
	f.history.SetScale(scale)
	return f, err
}

// assume returns a Service as the flags --route say.
func (f *followed) assume(s *corev1.Service) *corev1.Service {
	for _, r := range f.routes {
		if f.concerns(r, s) {
			s = r.assume(s)
		}
	}
	return s
}

// concerns reports whether a route is for a Service: for all, for that of the name,
// or if there is none for those of the workload.
func (f *followed) concerns(r route, s *corev1.Service) bool {
	if r.service == everyService || r.service == s.Namespace+"/"+s.Name {
		return true
	}
	namespace, name, _ := strings.Cut(r.service, "/")
	template := f.history.Workload(flowgraph.WorkloadID{Namespace: namespace, Name: name})
	return template != nil && !f.history.HasService(namespace, name) && selects(s, template)
}

// check looks at the cluster at the end of the warm-up before anything is placed.
func (f *followed) check() error {
	if len(f.history.Replayable().Nodes) == 0 && f.in.cluster == nil {
		return usageErrorf("%s has no objects by the end of the warm-up; give the cluster with --cluster FILE", f.in.name)
	}
	cluster, _, err := f.history.Now(false)
	if err != nil {
		return fmt.Errorf("at the end of the warm-up: %w", err)
	}
	f.checked = &replayInput{name: f.in.name, replayable: cluster}
	return f.checked.assume(f.o.routes)
}

// report measures every run and puts them side by side.
func (f *followed) report(result *kubesim.Followed, seeds int) (*replayreport.Report, error) {
	end, warnings, err := f.history.Now(true)
	if err != nil {
		return nil, fmt.Errorf("at the end: %w", err)
	}
	if err := f.plan.learnLevels(end); err != nil {
		return nil, err
	}
	end.Cluster.Edges = result.Mean
	in := &replayInput{name: f.in.name, replayable: end, warnings: append(f.in.warnings(), trafficWarnings(result.Mean)...)}
	for _, w := range f.history.Warnings() {
		in.warnings = append(in.warnings, w.String())
	}
	for _, w := range warnings {
		in.warnings = append(in.warnings, "at the end: "+w.String())
	}
	if f.checked != nil {
		in.assumed, in.warnings = f.checked.assumed, append(in.warnings, f.checked.warnings...)
	}
	if result.Blind && len(f.plan.replayed) > 0 {
		in.warnings = append(in.warnings, "no traffic was observed in the warm-up: the first decisions know of none; give --warm-up a longer time")
	}
	r := &replayreport.Report{
		Input: in.summary(), Order: f.order.String(), Seeds: seeds, FirstSeed: f.o.firstSeed,
		PricePerGB: f.o.price, Baseline: f.plan.baseline, Assumed: in.assumed,
	}
	recorded := result.Recorded
	r.Input.BytesPerSecond, r.Input.ExternalBytesPerSecond = recorded.Total, recorded.External
	r.Input.From, r.Input.To, r.Input.WarmUpUntil = new(result.From.UTC()), new(result.To.UTC()), new(recorded.From.UTC())
	r.Input.Gaps, r.Input.LeftOut = result.Gaps, f.in.leftOut()
	universe := f.history.Replayable().Cluster
	add := func(name, config string, replayed bool, courses ...*sim.Course) {
		samples := make([]replayreport.Sample, len(courses))
		lost := 0
		for i, course := range courses {
			samples[i] = replayreport.NewCourseSample(universe, end.Cluster, course, replayed)
			lost += course.Lost
		}
		if lost > 0 {
			in.warnings = append(in.warnings, fmt.Sprintf("%s: %.3g pods lost their node and were placed again", name, float64(lost)/float64(len(courses))))
		}
		run := replayreport.NewRun(name, config, samples, f.o.price, f.o.timing)
		run.Timeline = replayreport.NewTimeline(courses)
		r.Runs = append(r.Runs, run)
	}
	for _, given := range f.plan.given {
		add(given.name, given.from, false, recorded)
	}
	for i, run := range f.plan.replayed {
		add(run.Name, run.From, true, result.Runs[i]...)
	}
	r.Warnings = slices.Concat(in.warnings, replayinput.UnknownNames(result.Mean, universe), kubesim.Warnings(f.plan.replayed), result.Warnings(), kubesim.SeedsWarning(f.order, f.o.askedSeeds))
	settable, excepted, err := in.settable()
	if err != nil {
		return nil, err
	}
	r.Advise(settable, excepted, recordedRun, gainRun)
	return r, nil
}

// warmUpUntil returns when the warm-up ends: after half of the time unless
// --warm-up says so.
func (o replayOptions) warmUpUntil(from, to time.Time) (time.Time, error) {
	length := to.Sub(from)
	if o.warmUp == "" {
		return from.Add(length / 2), nil
	}
	warmUp, err := time.ParseDuration(o.warmUp)
	if share, isShare := parseShare(o.warmUp); isShare {
		warmUp, err = time.Duration(share*float64(length)), nil
	}
	if err != nil || warmUp < 0 {
		return from, usageErrorf("--warm-up %q: must be a duration such as 30m, or a share such as 50%%", o.warmUp)
	}
	if warmUp >= length {
		return from, usageErrorf("--warm-up %s: must be shorter than the input, %s", o.warmUp, duration(length))
	}
	return from.Add(warmUp), nil
}

// parseShare reads "0.5" and "50%".
func parseShare(s string) (share float64, ok bool) {
	number, percent := strings.CutSuffix(s, "%")
	share, err := strconv.ParseFloat(number, 64)
	if percent {
		share /= 100
	}
	return share, err == nil && share >= 0 && share <= 1
}

// followProgress tells a terminal how far a replay is.
type followProgress struct {
	out      io.Writer // nil when nobody watches
	from, to time.Time
	began    time.Time
	shown    time.Time
	now      func() time.Time
}

func (p *followProgress) done(at time.Time) {
	const often = 200 * time.Millisecond
	now := p.now()
	if p.out == nil || now.Sub(p.shown) < often || !at.After(p.from) {
		return
	}
	p.shown = now
	share := min(float64(at.Sub(p.from))/float64(max(p.to.Sub(p.from), 1)), 1)
	left := time.Duration(float64(now.Sub(p.began)) * (1 - share) / share)
	fmt.Fprintf(p.out, "%sat %s, %.0f %% of the time, %v left...", eraseLine, moment(at), 100*share, left.Round(time.Second))
}
