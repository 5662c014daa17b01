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
	output := flags.String("output", "csv", "csv or json")
	o := others{}
	flags.StringVar(&o.peers, "peers", "", "the program of test/peers, for rows of the NetworkOverhead plugin")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *seeds < 1 || *output != "csv" && *output != "json" {
		return fmt.Errorf("-seeds must be positive and -output csv or json")
	}
	runs, err := configured(*profile)
	if err != nil {
		return err
	}
	sets, err := datasets(*path)
	if err != nil {
		return err
	}
	sets = slices.DeleteFunc(sets, func(s dataset) bool { return !strings.Contains(s.name, *only) })
	if len(sets) == 0 {
		return fmt.Errorf("-only %q: no data set has this in its name", *only)
	}
	if o.metis, err = exec.LookPath(metisProgram); err != nil {
		fmt.Fprintf(progress, "benchquality: no row for METIS: %v\n", err)
	}
	var rows []benchRow
	for _, set := range sets {
		began := time.Now()
		more, err := replay(ctx, set, runs, *seeds, o)
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

// datasets returns every generated mesh in random order, and the published
// cluster in every order that depends on a seed.
func datasets(path string) ([]dataset, error) {
	var sets []dataset
	for _, family := range meshes.Families() {
		c, err := family.Generate(rand.New(rand.NewPCG(1, 0)), 0)
		if err != nil {
			return nil, fmt.Errorf("mesh %s: %w", family.Name, err)
		}
		sets = append(sets, dataset{"mesh:" + family.Name + "/" + sim.Random.String(), history.Synthetic(c), sim.Random})
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
	for _, order := range []sim.Order{sim.Random, sim.ByWorkload, sim.Rollout} {
		sets = append(sets, dataset{filepath.Base(path) + "/" + order.String(), history.Synthetic(c), order})
	}
	return sets, nil
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
		{"netmarks-bound", map[string]any{"strategy": configv1.StrategyNetMARKS}},
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

func replay(ctx context.Context, set dataset, runs []kubesim.Run, seeds int, o others) ([]benchRow, error) {
	results, err := kubesim.Batch{
		Input: set.input, Order: set.order, Seeds: seeds, First: 1, Parallel: runtime.GOMAXPROCS(0), Now: time.Now,
	}.Run(ctx, runs)
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
	return benchRows(set.name, append(measured, more...)), nil
}
