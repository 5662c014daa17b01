// Package replay places the pods of a cluster in memory under several scheduler
// configurations and reports what becomes of its traffic. Load reads the input, a
// cluster at one moment or a recording over time; Plan reads the configurations and
// decides which runs there are; Run replays them and makes the report. How pods are
// placed is the business of package kubesim, and what a report shows that of package
// report.
package replay

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/price"
	"github.com/vicinity-sched/vicinity/internal/report"
	"github.com/vicinity-sched/vicinity/internal/usage"
)

// Options says what is replayed and how. Errors about them name the flags of the
// command line that they come from.
type Options struct {
	// Cluster is a file with the cluster's objects, for an input that has none.
	Cluster string
	// Configs are scheduler configurations, [NAME=]FILE each, and Profile the
	// schedulerName in them that places all pods; empty: the first.
	Configs []string
	Profile string
	// Runs are names of RunNames; nil: all that fit the input and the price.
	Runs []string
	// Assignments are NAME=FILE each.
	Assignments []string
	// Routes are SERVICE=POLICY each: the routing that is assumed beside today's. nil:
	// DefaultRoute, for the summary alone.
	Routes []string
	// Order is the order in which pods arrive; empty: the one that fits the input.
	Order string
	// Rollouts is how many rollouts follow one another.
	Rollouts int
	// Seeds is the number of replays of each run, with the seeds FirstSeed,
	// FirstSeed+1, ...; Parallel is how many go on at a time.
	Seeds     int
	FirstSeed uint64
	Parallel  int
	// AskedSeeds is Seeds where somebody asked for that number; 0 for the default.
	AskedSeeds int
	// Baseline is the run that the others are compared with; empty: the recorded
	// assignment, or else the first run.
	Baseline string
	// Price is what traffic between zones costs; nil: nobody asked.
	Price *price.List
	// Timing keeps how long decisions take.
	Timing bool

	// For inputs over time: a share or a duration for WarmUp; times, or how long
	// before the end, for Since and Until; and a TelemetryConfiguration file.
	WarmUp, Since, Until string
	Step                 time.Duration
	Telemetry            string

	// Now is the clock that decisions and progress are timed by.
	Now func() time.Time
	// Progress, when set, is called with a line that says how far the replay is, also while
	// the input is read.
	Progress func(line string)
}

// maxSeeds and maxRollouts bound the work that a mistyped number causes.
const (
	maxSeeds    = 10_000
	maxRollouts = 1000
)

// Validate returns a usage error that names the first flag that is wrong by itself.
func (o *Options) Validate() error {
	switch {
	case o.Seeds < 1 || o.Seeds > maxSeeds:
		return usage.Errorf("--seeds %d: must be between 1 and %d", o.Seeds, maxSeeds)
	case o.Rollouts < 1 || o.Rollouts > maxRollouts:
		return usage.Errorf("--rollouts %d: must be between 1 and %d", o.Rollouts, maxRollouts)
	case o.Parallel < 1:
		return usage.Errorf("--parallel %d: must be at least 1", o.Parallel)
	case o.Profile != "" && len(o.Configs) == 0:
		return usage.Errorf("--profile %s: goes with --scheduler-config, whose profile it is", o.Profile)
	case o.Step < 0 || o.Step > 0 && o.Step < minStep:
		return usage.Errorf("--step %s: must be at least %s", o.Step, minStep)
	}
	return nil
}

// minStep keeps a mistyped step from asking a data directory a million times.
const minStep = time.Second

// Input is a cluster with its traffic: at one moment, or over time.
type Input struct {
	name  string
	still *still
	timed *timed
}

// Load opens what path names: a recording, a Prometheus data directory, an edge list
// with Options.Cluster, a published cluster, or a generated mesh. Close it.
func Load(ctx context.Context, path string, o Options) (*Input, error) {
	o.tell("reading %s...", path)
	t, err := openTimed(ctx, path, o)
	if err != nil {
		return nil, err
	}
	if t != nil {
		return &Input{name: t.name, timed: t}, nil
	}
	s, err := loadStill(path, o.Cluster)
	if err != nil {
		return nil, err
	}
	return &Input{name: s.name, still: s}, nil
}

