package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/replayinput"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
)

// replayPlan is what a replay compares: assignments that are there, and
// configurations that make one.
type replayPlan struct {
	given    []givenAssignment
	replayed []kubesim.Run
	baseline string
}

type givenAssignment struct {
	name, from     string
	assigned, idle cluster.Assignment // idle pods take room and do not serve
}

// recordedRun is the name of the assignment that came with the input.
const recordedRun = "recorded"

// gainRun is the built-in run with which Services are ranked.
const gainRun = "gain"

func builtInNames() []string { return append([]string{recordedRun}, kubesim.BuiltInNames()...) }

func joined(names []string) string { return strings.Join(names, ", ") }

// planRuns reads the configurations and assignments.
func planRuns(in *replayInput, o replayOptions) (*replayPlan, error) {
	p := &replayPlan{baseline: o.baseline}
	names := o.runs
	if len(names) == 0 {
		names = builtInNames()
		if in.replayable.Cluster.Assigned == nil {
			names = names[1:]
		}
	}
	for _, name := range names {
		if err := p.addBuiltIn(name, in); err != nil {
			return nil, err
		}
	}
	for _, arg := range o.assignments {
		if err := p.addAssignment(arg, in); err != nil {
			return nil, err
		}
	}
	for _, arg := range o.configs {
		name, path, named := strings.Cut(arg, "=")
		if !named {
			path = arg
			name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		}
		config, err := schedulerconfig.Load(path)
		if err != nil {
			return nil, err
		}
		if err := p.add(kubesim.Run{Name: name, From: path, Config: config, Profile: o.profile}); err != nil {
			return nil, err
		}
	}
	return p, p.chooseBaseline()
}

// scale returns the levels that node labels tell in any of the configurations.
func (p *replayPlan) scale() (locality.Scale, error) {
	var configs []*schedulerconfig.Config
	for _, run := range p.replayed {
		if _, err := run.Config.TrafficLocality(); err != nil {
			return nil, fmt.Errorf("%s: %w", run.From, err)
		}
		configs = append(configs, run.Config)
	}
	scale, err := schedulerconfig.Scale(configs...)
	if err != nil {
		return nil, fmt.Errorf("the configurations of the runs: %w; replay them one by one", err)
	}
	return scale, nil
}

// learnLevels has traffic measured at the levels that any of the configurations names.
func (p *replayPlan) learnLevels(r *history.Replayable) (err error) {
	if r.Cluster.Scale, err = p.scale(); err != nil {
		return err
	}
	for i, node := range r.Nodes {
		r.Cluster.Nodes[i].Labels = kube.ValuesOf(node, r.Cluster.Scale)
	}
	return nil
}

// learnBandwidth has the nodes' network capacity measured against, by the label of the
// first configuration that names one.
func (p *replayPlan) learnBandwidth(in *replayInput) error {
	for _, run := range p.replayed {
		profiles, err := run.Config.TrafficLocality()
		if err != nil {
			return fmt.Errorf("%s: %w", run.From, err)
		}
		for _, args := range profiles {
			capacity := args.NetworkCapacity
			if capacity == nil || capacity.Label == "" {
				continue
			}
			for i, node := range in.replayable.Nodes {
				in.replayable.Cluster.Nodes[i].Bandwidth = kube.Bandwidth(node, capacity.Label, *capacity.Unit)
			}
			return nil
		}
	}
	return nil
}

// chooseBaseline puts the run that the others are compared with in front.
func (p *replayPlan) chooseBaseline() error {
	var names []string
	for _, g := range p.given {
		names = append(names, g.name)
	}
	for _, r := range p.replayed {
		names = append(names, r.Name)
	}
	if p.baseline == "" {
		p.baseline = names[0]
	}
	if !slices.Contains(names, p.baseline) {
		return usageErrorf("--baseline %q: there is no such run; there are %s", p.baseline, joined(names))
	}
	first := func(is bool) int {
		if is {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(p.given, func(a, b givenAssignment) int { return first(a.name == p.baseline) - first(b.name == p.baseline) })
	slices.SortStableFunc(p.replayed, func(a, b kubesim.Run) int { return first(a.Name == p.baseline) - first(b.Name == p.baseline) })
	return nil
}

func (p *replayPlan) taken(name string) bool {
	return slices.ContainsFunc(p.given, func(g givenAssignment) bool { return g.name == name }) ||
		slices.ContainsFunc(p.replayed, func(r kubesim.Run) bool { return r.Name == name })
}

func (p *replayPlan) add(run kubesim.Run) error {
	if p.taken(run.Name) {
		return usageErrorf("two runs are called %q; name one with NAME=FILE", run.Name)
	}
	p.replayed = append(p.replayed, run)
	return nil
}

func (p *replayPlan) addBuiltIn(name string, in *replayInput) error {
	if name == recordedRun {
		if in.replayable.Cluster.Assigned == nil {
			return usageErrorf("--run %s: %s has no assignment", name, in.name)
		}
		p.given = append(p.given, givenAssignment{name, "the input", in.replayable.Cluster.Assigned, in.replayable.Cluster.Idle})
		return nil
	}
	run, ok, err := kubesim.BuiltIn(name)
	if err != nil {
		return err
	}
	if !ok {
		return usageErrorf("--run %q: must be one of %s", name, joined(builtInNames()))
	}
	return p.add(run)
}

func (p *replayPlan) addAssignment(arg string, in *replayInput) error {
	name, path, ok := strings.Cut(arg, "=")
	if !ok || name == "" || path == "" {
		return usageErrorf("--assignment %q: want NAME=FILE", arg)
	}
	if p.taken(name) {
		return usageErrorf("two runs are called %q", name)
	}
	file, err := os.Open(path)
	if err != nil {
		return err // names the path
	}
	defer file.Close()
	assigned, warnings, err := replayinput.ReadAssignment(file, path, in.replayable.Cluster)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		in.warnings = append(in.warnings, path+": "+w.String())
	}
	p.given = append(p.given, givenAssignment{name: name, from: path, assigned: assigned})
	return nil
}
