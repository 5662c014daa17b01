package main

import (
	"context"
	"fmt"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/cache"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/cli/globalflag"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/component-base/featuregate"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/component-base/term"
	kubeversion "k8s.io/component-base/version"
	"k8s.io/component-base/version/verflag"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-scheduler/app"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	"k8s.io/kubernetes/pkg/scheduler/framework/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
	"github.com/vicinity-sched/vicinity/internal/nodechanges"
	"github.com/vicinity-sched/vicinity/internal/permissions"
	"github.com/vicinity-sched/vicinity/internal/restart"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/internal/telemetrymetrics"
	"github.com/vicinity-sched/vicinity/internal/version"
	"github.com/vicinity-sched/vicinity/plugins/config"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

const long = `vicinity-scheduler is a kube-scheduler that places pods close to the workloads
they exchange traffic with. It reads the traffic from the service mesh's
telemetry in Prometheus (--telemetry-config) and scores nodes by it (plugin
TrafficLocality in the file given by --config). Pods ask for it with
schedulerName; every other pod is left to its own scheduler.

Without telemetry, or while it is out of date, pods are scheduled as
kube-scheduler would with the same configuration.`

// newCommand returns the command. It is kube-scheduler's own, made of the same
// exported parts, so that our flag stands among the others.
func newCommand() *cobra.Command {
	opts := options.NewOptions()
	var telemetryFile string
	opts.Flags.FlagSet("vicinity").StringVar(&telemetryFile, "telemetry-config", "",
		"The path to a TelemetryConfiguration (config.vicinity.dev/v1): where the mesh's traffic is read. Without it TrafficLocality has no effect.")
	cmd := &cobra.Command{
		Use:  "vicinity-scheduler",
		Long: long,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if line := requestedVersion(cmd.Flags(), version.Get(), kubeversion.Get().GitVersion); line != "" {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), line)
				return err
			}
			verflag.PrintAndExitIfRequested() // --version=raw
			if err := limitMemory(); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			var telemetryConfig *configv1.TelemetryConfiguration
			if telemetryFile != "" {
				var err error
				if telemetryConfig, err = config.LoadTelemetry(telemetryFile); err != nil {
					return err
				}
			}
			if err := emulateServer(ctx, opts); ctx.Err() != nil {
				return nil // asked to stop
			} else if err != nil {
				return err
			}
			if err := opts.ComponentGlobalsRegistry.Set(); err != nil {
				return fmt.Errorf("feature gates: %w", err)
			}
			return run(ctx, cmd, opts, telemetryConfig)
		},
	}
	verflag.AddFlags(opts.Flags.FlagSet("global"))
	globalflag.AddGlobalFlags(opts.Flags.FlagSet("global"), cmd.Name(), logs.SkipLoggingConfigurationFlags())
	for _, set := range opts.Flags.FlagSets {
		cmd.Flags().AddFlagSet(set)
	}
	columns, _, _ := term.TerminalSize(cmd.OutOrStdout())
	cliflag.SetUsageAndHelpFunc(cmd, *opts.Flags, columns)
	return cmd
}

// run checks the configuration, starts the telemetry and schedules until ctx
// ends. Standbys poll the telemetry too, so that a fail-over finds a warm
// graph.
func run(ctx context.Context, cmd *cobra.Command, opts *options.Options, telemetryConfig *configv1.TelemetryConfiguration) error {
	gate := opts.ComponentGlobalsRegistry.FeatureGateFor(basecompatibility.DefaultKubeComponent)
	if err := logsapi.ValidateAndApply(opts.Logs, gate); err != nil {
		return fmt.Errorf("logging flags: %w", err)
	}
	cliflag.PrintFlags(cmd.Flags())

	schedulerConfig, err := schedulerconfig.Load(opts.ConfigFile)
	if err != nil {
		return err
	}
	if err := chooseLease(opts, schedulerConfig); err != nil {
		return inFile(opts.ConfigFile, err)
	}
	store, networks := flowgraph.NewStore(), &flowgraph.NodeNetworkStore{}
	starts := newColdStarts(klog.FromContext(ctx), telemetryConfig, store)
	observer := telemetrymetrics.New(klog.FromContext(ctx), starts.observed, time.Now, sourceNames(telemetryConfig))
	resolver, err := newResolver(telemetryConfig)
	if err != nil {
		return err
	}
	telemetry, err := newTelemetry(telemetryConfig, starts.observed, networks, resolver, starts.before(observer))
	if err != nil {
		return err
	}
	informers, err := cache.NewInformerName("vicinity-scheduler")
	if err != nil {
		return fmt.Errorf("naming the informers: %w", err)
	}
	opts.InformerName = informers
	if !anyChanged(opts.Flags.FlagSet("metrics")) {
		// With options the library complains of a file that nobody has named.
		opts.Metrics = nil
	}

	rules := &routing.DestinationRules{}
	preparation, changes := trafficlocality.NewPreparation(), &nodechanges.Counter{}
	events := trafficlocality.NewEvents(time.Now)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cc, sched, err := app.Setup(ctx, opts, func(registry runtime.Registry) error {
		// By now --disabled-metrics and its like are known, which metrics have to
		// be registered after.
		observer.Register(legacyregistry.MustRegister)
		factory := trafficlocality.Factory(trafficlocality.Dependencies{
			Store:       store,
			Networks:    networks,
			Rules:       rules,
			Preparation: preparation,
			Changes:     changes.Count,
			ColdStarts:  starts.plugin(),
			Now:         time.Now,
			Events:      events,
			Metrics:     trafficlocality.NewMetrics(legacyregistry.MustRegister),
		})
		return registry.Register(trafficlocality.Name, schedulerConfig.Honour(factory))
	})
	if err != nil {
		return inFile(opts.ConfigFile, err)
	}
	if err := trimInformers(cc); err != nil {
		return err
	}
	if resolver != nil {
		resolver.ReadFrom(cc.InformerFactory)
	}
	if err := starts.follow(cc.InformerFactory); err != nil {
		return err
	}
	measuring, err := newLocality(cc, schedulerConfig, rules, starts.observed)
	if err != nil {
		return err
	}
	sched.NextEntity = whenPrepared(ctx, preparation.Begin, time.After, sched.NextEntity)
	gate.(featuregate.MutableFeatureGate).AddMetrics()
	opts.ComponentGlobalsRegistry.AddMetrics()

	needed := permissions.New(klog.FromContext(ctx), neededPermissions(cc.ComponentConfig.LeaderElection))
	needed.Register(legacyregistry.MustRegister)
	tasks := restart.New(time.Now, time.After)
	tasks.Register(legacyregistry.MustRegister)

	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	begin(ctx, &running, tasks, map[restart.Task]restart.Run{
		restart.Telemetry: telemetry, restart.Preparation: untilEnd(preparation.Run),
		restart.DestinationRules: watchingRules(cc.Client, cc.KubeConfig, rules),
		restart.ColdStarts:       starts.run(cc.Client, cc.KubeConfig),
		restart.Permissions:      checkingPermissions(cc.Client, needed),
		restart.Locality:         measuring,
		restart.Events:           untilEnd(events.Run),
	})
	err = app.Run(ctx, cc, sched)
	if ctx.Err() != nil {
		return nil // asked to stop
	}
	return err
}

// inFile makes an error name the configuration file that it is about, if there
// is one.
func inFile(path string, err error) error {
	if path == "" {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// anyChanged reports whether the command line sets one of the flags.
func anyChanged(flags *pflag.FlagSet) bool {
	changed := false
	flags.VisitAll(func(flag *pflag.Flag) { changed = changed || flag.Changed })
	return changed
}
