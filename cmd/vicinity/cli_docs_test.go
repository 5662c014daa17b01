package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// isProgram reports whether the test's program was started under a name of the program.
func isProgram() bool {
	switch filepath.Base(os.Args[0]) {
	case "vicinity", "kubectl-vicinity", "kubectl_complete-vicinity":
		return true
	}
	return false
}

// TestCompletionOfTheManual types what docs/cli.md says of completion, as it is written there,
// in a home of its own, and looks whether the shells and kubectl would complete by it.
func TestCompletionOfTheManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home, bin := t.TempDir(), t.TempDir()
	for _, name := range []string{"vicinity", "kubectl-vicinity"} {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	typeIn := func(line string) string {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", line)
		cmd.Env = []string{"HOME=" + home, "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		return string(out)
	}
	_, section, _ := strings.Cut(string(text), "## Completion")
	typed := 0
	for line := range strings.Lines(section) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			typeIn(strings.TrimSpace(command))
			typed++
		}
	}
	if typed != 8 {
		t.Errorf("%d lines to type, want 8", typed)
	}
	for file, want := range map[string]string{
		".local/share/bash-completion/completions/vicinity": "-F __start_vicinity vicinity", ".zfunc/_vicinity": "#compdef vicinity",
		".zshrc": "compinit", ".config/fish/completions/vicinity.fish": "complete -c vicinity",
	} {
		if got, err := os.ReadFile(filepath.Join(home, file)); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %v, want %q in it", file, err, want)
		}
	}
	if got := typeIn("kubectl_complete-vicinity gra"); !strings.HasPrefix(got, "graph\t") {
		t.Errorf("kubectl would get %q", got)
	}
}

// TestExitCodesOfTheManual: docs/cli.md and the help have the codes that there are.
func TestExitCodesOfTheManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	help := succeed(t, "--help")
	for _, code := range []int{exitOK, exitFailure, exitUsage, exitGaps, exitEmpty, exitWarnings, exitErrors, exitInterrupted} {
		if !strings.Contains(string(text), fmt.Sprintf("\n| %d | ", code)) || !strings.Contains(help, fmt.Sprintf("\n  %-3d  ", code)) {
			t.Errorf("code %d is not in docs/cli.md, or not in the help", code)
		}
	}
}
