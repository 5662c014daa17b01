// Command vicinity-sandbox is a whole cluster in one program: etcd,
// kube-apiserver, controllers, simulated nodes, a simulated Istio mesh and
// Prometheus, for trying Vicinity and for its tests. It downloads nothing and
// leaves nothing behind.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
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

// quiet sends the Kubernetes libraries' log to a file: what they say at their
// start would bury what the user wants to see.
func quiet(file *os.File) {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("logtostderr", "false")
	_ = flags.Set("alsologtostderr", "false")
	_ = flags.Set("stderrthreshold", "FATAL")
	klog.SetOutput(file)
}
