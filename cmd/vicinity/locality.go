package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	"github.com/vicinity-sched/vicinity/internal/livelocality"
	"github.com/vicinity-sched/vicinity/internal/recorder"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/internal/shadow"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	"github.com/vicinity-sched/vicinity/internal/usage"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// localityOptions are the flags of the verb locality.
type localityOptions struct {
	trafficOptions
	priceOptions
	shadowOptions

	output     string
	limit      int
	schedulers []string
	watch      bool
	every      time.Duration

	schedulerConfig string
	divided         schedulerconfig.Routing // as that says
}

// edgesLimit is how many edges the table of locality shows when --limit is not given.
const edgesLimit = 10

func localityCommand(s streams, now func() time.Time) *cobra.Command {
	o := localityOptions{}
	cmd := &cobra.Command{
		Use:   "locality [--prometheus URL | --telemetry-config FILE]",
		Short: "Show how much traffic stays on the node, in the zone and in the region now",
		Long: `Show how much of a running cluster's traffic stays on the node, in the zone and in
the region: as its pods are placed and as calls are divided over them now, by
namespace, and for the edges that cross most. The second column is the traffic of
workloads that Vicinity has placed: those all of whose serving pods ask for a
scheduler of --scheduler-name.

Calls are taken to be divided as Services and DestinationRules say, or as the
scheduler's configuration does with --scheduler-config (routing, routingPolicies), which
also names the schedulers. Some meshes follow less: docs/routing.md.

The traffic is read as by vicinity graph. Nodes, pods, Services, Namespaces and
Istio's DestinationRules are read from the cluster that kubectl would take. What
telemetry does not tell, or cannot tell apart by workload, stands beside the figures.
The scheduler exports the same, once a minute, as vicinity_traffic_bytes_per_second.

With --shadow it shows instead, from the same Prometheus, how often schedulers in shadow
mode (shadow: true in TrafficLocalityArgs) would have chosen another node, and what that
would have kept local, in all and by workload. The cluster is not asked.

The JSON output has the schema ` + localitySchema + `, with --shadow ` + shadow.Schema + `; fields may
be added to both.`,
		Example: `  vicinity locality
  vicinity locality --telemetry-config telemetry.yaml --namespace shop --price aws
  vicinity locality --prometheus http://localhost:9090 --watch
  vicinity locality --prometheus http://localhost:9090 -o json | jq .all.levels
  vicinity locality --prometheus http://localhost:9090 -o html > locality.html
  vicinity locality --prometheus http://localhost:9090 --shadow --since 168h`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		PreRunE:           func(cmd *cobra.Command, _ []string) error { return o.check(cmd) },
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd, s, now) },
	}
	o.addFlags(cmd)
	return cmd
}

func (o *localityOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	o.trafficOptions.addFlags(cmd, "show only edges that begin or end, or workloads, in this `NAMESPACE` (default: all)")
	o.addTypeFlag(cmd)
	o.priceOptions.addFlags(cmd)
	o.shadowOptions.addFlags(cmd)
	f.StringVarP(&o.output, "output", "o", outputTable, "`FORMAT`: table, json or html, a page that needs no network")
	f.IntVar(&o.limit, "limit", 0, "show at most `N` edges, those that cross most, or workloads with --shadow; 0 shows all (default 10 for table, 2000 for html, all for json)")
	f.StringSliceVar(&o.schedulers, "scheduler-name", []string{"vicinity"}, "the schedulerName `NAMES` by which pods ask for Vicinity")
	f.BoolVarP(&o.watch, "watch", "w", false, "refresh until interrupted")
	f.DurationVar(&o.every, "every", 30*time.Second, "how long to wait before it is shown again (with --watch)")
	f.StringVar(&o.schedulerConfig, "scheduler-config", "", "the scheduler's KubeSchedulerConfiguration `FILE`, for how calls are divided and which schedulers are Vicinity's (default: all that Services say)")
	completeWith(cmd, "scheduler-config", cobra.FixedCompletions([]string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt))
	complete(cmd, "output", outputTable, outputJSON, outputHTML)
	complete(cmd, "every", "10s", "30s", "1m")
	complete(cmd, "scheduler-name", "vicinity")
	for _, flag := range []string{"limit", "price-per-gb"} {
		completeWith(cmd, flag, cobra.NoFileCompletions)
	}
}

func (o *localityOptions) check(cmd *cobra.Command) error {
	if err := o.telemetryOptions.check(cmd); err != nil {
		return err
	}
	switch {
	case !slices.Contains([]string{outputTable, outputJSON, outputHTML}, o.output):
		return usage.Errorf("--output %q: must be table, json or html", o.output)
	case o.limit < 0:
		return usage.Errorf("--limit %d: must not be negative; 0 shows all edges", o.limit)
	case o.every < time.Second:
		return usage.Errorf("--every %v: must be at least 1s", o.every)
	case cmd.Flags().Changed("every") && !o.watch:
		return usage.Errorf("--every goes with --watch only")
	case o.watch && o.output == outputHTML:
		return usage.Errorf("--watch does not go with --output html: a page is written once")
	}
	if err := o.shadowOptions.check(cmd, o.output); err != nil {
		return err
	}
	if !cmd.Flags().Changed("limit") {
		o.limit = map[string]int{outputTable: edgesLimit, outputHTML: pageLimit}[o.output]
	}
	return nil
}

