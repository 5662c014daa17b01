package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/vicinity-sched/vicinity/internal/sandbox"
	"github.com/vicinity-sched/vicinity/internal/sandbox/cluster"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

type runOptions struct {
	mesh                   mesh.Type
	dir, kubeconfig, calls string
	version                string
	zones, nodesPerZone    int
	cpu, memory            string
	pods                   int64
	scheduler              bool
	image                  string // the program that pods with vicinity-scheduler's image run
}

func runCommand() *cobra.Command {
	o := runOptions{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run a cluster with a mesh and Prometheus until interrupted",
		Long: `run starts a cluster with simulated nodes, a simulated mesh and Prometheus,
prints how to reach them, and ends when it is interrupted. Real kubectl works
against it. Traffic flows along the call graph given by --calls between pods that
are really there and where they really run.`,
		Example: `  vicinity-sandbox run --calls calls.yaml
  # calls.yaml
  - {from: shop/frontend, to: shop/cart, requestsPerSecond: 100, requestBytes: 1024, responseBytes: 8192}`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return runSandbox(ctx, cmd.OutOrStdout(), o)
		},
	}
	meshFlag(cmd, &o.mesh)
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "", "keep the cluster's data, kubeconfig and logs in this directory (default: a temporary one that is removed)")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "also write the kubeconfig to this file; it is removed at the end")
	f.StringVar(&o.calls, "calls", "", "the call graph of the simulated mesh, a YAML file")
	f.IntVar(&o.zones, "zones", 3, "number of zones")
	f.IntVar(&o.nodesPerZone, "nodes-per-zone", 3, "nodes in each zone")
	f.StringVar(&o.cpu, "node-cpu", "8", "CPU of each node")
	f.Int64Var(&o.pods, "node-pods", 110, "how many pods each node takes")
	f.StringVar(&o.memory, "node-memory", "32Gi", "memory of each node")
	f.StringVar(&o.version, "kubernetes-version", "", "minor version of Kubernetes that the API server emulates, e.g. 1.36 (default: the newest)")
	f.BoolVar(&o.scheduler, "scheduler", true, "run the stock kube-scheduler too")
	f.StringVar(&o.image, "vicinity-scheduler", "", "the program that runs for each pod with the image of vicinity-scheduler (default: the one beside this program, if it is there)")
	return cmd
}

func (o runOptions) check() error {
	if o.zones < 1 || o.zones > 26 {
		return fmt.Errorf("--zones %d: must be between 1 and 26", o.zones)
	}
	if o.nodesPerZone < 1 || o.nodesPerZone > 1000 {
		return fmt.Errorf("--nodes-per-zone %d: must be between 1 and 1000", o.nodesPerZone)
	}
	if o.pods < 1 {
		return fmt.Errorf("--node-pods %d: must be positive", o.pods)
	}
	if o.image != "" {
		if _, err := os.Stat(o.image); err != nil {
			return fmt.Errorf("--vicinity-scheduler: %w", err)
		}
	}
	for name, value := range map[string]string{"--node-cpu": o.cpu, "--node-memory": o.memory} {
		if _, err := resource.ParseQuantity(value); err != nil {
			return fmt.Errorf("%s %q: %w", name, value, err)
		}
	}
	return nil
}

func runSandbox(ctx context.Context, out io.Writer, o runOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	var calls []mesh.Call
	if o.calls != "" {
		file, err := os.Open(o.calls)
		if err != nil {
			return fmt.Errorf("opening the call graph: %w", err)
		}
		defer file.Close()
		if calls, err = mesh.ParseCalls(file); err != nil {
			return fmt.Errorf("%s: %w", o.calls, err)
		}
	}
	nodes := cluster.Zones(o.zones, o.nodesPerZone, o.cpu, o.memory)
	for i := range nodes {
		nodes[i].Pods = o.pods
	}
	image := ""
	if o.image == "" {
		o.image, _ = besideProgram("vicinity-scheduler")
	}
	if o.image != "" {
		image = schedulerImage
	}
	box, err := startSandbox(ctx, sandbox.Options{
		Cluster: cluster.Options{Dir: o.dir, Version: o.version, Nodes: nodes, RealImage: image, Log: out},
		Mesh:    o.mesh,
		Calls:   calls,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Stop()) }()
	var scheduler *sandbox.Process
	if o.scheduler {
		if scheduler, err = startKubeScheduler(ctx, box); err != nil {
			return err
		}
		defer scheduler.Stop()
	}
	if o.image != "" {
		pods, err := startKubelet(ctx, box, o.image)
		if err != nil {
			return err
		}
		defer pods.Stop()
	}
	path := box.Cluster.Kubeconfig()
	if o.kubeconfig != "" {
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("copying the kubeconfig: %w", err)
		}
		if err := os.WriteFile(o.kubeconfig, content, 0o600); err != nil {
			return fmt.Errorf("copying the kubeconfig: %w", err)
		}
		defer os.Remove(o.kubeconfig)
		path = o.kubeconfig
	}
	fmt.Fprintf(out, runHint, path, box.Metrics.URL())
	if scheduler == nil {
		<-ctx.Done()
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-scheduler.Done():
		if ctx.Err() != nil {
			return nil
		}
		return scheduler.Err()
	}
}

// runHint says how to reach a sandbox.
const runHint = `ready; press Ctrl-C to end it

export KUBECONFIG=%s
export PROMETHEUS=%s

Prometheus is also the Service monitoring/prometheus: with KUBECONFIG alone, these find it.
  vicinity graph --window 10s
  vicinity locality --window 10s
  vicinity explain workload NAME --namespace NAMESPACE --window 10s
`

// startSandbox starts a sandbox whose libraries log to a file in its directory.
func startSandbox(ctx context.Context, o sandbox.Options) (*sandbox.Sandbox, error) {
	log, err := os.CreateTemp("", "vicinity-sandbox-*.log")
	if err != nil {
		return nil, fmt.Errorf("making the log file: %w", err)
	}
	sandbox.LogTo(log)
	box, err := sandbox.Start(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("%w; the log is in %s", err, log.Name())
	}
	// From here on the file has no name and vanishes with the process, unless
	// the user keeps the directory.
	if o.Cluster.Dir != "" {
		_ = os.Rename(log.Name(), filepath.Join(o.Cluster.Dir, "sandbox.log"))
	}
	_ = os.Remove(log.Name())
	return box, nil
}

// startKubeScheduler runs the stock scheduler as a child of this program.
func startKubeScheduler(ctx context.Context, box *sandbox.Sandbox) (*sandbox.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	return sandbox.StartProcess(ctx, "kube-scheduler", filepath.Join(box.Dir(), "kube-scheduler.log"), self, "kube-scheduler",
		"--kubeconfig="+box.Cluster.Kubeconfig(), "--leader-elect=false", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000")
}
