package replay

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/replayinput"
	"github.com/vicinity-sched/vicinity/internal/report"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/internal/usage"
)

// RecordedRun is the name of the assignment that came with the input.
const RecordedRun = "recorded"

// DefaultRoute is the routing that is assumed where nobody asks for another one.
const DefaultRoute = everyService + "=PreferSameNode"

// RunNames are the runs that need no file.
func RunNames() []string { return append([]string{RecordedRun}, kubesim.BuiltInNames()...) }

// Plan is what a replay compares: assignments that are there, and configurations that
// make one.
type Plan struct {
	input    *Input
	options  Options
	order    sim.Order
	seeds    int
	given    []given
	runs     []kubesim.Run
	scale    locality.Scale
	baseline string
	// today and vicinity are the runs that the summary is about; "" for none.
	today, vicinity string
	warnings        []string
}

// given is an assignment that is measured as it is.
type given struct {
	name, title, from string
	assigned, idle    cluster.Assignment // idle pods take room and do not serve
}

// Plan reads the configurations and assignments of the options.
func (in *Input) Plan(o Options) (*Plan, error) {
	p := &Plan{input: in, options: o, seeds: o.Seeds}
	if err := p.chooseOrder(); err != nil {
		return nil, err
	}
	for _, name := range p.builtIns() {
		if err := p.addBuiltIn(name); err != nil {
			return nil, err
		}
	}
	for _, arg := range o.Assignments {
		if err := p.addAssignment(arg); err != nil {
			return nil, err
		}
	}
	for _, arg := range o.Configs {
		if err := p.addConfig(arg); err != nil {
			return nil, err
		}
	}
	if err := p.checkRoutes(); err != nil {
		return nil, err
	}
	p.chooseColumns()
	if err := p.chooseBaseline(); err != nil {
		return nil, err
	}
	return p, p.learnScale()
}

// Names are the names of all runs that the report will have, unless no Service of the
// input can be routed otherwise.
func (p *Plan) Names() []string {
	today := pass{given: p.given, runs: p.runs}
	assuming, _ := p.assuming(today)
	var names []string
	for _, ps := range []pass{today, assuming} {
		for _, g := range ps.given {
			names = append(names, g.name)
		}
		for _, run := range ps.runs {
			names = append(names, run.Name)
		}
	}
	return names
}

// chooseOrder takes the order that was asked for, or the one that fits the input.
func (p *Plan) chooseOrder() error {
	p.order = sim.Random
	if p.input.hasAssignment() {
		p.order = sim.Rollout
	}
	if p.options.Order != "" {
		var err error
		if p.order, err = sim.ParseOrder(p.options.Order); err != nil {
			return usage.Errorf("--%w", err)
		}
	}
	switch {
	case (p.order == sim.Rollout || p.order == sim.ScaleOut || p.order == sim.Consolidation) && !p.input.hasAssignment():
		return usage.Errorf("--order %s: %s has no assignment to begin with", p.order, p.input.name)
	case p.order == sim.Consolidation && p.input.timed != nil:
		return usage.Errorf("--order consolidation: goes with a cluster at one moment, not with %s, whose nodes come and go as recorded", p.input.name)
	case p.order == sim.ScaleOut && p.input.timed != nil:
		return usage.Errorf("--order scale-out: goes with a cluster at one moment, not with %s, whose pods come and go as recorded", p.input.name)
	case p.options.Rollouts > 1 && (p.order != sim.Rollout || p.input.timed != nil):
		return usage.Errorf("--rollouts %d: goes with --order rollout of a cluster at one moment", p.options.Rollouts)
	}
	if !p.order.Seeded() {
		p.seeds = 1
	}
	return nil
}

// builtIns are the runs that were asked for, or those that fit the input: the cost
// profile where there is a price.
func (p *Plan) builtIns() []string {
	if len(p.options.Runs) > 0 {
		return p.options.Runs
	}
	names := []string{kubesim.DefaultRun, kubesim.NetMARKSRun, kubesim.LatencyRun}
	if p.input.hasAssignment() {
		names = append([]string{RecordedRun}, names...)
	}
	if p.options.Price != nil {
		names = append(names, kubesim.CostRun)
	}
	return names
}

