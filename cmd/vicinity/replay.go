package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kubesim"
	"github.com/vicinity-sched/vicinity/internal/replayreport"
)

const replayLong = `Replay the arrival of a cluster's pods through the real kube-scheduler, under
several configurations, and compare what becomes of the traffic. Nothing is
changed anywhere: the pods are placed in memory.

INPUT is one of
  RECORDING          a directory or .tar.zst archive that vicinity record has made
  DATA/              a Prometheus data directory or a snapshot of one, and --cluster
  EDGES.csv          traffic, with the columns from,to,bytes_per_second (workloads
                     as namespace/name), and --cluster for the rest
  CLUSTER.json       a published cluster of ByteDance (research-cluster-dataset)
  mesh:NAME[,size=N] a generated application; mesh:help lists them

--cluster takes what kubectl prints:
  kubectl get nodes,pods,deployments,replicasets,statefulsets,daemonsets,services,namespaces -A -o json

A recording and a data directory go on over time: decisions rest on the traffic
before them, and the traffic after the warm-up is what is measured.

Every run sees the same pods in the same order with the same seed. Built-in runs
are recorded (the assignment as it is), default (kube-scheduler's default
configuration), netmarks and gain (the shipped profile of Vicinity with either
strategy) and gain-fair-load (the same, assuming fair-load routing).

The JSON output has the schema vicinity.replay/v1; fields may be added to it.`

// replayOptions are the flags of the verb replay.
type replayOptions struct {
	cluster     string
	configs     []string
	profile     string
	runs        []string
	assignments []string
	routes      []string
	order       string
	seeds       int
	askedSeeds  int // seeds when it was given, else 0
	firstSeed   uint64
	parallel    int
	baseline    string
	price       float64
	timing      bool
	write       string
	output      string

	// For inputs that go on over time.
	warmUp, since, until string
	step                 time.Duration
	telemetry            string
}

