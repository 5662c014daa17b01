package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestVersion: the flag is the program's own, although a library adds one of the name to every
// command of a program. No command goes on without a word.
func TestVersion(t *testing.T) {
	for _, args := range []string{"--version", "demo --version", "run --version"} {
		out := &bytes.Buffer{}
		cmd := newCommand()
		cmd.SetOut(out)
		cmd.SetArgs(strings.Fields(args))
		if err := cmd.Execute(); err != nil || !strings.HasPrefix(out.String(), "vicinity-sandbox ") || !strings.Contains(out.String(), "Kubernetes v") {
			t.Errorf("%s: error %v, it prints %q", args, err, out.String())
		}
	}
}
