package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
		if piped && !strings.Contains(out, `"routingAdvice"`) || !piped && !strings.Contains(out, "\nassumed: ") {
			t.Errorf("%sprints\n%s", line, out)
		}
	}
	if commands < 5 {
		t.Errorf("%d commands found, want 5 at least", commands)
	}
}

// TestRecordingCommandsOfTheManual runs what docs/replay.md says of recordings, as
// it is written there, but for jq and what needs a cluster.
func TestRecordingCommandsOfTheManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/replay.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := aRecording()
	o.Length = 4 * time.Hour
	o.Step = 10 * time.Minute
	record(t, filepath.Join(dir, "shop.tar.zst"), o)
	clusterFile(t, filepath.Join(dir, "cluster.json"), o)
	o.WithoutObjects = true
	record(t, filepath.Join(dir, "edges"), o)
	database(t, filepath.Join(dir, "prometheus-data"))
	write(t, filepath.Join(dir, "telemetry.yaml"), "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\n"+
		"prometheus: {url: http://localhost:9090}\nhalfLife: 5m\nsources: [{type: istio-sidecar, window: 2m}]\n")
	t.Chdir(dir)
	_, section, _ := strings.Cut(string(text), "\n## Recordings and data directories\n")
	section, _, _ = strings.Cut(section, "\n## ")
	commands := 0
	for line := range strings.Lines(section) {
		command, ok := strings.CutPrefix(line, "    vicinity replay ")
		if !ok {
			continue
		}
		commands++
		command, _, piped := strings.Cut(command, " | jq ")
		want := "measured from"
		if piped {
			want = `"timeline"`
		}
		if out := succeed(t, append([]string{"replay"}, strings.Fields(command)...)...); !strings.Contains(out, want) {
			t.Errorf("%sprints no %q:\n%s", line, want, out)
		}
	}
	if commands != 6 {
		t.Errorf("%d commands found, want 6", commands)
	}
}

// TestQuickstartReplays runs what docs/quickstart.md says of recordings, as it is
// written there. Its other commands need a cluster; test/integration runs all.
func TestQuickstartReplays(t *testing.T) {
	text, err := os.ReadFile("../../docs/quickstart.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	record(t, filepath.Join(dir, "shop.tar.zst"), aRecording())
	t.Chdir(dir)
	commands := 0
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(line, "    bin/vicinity replay ")
		if !ok {
			continue
		}
		commands++
		command, _, page := strings.Cut(command, " > report.html")
		want := "ROUTING ONLY   VICINITY ONLY"
		if page {
			want = "<!doctype html>"
		}
		if out := succeed(t, append([]string{"replay"}, strings.Fields(command)...)...); !strings.Contains(out, want) {
			t.Errorf("%sprints no %q:\n%s", line, want, out)
		}
	}
	if commands != 2 {
		t.Errorf("%d commands found, want 2", commands)
	}
}