func (o *localityOptions) run(cmd *cobra.Command, s streams, now func() time.Time) error {
	if err := s.check(o.output, "locality"); err != nil {
		return err
	}
	if o.shadow { // of the scheduler's own metrics
		cfg, err := o.configuration(cmd, s)
		if err != nil {
			return err
		}
		return o.runShadow(cmd.Context(), cfg, s, now)
	}
	prices, err := o.list(cmd)
	if err != nil {
		return err
	}
	if err := o.readSchedulerConfig(cmd); err != nil {
		return err
	}
	cfg, found, err := o.settled(cmd, s, now)
	if err != nil {
		return err
	}
	for {
		seen, failed := o.look(cmd.Context(), cfg, s.line(), now)
		if seen == nil {
			return o.explain(failed)
		}
		seen.graph.found = found
		seen.prices, seen.view = prices, view{namespace: o.namespace, limit: o.limit}
		out := &bytes.Buffer{}
		if o.watch && s.terminal {
			fmt.Fprint(out, clearScreen)
		}
		if err := seen.write(out, o.output); err != nil {
			return err
		}
		if err := s.write(o.output, out.Bytes()); err != nil {
			return err
		}
		if !o.watch && failed == nil {
			return seen.graph.empty()
		}
		if !o.watch {
			return o.explain(failed)
		}
		if err := wait(cmd.Context(), o.every); err != nil {
			return err // interrupted
		}
		if !s.terminal && o.output == outputTable {
			fmt.Fprintln(s.out)
		}
	}
}

// readSchedulerConfig reads how calls are divided, and which schedulers are Vicinity's.
func (o *localityOptions) readSchedulerConfig(cmd *cobra.Command) error {
	o.divided.Policies = routing.AllPolicies()
	if o.schedulerConfig == "" {
		return nil
	}
	config, err := schedulerconfig.Load(o.schedulerConfig)
	if err != nil {
		return usage.File("--scheduler-config", err)
	}
	if !cmd.Flags().Changed("scheduler-name") {
		o.schedulers = config.Scoring()
	}
	o.divided, err = config.RoutingOf("")
	return err
}

// clearScreen is the terminal's word for it.
const clearScreen = "\x1b[H\x1b[2J"

// look asks the cluster and the sources once. What it returns is nil when there is nothing
// to show; the error is that of the sources that failed.
func (o *localityOptions) look(ctx context.Context, cfg *v1.TelemetryConfiguration, line func(string), now func() time.Time) (*localityReport, error) {
	client, err := o.connect("vicinity-locality")
	if err != nil {
		return nil, err
	}
	line(readingCluster)
	all, unread, err := recorder.ReadObjects(ctx, client, o.wanted(cfg), (*objects.Kind).Keep)
	if err != nil {
		return nil, clusterError{err}
	}
	resolver, err := all.Resolver()
	if err != nil {
		return nil, err
	}
	seen, failed := o.observe(ctx, cfg, resolver, func([]telemetry.Source) error { return nil }, line, now)
	if seen == nil {
		return nil, failed
	}
	f, err := followerOf(all, o.divided, o.schedulers)
	if err != nil {
		return nil, err
	}
	r := &localityReport{
		graph: newReport(seen.snapshot, seen.status, seen.sources, now(), o.next), schedulers: o.schedulers, unread: unread,
	}
	if r.Report = f.Report(seen.snapshot); o.schedulerConfig == "" {
		r.warnOfRouting()
	}
	return r, failed
}

// wanted says which kinds are read: what decides where traffic goes, and what the sources
// look endpoints up in.
func (o *localityOptions) wanted(cfg *v1.TelemetryConfiguration) func(*objects.Kind) bool {
	resolves := false
	if sources, err := telemetrysetup.Sources(cfg, nil); err == nil {
		resolves = len(telemetrysetup.Resolving(sources)) > 0
	}
	return func(k *objects.Kind) bool {
		return k.DecidesRouting || k.Kind == "Node" || k.Kind == "Pod" || resolves && k.LookedUp()
	}
}

// followerOf returns a Follower of a cluster as it is.
func followerOf(all *objects.Objects, divided schedulerconfig.Routing, schedulers []string) (*livelocality.Follower, error) {
	routes, stores, err := all.Routes(divided.Policies)
	if err != nil {
		return nil, err
	}
	ours := func(scheduler string) bool { return slices.Contains(schedulers, scheduler) }
	fill := func(w *cluster.Workload, pod *corev1.Pod) { divided.Fill(routes, w, pod) }
	f, err := livelocality.NewFollower(stores.Informers.Core().V1(), routes, fill, ours)
	if err != nil {
		return nil, err
	}
	f.Put(objects.Of[*corev1.Node](all), objects.Of[*corev1.Pod](all))
	return f, nil
}
