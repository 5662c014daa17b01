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
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"github.com/vicinity-sched/vicinity/internal/sandbox"
	"github.com/vicinity-sched/vicinity/internal/sandbox/cluster"
	"github.com/vicinity-sched/vicinity/internal/sandbox/kubelet"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

const demoLong = `demo shows on a real control plane what Vicinity does. It starts a cluster (etcd,
kube-apiserver, controllers, nine simulated nodes in three zones), a simulated
mesh (--mesh), Prometheus, kube-scheduler and vicinity-scheduler, each scheduler
as a process of its own. It deploys an application of twelve services under
kube-scheduler, lets traffic flow, rolls it over to "schedulerName: vicinity",
then sets "trafficDistribution: PreferSameNode" on its Services (PreferSameZone
where the mesh follows only that), and prints what Prometheus measured in the three
states.

It needs no network and leaves nothing behind.`

// demoOptions are the flags of the demo.
type demoOptions struct {
	mesh      mesh.Type
	weight    int
	until     string
	keep      bool
	scheduler string
	settle    time.Duration
}

func demoCommand() *cobra.Command {
	o := demoOptions{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show an application's traffic before and after Vicinity places it",
		Long:  demoLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return runDemo(ctx, cmd.OutOrStdout(), o)
		},
	}
	meshFlag(cmd, &o.mesh)
	f := cmd.Flags()
	f.IntVar(&o.weight, "weight", 5, "weight of TrafficLocality beside kube-scheduler's own score plugins; 0 is the control run without effect")
	f.StringVar(&o.until, "until", "C", "the last state: A is the application under kube-scheduler, B under Vicinity, C with trafficDistribution on the Services as well")
	f.BoolVar(&o.keep, "keep", false, "leave the cluster running until interrupted, and print how to reach it")
	f.StringVar(&o.scheduler, "scheduler", "", "path to vicinity-scheduler (default: beside this program)")
	f.DurationVar(&o.settle, "settle", 20*time.Second, "how long traffic flows in each state before it is measured; the measurement covers the last half")
	return cmd
}

// demo is a running demonstration.
type demo struct {
	out     io.Writer
	options demoOptions
	started time.Time
	box     *sandbox.Sandbox
	client  kubernetes.Interface
	counter *decisionCounter
	procs   []*sandbox.Process
	kubelet *kubelet.Kubelet // of vicinity-scheduler's pods, where there is no process of it
}

func runDemo(ctx context.Context, out io.Writer, o demoOptions) (err error) {
	if o.weight < 0 || o.weight > 100 {
		return fmt.Errorf("--weight %d: must be between 0 and 100", o.weight)
	}
	if o.until != "A" && o.until != "B" && o.until != "C" {
		return fmt.Errorf("--until %q: must be A, B or C", o.until)
	}
	if o.settle < 4*time.Second {
		return fmt.Errorf("--settle %v: must be at least 4s, so that Prometheus has some samples to measure by", o.settle)
	}
	if o.scheduler == "" {
		if o.scheduler, err = besideProgram("vicinity-scheduler"); err != nil {
			return err
		}
	}
	if _, err := os.Stat(o.scheduler); err != nil {
		return fmt.Errorf("vicinity-scheduler: %w; build it with make build, or name it with --scheduler", err)
	}
	d := &demo{out: out, options: o, started: time.Now()}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.start(ctx); err != nil {
		return err
	}
	states, err := d.states(ctx)
	if err != nil {
		return err
	}
	d.report(states)
	if !o.keep {
		return nil
	}
	return d.wait(ctx, states)
}

// start brings up the cluster and both schedulers.
func (d *demo) start(ctx context.Context) (err error) {
	d.step("starting etcd, kube-apiserver, controllers and 9 nodes in 3 zones")
	d.box, err = startSandbox(ctx, sandbox.Options{
		Cluster: cluster.Options{Nodes: cluster.Zones(3, 3, "4", "16Gi"), RealImage: schedulerImage},
		Mesh:    d.options.mesh,
		Calls:   demoCalls(),
	})
	if err != nil {
		return err
	}
	d.client = d.box.Cluster.Client()
	d.step("starting kube-scheduler for every pod that does not ask for another")
	scheduler, err := startKubeScheduler(ctx, d.box)
	if err != nil {
		return err
	}
	d.procs = append(d.procs, scheduler)
	if d.options.until == "A" {
		d.step("vicinity-scheduler is not installed; pods with its image will run %s", d.options.scheduler)
		d.kubelet, err = startKubelet(ctx, d.box, d.options.scheduler)
		return err
	}
	d.step("starting vicinity-scheduler for pods with schedulerName: vicinity")
	config, telemetry, err := d.configure()
	if err != nil {
		return err
	}
	own, err := sandbox.StartProcess(ctx, "vicinity-scheduler", filepath.Join(d.box.Dir(), "vicinity-scheduler.log"), d.options.scheduler,
		"--config="+config, "--telemetry-config="+telemetry, "--secure-port=0")
	if err != nil {
		return err
	}
	d.procs = append(d.procs, own)
	return nil
}

