package doccommands

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"
)

func TestSession(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	s, err := NewSession(t.TempDir(), t.TempDir(), []string{"PATH=/usr/local/bin:/usr/bin:/bin", "A=1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for _, test := range []struct {
		command, printed string
		exit             int
	}{
		{"export B=$A", "", 0},
		{"echo $B; echo said >&2", "1\nsaid\n", 0},
		{"cd /; false", "", 1},
		{"pwd", "/\n", 0},
		{"false | cat", "", 1},
		{"cat", "", 0}, // there is nobody to read from
		{"sleep 1000 &", "", 0},
		{"if", "", 2},
		{"exit_code() { return 7; }; exit_code", "", 7},
	} {
		got, err := s.Run(t.Context(), test.command)
		if err != nil {
			t.Fatal(err)
		}
		if got.Exit != test.exit || (test.printed != "" && got.Printed != test.printed) {
			t.Errorf("%s: %d, %q, want %d, %q", test.command, got.Exit, got.Printed, test.exit, test.printed)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Run(ctx, "sleep 1000"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a command that does not end: %v", err)
	}
}
