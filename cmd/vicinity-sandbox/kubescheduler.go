package main

import (
	"github.com/spf13/cobra"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	"k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// kubeSchedulerCommand is upstream's kube-scheduler, unchanged. The demo runs
// it as a child process of this program for the pods that are not Vicinity's.
func kubeSchedulerCommand() *cobra.Command {
	cmd := app.NewSchedulerCommand()
	cmd.Use = "kube-scheduler"
	cmd.Short = "Run the stock kube-scheduler"
	return cmd
}
