package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/declared"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/explain"
	"github.com/vicinity-sched/vicinity/internal/filekind"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
	"github.com/vicinity-sched/vicinity/internal/recorder"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	"github.com/vicinity-sched/vicinity/internal/usage"
	"github.com/vicinity-sched/vicinity/manifests"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// explainOptions are the flags of the verb explain.
type explainOptions struct {
	trafficOptions

	schedulerConfig, profile string
	file, output             string
	limit                    int
}

// explainLimit is how many nodes and edges the table shows when --limit is not given.
const explainLimit = 10

const explainLong = `Explain why a pod is where it is, and where it would go now: the decision is
recomputed with the scheduler's own configuration, on the objects of the cluster as
they are now, through the real kube-scheduler framework. Nothing is changed anywhere.

  explain pod NAME       a pod; one that runs is explained as if it were pending again
  explain workload NAME  the next pod of a workload, and each that it has
  explain -f FILE        a pod that does not exist yet: a manifest of a Pod, a
                         Deployment, a ReplicaSet, a StatefulSet or a Job

It shows the edges of the pod's workload and how much of each stays close now; for each
node what the pod would gain there by which peer and at which level, which veto acts and
why, the scores of all plugins, and which filter excludes it.

The graph is rebuilt from past refreshes with the configured smoothing; the output says
how far its rates may be from those of the running scheduler. Without --scheduler-config
the shipped profile decides.

The JSON output has the schema ` + explain.Schema + `; fields may be added to it.`

func explainCommand(s streams, now func() time.Time) *cobra.Command {
	o := explainOptions{}
	cmd := &cobra.Command{
		Use:   "explain (pod NAME | workload NAME | -f FILE) [--prometheus URL | --telemetry-config FILE]",
		Short: "Explain why a pod is on its node, and where it would go now",
		Long:  explainLong,
		Example: `  vicinity explain pod cart-6f7d9-x2x4v -n shop
  vicinity explain workload cart -n shop --scheduler-config scheduler.yaml --telemetry-config telemetry.yaml
  vicinity explain -f pod.yaml --prometheus http://localhost:9090
  vicinity explain pod web-0 -o json --telemetry-config telemetry.yaml | jq .chosen`,
		Args:    func(cmd *cobra.Command, args []string) error { return o.checkArgs(cmd, args) },
		PreRunE: func(cmd *cobra.Command, _ []string) error { return o.check(cmd) },
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd, args, s, now) },
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return []cobra.Completion{"pod\ta pod of the cluster", "workload\tthe next pod of a workload"}, cobra.ShellCompDirectiveNoFileComp
			case 1:
				return o.completeSubject(cmd, args[0], typed)
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *explainOptions) addFlags(cmd *cobra.Command) {
	o.trafficOptions.addFlags(cmd, "`NAMESPACE` of the pod or workload (default: that of the context)")
	o.addTypeFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&o.schedulerConfig, "scheduler-config", "", "the scheduler's KubeSchedulerConfiguration `FILE` (default: the shipped one)")
	f.StringVar(&o.profile, "profile", "", "schedulerName of the `PROFILE` in it that decides (default: that of the pod, or else the first)")
	f.StringVarP(&o.file, "filename", "f", "", "explain the pod of this `FILE` (- for standard input), which need not exist in the cluster")
	f.StringVarP(&o.output, "output", "o", outputTable, "`FORMAT`: table or json")
	f.IntVar(&o.limit, "limit", explainLimit, "show at most `N` edges, candidate nodes and pods; 0 shows all (with -o table)")
	complete(cmd, "output", outputTable+"\tfor people", outputJSON+"\tfor programs, schema "+explain.Schema)
	yaml := cobra.FixedCompletions([]string{"yaml", "yml", "json"}, cobra.ShellCompDirectiveFilterFileExt)
	completeWith(cmd, "scheduler-config", yaml)
	completeWith(cmd, "filename", yaml)
	for _, flag := range []string{"profile", "limit"} {
		completeWith(cmd, flag, cobra.NoFileCompletions)
	}
}

