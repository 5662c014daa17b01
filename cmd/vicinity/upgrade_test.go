package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/plugins/config"
)

// previous is a file in the format of the first versions: testdata/previous/README.md.
func previous(name string) string { return filepath.Join("testdata", "previous", name) }

// TestPreviousFormats reads what earlier versions wrote, and configuration that was
// written for them.
func TestPreviousFormats(t *testing.T) {
	cases := map[string]struct {
		args []string
		want []string
	}{
		"a recording": {
			[]string{"replay", previous("recording"), "--warm-up", "2m", "--price", "aws"},
			[]string{"recording: 2 nodes, 2 workloads, 2 pods, 1 edge, 20.5 KiB/s\n", "saved a month (USD)"},
		},
		"a scheduler's configuration": {
			[]string{"replay", previous("recording"), "--warm-up", "2m", "--scheduler-config", previous("scheduler.yaml")},
			[]string{"\nscheduler   scheduler "},
		},
		"an edge list": {
			[]string{"replay", previous("edges.csv"), "--cluster", filepath.Join("testdata", "replay-shop.yaml"), "--seeds", "5"},
			[]string{"1 edge, 20.5 KiB/s"},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			code, out, said := invoke(t, test.args...)
			for _, want := range test.want {
				if code != exitOK || !strings.Contains(out, want) {
					t.Errorf("exit code %d, no %q in\n%s%s", code, want, out, said)
				}
			}
		})
	}
	t.Run("a telemetry configuration", func(t *testing.T) {
		if _, err := config.LoadTelemetry(previous("telemetry.yaml")); err != nil {
			t.Error(err)
		}
	})
}

// TestNewerFormats reads what a later version may write: it says which version is
// read, and never reads it wrongly.
func TestNewerFormats(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "recording"), os.DirFS(previous("recording"))); err != nil {
		t.Fatal(err)
	}
	change := func(from, to, old, now string) string {
		t.Helper()
		text, err := os.ReadFile(from)
		if err != nil || !strings.Contains(string(text), old) {
			t.Fatalf("%s has no %q: %v", from, old, err)
		}
		path := filepath.Join(dir, to)
		write(t, path, strings.Replace(string(text), old, now, 1))
		return path
	}
	change(previous("recording/manifest.json"), "recording/manifest.json", "vicinity.recording/v1", "vicinity.recording/v2")
	telemetry := change(previous("telemetry.yaml"), "telemetry.yaml", "config.vicinity.dev/v1", "config.vicinity.dev/v2")
	arguments := change(previous("scheduler.yaml"), "arguments.yaml", "config.vicinity.dev/v1", "config.vicinity.dev/v2")
	scheduler := change(previous("scheduler.yaml"), "scheduler.yaml", "kubescheduler.config.k8s.io/v1", "kubescheduler.config.k8s.io/v9")
	field := change(previous("telemetry.yaml"), "field.yaml", "halfLife:", "halfLives:")
	cases := map[string]struct {
		args []string
		want []string
	}{
		"a recording":                 {[]string{"replay", filepath.Join(dir, "recording")}, []string{`format "vicinity.recording/v2"`, "this version reads v1"}},
		"a telemetry configuration":   {[]string{"graph", "--telemetry-config", telemetry}, []string{`"config.vicinity.dev/v2"`, `"config.vicinity.dev/v1"`}},
		"arguments of the plugin":     {[]string{"replay", "mesh:online-boutique", "--scheduler-config", arguments}, []string{`"config.vicinity.dev/v2"`, `"config.vicinity.dev/v1"`}},
		"a scheduler's configuration": {[]string{"replay", "mesh:online-boutique", "--scheduler-config", scheduler}, []string{"kubescheduler.config.k8s.io/v9", "must be apiVersion: kubescheduler.config.k8s.io/v1"}},
		"a field that is not known":   {[]string{"graph", "--telemetry-config", field}, []string{"halfLives", "unknown field"}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			code, _, said := invoke(t, test.args...)
			for _, want := range test.want {
				if code != exitFailure || !strings.Contains(said, want) {
					t.Errorf("exit code %d, and it says no %q: %s", code, want, said)
				}
			}
		})
	}
}

// TestGraphKeepsFields has every field of the first JSON of graph in today's.
func TestGraphKeepsFields(t *testing.T) {
	before, now := fieldsOf(t, previous("graph.json")), fieldsOf(t, filepath.Join("testdata", "graph.json"))
	for field := range before {
		if !now[field] {
			t.Errorf("%s has no %s any more: that needs a new version of %s", "vicinity graph -o json", field, graphSchema)
		}
	}
}

// fieldsOf returns the paths of all fields of a JSON file.
func fieldsOf(t *testing.T, path string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var content any
	if err := json.Unmarshal(text, &content); err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	var add func(string, any)
	add = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for name, below := range v {
				fields[path+"."+name] = true
				add(path+"."+name, below)
			}
		case []any:
			for _, below := range v {
				add(path+"[]", below)
			}
		}
	}
	add("", content)
	return fields
}
