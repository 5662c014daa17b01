package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/restart"
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
	loop, err := newTelemetry(nil, nil, nil, nil)
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