// checkArgs reports mistakes in what is to be explained.
func (o *explainOptions) checkArgs(cmd *cobra.Command, args []string) error {
	see := cmd.CommandPath()
	switch {
	case o.file != "" && len(args) > 0:
		return usage.Errorf("-f %s and %q exclude each other; see %s --help", o.file, args[0], see)
	case o.file != "":
		return nil
	case len(args) == 0:
		return usage.Errorf("what? Type: %s pod NAME, %s workload NAME, or %s -f pod.yaml", see, see, see)
	case !slices.Contains([]string{"pod", "workload"}, args[0]):
		return usage.Errorf("%s %q: must be pod or workload; see %s --help", cmd.Name(), args[0], see)
	case len(args) == 1:
		return usage.Errorf("which %s? Type: %s %s NAME", args[0], see, args[0])
	case len(args) > 2:
		return usage.Errorf("%s takes one %s, not %q as well; see %s --help", cmd.Name(), args[0], args[2], see)
	}
	if strings.Contains(args[1], "/") {
		if namespace, name, _ := strings.Cut(args[1], "/"); namespace == "" || name == "" || strings.Contains(name, "/") {
			return usage.Errorf("%s %q: must be NAME or NAMESPACE/NAME", args[0], args[1])
		}
	}
	return nil
}

// check reports mistakes in the flags.
func (o *explainOptions) check(cmd *cobra.Command) error {
	switch {
	case o.output != outputTable && o.output != outputJSON:
		return usage.Errorf("--output %q: must be table or json", o.output)
	case o.limit < 0:
		return usage.Errorf("--limit %d: must not be negative; 0 shows all", o.limit)
	}
	return o.telemetryOptions.check(cmd)
}

// run does the work of the verb. Nothing is written to stdout before all of it is there.
func (o *explainOptions) run(cmd *cobra.Command, args []string, s streams, now func() time.Time) error {
	ctx := cmd.Context()
	options, err := o.configured()
	if err != nil {
		return err
	}
	if options.Subject, err = o.given(ctx, cmd.InOrStdin(), s); err != nil {
		return err
	}
	client, err := o.connect("vicinity-explain")
	if err != nil {
		return err
	}
	s.line()(readingCluster)
	cluster, err := explain.ReadCluster(ctx, client)
	if err != nil {
		return err
	}
	if options.Subject == nil {
		options.Subject, err = o.subject(cluster, args)
	}
	if err != nil {
		return err
	}
	if o.output == outputTable {
		options.MostPods = o.limit
	}
	options.Objects, options.Notes, options.Now = cluster.Objects, append(options.Notes, cluster.Notes...), now()
	if options.Past, err = o.past(ctx, cmd, cluster, options.Subject.Pod, s, options.Now); err != nil {
		return err
	}
	s.line()("computing the decision...")
	result, err := explain.Explain(ctx, options)
	if err != nil {
		return err
	}
	out := &bytes.Buffer{}
	if o.output == outputJSON {
		if err := result.WriteJSON(out); err != nil {
			return err
		}
	} else {
		result.WriteTable(out, o.limit)
	}
	return s.write(o.output, out.Bytes())
}

// configured returns the options that the scheduler's configuration decides.
func (o *explainOptions) configured() (explain.Options, error) {
	name, load := o.schedulerConfig, schedulerconfig.Load
	if name == "" {
		name = "the shipped configuration"
		load = func(string) (*schedulerconfig.Config, error) {
			data, err := manifests.Base.ReadFile("base/config/scheduler.yaml")
			if err != nil {
				return nil, fmt.Errorf("reading the shipped configuration: %w", err)
			}
			return schedulerconfig.Parse("base/config/scheduler.yaml", data)
		}
	}
	config, err := load(o.schedulerConfig)
	return explain.Options{Config: config, ConfigName: name, Profile: o.profile}, usage.File("--scheduler-config", err)
}

