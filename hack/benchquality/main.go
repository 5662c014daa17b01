// Command benchquality replays several clusters under variants of a profile file
// and prints one row for each: how good Vicinity's placement is,
// in numbers. It is behind "make bench-quality".
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/flowgraph/sim/meshes"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/replayinput"
	"github.com/vicinity-sched/vicinity/internal/report"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "benchquality:", err)
		os.Exit(1)
	}
}

// dataset is a cluster and an order in which its pods arrive.
type dataset struct {
	name  string
	input *history.Replayable
	order sim.Order
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("benchquality", flag.ContinueOnError)
	path := flags.String("dataset", "", "a published cluster of ByteDance (M3.json), beside the generated ones")
	profile := flags.String("profile", "manifests/profiles/latency.yaml", "the scheduler's configuration that the runs are variants of")
	seeds := flags.Int("seeds", 5, "replays of each run")
	only := flags.String("only", "", "a part of the names of the data sets to replay, such as mesh:star; all by default")
	brief := flags.Bool("brief", false, "only the runs with the profile's bound, under uniform and fair-load routing")
	rollouts := flags.Int("rollouts", 1, "rollouts in a row, in the rows of the order rollout")
	output := flags.String("output", "csv", "csv or json")
	o := others{}
	flags.StringVar(&o.peers, "peers", "", "the program of test/peers, for rows of the NetworkOverhead plugin")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *seeds < 1 || *rollouts < 1 || *output != "csv" && *output != "json" {
		return fmt.Errorf("-seeds and -rollouts must be positive, and -output csv or json")
	}
	runs, err := configured(*profile)
	if err != nil {
		return err
	}
	if *brief {
		runs = withoutVariants(runs)
	}
	sets, err := datasets(ctx, *path, *only)
	if err != nil {
		return err
	}
	if len(sets) == 0 {
		return fmt.Errorf("-only %q: no data set has this in its name", *only)
	}
	if o.metis, err = exec.LookPath(metisProgram); err != nil {
		fmt.Fprintf(progress, "benchquality: no row for METIS: %v\n", err)
	}
	var rows []benchRow
	for _, set := range sets {
		began := time.Now()
		more, err := replay(ctx, set, runs, *seeds, *rollouts, o)
		if err != nil {
			return fmt.Errorf("%s: %w", set.name, err)
		}
		rows = append(rows, more...)
		fmt.Fprintf(progress, "%s: %d replays of each run in %v\n", set.name, *seeds, time.Since(began).Round(time.Second))
	}
	if *output == "json" {
		return writeJSON(out, rows)
	}
	return writeCSV(out, rows)
}

// withoutVariants keeps the runs with the profile's bound, under uniform and fair-load routing.
func withoutVariants(runs []kubesim.Run) []kubesim.Run {
	return slices.DeleteFunc(runs, func(r kubesim.Run) bool {
		return r.Name == kubesim.NetMARKSRun || strings.HasSuffix(r.Name, "-unbound") || strings.Contains(r.Name, "same-node")
	})
}

// datasets returns every generated mesh and the published cluster in every order that
// depends on a seed and goes with it. A mesh that has no assignment is rolled out from the one
// that kube-scheduler's default configuration leaves behind with the first seed.
func datasets(ctx context.Context, path, only string) ([]dataset, error) {
	var sets []dataset
	add := func(name string, input *history.Replayable, orders ...sim.Order) {
		for _, order := range orders {
			if name := name + "/" + order.String(); strings.Contains(name, only) {
				sets = append(sets, dataset{name, input, order})
			}
		}
	}
	for _, family := range meshes.Families() {
		c, err := family.Generate(rand.New(rand.NewPCG(1, 0)), 0)
		if err != nil {
			return nil, fmt.Errorf("mesh %s: %w", family.Name, err)
		}
		if name := "mesh:" + family.Name; c.Assigned != nil {
			add(name, history.Synthetic(c), sim.ScaleOut)
		} else {
			add(name, history.Synthetic(c), sim.Random, sim.ByWorkload, sim.Rollout)
		}
	}
	for i := range sets {
		if sets[i].order == sim.Rollout {
			var err error
			if sets[i].input, err = placed(ctx, sets[i].input); err != nil {
				return nil, fmt.Errorf("%s: %w", sets[i].name, err)
			}
		}
	}
	if path == "" {
		return sets, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err // names the path
	}
	defer file.Close()
	c, _, err := replayinput.ReadByteDance(file, path)
	if err != nil {
		return nil, err
	}
	add(filepath.Base(path), history.Synthetic(c), sim.Random, sim.ByWorkload, sim.Rollout)
	return sets, nil
}

