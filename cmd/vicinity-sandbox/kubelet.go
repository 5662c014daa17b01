package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vicinity-sched/vicinity/internal/sandbox"
	"github.com/vicinity-sched/vicinity/internal/sandbox/kubelet"
)

// schedulerImage is the last part of the name of vicinity-scheduler's image.
const schedulerImage = "vicinity-scheduler"

// besideProgram is the path of a program that is built with this one.
func besideProgram(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", name, err)
	}
	path := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s: %w; build it with make build, or name it with --scheduler", name, err)
	}
	return path, nil
}

// startKubelet lets pods of vicinity-scheduler's image run the program, so that
// installing it in the sandbox means what it means in a cluster. The sandbox has no DNS:
// it reads the usual names of a Prometheus as its own.
func startKubelet(ctx context.Context, box *sandbox.Sandbox, program string) (*kubelet.Kubelet, error) {
	prometheus := strings.TrimPrefix(box.Metrics.URL(), "http://")
	addresses := map[string]string{}
	for _, name := range []string{"prometheus", "prometheus-server", "prometheus-k8s", "prometheus-operated"} {
		for _, suffix := range []string{"", ".svc", ".svc.cluster.local"} {
			addresses[name+".monitoring"+suffix+":9090"] = prometheus
		}
	}
	k, err := kubelet.Start(ctx, kubelet.Options{
		Client:     box.Cluster.Client(),
		Kubeconfig: box.Cluster.ServiceAccountKubeconfig,
		Dir:        filepath.Join(box.Dir(), "pods"),
		Image:      schedulerImage,
		Program:    program,
		Addresses:  addresses,
		Unplayed:   true,
	})
	if err != nil {
		return nil, err
	}
	box.Cluster.ServeLogs(k.ContainerLogs)
	return k, nil
}
