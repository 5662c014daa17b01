package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRecordingCommandsOfTheManual runs what docs/replay.md says of recordings, as
// it is written there, but for jq and what needs a cluster: on hours of traffic, which
// the sandbox of test/manual does not have.
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
