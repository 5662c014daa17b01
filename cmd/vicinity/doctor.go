package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/doctor"
	"github.com/vicinity-sched/vicinity/internal/usage"
	"github.com/vicinity-sched/vicinity/plugins/config"
)

// doctorOptions are the flags of the verb doctor.
type doctorOptions struct {
	trafficOptions

	output, schedulerConfig, scheduler string
	suggest, all                       bool
}

const doctorLong = `Find out what is wrong with an installation, why it matters, and what to type next:
Prometheus and its answers, the metrics of the mesh, which traffic becomes edges, what
the telemetry allows, the scheduler, its permissions, its profiles and its workloads.
docs/doctor.md describes each check. Nothing is changed anywhere.

Whatever cannot be checked is listed as unchecked, with the reason: without a kubeconfig,
only the telemetry is checked; without a Prometheus, only the cluster. Without --prometheus
and --telemetry-config, Prometheus is found in the cluster that kubectl would use
(docs/connecting.md). Without --telemetry-config, doctor checks the sources whose metrics
exist, or those that --source names. If the cluster has several schedulers, it looks at the
one with the most ready pods, or the one that --scheduler names.

--suggest prints a TelemetryConfiguration instead of the results, with comments that say
why: the types of sources whose metrics exist, a window that holds at least four scrapes,
and the settings of trust that this telemetry allows. With --telemetry-config, it prints
that file with the changes that it suggests.

Exit codes: 0 nothing to do in what was checked; 1 nothing could be checked, or neither a
scheduler nor the pods of the cluster; 5 warnings; 6 errors. Notes do not count. With
--suggest: 0 when a configuration was printed.

The JSON output has the schema ` + doctor.Schema + `; fields may be added to it.`

func doctorCommand(s streams, now func() time.Time) *cobra.Command {
	o := doctorOptions{}
	cmd := &cobra.Command{
		Use:   "doctor [--prometheus URL | --telemetry-config FILE]",
		Short: "Find out what is wrong with an installation, and what to do about it",
		Long:  doctorLong,
		Example: `  vicinity doctor
  vicinity doctor --telemetry-config telemetry.yaml --scheduler-config scheduler.yaml
  vicinity doctor --scheduler vicinity-system/vicinity-scheduler
  vicinity doctor --suggest > telemetry.yaml
  vicinity doctor -o json | jq '.results[] | select(.severity == "error")'`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		PreRunE:           func(cmd *cobra.Command, _ []string) error { return o.check(cmd) },
		RunE:              func(cmd *cobra.Command, _ []string) error { return o.run(cmd, s, now) },
	}
	o.addFlags(cmd)
	return cmd
}

func (o *doctorOptions) addFlags(cmd *cobra.Command) {
	o.trafficOptions.addFlags(cmd, "")
	o.addTypeFlag(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.output, "output", "o", outputTable, "`FORMAT`: table or json")
	f.StringVar(&o.schedulerConfig, "scheduler-config", "", "the scheduler's KubeSchedulerConfiguration `FILE` (default: the one in the cluster)")
	f.StringVar(&o.scheduler, "scheduler", "", "of several schedulers in the cluster, look at the Deployment `NAMESPACE/NAME` (default: the one with the most ready pods)")
	f.BoolVar(&o.suggest, "suggest", false, "print a TelemetryConfiguration for what was found, instead of the results")
	f.BoolVar(&o.all, "all", false, "show a line for each check that found nothing wrong (with -o table)")
	complete(cmd, "output", outputTable+"\tfor people", outputJSON+"\tfor programs, schema "+doctor.Schema)
	completeWith(cmd, "scheduler-config", cobra.FixedCompletions([]string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt))
}

func (o *doctorOptions) check(cmd *cobra.Command) error {
	switch {
	case !slices.Contains([]string{outputTable, outputJSON}, o.output):
		return usage.Errorf("--output %q: must be table or json", o.output)
	case o.suggest && cmd.Flags().Changed("output"):
		return usage.Errorf("--suggest prints YAML: leave --output away")
	case o.suggest && (o.all || o.schedulerConfig != "" || o.scheduler != ""):
		return usage.Errorf("--suggest prints what was found of the telemetry: --all, --scheduler and --scheduler-config do not go with it")
	case o.all && o.output != outputTable:
		return usage.Errorf("--all goes with -o table only: -o json always has all results")
	case o.scheduler != "" && !isFullName(o.scheduler):
		return usage.Errorf("--scheduler %q: must be NAMESPACE/NAME of a Deployment; find it with: kubectl get deployments -A -l app.kubernetes.io/name=vicinity-scheduler", o.scheduler)
	case o.schedulerConfig != "":
		if _, err := os.Stat(o.schedulerConfig); err != nil {
			return usage.File("--scheduler-config", err)
		}
	}
	if o.prometheus == "" && o.configFile == "" && !cmd.Flags().Changed("cluster") { // none need be known
		return o.checkTypes()
	}
	return o.telemetryOptions.check(cmd)
}

// isFullName reports whether a text is a namespace and a name.
func isFullName(text string) bool {
	namespace, name, ok := strings.Cut(text, "/")
	return ok && namespace != "" && name != "" && !strings.Contains(name, "/")
}

