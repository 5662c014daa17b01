package main

import (
	"bytes"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/vicinity-sched/vicinity/internal/usage"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// graphOptions are the flags of the verb graph.
type graphOptions struct {
	trafficOptions

	output       string
	limit        int
	requestBytes string
	declared     bool
}

const (
	outputTable = "table"
	outputJSON  = "json"
	outputDOT   = "dot"
	outputHTML  = "html"
	// tableLimit and pageLimit are how many edges the table and the page show when
	// --limit is not given.
	tableLimit = 30
	pageLimit  = 2000
)

// outputs returns the formats with what completion says of them.
func outputs() []string {
	return []string{outputTable + "\tfor people", outputJSON + "\tfor programs, schema " + graphSchema, outputDOT + "\tfor Graphviz", outputHTML + "\tfor a browser, one file"}
}

func graphCommand(s streams, now func() time.Time) *cobra.Command {
	o := graphOptions{}
	var v view
	cmd := &cobra.Command{
		Use:   "graph [--prometheus URL | --telemetry-config FILE]",
		Short: "Show the traffic between workloads as the scheduler sees it",
		Long: `Show the traffic between workloads as the scheduler sees it: the same queries to
the same Prometheus, once, through the same code. The largest edges come first:
by bytes per second in both directions plus requests per second times
--request-bytes. SENT goes from FROM to TO, RECEIVED comes back. What makes the
figures wrong or incomplete is a warning with the next step; where the answers mix
several clusters, there is no graph. With --declared, the edges of new workloads that
nobody has observed yet are among the others, with their ORIGIN, and in no sum.

Without --prometheus and --telemetry-config, Prometheus is found in the cluster that
kubectl would take (docs/connecting.md).

Without --telemetry-config, the metrics that are there say which type of source to read
(vicinity sources list), or --source does. Where there are metrics of several types, it
names them and stops. Credentials, CA files, tenant headers and sources of your own belong
in a TelemetryConfiguration: give it with --telemetry-config.
Where a source names pods or Services, the workloads behind them are looked up in the
cluster that kubectl would take.

The JSON output has the schema ` + graphSchema + `; fields may be added to it.`,
		Example: `  vicinity graph
  vicinity graph --prometheus svc:monitoring/prometheus:9090
  vicinity graph --prometheus http://localhost:9090 --source obi
  vicinity graph --telemetry-config telemetry.yaml --namespace shop --limit 0
  vicinity graph --prometheus http://localhost:9090 -o json | jq .total
  vicinity graph --prometheus http://localhost:9090 -o dot | dot -Tsvg > graph.svg
  vicinity graph --prometheus http://localhost:9090 -o html > graph.html`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		PreRunE: func(cmd *cobra.Command, _ []string) (err error) {
			v, err = o.check(cmd)
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd, v, s, now) },
	}
	o.addFlags(cmd)
	return cmd
}

func (o *graphOptions) addFlags(cmd *cobra.Command) {
	args := v1.TrafficLocalityArgs{}
	args.SetDefaults()
	f := cmd.Flags()
	o.trafficOptions.addFlags(cmd, "show only edges that begin or end in this `NAMESPACE` (default: all)")
	o.addTypeFlag(cmd)
	f.StringVarP(&o.output, "output", "o", outputTable, "`FORMAT`: table, json, dot or html, a page that needs no network")
	f.IntVar(&o.limit, "limit", 0, "show at most `N` edges, the largest; 0 shows all (default 30 for table, 2000 for html, all for json and dot)")
	f.BoolVar(&o.declared, "declared", false, "show also what counts of the traffic of new workloads because it is declared; it is read from the cluster")
	f.StringVar(&o.requestBytes, "request-bytes", args.RequestBytes.String(), "what one request counts beside its own size, a `QUANTITY`, as requestBytes of the plugin")
	complete := map[string]cobra.CompletionFunc{
		"output": cobra.FixedCompletions(outputs(), cobra.ShellCompDirectiveNoFileComp),
	}
	for _, flag := range []string{"limit", "request-bytes"} {
		complete[flag] = cobra.NoFileCompletions
	}
	addCompletion(cmd, complete)
}

// run does the work of the verb. Nothing is written to stdout before all of it
// is there.
func (o *graphOptions) run(cmd *cobra.Command, v view, s streams, now func() time.Time) error {
	if err := s.check(o.output, "graph"); err != nil {
		return err
	}
	cfg, found, err := o.settled(cmd, s, now)
	if err != nil {
		return err
	}
	report, failed := o.collect(cmd.Context(), cfg, s.line(), now)
	if report == nil {
		return o.explain(failed)
	}
	report.found = found
	out := &bytes.Buffer{}
	r := report.viewedBy(v)
	switch o.output {
	case outputTable:
		writeTable(out, r)
	case outputJSON:
		err = writeJSON(out, r)
	case outputDOT:
		writeDOT(out, r)
	case outputHTML:
		err = writePage(out, r)
	}
	if err != nil {
		return err
	}
	if err := s.write(o.output, out.Bytes()); err != nil {
		return err
	}
	if failed != nil {
		// Some sources failed: the scheduler would work with the others.
		return o.explain(failed)
	}
	return report.empty()
}

// check returns what the flags ask to see, and reports mistakes in them.
func (o *graphOptions) check(cmd *cobra.Command) (view, error) {
	if err := o.telemetryOptions.check(cmd); err != nil {
		return view{}, err
	}
	switch {
	case !slices.Contains([]string{outputTable, outputJSON, outputDOT, outputHTML}, o.output):
		return view{}, usage.Errorf("--output %q: must be table, json, dot or html", o.output)
	case o.declared && o.output == outputHTML:
		return view{}, usage.Errorf("--declared goes with --output table, json and dot: the page shows observed traffic")
	case o.limit < 0:
		return view{}, usage.Errorf("--limit %d: must not be negative; 0 shows all edges", o.limit)
	}
	requestBytes, err := resource.ParseQuantity(o.requestBytes)
	if err != nil || requestBytes.Sign() < 0 {
		return view{}, usage.Errorf("--request-bytes %q: must be a quantity such as 1Ki, not negative", o.requestBytes)
	}
	limit := o.limit
	if !cmd.Flags().Changed("limit") {
		limit = map[string]int{outputTable: tableLimit, outputHTML: pageLimit}[o.output]
	}
	return view{namespace: o.namespace, limit: limit, requestBytes: requestBytes.AsApproximateFloat64()}, nil
}
