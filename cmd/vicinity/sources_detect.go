package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/sources"
	"github.com/vicinity-sched/vicinity/internal/usage"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

const outputYAML = "yaml"

func detectCommand(s streams, now func() time.Time) *cobra.Command {
	o := detectOptions{}
	var output string
	cmd := &cobra.Command{
		Use:   "detect [--prometheus URL | --telemetry-config FILE]",
		Short: "Find the types of sources whose metrics a Prometheus has",
		Long: `Find the types of sources whose metrics a Prometheus has: which metrics there are, how
many series of how many targets, how new they are, and how much traffic they say. Each
type that is found is then asked once, as the scheduler would, and what is wrong with its
telemetry is a warning. Of --telemetry-config only the server is used, not the sources.
Without it and --prometheus, Prometheus is found in the cluster (docs/connecting.md).

-o yaml prints a TelemetryConfiguration with the types that were found. The JSON output
has the schema ` + detectSchema + `; fields may be added to it.`,
		Example: `  vicinity sources detect
  vicinity sources detect --prometheus http://localhost:9090 -o yaml > telemetry.yaml
  vicinity graph --telemetry-config telemetry.yaml`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains([]string{outputTable, outputYAML, outputJSON}, output) {
				return usage.Errorf("--output %q: must be table, yaml or json", output)
			}
			return o.check(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return o.runDetect(cmd, output, s, now) },
	}
	o.addFlags(cmd, "")
	cmd.Flags().StringVarP(&output, "output", "o", outputTable, "`FORMAT`: table, yaml, a TelemetryConfiguration, or json")
	addCompletion(cmd, map[string]cobra.CompletionFunc{
		"output": cobra.FixedCompletions([]string{outputTable + "\tfor people", outputYAML + "\ta TelemetryConfiguration", outputJSON + "\tfor programs, schema " + detectSchema}, cobra.ShellCompDirectiveNoFileComp),
	})
	return cmd
}

// detectOptions are the flags of the verb sources detect.
type detectOptions struct{ trafficOptions }

// detection is what has been found, and what each type that was found reads.
type detection struct {
	at    time.Time
	cfg   *v1.TelemetryConfiguration // with a source of each answer
	types []detectedType
	// leftOut are types that are no answers, and have metrics that no answer has.
	leftOut []sources.Found
}

// detectedType is an answer.
type detectedType struct {
	sources.Found
	details sources.Details
	// resolves says that workloads are to be looked up in the cluster.
	resolves bool
	flows    []flowgraph.Flow
	// bytesPerSecond is all that it reads between two ends in the cluster.
	bytesPerSecond float64
	findings       []telemetry.Finding
	// failed says why its source could not be read, nil when it could.
	failed error
}

// runDetect does the work of the verb.
func (o *telemetryOptions) runDetect(cmd *cobra.Command, output string, s streams, now func() time.Time) error {
	cfg, err := o.configuration(cmd, s)
	if err != nil {
		return err
	}
	client, err := o.client(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	querier := looking(client, s.line())
	at := now()
	ctx := cmd.Context()
	found, err := sources.Detect(ctx, querier, at, o.selector)
	if err != nil {
		return o.explain(err)
	}
	answers := found.Answers()
	if len(answers) == 0 {
		near, err := found.Nearly(ctx, querier, at, o.selector)
		if err != nil {
			return o.explain(err)
		}
		return o.whyNothing(ctx, querier, at, found, near)
	}
	d := &detection{at: at, cfg: cfg}
	cfg.Sources = nil
	for _, f := range answers {
		cfg.Sources = append(cfg.Sources, v1.TelemetrySource{Type: f.Type.Name, Selector: o.selector, Cluster: o.cluster})
	}
	cfg.SetDefaults()
	for i, f := range answers {
		t, err := o.examine(ctx, querier, at, f, cfg.Sources[i])
		if err != nil {
			return o.explain(err)
		}
		d.types = append(d.types, t)
	}
	for _, f := range found.Found {
		if !isAnswered(f, answers) {
			d.leftOut = append(d.leftOut, f)
		}
	}
	return o.writeDetection(s, output, d)
}

// isAnswered reports whether the answers have all metrics of a type: those that read the same
// metric differ by labels.
func isAnswered(f sources.Found, answers []sources.Found) bool {
	return !slices.ContainsFunc(f.Metrics, func(m sources.Metric) bool {
		return !slices.ContainsFunc(answers, func(a sources.Found) bool {
			return slices.ContainsFunc(a.Metrics, func(of sources.Metric) bool { return of.Name == m.Name })
		})
	})
}

// examine asks what there is to know of a type, and its source once.
func (o *telemetryOptions) examine(ctx context.Context, q telemetry.Querier, at time.Time, f sources.Found, s v1.TelemetrySource) (detectedType, error) {
	t := detectedType{Found: f}
	var err error
	if t.details, err = f.Details(ctx, q, at); err != nil {
		return t, err
	}
	if o.configFile == "" {
		s.Window.Duration = o.window
	}
	source, err := sources.New(s, telemetry.Trust{}, nil)
	if err != nil {
		return t, fmt.Errorf("type %s: %w", s.Type, err)
	}
	t.resolves = source.About().Resolves
	seen, err := telemetry.NewAsker([]telemetry.Source{source}, nil, q).Observe(ctx, at)
	stopped := (*telemetry.FindingError)(nil)
	switch {
	case ctx.Err() != nil:
		return t, ctx.Err()
	case errors.As(err, &stopped):
		t.findings = append(t.findings, stopped.Finding)
	case err != nil && telemetry.FailureOf(err) != telemetry.Empty:
		t.failed = o.explain(err)
	}
	t.flows = seen.Flows
	for _, flow := range seen.Flows {
		t.bytesPerSecond += flow.BytesPerSecond()
	}
	for _, o := range seen.Sources {
		t.findings = append(t.findings, o.Findings...)
		t.bytesPerSecond += o.LeftOut[telemetry.NoObjects].BytesPerSecond
	}
	return t, nil
}

func (o *telemetryOptions) writeDetection(s streams, output string, d *detection) error {
	out := &bytes.Buffer{}
	var err error
	switch output {
	case outputTable:
		o.writeDetected(out, d)
	case outputYAML:
		err = o.writeDetectedConfig(out, d)
	case outputJSON:
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		err = e.Encode(d.json())
	}
	if err != nil {
		return err
	}
	return s.write(output, out.Bytes())
}
