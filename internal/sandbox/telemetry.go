package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
	"github.com/vicinity-sched/vicinity/internal/sandbox/metrics"
)

// scrapeInterval is how often Prometheus reads the mesh.
const scrapeInterval = time.Second

// Telemetry is a simulated mesh over the pods of a cluster and the Prometheus that
// scrapes it. A cluster may have several, which know nothing of each other.
type Telemetry struct {
	Mesh    *mesh.Mesh
	Metrics *metrics.Server

	cancel context.CancelFunc
	wg     sync.WaitGroup
	web    *http.Server
	mu     sync.Mutex
	errs   []error
}

// StartTelemetry starts a mesh of a kind with a call graph, which may be set later,
// and Prometheus, whose time series go into dir. The mesh runs until ctx ends or Stop
// is called.
func StartTelemetry(ctx context.Context, client kubernetes.Interface, dir string, kind mesh.Type, calls []mesh.Call) (_ *Telemetry, err error) {
	s := &Telemetry{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	address, err := s.startMesh(ctx, client, kind, calls)
	if err != nil {
		return nil, fmt.Errorf("starting the mesh: %w", err)
	}
	s.Metrics, err = metrics.Start(metrics.Options{
		Dir:            dir,
		ScrapeInterval: scrapeInterval,
		Targets:        []metrics.Target{{Job: "mesh", Address: address, MetricsPath: "/metrics"}},
	})
	if err != nil {
		return nil, fmt.Errorf("starting Prometheus: %w", err)
	}
	return s, nil
}

func (s *Telemetry) startMesh(ctx context.Context, client kubernetes.Interface, kind mesh.Type, calls []mesh.Call) (address string, err error) {
	s.Mesh = mesh.New(client, kind, calls, time.Now)
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

func (s *Telemetry) failed(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

// Stop ends both parts and waits for them. It returns what went wrong since
// StartTelemetry.
func (s *Telemetry) Stop() error {
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
	return errors.Join(s.errs...)
}