// renamed are built-in runs that had other names.
func renamed(name string) string {
	switch name {
	case "gain":
		return kubesim.LatencyRun
	case "gain-fair-load":
		return kubesim.FairLoadRun
	}
	return ""
}

func (p *Plan) addBuiltIn(name string) error {
	if name == RecordedRun {
		if !p.input.hasAssignment() {
			return usage.Errorf("--run %s: %s has no assignment", name, p.input.name)
		}
		recorded := given{name: name, title: "today's placement", from: "the input"}
		if p.input.still != nil {
			c := p.input.still.replayable.Cluster
			recorded.assigned, recorded.idle = c.Assigned, c.Idle
		}
		p.given = append(p.given, recorded)
		return nil
	}
	run, ok, err := kubesim.BuiltIn(name)
	switch {
	case err != nil:
		return err
	case renamed(name) != "":
		return usage.Errorf("--run %s: is called %s now", name, renamed(name))
	case !ok:
		return usage.Errorf("--run %q: must be one of %s", name, joined(RunNames()))
	}
	return p.add(run)
}

func (p *Plan) addConfig(arg string) error {
	name, path, named := strings.Cut(arg, "=")
	if !named {
		path = arg
		name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	config, err := schedulerconfig.Load(path)
	if err != nil {
		return usage.File("--scheduler-config", err)
	}
	return p.add(kubesim.Run{Name: name, Title: name, From: path, Config: config, Profile: p.options.Profile})
}

func (p *Plan) addAssignment(arg string) error {
	name, path, ok := strings.Cut(arg, "=")
	switch {
	case !ok || name == "" || path == "":
		return usage.Errorf("--assignment %q: want NAME=FILE", arg)
	case p.input.timed != nil:
		return usage.Errorf("--assignment does not go with %s, whose pods come and go", p.input.name)
	case p.taken(name):
		return usage.Errorf("two runs are called %q", name)
	}
	file, err := os.Open(path)
	if err != nil {
		return usage.File("--assignment", err)
	}
	defer file.Close()
	assigned, warnings, err := replayinput.ReadAssignment(file, path, p.input.still.replayable.Cluster)
	if err != nil {
		return usage.File("--assignment", err)
	}
	for _, w := range warnings {
		p.warnings = append(p.warnings, path+": "+w.String())
	}
	p.given = append(p.given, given{name: name, title: name, from: path, assigned: assigned})
	return nil
}

func (p *Plan) taken(name string) bool {
	return slices.ContainsFunc(p.given, func(g given) bool { return g.name == name }) ||
		slices.ContainsFunc(p.runs, func(r kubesim.Run) bool { return r.Name == name })
}

func (p *Plan) add(run kubesim.Run) error {
	if p.taken(run.Name) {
		return usage.Errorf("two runs are called %q; name one with NAME=FILE", run.Name)
	}
	p.runs = append(p.runs, run)
	return nil
}

// checkRoutes finds mistakes in the routes before anything is replayed, as far as the
// input tells; a recording tells the rest at the end of the warm-up.
func (p *Plan) checkRoutes() error {
	for _, arg := range p.options.Routes {
		if _, err := parseRoute(arg); err != nil {
			return err
		}
	}
	if p.input.still == nil {
		return nil
	}
	_, err := p.input.still.assuming(p.options.Routes)
	return err
}

// chooseColumns decides which runs the summary is about. Today is the assignment that
// was found, or else what kube-scheduler makes of the cluster. Vicinity is the first
// configuration of the user's own, else the cost profile where there is a price, else
// the latency profile.
func (p *Plan) chooseColumns() {
	for _, name := range []string{RecordedRun, kubesim.DefaultRun} {
		if p.today == "" && p.taken(name) {
			p.today = name
		}
	}
	for _, run := range p.runs {
		if slices.Contains(kubesim.BuiltInNames(), run.Name) {
			continue
		}
		if run.Config.Scores() {
			p.vicinity = run.Name
			return
		}
	}
	for _, name := range []string{kubesim.CostRun, kubesim.LatencyRun, kubesim.AvailabilityRun, kubesim.FairLoadRun} {
		if p.taken(name) {
			p.vicinity = name
			return
		}
	}
}

// assuming returns the pass of the assumed routing: of all runs where it was asked for,
// else of those that the summary is about; ok is false when there is none.
func (p *Plan) assuming(today pass) (assuming pass, ok bool) {
	asked := p.options.Routes != nil
	concerns := func(name string) bool { return asked || p.today != "" && (name == p.today || name == p.vicinity) }
	assuming = pass{routes: p.options.Routes, order: today.order, seeds: today.seeds}
	if !asked {
		assuming.routes = []string{DefaultRoute}
	}
	for _, g := range today.given {
		if concerns(g.name) {
			g.name, g.title = report.Assuming(g.name), g.title+report.AssumedTitle
			assuming.given = append(assuming.given, g)
		}
	}
	for _, run := range today.runs {
		if concerns(run.Name) {
			run.Name, run.Title = report.Assuming(run.Name), run.Title+report.AssumedTitle
			assuming.runs = append(assuming.runs, run)
		}
	}
	return assuming, len(assuming.given)+len(assuming.runs) > 0
}

// chooseBaseline puts the run that the others are compared with in front.
func (p *Plan) chooseBaseline() error {
	var names []string
	for _, g := range p.given {
		names = append(names, g.name)
	}
	for _, r := range p.runs {
		names = append(names, r.Name)
	}
	p.baseline = p.options.Baseline
	if p.baseline == "" {
		p.baseline = names[0]
	}
	if !slices.Contains(names, p.baseline) {
		return usage.Errorf("--baseline %q: there is no such run; the runs: %s", p.baseline, joined(names))
	}
	first := func(is bool) int {
		if is {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(p.given, func(a, b given) int { return first(a.name == p.baseline) - first(b.name == p.baseline) })
	slices.SortStableFunc(p.runs, func(a, b kubesim.Run) int { return first(a.Name == p.baseline) - first(b.Name == p.baseline) })
	return nil
}

// learnScale learns the levels that node labels tell in any of the configurations.
func (p *Plan) learnScale() error {
	var configs []*schedulerconfig.Config
	for _, run := range p.runs {
		if _, err := run.Config.TrafficLocality(); err != nil {
			return fmt.Errorf("%s: %w", run.From, err)
		}
		configs = append(configs, run.Config)
	}
	var err error
	if p.scale, err = schedulerconfig.Scale(configs...); err != nil {
		return fmt.Errorf("the configurations of the runs: %w; replay them one by one", err)
	}
	return nil
}

// label gives the nodes of a cluster their values of the scale's labels, so that traffic
// is measured at the levels that any of the configurations names.
func (p *Plan) label(r *history.Replayable) {
	r.Cluster.Scale = p.scale
	for i, node := range r.Nodes {
		r.Cluster.Nodes[i].Labels = kube.ValuesOf(node, p.scale)
	}
}

// learnBandwidth gives nodes their network capacity, by the label of the first
// configuration that names one.
func (p *Plan) learnBandwidth(r *history.Replayable) error {
	for _, run := range p.runs {
		profiles, err := run.Config.TrafficLocality()
		if err != nil {
			return fmt.Errorf("%s: %w", run.From, err)
		}
		for _, args := range profiles {
			capacity := args.NetworkCapacity
			if capacity == nil || capacity.Label == "" {
				continue
			}
			for i, node := range r.Nodes {
				r.Cluster.Nodes[i].Bandwidth = kube.Bandwidth(node, capacity.Label, *capacity.Unit)
			}
			return nil
		}
	}
	return nil
}

func joined(names []string) string { return strings.Join(names, ", ") }
