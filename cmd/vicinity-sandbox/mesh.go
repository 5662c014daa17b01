package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

// meshFlag gives a command the flag --mesh, whose values the shell completes.
func meshFlag(cmd *cobra.Command, into *mesh.Type) {
	names := mesh.Names()
	*into = mesh.Types()[0]
	cmd.Flags().Var((*meshValue)(into), "mesh", "the simulated mesh: "+strings.Join(names, " or "))
	if err := cmd.RegisterFlagCompletionFunc("mesh", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is there
	}
}

// meshValue is the value of the flag.
type meshValue mesh.Type

// String returns the name of the mesh.
func (v *meshValue) String() string { return v.Name }

// Set takes the name of a mesh.
func (v *meshValue) Set(name string) error {
	kind, err := mesh.Named(name)
	if err == nil {
		*v = meshValue(kind)
	}
	return err
}

// Type is what help calls the value.
func (v *meshValue) Type() string { return "name" }
