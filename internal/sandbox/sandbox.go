// Package sandbox puts the embedded cluster, the simulated mesh and Prometheus
// together: everything that Vicinity stands on, in one process and without a
// download. The parts are packages of their own; schedulers are not among them,
// they run as processes of their own (see Process).
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vicinity-sched/vicinity/internal/sandbox/cluster"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

// Options says what a sandbox is made of.
type Options struct {
	// Cluster is the cluster. An empty Dir is a temporary one.
	Cluster cluster.Options
	// Mesh is the kind of the simulated mesh.
	Mesh mesh.Type
	// Calls is its call graph; it may be set later.
	Calls []mesh.Call
}

// Sandbox is a running cluster with a mesh and a Prometheus.
type Sandbox struct {
	Cluster *cluster.Cluster
	*Telemetry

	dir  string // removed by Stop when it is ours
	ours bool
}

// Start starts the parts in order and returns when pods can be scheduled. It
// can be called once in a process: kube-apiserver keeps global state.
func Start(ctx context.Context, o Options) (_ *Sandbox, err error) {
	s := &Sandbox{dir: o.Cluster.Dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "vicinity-sandbox-"); err != nil {
			return s, fmt.Errorf("making the sandbox's directory: %w", err)
		}
		s.ours = true
		o.Cluster.Dir = s.dir
	}
	if s.Cluster, err = cluster.Start(ctx, o.Cluster); err != nil {
		return s, fmt.Errorf("starting the cluster: %w", err)
	}
	s.Telemetry, err = StartTelemetry(ctx, s.Cluster.Client(), filepath.Join(s.dir, "prometheus"), o.Mesh, o.Calls)
	if err != nil {
		return s, err
	}
	if err = PublishPrometheus(ctx, s.Cluster, s.Telemetry, "monitoring"); err != nil {
		return s, fmt.Errorf("publishing Prometheus: %w", err)
	}
	return s, nil
}

// PublishPrometheus makes a Prometheus the Service prometheus of a namespace.
func PublishPrometheus(ctx context.Context, c *cluster.Cluster, t *Telemetry, namespace string) error {
	return c.Publish(ctx, cluster.Published{
		Namespace: namespace, Name: "prometheus", Port: 9090, PortName: "web",
		Address: strings.TrimPrefix(t.Metrics.URL(), "http://"),
	})
}

// Dir is the sandbox's directory, for the files of those who use it.
func (s *Sandbox) Dir() string { return s.dir }

// Stop ends every part, in the reverse order of Start, and removes the
// directory unless the caller gave it. It returns what went wrong in the parts
// since Start.
func (s *Sandbox) Stop() error {
	var errs []error
	if s.Telemetry != nil {
		errs = append(errs, s.Telemetry.Stop())
	}
	if s.Cluster != nil {
		errs = append(errs, s.Cluster.Stop())
	}
	if s.ours {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
