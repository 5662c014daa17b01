package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vicinity-sched/vicinity/internal/sources"
	"github.com/vicinity-sched/vicinity/internal/usage"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

func sourcesCommand(s streams, now func() time.Time) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sources",
		Short: "Show the types of telemetry sources that a configuration can name",
		Long: `Show the types of telemetry sources that a TelemetryConfiguration can name. Most types
are data: PromQL and the labels that name the two ends. show prints them as YAML that
can be pasted into a TelemetryConfiguration, to begin a source of your own with. detect
finds out which of them a Prometheus has the metrics of.`,
		Example: `  vicinity sources list
  vicinity sources list -o json
  vicinity sources detect --prometheus http://localhost:9090
  vicinity sources show istio-sidecar
  vicinity sources show promql > my-source.yaml`,
		SuggestionsMinimumDistance: 2,
		Args:                       onlyVerbs,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(listCommand(s), &cobra.Command{
		Use:               "show TYPE",
		Short:             "Print a type of sources as YAML",
		Args:              oneType,
		ValidArgsFunction: completeTypes,
		RunE:              func(_ *cobra.Command, args []string) error { return showSource(s, args[0]) },
	}, detectCommand(s, now))
	return cmd
}

func showSource(s streams, name string) error {
	kind, ok, err := sources.Named(v1.SourceType(name))
	switch {
	case err != nil:
		return err
	case !ok:
		return unknownType("", name)
	}
	_, err = fmt.Fprint(s.out, kind.Text)
	return err
}

// oneType takes one argument.
func oneType(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage.Errorf("%s takes one TYPE; type: vicinity sources list", cmd.CommandPath())
	}
	return nil
}

// completeTypes completes one type, also behind the commas of others.
func completeTypes(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	all, err := sources.All()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, kind := range all {
		names = append(names, string(kind.Name)+"\t"+kind.Summary)
	}
	return behindComma(typed, names), cobra.ShellCompDirectiveNoFileComp
}
