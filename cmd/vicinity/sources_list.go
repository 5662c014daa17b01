package main

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/sources"
	"github.com/vicinity-sched/vicinity/internal/usage"
)

// sourcesSchema names the JSON output of the verb sources list. A change that could break a
// reader gets another number; new fields do not.
const sourcesSchema = "vicinity.sources/v1"

// sourcesJSON is the JSON output of the verb sources list.
type sourcesJSON struct {
	Schema string `json:"schema"`
	// Types are in the order of their names.
	Types []sourceTypeJSON `json:"types"`
}

// sourceTypeJSON is a type of sources.
type sourceTypeJSON struct {
	// Type is its name in sources[].type of a TelemetryConfiguration.
	Type string `json:"type"`
	// MadeOf is "data", "code", or "your data" where the configuration has the definition.
	MadeOf string `json:"madeOf"`
	// Reads says in a line what it reads.
	Reads string `json:"reads"`
	// NeedsObjects says that it reads pods or Services of the cluster, to find the workloads
	// behind what its metrics name. Of your own data, the definition decides.
	NeedsObjects bool `json:"needsObjects"`
	// RecordingRules says that there are recording rules that it can read.
	RecordingRules bool `json:"recordingRules"`
}

func listCommand(s streams) *cobra.Command {
	output := outputTable
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the types of sources",
		Long: `List the types of sources, and what each reads.

The JSON output has the schema ` + sourcesSchema + `; fields may be added to it.`,
		Example: `  vicinity sources list
  vicinity sources list -o json | jq -r '.types[].type'`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(*cobra.Command, []string) error { return listSources(s, output) },
	}
	cmd.Flags().StringVarP(&output, "output", "o", outputTable, "`FORMAT`: table or json")
	addCompletion(cmd, map[string]cobra.CompletionFunc{
		"output": cobra.FixedCompletions([]string{outputTable + "\tfor people", outputJSON + "\tfor programs, schema " + sourcesSchema}, cobra.ShellCompDirectiveNoFileComp),
	})
	return cmd
}

// listSources writes nothing before all of it is there.
func listSources(s streams, output string) error {
	all, err := sources.All()
	if err != nil {
		return err
	}
	out := &bytes.Buffer{}
	switch output {
	case outputTable:
		writeTypes(out, all)
	case outputJSON:
		err = writeTypesJSON(out, all)
	default:
		err = usage.Errorf("--output %q: must be table or json", output)
	}
	if err != nil {
		return err
	}
	return s.write(output, out.Bytes())
}

// madeOf says what a type is made of.
func madeOf(kind *sources.Type) string {
	switch {
	case kind.IsCode():
		return "code"
	case kind.IsCustom():
		return "your data"
	}
	return "data"
}

func writeTypes(w io.Writer, all []sources.Type) {
	t := show.Table{Left: 3}
	t.Add("TYPE", "MADE OF", "READS")
	for _, kind := range all {
		t.Add(string(kind.Name), madeOf(&kind), kind.Summary)
	}
	t.Write(w)
}

func writeTypesJSON(w io.Writer, all []sources.Type) error {
	of := sourcesJSON{Schema: sourcesSchema, Types: []sourceTypeJSON{}}
	for _, kind := range all {
		of.Types = append(of.Types, sourceTypeJSON{
			Type: string(kind.Name), MadeOf: madeOf(&kind), Reads: kind.Summary, RecordingRules: kind.HasRules(),
			NeedsObjects: !kind.IsCode() && kind.Definition != nil && kind.Definition.Resolves(),
		})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(of)
}
