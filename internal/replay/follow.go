package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/replayinput"
	"github.com/vicinity-sched/vicinity/internal/report"
	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	"github.com/vicinity-sched/vicinity/internal/usage"
)

// followed is one pass over a recording.
type followed struct {
	plan    *Plan
	pass    pass
	in      *timed
	routes  []route
	history *history.History
	// checked is the cluster at the end of the warm-up, with the routes assumed.
	checked *still
}

// follow replays the runs of a pass over time.
func (p *Plan) follow(ctx context.Context, ps pass) (found *passed, err error) {
	in := p.input.timed
	if in.read {
		if in, err = in.again(ctx); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, in.close()) }()
	}
	in.read = true
	f, err := newFollowed(p, ps, in)
	if err != nil {
		return nil, err
	}
	warmUp, err := p.options.warmUpUntil(in.from, in.to)
	if err != nil {
		return nil, err
	}
	o := &p.options
	watch := &stepper{what: doing(ps), from: in.from, to: in.to, began: o.Now(), options: o}
	o.tell("%s: beginning...", watch.what)
	result, err := kubesim.Follow{
		Steps: in.steps, History: f.history, Cluster: in.cluster, Graph: telemetrysetup.GraphOptions(in.config), Declared: telemetrysetup.Declared(in.config), WarmUp: warmUp, Order: ps.order,
		Seeds: ps.seeds, First: o.FirstSeed, Parallel: o.Parallel, Now: o.Now, Timed: o.Timing, WarmedUp: f.check, Done: watch.done,
	}.Run(ctx, ps.runs)
	if err != nil {
		return nil, f.named(err)
	}
	if found, err = f.found(result); err != nil {
		return nil, f.named(err)
	}
	return found, nil
}

// named puts the input before an error that is about it.
func (f *followed) named(err error) error {
	if mistake := (usage.Error{}); errors.As(err, &mistake) {
		return err
	}
	return fmt.Errorf("%s: %w", f.in.name, err)
}

func newFollowed(p *Plan, ps pass, in *timed) (*followed, error) {
	f := &followed{plan: p, pass: ps, in: in}
	for _, arg := range ps.routes {
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
	var err error
	if f.history, err = history.New(assume); err != nil {
		return nil, err
	}
	f.history.SetScale(p.scale)
	f.history.Declare(telemetrysetup.DeclaredOrigins(in.config), in.config.Declared.Window.Duration)
	return f, nil
}

// assume returns a Service with the routes assumed.
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

// check looks at the cluster at the end of the warm-up before anything is placed: also
// at the routes that a later pass will assume, so that a mistake in them is found first.
func (f *followed) check() error {
	if len(f.history.Replayable().Nodes) == 0 && f.in.cluster == nil {
		return usage.Errorf("%s has no objects by the end of the warm-up; give the cluster with --cluster FILE", f.in.name)
	}
	cluster, _, err := f.history.Now(false)
	if err != nil {
		return fmt.Errorf("at the end of the warm-up: %w", err)
	}
	f.checked = &still{name: f.in.name, replayable: cluster}
	if f.pass.routes != nil {
		return f.checked.assume(f.pass.routes)
	}
	_, err = f.checked.assuming(f.plan.options.Routes)
	return err
}

// found measures every run of the pass.
func (f *followed) found(result *kubesim.Followed) (*passed, error) {
	end, warnings, err := f.history.Now(true)
	if err != nil {
		return nil, fmt.Errorf("at the end: %w", err)
	}
	end.Cluster.Edges = result.Mean
	in := &still{name: f.in.name, replayable: end}
	found := &passed{input: in.summary(), warnings: f.warnings(result)}
	for _, w := range warnings {
		found.warnings = append(found.warnings, "at the end: "+w.String())
	}
	if f.pass.routes != nil && f.checked != nil {
		found.assumed, found.warnings = f.checked.assumed, append(found.warnings, f.checked.warnings...)
	}
	recorded := result.Recorded
	found.input.BytesPerSecond, found.input.ExternalBytesPerSecond = recorded.Total, recorded.External
	found.input.SitesBytesPerSecond = recorded.WithSites
	found.input.From, found.input.To, found.input.WarmUpUntil = new(result.From.UTC()), new(result.To.UTC()), new(recorded.From.UTC())
	found.input.Gaps, found.input.LeftOut = result.Gaps, f.in.leftOut()
	universe := f.history.Replayable().Cluster
	add := func(name, title, config string, replayed bool, courses ...*sim.Course) {
		samples := make([]report.Sample, len(courses))
		lost := 0
		for i, course := range courses {
			samples[i] = report.NewCourseSample(universe, end.Cluster, course, replayed)
			lost += course.Lost
		}
		if lost > 0 {
			found.warnings = append(found.warnings, fmt.Sprintf("%s: %.3g pods lost their node and were placed again", name, float64(lost)/float64(len(courses))))
		}
		run := f.plan.run(name, title, config, f.pass, samples)
		run.Timeline = report.NewTimeline(courses)
		found.runs = append(found.runs, run)
	}
	for _, g := range f.pass.given {
		add(g.name, g.title, g.from, false, recorded)
	}
	for i, run := range f.pass.runs {
		add(run.Name, run.Title, run.From, true, result.Runs[i]...)
	}
	found.services, err = in.services()
	return found, err
}

// warnings are those about the recording and what was observed.
func (f *followed) warnings(result *kubesim.Followed) []string {
	all := append(f.in.warnings(), trafficWarnings(result.Mean)...)
	for _, w := range f.history.Warnings() {
		all = append(all, w.String())
	}
	if result.Blind && len(f.pass.runs) > 0 {
		all = append(all, "no traffic was observed in the warm-up: the first decisions know of none; give --warm-up a longer time")
	}
	return slices.Concat(all, replayinput.UnknownNames(result.Mean, f.history.Replayable().Cluster), result.Warnings())
}

// warmUpUntil returns when the warm-up ends: after half of the time unless
// WarmUp says so.
func (o *Options) warmUpUntil(from, to time.Time) (time.Time, error) {
	length := to.Sub(from)
	if o.WarmUp == "" {
		return from.Add(length / 2), nil
	}
	warmUp, err := time.ParseDuration(o.WarmUp)
	if share, isShare := parseShare(o.WarmUp); isShare {
		warmUp, err = time.Duration(share*float64(length)), nil
	}
	if err != nil || warmUp < 0 {
		return from, usage.Errorf("--warm-up %q: must be a duration such as 30m, or a share such as 50%%", o.WarmUp)
	}
	if warmUp >= length {
		return from, usage.Errorf("--warm-up %s: must be shorter than the input, %s", o.WarmUp, show.Duration(length))
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
