package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestMakefileKnowsEveryBinary: whatever is asked for, make has a rule for it, and for the image's.
func TestMakefileKnowsEveryBinary(t *testing.T) {
	for args, want := range map[string][]string{
		"":                                   {"linux/amd64/vicinity", "linux/arm64/vicinity-scheduler", "darwin/amd64/vicinity-sandbox", "darwin/arm64/vicinity"},
		"PLATFORMS=linux/amd64,darwin/arm64": {"linux/amd64/vicinity", "darwin/arm64/vicinity-scheduler"},
		"PLATFORMS=darwin/arm64 PROGRAMS=vicinity": {"darwin/arm64/vicinity", "/vicinity-scheduler"},
		"PLATFORMS=linux/arm64 PROGRAMS=vicinity":  {"linux/arm64/vicinity", "linux/arm64/vicinity-scheduler"},
	} {
		said, err := exec.CommandContext(t.Context(), "make", append([]string{"-n", "-C", "../../..", "release"}, strings.Fields(args)...)...).CombinedOutput()
		if err != nil {
			t.Errorf("make release %s: %v\n%s", args, err, said)
		}
		for _, binary := range want {
			if !strings.Contains(string(said), binary+" ./cmd/") {
				t.Errorf("make release %s does not build %s", args, binary)
			}
		}
	}
}