// placed returns a cluster with the assignment of kube-scheduler's default configuration.
func placed(ctx context.Context, input *history.Replayable) (*history.Replayable, error) {
	defaults, err := schedulerconfig.Load("")
	if err != nil {
		return nil, err
	}
	results, err := kubesim.Batch{Input: input, Seeds: 1, First: 1, Parallel: 1, Now: time.Now}.Run(ctx, []kubesim.Run{{Config: defaults}})
	if err != nil {
		return nil, err
	}
	next, c := *input, *input.Cluster
	c.Assigned = results[0][0].Assigned
	next.Cluster = &c
	return &next, nil
}

// others are programs that place pods, "" where there is none.
type others struct{ peers, metis string }

// replay returns their runs.
func (o others) replay(ctx context.Context, set dataset, seeds int) (runs []report.Run, err error) {
	if o.peers != "" {
		if runs, err = replayPeers(ctx, o.peers, set, seeds); err != nil {
			return nil, err
		}
	}
	if o.metis == "" {
		return runs, nil
	}
	run, err := replayMETIS(ctx, o.metis, set.input.Cluster)
	return append(runs, run), err
}

// configured are the runs: kube-scheduler's default, and a profile file with each
// strategy and routing, with its own bound on the share of a node or a zone and
// without one. What the bound costs is the difference; NetMARKS has none as published.
func configured(profile string) ([]kubesim.Run, error) {
	defaults, err := schedulerconfig.Load("")
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(profile)
	if err != nil {
		return nil, fmt.Errorf("reading the profile: %w", err)
	}
	runs := []kubesim.Run{{Name: kubesim.DefaultRun, From: "kube-scheduler's default configuration", Config: defaults}}
	unbound := map[string]any{"node": 1, "zone": 1}
	for _, run := range []struct {
		name string
		args map[string]any
	}{
		{kubesim.NetMARKSRun, map[string]any{"strategy": configv1.StrategyNetMARKS, "maxShare": unbound}},
		{netmarksBound, map[string]any{"strategy": configv1.StrategyNetMARKS}},
		{"gain", map[string]any{"strategy": configv1.StrategyGain}},
		{"gain-fair-load", map[string]any{"strategy": configv1.StrategyGain, "routing": configv1.RoutingFairLoad}},
		{"gain-same-node", map[string]any{"strategy": configv1.StrategyGain, "routing": configv1.RoutingSameNode}},
		{"gain-unbound", map[string]any{"strategy": configv1.StrategyGain, "maxShare": unbound}},
		{"gain-fair-load-unbound", map[string]any{"strategy": configv1.StrategyGain, "routing": configv1.RoutingFairLoad, "maxShare": unbound}},
		{"gain-same-node-unbound", map[string]any{"strategy": configv1.StrategyGain, "routing": configv1.RoutingSameNode, "maxShare": unbound}},
	} {
		config, err := kubesim.WithArgs(profile, data, run.args)
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", run.name, err)
		}
		runs = append(runs, kubesim.Run{Name: run.name, From: profile, Config: config})
	}
	return runs, nil
}

func replay(ctx context.Context, set dataset, runs []kubesim.Run, seeds, rollouts int, o others) ([]benchRow, error) {
	batch := kubesim.Batch{Input: set.input, Order: set.order, Seeds: seeds, First: 1, Parallel: runtime.GOMAXPROCS(0), Now: time.Now}
	if set.order == sim.Rollout {
		batch.Rollouts = rollouts
	}
	results, err := batch.Run(ctx, runs)
	if err != nil {
		return nil, err
	}
	var measured []report.Run
	for i, run := range runs {
		samples := make([]report.Sample, seeds)
		for s, result := range results[i] {
			samples[s] = report.NewSample(set.input.Cluster, result)
		}
		measured = append(measured, report.NewRun(run.Name, run.From, samples, nil, false))
	}
	more, err := o.replay(ctx, set, seeds)
	if err != nil {
		return nil, err
	}
	closeness, err := closenessOf(runs)
	if err != nil {
		return nil, err
	}
	return benchRows(set.name, append(measured, more...), closeness), nil
}

// closenessOf returns what the profile says that a byte is worth that stays on the node, in
// the zone and in the region.
func closenessOf(runs []kubesim.Run) ([]float64, error) {
	for _, run := range runs {
		args, err := run.Config.TrafficLocality()
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", run.Name, err)
		}
		for _, a := range args {
			if a.Strategy == configv1.StrategyGain && len(trafficlocality.ScaleOf(a)) == 0 {
				return trafficlocality.ClosenessOf(a), nil
			}
		}
	}
	return nil, fmt.Errorf("no run says what node, zone and region are worth, and nothing else")
}
