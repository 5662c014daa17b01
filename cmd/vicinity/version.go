package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/vicinity-sched/vicinity/internal/usage"
	"github.com/vicinity-sched/vicinity/internal/version"
)

// versionSchema names the JSON output of the verb version. A change that could break a
// reader gets another number; new fields do not.
const versionSchema = "vicinity.version/v1"

// versionJSON is the JSON output of the verb version.
type versionJSON struct {
	Schema string `json:"schema"`
	version.Info
}

func versionCommand() *cobra.Command {
	output := outputTable
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Long: `Print the version and commit of this program, the version of Kubernetes whose
scheduler is in it, the version of Go and the platform.

The JSON output has the schema ` + versionSchema + `; fields may be added to it.`,
		Example: `  vicinity version
  vicinity version -o json | jq -r .version`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printVersion(cmd.OutOrStdout(), output, version.Get())
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", outputTable, "`FORMAT`: table, which is one line, or json")
	complete(cmd, "output", outputTable+"\tfor people", outputJSON+"\tfor programs, schema "+versionSchema)
	return cmd
}

// versionFlag adds --version to the command of the whole program.
func versionFlag(cmd *cobra.Command) {
	cmd.Version = versionLine(version.Get())
	cmd.SetVersionTemplate("{{.Version}}\n")
}

func printVersion(out io.Writer, output string, info version.Info) error {
	switch output {
	case outputTable:
		_, err := fmt.Fprintln(out, versionLine(info))
		return err
	case outputJSON:
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(versionJSON{Schema: versionSchema, Info: info})
	}
	return usage.Errorf("--output %q: must be table or json", output)
}

// versionLine is what the verb version prints, and --version.
func versionLine(info version.Info) string { return "vicinity " + info.String() }

// programVersion is what recordings name.
func programVersion() string { return version.Get().Version }