// given reads the pod of a file, nil without one.
func (o *explainOptions) given(ctx context.Context, in io.Reader, s streams) (*explain.Subject, error) {
	if o.file == "" {
		return nil, nil
	}
	const wanted = "the manifest of a pod"
	if o.file == "-" {
		s.line()("reading a pod from standard input...")
		const name = "standard input"
		data, err := untilDone(ctx, func() ([]byte, error) { return filekind.ReadFrom(in, name, wanted, filekind.KubernetesObjects) })
		if err != nil {
			return nil, err
		}
		return o.podIn(data, name, wanted)
	}
	data, err := filekind.Read(o.file, wanted, filekind.KubernetesObjects)
	if err != nil {
		return nil, usage.File("--filename", err)
	}
	return o.podIn(data, o.file, wanted)
}

func (o *explainOptions) podIn(data []byte, name, wanted string) (*explain.Subject, error) {
	if err := filekind.Of(data).Refuse(name, wanted, filekind.KubernetesObjects); err != nil {
		return nil, err
	}
	return explain.ReadPod(data, name, o.namespace)
}

// untilDone returns what read does, or an error when ctx ends before. A terminal cannot be told to
// stop: then the reading goes on until the program ends.
func untilDone(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := read()
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		return r.data, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// subject finds the pod of the cluster that is asked about.
func (o *explainOptions) subject(c *explain.Cluster, args []string) (*explain.Subject, error) {
	namespace, name, both := strings.Cut(args[1], "/") // as vicinity graph writes it
	if !both {
		namespace, name = cmp.Or(o.namespace, o.contextNamespace()), args[1]
	}
	if args[0] == "workload" {
		return explain.FindWorkload(c.Objects, namespace, name)
	}
	return explain.FindPod(c.Objects, namespace, name)
}

// past rebuilds the graph, with what is declared of new workloads and of a pod's.
func (o *explainOptions) past(ctx context.Context, cmd *cobra.Command, c *explain.Cluster, pod *corev1.Pod, s streams, now time.Time) (*telemetrysetup.Past, error) {
	cfg, _, err := o.settled(cmd, s, func() time.Time { return now })
	if err != nil {
		return nil, err
	}
	progress := func(done, all int) { s.line()(fmt.Sprintf("rebuilding the graph: refresh %d of %d...", done+1, all)) }
	past, err := telemetrysetup.ReadPast(ctx, cfg, c.Endpoints, now, progress, o.route)
	switch {
	case err == nil:
		return past, addDeclaredTo(past, cfg, c.Objects, pod, now)
	case ctx.Err() != nil:
		return nil, err
	case telemetry.FailureOf(err) == telemetry.Empty:
		return nil, codedError{fmt.Errorf("%w; see why with: vicinity graph", o.explain(err)), exitEmpty}
	}
	return nil, o.explain(err)
}

// addDeclaredTo adds to a graph the edges that count because they are declared. The pod need not
// be among the objects: one that does not exist yet begins to do so now.
func addDeclaredTo(past *telemetrysetup.Past, cfg *v1.TelemetryConfiguration, all *objects.Objects, pod *corev1.Pod, now time.Time) error {
	workloads, err := recorder.DeclaredAmong(all, telemetrysetup.DeclaredOrigins(cfg), cfg.Declared.Window.Duration)
	if err != nil {
		return err
	}
	if pod = pod.DeepCopy(); pod.CreationTimestamp.IsZero() {
		pod.CreationTimestamp = metav1.NewTime(now)
	}
	workloads.Meet(pod)
	news, _ := workloads.New(now)
	past.Snapshot = declared.NewMerger(telemetrysetup.Declared(cfg)).Merge(past.Snapshot, news, now)
	return nil
}