// run does the work of the verb. Nothing is written to stdout before all of it is there.
func (o *doctorOptions) run(cmd *cobra.Command, s streams, now func() time.Time) error {
	ctx := cmd.Context()
	t, done, err := o.telemetry(cmd, s, now)
	if err != nil {
		return err
	}
	defer done()
	s.line()(readingCluster)
	cluster := o.readCluster(ctx, &t)
	if mistake := (usage.Error{}); errors.As(cluster.err, &mistake) {
		return mistake
	}
	if o.scheduler != "" && errors.As(cluster.err, &noKubeconfigError{}) {
		return cluster.err // there is no cluster to look for it in
	}
	examination := doctor.NewExamination(t)
	checks := examination.Checks()
	if !o.suggest {
		checks = append(checks, o.clusterChecks(cluster, examination, now)...)
	}
	report := doctor.Run(ctx, checks, func(done, all int) { s.line()(fmt.Sprintf("checking (%d/%d)...", done+1, all)) })
	if err := ctx.Err(); err != nil {
		return err
	}
	out := &bytes.Buffer{}
	switch {
	case o.suggest:
		err = examination.Suggest(out)
	case o.output == outputJSON:
		err = report.WriteJSON(out, now())
	default:
		report.WriteTable(out, o.all)
	}
	if err != nil {
		return err
	}
	output := o.output
	if o.suggest {
		output = outputYAML
	}
	if err := s.write(output, out.Bytes()); err != nil || o.suggest {
		return err
	}
	return verdict(report, !errors.As(cluster.err, &noKubeconfigError{}))
}

// verdict is the error for what was found, and for what could not be looked at; named says that
// a cluster was to be looked at.
func verdict(report doctor.Report, named bool) error {
	switch worst := report.Worst(); {
	case worst > doctor.Unchecked:
		return severityError(worst)
	case named && report.Blind() != nil:
		return report.Blind()
	case report.Count(doctor.Unchecked) == len(report.Results):
		return errors.New("nothing could be checked; the results say why")
	}
	return nil
}

// telemetry returns what the flags say of the telemetry. The function returned ends its
// connections.
func (o *doctorOptions) telemetry(cmd *cobra.Command, s streams, now func() time.Time) (doctor.Telemetry, func(), error) {
	t := doctor.Telemetry{
		File: o.configFile, Chosen: o.configFile != "" || len(o.types) > 0, Now: now,
		Words: doctor.Words{
			Failure: func(f telemetry.Failure) string { return cmp.Or(o.nextOnTheWay(f), nextStep(f, o.configFile)) },
			Finding: o.next, Reason: explainReason,
		},
	}
	nothing := func() {}
	if o.prometheus == "" && o.configFile == "" && !o.within.named() {
		t.NoConfig = "No Prometheus is given, and no cluster to find it in: use --prometheus URL, --telemetry-config FILE or --kubeconfig FILE."
		return t, nothing, nil
	}
	if o.configFile != "" {
		if _, err := config.LoadTelemetry(o.configFile); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return t, nothing, usage.File("--telemetry-config", err)
			}
			t.NoConfig, t.BadConfig = "The TelemetryConfiguration cannot be used (telemetry-configuration).", err
			return t, nothing, nil
		}
	}
	cfg, err := o.configuration(cmd, s, o.types...)
	if mistake := (usage.Error{}); errors.As(err, &mistake) || cmd.Context().Err() != nil {
		return t, nothing, err
	}
	if err != nil {
		t.NoConfig = "Prometheus could not be found: " + err.Error() + "."
		return t, nothing, nil
	}
	client, err := o.client(cfg)
	if err != nil {
		return t, nothing, err
	}
	t.Config, t.Client = cfg, client
	return t, client.Close, nil
}

// doctorCluster is a cluster as it was read.
type doctorCluster struct {
	client    kubernetes.Interface
	inventory *doctor.Inventory
	// err says why the API server cannot be asked.
	err error
}

// readCluster reads the objects of the cluster once, for its own checks and for finding the
// workloads that the telemetry names.
func (o *doctorOptions) readCluster(ctx context.Context, t *doctor.Telemetry) doctorCluster {
	c := doctorCluster{}
	config, err := o.askingConfig("vicinity-doctor")
	if err == nil {
		c.client, err = kubernetes.NewForConfig(config)
	}
	var objects dynamic.Interface
	if err == nil {
		objects, err = dynamic.NewForConfig(config)
	}
	if c.err = err; err != nil {
		t.NoObjects = "The cluster cannot be read: " + err.Error() + "."
		return c
	}
	c.inventory = doctor.ReadInventory(ctx, objects)
	t.Objects, t.NoObjects = c.inventory.Resolvable()
	return c
}

// clusterChecks returns the checks of the cluster.
func (o *doctorOptions) clusterChecks(c doctorCluster, e *doctor.Examination, now func() time.Time) []doctor.Check {
	if c.err != nil {
		return []doctor.Check{func(context.Context) []doctor.Result {
			var all []doctor.Result
			for _, d := range doctor.ClusterDocs() {
				all = append(all, doctor.Result{Check: d.Check, Severity: doctor.Unchecked, What: "The cluster cannot be read: " + c.err.Error() + "."})
			}
			return all
		}}
	}
	namespace, name, _ := strings.Cut(o.scheduler, "/")
	return doctor.ClusterChecks(doctor.Cluster{
		Client: c.client, Inventory: c.inventory, Namespace: namespace, Name: name, Metrics: e, Traffic: e.Snapshot, SchedulerConfig: o.schedulerConfig, TelemetryConfig: o.configFile,
		Version: programVersion(), Now: now,
	})
}

// severityError is the error of results that are worse than notes. They have been written.
type severityError doctor.Severity

// Error says which severity the worst has.
func (e severityError) Error() string { return "the worst result is: " + doctor.Severity(e).String() }

// exitCode is that of the program.
func (e severityError) exitCode() int {
	if doctor.Severity(e) == doctor.Error {
		return exitErrors
	}
	return exitWarnings
}
