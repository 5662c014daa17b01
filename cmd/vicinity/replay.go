package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/replay"
	"github.com/vicinity-sched/vicinity/internal/report"
	"github.com/vicinity-sched/vicinity/internal/usage"
)

const replayLong = `Replay the arrival of a cluster's pods through the real kube-scheduler, under
several configurations, and compare what becomes of the traffic. Nothing is
changed anywhere: the pods are placed in memory.

INPUT is one of
  RECORDING          a directory or .tar.zst archive made by vicinity record
  DATA/              a Prometheus data directory or a snapshot of one, and --cluster
  EDGES.csv          traffic, with the columns from,to,bytes_per_second (workloads
                     as namespace/name), and --cluster for the rest
  CLUSTER.json       a published cluster of ByteDance (research-cluster-dataset)
  mesh:NAME[,size=N] a generated application; mesh:help lists them

--cluster takes what kubectl prints:
  kubectl get nodes,pods,deployments,replicasets,statefulsets,daemonsets,services,namespaces -A -o json

In recordings and data directories, decisions rest on the traffic before them, and
the traffic after the warm-up is measured.

The summary compares today, another routing of the Services, Vicinity, and both.
Another routing is what --route assumes, by default ` + replay.DefaultRoute + `. Vicinity
is your own --scheduler-config, else the cost profile if there is a price, else the
latency profile. -v shows all figures.

Every run sees the same pods in the same order with the same seed. Built-in runs
are recorded (the assignment as it is), default (kube-scheduler's default
configuration), netmarks (the published algorithm), latency, cost and availability
(the profiles of Vicinity) and fair-load (the latency profile, assuming fair-load
routing).

The JSON output has the apiVersion ` + report.APIVersion + `; fields may be added to it.`

// replayOptions are the flags of the verb replay.
type replayOptions struct {
	replay.Options
	priceOptions
	write      string
	assignment string
	of         string
	output     string
	verbose    bool
}

func replayCommand(s streams, now func() time.Time) *cobra.Command {
	o := replayOptions{Options: replay.Options{Now: now, Progress: s.line()}}
	cmd := &cobra.Command{
		Use:   "replay INPUT",
		Short: "Show what other scheduler configurations would make of a cluster's traffic",
		Long:  replayLong,
		Example: `  vicinity replay edges.csv --cluster cluster.json --price aws
  vicinity replay edges.csv --cluster cluster.json --scheduler-config mine=scheduler.yaml --run recorded,latency
  vicinity replay edges.csv --cluster cluster.json --route shop/cart=PreferSameNode --price gcp
  vicinity replay shop.tar.zst --price-per-gb 0.02
  vicinity replay prometheus-data/ --cluster cluster.json --since 24h
  vicinity replay mesh:online-boutique --seeds 20 -o json
  vicinity replay mesh:online-boutique -o html > replay.html`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage.Errorf("replay takes one INPUT, got %d; see %s --help", len(args), cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: completeInput,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("seeds") {
				o.AskedSeeds = o.Seeds
			}
			err := o.checkWrite(cmd)
			if err != nil {
				return err
			}
			if o.Price, err = o.list(cmd); err != nil {
				return err
			}
			return runReplay(cmd.Context(), s, args[0], o)
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *replayOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.Cluster, "cluster", "", "`FILE` with the cluster's objects, as kubectl get -o json prints them (with an edge list, a data directory, or a recording without objects)")
	f.StringArrayVar(&o.Configs, "scheduler-config", nil, "KubeSchedulerConfiguration to run, as `[NAME=]FILE`; may be repeated")
	f.StringVar(&o.Profile, "profile", "", "schedulerName of the `PROFILE` of those files that places all pods (default: the first)")
	f.StringSliceVar(&o.Runs, "run", nil, "built-in `RUNS`: "+strings.Join(replay.RunNames(), ", ")+" (default: recorded if the input has an assignment, default, netmarks, latency, and cost if there is a price)")
	f.StringArrayVar(&o.Assignments, "assignment", nil, "an assignment to measure too, as `NAME=FILE` (CSV with the columns workload,node,pods, as --write-assignment writes it); may be repeated")
	f.StringArrayVar(&o.Routes, "route", nil, "assume another trafficDistribution beside today's, as `SERVICE=POLICY`: namespace/name of a Service or workload, or all; "+strings.Join(replay.Policies(), ", ")+"; may be repeated (default: "+replay.DefaultRoute+", in the summary)")
	f.StringVar(&o.Order, "order", "", "`ORDER` in which pods arrive: "+strings.Join(orderNames(), ", ")+" (default: rollout if the input has an assignment, else random)")
	f.IntVar(&o.Rollouts, "rollouts", 1, "number `N` of rollouts, each starting where the last one ended (with --order rollout)")
	f.IntVar(&o.Seeds, "seeds", 5, "number `N` of replays of each run, each with another order")
	f.Uint64Var(&o.FirstSeed, "first-seed", 1, "the `SEED` of the first replay")
	f.IntVar(&o.Parallel, "parallel", runtime.GOMAXPROCS(0), "number `N` of replays at a time")
	f.StringVar(&o.Baseline, "baseline", "", "the `RUN` that changes are shown against (default: recorded, or else default)")
	o.priceOptions.addFlags(cmd)
	f.BoolVar(&o.Timing, "timing", false, "show how long decisions take; these figures differ from run to run")
	f.StringVar(&o.WarmUp, "warm-up", "", "observe for this `TIME` before anything is placed or measured, such as 30m or 25% (default 50%; with a recording or a data directory)")
	f.StringVar(&o.Since, "since", "", "begin at this `TIME`, or so long before the end, such as 24h (with a data directory)")
	f.StringVar(&o.Until, "until", "", "end at this `TIME`, or so long before the end (with a data directory)")
	f.DurationVar(&o.Step, "step", 0, "time between two observations (with a data directory; default 1m)")
	f.StringVar(&o.Telemetry, "telemetry-config", "", "TelemetryConfiguration `FILE`: the sources to ask of a data directory, and how traffic is smoothed")
	f.StringVar(&o.write, "write", "", "replay nothing, but write the input as edges.csv and cluster.json into `DIR`")
	f.StringVar(&o.assignment, "write-assignment", "", "write where a run places the pods, of the first seed, as CSV into `[RUN=]FILE` (default: the run of Vicinity with the routing assumed)")
	f.StringVarP(&o.output, "output", "o", outputTable, "`FORMAT`: table, json or html, a page that needs no network")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "show all figures of every run, and what changed most (with -o table)")
	complete(cmd, "output", outputTable, outputJSON, outputHTML)
	complete(cmd, "order", orderNames()...)
	completeWith(cmd, "run", func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return behindComma(typed, replay.RunNames()), cobra.ShellCompDirectiveNoFileComp
	})
	completeWith(cmd, "route", completeRoute)
}

