package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"
)

func TestGuardedTurnsAPanicIntoAnError(t *testing.T) {
	loop := telemetryLoop{func(context.Context) error { panic("broken") }}
	if err := loop.guarded(t.Context()); err == nil || !strings.Contains(err.Error(), "panic: broken") {
		t.Errorf("error %v, want the panic", err)
	}
	loop = telemetryLoop{func(context.Context) error { return context.Canceled }}
	if err := loop.guarded(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the loop", err)
	}
}

// TestNoTelemetryConfigSaysSo: whoever forgets the flag reads it in the log.
func TestNoTelemetryConfigSaysSo(t *testing.T) {
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
	loop, err := newTelemetry(nil, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := loop.guarded(klog.NewContext(t.Context(), logger)); err != nil {
		t.Error(err)
	}
	lines := logger.GetSink().(ktesting.Underlier).GetBuffer().Data()
	if len(lines) != 1 || lines[0].Message != noTelemetry || !strings.Contains(noTelemetry, "--telemetry-config") {
		t.Errorf("lines %+v", lines)
	}
}