// configure writes vicinity-scheduler's configuration: the shipped profile with
// the demo's weight.
func (d *demo) configure() (schedulerFile, telemetryFile string, err error) {
	scheduler, err := sandbox.SchedulerConfig(d.box.Cluster.Kubeconfig())
	if err != nil {
		return "", "", err
	}
	sandbox.SetWeight(&scheduler.Profiles[0], int32(d.options.weight))
	if schedulerFile, err = sandbox.WriteConfig(d.box.Dir(), "scheduler.yaml", scheduler); err != nil {
		return "", "", err
	}
	telemetry, err := sandbox.TelemetryConfig(d.box.Metrics.URL(), d.options.mesh)
	if err != nil {
		return "", "", err
	}
	telemetryFile, err = sandbox.WriteConfig(d.box.Dir(), "telemetry.yaml", telemetry)
	return schedulerFile, telemetryFile, err
}

// states takes the application through its three states and measures each.
func (d *demo) states(ctx context.Context) ([]state, error) {
	var err error
	if d.counter, err = countDecisions(ctx, d.client); err != nil {
		return nil, err
	}
	var states []state
	for _, phase := range d.phases() {
		if phase.do == nil {
			d.step("%s", phase.doing)
			break
		}
		d.step("%s", phase.doing)
		before := d.counter.total()
		if err := phase.do(ctx); err != nil {
			return nil, err
		}
		d.step("letting traffic flow for %v", d.options.settle)
		if err := d.pause(ctx, d.options.settle); err != nil {
			return nil, err
		}
		s, err := d.measure(ctx, d.options.settle/2)
		if err != nil {
			return nil, err
		}
		s.name, s.title, s.decisions = phase.name, phase.title, d.counter.total()-before
		d.step("%s: %.1f %% of the traffic crosses nodes, %.1f %% crosses zones", s.name, 100*s.crossNode(), 100*s.crossZone())
		states = append(states, s)
		if phase.name == d.options.until {
			break
		}
	}
	return states, nil
}

// phase leads to a state.
type phase struct {
	name, title, doing string
	do                 func(context.Context) error // nil where there is no such state
}

// phases returns how the states are come to. The last depends on what the mesh follows.
func (d *demo) phases() []phase {
	closest := d.options.mesh.Closest
	last := phase{"C", "vicinity + " + closest, "setting trafficDistribution: " + closest + " on the Services", d.preferClosest}
	if closest == "" {
		last = phase{name: "C", doing: "there is no state C: calls under " + d.options.mesh.Name + " do not follow trafficDistribution"}
	}
	return []phase{
		{"A", "default scheduler", "deploying 12 services under kube-scheduler", d.deploy},
		{"B", "vicinity", fmt.Sprintf("rolling them over to schedulerName: vicinity (weight %d)", d.options.weight), d.rollOver},
		last,
	}
}

// pause waits, unless a scheduler ends meanwhile.
func (d *demo) pause(ctx context.Context, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("interrupted: %w", ctx.Err())
	case <-timer.C:
		return d.ended()
	}
}

// ended reports a scheduler that is no longer there.
func (d *demo) ended() error {
	var errs []error
	for _, p := range d.procs {
		errs = append(errs, p.Err())
	}
	return errors.Join(errs...)
}

// wait keeps the cluster until it is interrupted.
func (d *demo) wait(ctx context.Context, states []state) error {
	cli := filepath.Join(filepath.Dir(d.options.scheduler), "vicinity")
	fmt.Fprintf(d.out, `
The cluster goes on until you press Ctrl-C. In another terminal, first

  export KUBECONFIG=%[1]s
  export PROMETHEUS=%[2]s

and then look at the pods and their traffic, how much of it stays close, and why a
pod is where it is (Prometheus is found in the cluster, docs/connecting.md),

  kubectl -n %[3]s get pods -o wide
  %[4]s graph --window 10s
  %[4]s locality --window 10s
  %[4]s explain workload cart -n %[3]s --window 10s

or record it, and see what it would be under each scheduler (docs/quickstart.md):

  %[4]s record --duration 2m --step 5s --window 10s shop.tar.zst
  %[4]s replay shop.tar.zst --price aws
  %[4]s replay shop.tar.zst --price aws -o html > report.html

`, d.box.Cluster.Kubeconfig(), d.box.Metrics.URL(), demoNamespace, cli)
	fmt.Fprintln(d.out, lastLine(states))
	<-ctx.Done()
	return nil
}

func (d *demo) stop() error {
	if d.kubelet != nil {
		d.kubelet.Stop()
	}
	for _, p := range d.procs {
		p.Stop()
	}
	if d.counter != nil {
		d.counter.stop()
	}
	if d.box == nil {
		return nil
	}
	return d.box.Stop()
}

// step prints a line of progress.
func (d *demo) step(format string, args ...any) {
	fmt.Fprintf(d.out, "[%4.0fs] %s\n", time.Since(d.started).Seconds(), fmt.Sprintf(format, args...))
}
