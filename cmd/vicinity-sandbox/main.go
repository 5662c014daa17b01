// Command vicinity-sandbox is a whole cluster in one program: etcd,
// kube-apiserver, controllers, simulated nodes, a simulated service mesh and
// Prometheus, for trying Vicinity and for its tests. It downloads nothing and
// leaves nothing behind.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
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
	}
	cmd.AddCommand(runCommand(), demoCommand(), kubeSchedulerCommand())
	return cmd
}
