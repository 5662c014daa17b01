package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRoutingCommandsOfTheManual runs what docs/replay.md says to type, as it is
// written there, but for jq.
func TestRoutingCommandsOfTheManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/replay.md")
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile("../../manifests/base/config/scheduler.yaml")
	if err != nil {
		t.Fatal(err)
	}
	edges, cluster := shopFiles(t)
	dir := filepath.Dir(edges)
	write(t, filepath.Join(dir, "scheduler.yaml"), string(config))
	if err := os.Rename(cluster, filepath.Join(dir, "cluster.json")); err != nil { // YAML is read too
		t.Fatal(err)
	}
	t.Chdir(dir)
	_, section, _ := strings.Cut(string(text), "\n## What if the routing were different\n")
	section, _, _ = strings.Cut(section, "\n## ")
	commands := 0
	for line := range strings.Lines(section) {
		command, ok := strings.CutPrefix(line, "    vicinity ")
		if !ok {
			continue
		}
		commands++
		command, _, piped := strings.Cut(command, " | jq ")
		out := succeed(t, strings.Fields(command)...)
		if piped && !strings.Contains(out, `"routingAdvice"`) || !piped && strings.Contains(line, "--route") != strings.Contains(out, "\nassumed: ") {
			t.Errorf("%sprints\n%s", line, out)
		}
	}
	if commands < 5 {
		t.Errorf("%d commands found, want 5 at least", commands)
	}
}