// completeRoute completes the policy once a Service is named.
func completeRoute(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	service, _, named := strings.Cut(typed, "=")
	if !named {
		return []cobra.Completion{"all="}, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	var all []cobra.Completion
	for _, policy := range replay.Policies() {
		all = append(all, service+"="+policy)
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

func complete(cmd *cobra.Command, flag string, values ...string) {
	completeWith(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

func completeWith(cmd *cobra.Command, flag string, with cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // the flag's name is wrong
	}
}

func orderNames() []string {
	var names []string
	for _, o := range sim.Orders() {
		names = append(names, o.String())
	}
	return names
}

func (o *replayOptions) validate(s streams) error {
	switch {
	case o.output != outputTable && o.output != outputJSON && o.output != outputHTML:
		return usage.Errorf("--output %q: must be table, json or html", o.output)
	case o.verbose && o.output != outputTable:
		return usage.Errorf("--verbose goes with --output table; %s has all figures", o.output)
	}
	if name, file, named := strings.Cut(o.assignment, "="); named {
		o.of, o.assignment = name, file
	}
	if err := o.Validate(); err != nil {
		return err
	}
	return s.check(o.output, "replay")
}

// checkWrite reports flags about results where there are none.
func (o *replayOptions) checkWrite(cmd *cobra.Command) error {
	for _, flag := range []string{"output", "verbose", "timing", "write-assignment"} {
		if o.write != "" && cmd.Flags().Changed(flag) {
			return usage.Errorf("--%s does not go with --write, which replays nothing", flag)
		}
	}
	return nil
}

// canWrite finds out whether a file can be written, before the work whose result it is for.
func canWrite(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil // a pipe or a device: to open it may have an effect
	}
	missing := errors.Is(err, fs.ErrNotExist)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err == nil {
		err = file.Close()
	}
	if err == nil && missing { // a link may have led there
		if path, err = filepath.EvalSymlinks(path); err == nil {
			err = os.Remove(path)
		}
	}
	return err
}

// writeTo writes a file, whole or with an error.
func writeTo(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err // names the path
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func runReplay(ctx context.Context, s streams, input string, o replayOptions) error {
	if err := o.validate(s); err != nil {
		return err
	}
	if input == "mesh:help" {
		return replay.ListMeshes(s.out)
	}
	if o.assignment != "" {
		if err := canWrite(o.assignment); err != nil {
			return usage.File("--write-assignment", err)
		}
	}
	in, err := replay.Load(ctx, input, o.Options)
	if err != nil {
		return err
	}
	report, err := o.replay(ctx, in)
	if err := errors.Join(err, in.Close()); err != nil || report == nil {
		return err
	}
	if o.assignment != "" {
		if err := writeTo(o.assignment, func(w io.Writer) error { return report.WriteAssignment(w, o.of) }); err != nil {
			return usage.File("--write-assignment", err)
		}
	}
	return o.render(report, s)
}

// replay replays an input, or writes it: then there is no report.
func (o *replayOptions) replay(ctx context.Context, in *replay.Input) (*report.Report, error) {
	if o.write != "" {
		return nil, usage.File("--write", in.Write(o.write, o.Routes))
	}
	plan, err := in.Plan(o.Options)
	if err != nil {
		return nil, err
	}
	if names := plan.Names(); o.of != "" && !slices.Contains(names, o.of) {
		return nil, usage.Errorf("--write-assignment: there is no run %q; the runs: %s", o.of, strings.Join(names, ", "))
	}
	return plan.Run(ctx)
}

// render writes a report in the format that was asked for.
func (o *replayOptions) render(r *report.Report, s streams) error {
	out := &bytes.Buffer{}
	write := r.WriteSummary
	switch {
	case o.output == outputJSON:
		write = r.WriteJSON
	case o.output == outputHTML:
		write = r.WriteHTML
	case o.verbose:
		write = r.WriteDetails
	}
	if err := write(out); err != nil {
		return err
	}
	return s.write(o.output, out.Bytes())
}