func replayCommand(s streams, now func() time.Time) *cobra.Command {
	o := replayOptions{}
	cmd := &cobra.Command{
		Use:   "replay INPUT",
		Short: "Show what other scheduler configurations would make of a cluster's traffic",
		Long:  replayLong,
		Example: `  vicinity replay edges.csv --cluster cluster.json --price-per-gb 0.01
  vicinity replay edges.csv --cluster cluster.json --scheduler-config mine=scheduler.yaml --run recorded,gain
  vicinity replay edges.csv --cluster cluster.json --route shop/cart=PreferSameNode --price-per-gb 0.01
  vicinity replay shop.tar.zst --price-per-gb 0.01
  vicinity replay prometheus-data/ --cluster cluster.json --since 24h
  vicinity replay mesh:online-boutique --seeds 20 -o json
  vicinity replay mesh:online-boutique -o html > replay.html`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageErrorf("replay takes one INPUT, got %d; see %s --help", len(args), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("seeds") {
				o.askedSeeds = o.seeds
			}
			return runReplay(cmd.Context(), s, now, args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.cluster, "cluster", "", "`FILE` with the cluster's objects, as kubectl get -o json prints them (with an edge list, a data directory, or a recording without objects)")
	f.StringArrayVar(&o.configs, "scheduler-config", nil, "KubeSchedulerConfiguration to run, as `[NAME=]FILE`; may be repeated")
	f.StringVar(&o.profile, "profile", "", "schedulerName of the `PROFILE` of those files that places all pods (default: the first)")
	f.StringSliceVar(&o.runs, "run", nil, "built-in `RUNS`: "+joined(builtInNames())+" (default: all that the input allows)")
	f.StringArrayVar(&o.assignments, "assignment", nil, "an assignment to measure too, as `NAME=FILE` (CSV with the columns workload,node,pods); may be repeated")
	f.StringArrayVar(&o.routes, "route", nil, "assume another trafficDistribution, as `SERVICE=POLICY`: namespace/name of a Service or workload, or "+everyService+"; "+joined(policies())+"; may be repeated")
	f.StringVar(&o.order, "order", "", "`ORDER` in which pods arrive: "+joined(orderNames())+" (default: rollout when the input has an assignment, else random)")
	f.IntVar(&o.seeds, "seeds", 5, "number `N` of replays of each run, each with another order")
	f.Uint64Var(&o.firstSeed, "first-seed", 1, "the `SEED` of the first replay")
	f.IntVar(&o.parallel, "parallel", runtime.GOMAXPROCS(0), "number `N` of replays at a time")
	f.StringVar(&o.baseline, "baseline", "", "the `RUN` that changes are shown against (default: recorded, or else default)")
	f.Float64Var(&o.price, "price-per-gb", 0, "`PRICE` of 1e9 bytes between zones, to show money per month")
	f.BoolVar(&o.timing, "timing", false, "show how long decisions take; figures that no two runs share")
	f.StringVar(&o.warmUp, "warm-up", "", "observe for this `TIME` before anything is placed or measured, such as 30m or 25% (default 50%; with a recording or a data directory)")
	f.StringVar(&o.since, "since", "", "begin at this `TIME`, or so long before the end, such as 24h (with a data directory)")
	f.StringVar(&o.until, "until", "", "end at this `TIME`, or so long before the end (with a data directory)")
	f.DurationVar(&o.step, "step", 0, "time between two observations (with a data directory; default 1m)")
	f.StringVar(&o.telemetry, "telemetry-config", "", "TelemetryConfiguration `FILE`: the sources to ask of a data directory, and how traffic is smoothed")
	f.StringVar(&o.write, "write", "", "replay nothing, but write the input as edges.csv and cluster.json into `DIR`")
	f.StringVarP(&o.output, "output", "o", outputTable, "`FORMAT`: table, json or html, a page that needs no network")
	complete(cmd, "output", outputTable, outputJSON, outputHTML)
	complete(cmd, "order", orderNames()...)
	complete(cmd, "run", builtInNames()...)
	completeWith(cmd, "route", completeRoute)
	return cmd
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

func (o replayOptions) validate() error {
	switch {
	case o.output != outputTable && o.output != outputJSON && o.output != outputHTML:
		return usageErrorf("--output %q: must be table, json or html", o.output)
	case o.seeds < 1 || o.seeds > 10_000:
		return usageErrorf("--seeds %d: must be between 1 and 10000", o.seeds)
	case o.parallel < 1:
		return usageErrorf("--parallel %d: must be at least 1", o.parallel)
	case !(o.price >= 0 && o.price < 1e9):
		return usageErrorf("--price-per-gb %v: must not be negative", o.price)
	case o.step < 0 || o.step > 0 && o.step < minStep:
		return usageErrorf("--step %s: must be at least %s", o.step, minStep)
	}
	return nil
}

func runReplay(ctx context.Context, s streams, now func() time.Time, input string, o replayOptions) error {
	if err := o.validate(); err != nil {
		return err
	}
	if err := s.check(o.output, "replay"); err != nil {
		return err
	}
	if input == "mesh:help" {
		return listMeshes(s.out)
	}
	timed, err := openTimed(ctx, input, o)
	if err != nil {
		return err
	}
	if timed != nil {
		return follow(ctx, s, now, timed, o)
	}
	in, err := loadReplayInput(input, o.cluster)
	if err != nil {
		return err
	}
	if err := in.assume(o.routes); err != nil {
		return err
	}
	if o.write != "" {
		return in.write(o.write)
	}
	order, err := o.chooseOrder(in)
	if err != nil {
		return err
	}
	plan, err := planRuns(in, o)
	if err != nil {
		return err
	}
	if err := plan.learnLevels(in.replayable); err != nil {
		return err
	}
	if err := plan.learnBandwidth(in); err != nil {
		return err
	}
	seeds := o.seeds
	if !order.Seeded() {
		seeds = 1
	}
	watch := &replayProgress{out: s.progress, total: len(plan.replayed) * seeds, began: now(), now: now}
	results, err := kubesim.Batch{
		Input: in.replayable, Order: order, Seeds: seeds, First: o.firstSeed,
		Parallel: o.parallel, Now: now, Done: watch.done,
	}.Run(ctx, plan.replayed)
	watch.clear()
	if err != nil {
		return err
	}
	settable, excepted, err := in.settable()
	if err != nil {
		return err
	}
	report := plan.report(in, results, order, seeds, o)
	report.Advise(settable, excepted, recordedRun, gainRun)
	return o.render(report, s.out)
}

// render writes a report in the format that was asked for.
func (o replayOptions) render(report *replayreport.Report, out io.Writer) error {
	switch o.output {
	case outputJSON:
		return report.WriteJSON(out)
	case outputHTML:
		return report.WriteHTML(out)
	default:
		return report.WriteTable(out)
	}
}

// chooseOrder returns the order that was asked for, or the one that fits the
// input.
func (o replayOptions) chooseOrder(in *replayInput) (sim.Order, error) {
	if o.order == "" {
		if in.replayable.Cluster.Assigned != nil {
			return sim.Rollout, nil
		}
		return sim.Random, nil
	}
	order, err := sim.ParseOrder(o.order)
	if err != nil {
		return 0, usageErrorf("--%w", err)
	}
	if order == sim.Rollout && in.replayable.Cluster.Assigned == nil {
		return 0, usageErrorf("--order rollout: %s has no assignment to begin with", in.name)
	}
	return order, nil
}

// report measures every assignment and puts the runs side by side.
func (p *replayPlan) report(in *replayInput, results [][]*sim.Result, order sim.Order, seeds int, o replayOptions) *replayreport.Report {
	c := in.replayable.Cluster
	r := &replayreport.Report{
		Input: in.summary(), Order: order.String(), Seeds: seeds, FirstSeed: o.firstSeed,
		PricePerGB: o.price, Baseline: p.baseline, Assumed: in.assumed,
		Warnings: slices.Concat(in.warnings, trafficWarnings(c.Edges), kubesim.Warnings(p.replayed), kubesim.SeedsWarning(order, o.askedSeeds)),
	}
	add := func(name, config string, results ...*sim.Result) {
		samples := make([]replayreport.Sample, len(results))
		for i, result := range results {
			samples[i] = replayreport.NewSample(c, result)
		}
		r.Runs = append(r.Runs, replayreport.NewRun(name, config, samples, o.price, o.timing))
	}
	for _, given := range p.given {
		add(given.name, given.from, &sim.Result{Assigned: given.assigned, Idle: given.idle})
	}
	for i, run := range p.replayed {
		add(run.Name, run.From, results[i]...)
	}
	return r
}

// replayProgress tells a terminal how many replays are done.
type replayProgress struct {
	out   io.Writer // nil when nobody watches
	made  int
	total int
	began time.Time
	now   func() time.Time
}

func (p *replayProgress) done() {
	p.made++
	if p.out == nil {
		return
	}
	left := p.now().Sub(p.began) / time.Duration(p.made) * time.Duration(p.total-p.made)
	fmt.Fprintf(p.out, "%s%d of %d replays, %v left...", eraseLine, p.made, p.total, left.Round(time.Second))
}

func (p *replayProgress) clear() {
	if p.out != nil {
		fmt.Fprint(p.out, eraseLine)
	}
}