// Close closes the files of the input.
func (in *Input) Close() error {
	if in.timed != nil {
		return in.timed.close()
	}
	return nil
}

// Write writes the input as edges.csv and cluster.json into a directory, for other
// tools to look at. Only a cluster at one moment can be written.
func (in *Input) Write(dir string, routes []string) error {
	if in.timed != nil {
		return usage.Errorf("--write does not go with %s, which goes on over time; only a cluster at one moment can be written", in.name)
	}
	changed, err := in.still.assuming(routes)
	if err != nil {
		return err
	}
	return changed.write(dir)
}

// hasAssignment reports whether there is an assignment to begin with.
func (in *Input) hasAssignment() bool {
	return in.timed != nil || in.still.replayable.Cluster.Assigned != nil
}

// pass is a replay of some runs under one routing: that of the input, or the one that
// is assumed.
type pass struct {
	routes []string // assumed; nil: as the input's Services are
	given  []given
	runs   []kubesim.Run
	order  sim.Order
	seeds  int
}

// passed is what a pass found.
type passed struct {
	input    report.Input
	runs     []report.Run // the given ones first, in the pass's order
	assumed  []report.Route
	warnings []string
	services services
}

// Run replays the plan's runs, under the routing of the input and then under the one
// that is assumed, and reports what became of the traffic.
func (p *Plan) Run(ctx context.Context) (*report.Report, error) {
	today := pass{given: p.given, runs: p.runs, order: p.order, seeds: p.seeds}
	first, err := p.replay(ctx, today)
	if err != nil {
		return nil, err
	}
	d := report.Draft{
		Input: first.input, Order: p.order.String(), Rollouts: p.options.Rollouts, Seeds: p.seeds, FirstSeed: p.options.FirstSeed,
		Price: p.options.Price, Baseline: p.baseline, Runs: first.runs, Warnings: slices.Concat(p.warnings, first.warnings, kubesim.Warnings(p.runs), kubesim.SeedsWarning(p.order, p.options.AskedSeeds)),
		Today: p.today, Vicinity: p.vicinity, Settable: first.services.settable, Excepted: first.services.excepted,
	}
	if p.seeds == 2 && len(p.runs) > 0 {
		d.Notes = append(d.Notes, "two seeds are too few for a confidence interval: figures are means without ±; use --seeds 3 or more")
	}
	assuming, ok := p.assuming(today)
	switch {
	case !ok:
	case p.options.Routes == nil && !first.services.any():
		d.Notes = append(d.Notes, "no Service of the input can be given another trafficDistribution, so there is no column for another routing")
	default:
		second, err := p.replay(ctx, assuming)
		if mistake := (usage.Error{}); p.options.Routes == nil && errors.As(err, &mistake) {
			// Nobody asked for this routing: the rest of the report stands.
			d.Notes = append(d.Notes, "there is no column for another routing: "+err.Error())
			break
		}
		if err != nil {
			return nil, err
		}
		d.Assumed, d.Runs = second.assumed, append(d.Runs, second.runs...)
		d.Warnings = append(d.Warnings, newOnes(second.warnings, first.warnings)...)
	}
	return report.New(d), nil
}

func (p *Plan) replay(ctx context.Context, ps pass) (*passed, error) {
	if p.input.timed != nil {
		return p.follow(ctx, ps)
	}
	return p.replayStill(ctx, ps)
}

// newOnes are the warnings that were not given before.
func newOnes(warnings, before []string) []string {
	said := map[string]bool{}
	for _, w := range before {
		said[w] = true
	}
	var fresh []string
	for _, w := range warnings {
		if !said[w] {
			fresh = append(fresh, w)
		}
	}
	return fresh
}
