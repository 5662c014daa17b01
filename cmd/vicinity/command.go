package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vicinity-sched/vicinity/internal/usage"
)

// newCommand returns the whole command line. binary is the name of the
// program's file: kubectl-vicinity calls itself "kubectl vicinity".
func newCommand(binary string, s streams, now func() time.Time) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "vicinity",
		Short: "See what the Vicinity scheduler knows of the traffic between workloads",
		Long: `See what the Vicinity scheduler knows of the traffic between workloads.

Exit codes:
  0    success
  1    failure
  2    a mistake in the command line, or a file that does not exist
  3    a recording more than half of which is gaps
  4    no traffic: an empty graph, or nothing to record
  5    doctor found warnings
  6    doctor found errors
  130  interrupted by Ctrl-C or SIGTERM, --watch included; an interrupted record ends with
       the code of its recording instead, which stays valid

docs/cli.md has more, and how to set up completion.

As a plugin of kubectl: give the program the name kubectl-vicinity and put it on
the PATH. For completion there, link kubectl_complete-vicinity to it.`,
		SilenceUsage:               true,
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		Args:                       onlyVerbs,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	if binary == "kubectl-vicinity" {
		cmd.Use = binary
		cmd.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl vicinity"}
	}
	versionFlag(cmd)
	cmd.SetOut(s.out)
	cmd.SetErr(s.err)
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage.Errorf("%w; see %s --help", flagError(err), cmd.CommandPath())
	})
	if s.called == nil {
		s.called = &called{}
	}
	cmd.AddCommand(doctorCommand(s, now), explainCommand(s, now), graphCommand(s, now), localityCommand(s, now), recordCommand(s, now), replayCommand(s, now), sourcesCommand(s, now), versionCommand())
	cmd.InitDefaultHelpCmd()
	cmd.InitDefaultCompletionCmd()
	refuseArguments(cmd)
	if binary == "kubectl-vicinity" {
		explainCompletion(cmd)
	}
	s.called.learn(cmd)
	return cmd
}

// flagError says what the value of a flag must be, without the words of Go's parsers.
func flagError(err error) error {
	invalid := (*pflag.InvalidValueError)(nil)
	if !errors.As(err, &invalid) {
		return err
	}
	want, known := map[string]string{
		"int": "a whole number", "uint64": "a whole number that is not negative", "float64": "a number such as 0.01",
		"duration": "a duration such as 30s or 5m", "bool": "true or false",
	}[invalid.GetFlag().Value.Type()]
	if !known {
		return err
	}
	return fmt.Errorf("--%s %q: must be %s", invalid.GetFlag().Name, invalid.GetValue(), want)
}

func unknownVerb(cmd *cobra.Command, verb string) error {
	if similar := cmd.SuggestionsFor(verb); len(similar) > 0 {
		return usage.Errorf("unknown verb %q; did you mean %s %s?", verb, cmd.CommandPath(), similar[0])
	}
	return usage.Errorf("unknown verb %q; see %s --help", verb, cmd.CommandPath())
}

// refuseArguments makes the verbs that cobra brings refuse what they do not know.
func refuseArguments(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				if of, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return unknownVerb(of, args[len(args)-1])
				}
				return nil
			}
		case "completion":
			cmd.Args, cmd.RunE = onlyVerbs, root.RunE
			for _, shell := range cmd.Commands() {
				shell.Args = noArgs
			}
		}
	}
}

// explainCompletion says in the help of completion what it takes for a plugin: the scripts
// complete words behind the name of the file alone.
func explainCompletion(root *cobra.Command) {
	const text = `kubectl completes the words after kubectl vicinity by asking a program called
kubectl_complete-vicinity. It is this program again, next to the plugin:

  ln -s kubectl-vicinity "$(dirname "$(command -v kubectl-vicinity)")/kubectl_complete-vicinity"

That needs kubectl's own completion to be set up (kubectl completion --help).`
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Long = text
		for _, shell := range cmd.Commands() {
			shell.Long = "Print a script that completes the words after kubectl-vicinity, with a hyphen, in " + shell.Name() + ".\n\n" + text
		}
	}
}

// onlyVerbs refuses arguments that are not verbs under the command.
func onlyVerbs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownVerb(cmd, args[0])
	}
	return nil
}

// noArgs refuses arguments that are not flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage.Errorf("%s takes no argument %q; see %s --help", cmd.Name(), args[0], cmd.CommandPath())
	}
	return nil
}
