// Command vicinity-scheduler is a complete kube-scheduler with the
// TrafficLocality plugin and the telemetry that feeds it. Everything of
// kube-scheduler's is there, with the same flags; --telemetry-config is ours.
package main

import (
	"fmt"
	"os"
	"strings"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // metrics of the API client
	_ "k8s.io/component-base/metrics/prometheus/version"  // kubernetes_build_info
)

func main() {
	if err := cli.RunNoErrOutput(newCommand()); err != nil {
		// One line: what stops a control plane component is read in a pod's
		// last message.
		fmt.Fprintf(os.Stderr, "vicinity-scheduler: %s\n", strings.Join(strings.Fields(err.Error()), " "))
		os.Exit(1)
	}
}
