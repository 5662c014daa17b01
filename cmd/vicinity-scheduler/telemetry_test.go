package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	"github.com/vicinity-sched/vicinity/internal/kube/endpoints"
	"github.com/vicinity-sched/vicinity/internal/restart"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// brokenReader has rounds and panics after them.
type brokenReader struct {
	rounds int
	watch  *workingObserver
}

func (r *brokenReader) Run(context.Context) error {
	for range r.rounds {
		r.watch.Refreshed(telemetry.Status{})
	}
	panic("broken")
}

type silentObserver struct{}

func (silentObserver) Refreshed(telemetry.Status) {}

// TestReadingBeginsAnew: a panic outside of a source is not the end of the telemetry. What
// is left of it is not used again.
func TestReadingBeginsAnew(t *testing.T) {
	watched := &workingObserver{Observer: silentObserver{}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	made, closed := 0, 0
	run, err := keepReading(watched, func() (reader, func(), error) {
		made++
		if made == 3 {
			return nil, nil, errors.New("no certificate")
		}
		return &brokenReader{rounds: made - 1, watch: watched}, func() { closed++ }, nil
	})
	if err != nil || made != 1 {
		t.Fatalf("%d are made at first: %v", made, err)
	}
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
	pauses := 0
	now := time.Unix(1e9, 0)
	tasks := restart.New(func() time.Time { return now }, func(d time.Duration) <-chan time.Time {
		if pauses++; pauses == 5 {
			cancel()
			return nil
		}
		fired := make(chan time.Time, 1)
		fired <- now
		return fired
	})
	tasks.Keep(klog.NewContext(ctx, logger), restart.Telemetry, run)
	if made != 5 || closed != 4 {
		t.Errorf("%d were made and %d closed, want 5 and 4", made, closed)
	}
	var lines []string
	for _, line := range logger.GetSink().(ktesting.Underlier).GetBuffer().Data() {
		lines = append(lines, line.Message[:12])
	}
	want := []string{"A task has e", "A task works", "A task has e", "A task works", "A task has e", "A task works", "A task has e"}
	if !slices.Equal(lines, want) {
		t.Errorf("lines %q, want %q", lines, want)
	}
}

// TestNoTelemetryConfigSaysSo: whoever forgets the flag reads it in the log.
func TestNoTelemetryConfigSaysSo(t *testing.T) {
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
	loop, err := newTelemetry(nil, nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := loop(klog.NewContext(t.Context(), logger), nil); err != nil {
		t.Error(err)
	}
	lines := logger.GetSink().(ktesting.Underlier).GetBuffer().Data()
	if len(lines) != 1 || lines[0].Message != noTelemetry || !strings.Contains(noTelemetry, "--telemetry-config") {
		t.Errorf("lines %+v", lines)
	}
}

// TestPodsAreReadFirst: where a source names pods, the telemetry is not read before the
// informers have them; where none does, it is read at once.
func TestPodsAreReadFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var synced, ran atomic.Bool
		run := whenSynced(synced.Load, func(context.Context, func()) error {
			ran.Store(true)
			return nil
		})
		ended := make(chan error, 1)
		go func() { ended <- run(t.Context(), nil) }()
		time.Sleep(time.Hour)
		if ran.Load() {
			t.Error("it runs before the pods are read")
		}
		synced.Store(true)
		if err := <-ended; err != nil || !ran.Load() {
			t.Errorf("ran %v, error %v", ran.Load(), err)
		}
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		synced.Store(false)
		ran.Store(false)
		if err := run(stopped, nil); err != nil || ran.Load() {
			t.Errorf("after it was asked to stop: ran %v, error %v", ran.Load(), err)
		}
	})
}

// TestOnlyWhoNamesPodsWaits reads a source until it has asked once.
func TestOnlyWhoNamesPodsWaits(t *testing.T) {
	for kind, waits := range map[promql.Kind]bool{"workload": false, "pod": true} {
		t.Run(string(kind), func(t *testing.T) {
			var resolver *endpoints.Resolver
			synced := make(chan bool, 100)
			prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				synced <- resolver != nil && resolver.HasSynced()
				_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
			}))
			defer prometheus.Close()
			cfg := &configv1.TelemetryConfiguration{
				Prometheus: configv1.Prometheus{URL: prometheus.URL},
				Sources: []configv1.TelemetrySource{{Type: configv1.SourcePromQL, PromQL: &promql.Definition{
					Queries: []promql.Query{{Measures: promql.Sent, Query: "a"}},
					Client:  []promql.End{{Kind: kind, NamespaceLabel: "a", NameLabel: "b"}},
					Server:  []promql.End{{NamespaceLabel: "c", NameLabel: "d"}},
				}}},
			}
			cfg.SetDefaults()
			resolver, err := newResolver(cfg)
			if err != nil || (resolver != nil) != waits {
				t.Fatalf("a resolver: %v, error %v", resolver != nil, err)
			}
			run, err := newTelemetry(cfg, flowgraph.NewStore(), &flowgraph.NodeNetworkStore{}, resolver, silentObserver{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- run(ctx, func() {}) }()
			factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
			if waits {
				resolver.ReadFrom(factory)
				factory.Start(ctx.Done())
			}
			if got := <-synced; got != waits {
				t.Errorf("asked while the pods were read: %v", got)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			factory.Shutdown()
		})
	}
}
