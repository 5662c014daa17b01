// Package sandbox puts the embedded cluster, the simulated mesh and Prometheus
// together: everything that Vicinity stands on, in one process and without a
// download. The parts are packages of their own; schedulers are not among them,
// they run as processes of their own (see Process).
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vicinity-sched/vicinity/internal/sandbox/cluster"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
	"github.com/vicinity-sched/vicinity/internal/sandbox/metrics"
)

// Options says what a sandbox is made of.
type Options struct {
	// Cluster is the cluster. An empty Dir is a temporary one.
	Cluster cluster.Options
	// Calls is the call graph of the simulated mesh; it may be set later.
	Calls []mesh.Call
	// ScrapeInterval is how often Prometheus reads the mesh (default 1 s).
	ScrapeInterval time.Duration
}

// Sandbox is a running cluster with a mesh and a Prometheus.
type Sandbox struct {
	Cluster *cluster.Cluster
	Mesh    *mesh.Mesh
	Metrics *metrics.Server

	dir    string // removed by Stop when it is ours
	ours   bool
	cancel context.CancelFunc
	wg     sync.WaitGroup
	web    *http.Server
	mu     sync.Mutex
	errs   []error
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
	address, err := s.startMesh(ctx, o.Calls)
	if err != nil {
		return s, fmt.Errorf("starting the mesh: %w", err)
	}
	if o.ScrapeInterval == 0 {
		o.ScrapeInterval = time.Second
	}
	s.Metrics, err = metrics.Start(metrics.Options{
		Dir:            filepath.Join(s.dir, "prometheus"),
		ScrapeInterval: o.ScrapeInterval,
		Targets:        []metrics.Target{{Job: "mesh", Address: address, MetricsPath: "/metrics"}},
	})
	if err != nil {
		return s, fmt.Errorf("starting Prometheus: %w", err)
	}
	return s, nil
}

func (s *Sandbox) startMesh(ctx context.Context, calls []mesh.Call) (address string, err error) {
	s.Mesh = mesh.New(s.Cluster.Client(), calls, time.Now)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", s.Mesh.Handler())
	s.web = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ctx, s.cancel = context.WithCancel(ctx)
	s.wg.Go(func() { s.failed(s.Mesh.Run(ctx)) })
	s.wg.Go(func() {
		if err := s.web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed(err)
		}
	})
	return listener.Addr().String(), nil
}

func (s *Sandbox) failed(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

// Dir is the sandbox's directory, for the files of those who use it.
func (s *Sandbox) Dir() string { return s.dir }

// Stop ends every part, in the reverse order of Start, and removes the
// directory unless the caller gave it. It returns what went wrong in the parts
// since Start.
func (s *Sandbox) Stop() error {
	if s.cancel != nil {
		s.cancel()
	}
	if s.Metrics != nil {
		s.failed(s.Metrics.Stop())
	}
	if s.web != nil {
		s.failed(s.web.Close())
	}
	s.wg.Wait()
	if s.Cluster != nil {
		s.failed(s.Cluster.Stop())
	}
	if s.ours {
		s.failed(os.RemoveAll(s.dir))
	}
	return errors.Join(s.errs...)
}
