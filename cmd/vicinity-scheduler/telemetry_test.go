package main

import (
	"context"
	"errors"
	"strings"
	"testing"
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
