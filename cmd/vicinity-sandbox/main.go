// Command vicinity-sandbox is a whole cluster in one program: etcd,
// kube-apiserver, controllers, simulated nodes, a simulated service mesh and
// Prometheus, for trying Vicinity and for its tests. It downloads nothing and
// leaves nothing behind.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/vicinity-sched/vicinity/internal/version"
)

func main() {
	if err := newCommand().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "vicinity-sandbox:", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "vicinity-sandbox",
		Short:         "A cluster with a service mesh in one program",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version.Get().String(),
	}
	cmd.SetVersionTemplate("vicinity-sandbox {{.Version}}\n")
	// A library gives every program a flag of this name, and cobra every command, unless there
	// is one.
	cmd.PersistentFlags().Bool("version", false, "print the version")
	for _, sub := range []*cobra.Command{runCommand(), demoCommand()} {
		sub.Version = cmd.Version
		cmd.AddCommand(sub)
	}
	cmd.AddCommand(kubeSchedulerCommand())
	return cmd
}
