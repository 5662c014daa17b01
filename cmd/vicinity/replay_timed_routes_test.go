package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/internal/recordingtest"
)

// TestReplayRoutesOfRecording assumes other Services.
func TestReplayRoutesOfRecording(t *testing.T) {
	ruled := aRecording()
	ruled.More = []runtime.Object{&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": map[string]any{"namespace": "istio-system", "name": "all"},
		"spec": map[string]any{"host": "*.local", "trafficPolicy": map[string]any{
			"loadBalancer": map[string]any{"localityLbSetting": map[string]any{"enabled": false}},
		}},
	}}}
	for name, o := range map[string]recordingtest.Options{"shop": aRecording(), "against a DestinationRule": ruled} {
		path := record(t, filepath.Join(t.TempDir(), "shop"), o)
		plain, _ := replayTimed(t, "--run", "recorded", path)
		for _, route := range []string{"all=PreferSameNode", "shop/w1=PreferSameNode"} {
			got, _ := replayTimed(t, "--run", "recorded", path, "--route", route)
			today, assumed := got.Runs[0], got.Runs[1]
			if today.Name != "recorded" || today.Summary.Node != plain.Runs[0].Summary.Node {
				t.Errorf("%s: %s: today is %+v, without it %+v", name, route, today.Summary.Node, plain.Runs[0].Summary.Node)
			}
			if len(got.Assumed) != 1 || assumed.Summary.Node.Configured.LocalShare.Mean <= today.Summary.Node.Configured.LocalShare.Mean ||
				assumed.Summary.Node.Uniform != today.Summary.Node.Uniform {
				t.Errorf("%s: %s: %+v, without %+v", name, route, assumed.Summary.Node, today.Summary.Node)
			}
		}
	}
}

// TestTheDefaultRouteIsNoCondition: where the Services come after the warm-up, the routing
// that nobody asked for cannot be assumed; the rest of the report stands.
func TestTheDefaultRouteIsNoCondition(t *testing.T) {
	path := record(t, filepath.Join(t.TempDir(), "shop"), aRecording())
	files, err := filepath.Glob(filepath.Join(path, "objects-*"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var others, services strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"kind":"Service"`) {
			services.WriteString(strings.Replace(line, `"time":"2026-03-04T05:00:00Z"`, `"time":"2026-03-04T05:39:30Z"`, 1))
			continue
		}
		others.WriteString(line)
	}
	all := others.String()
	end := strings.LastIndex(strings.TrimSuffix(all, "\n"), "\n") + 1 // of the BOOKMARK that ends the file
	write(t, files[0], all[:end]+services.String()+all[end:])
	got, report := replayTimed(t, "--run", "recorded,latency", "--seeds", "1", path)
	if len(got.Runs) != 2 || !strings.Contains(report, "there is no column for another routing") {
		t.Errorf("%d runs, want two and a note in\n%s", len(got.Runs), report)
	}
	code, _, said := invoke(t, "replay", path, "--route", "all=PreferSameNode")
	if code != exitUsage || !strings.Contains(said, "has no Services") {
		t.Errorf("exit code %d, stderr %q, want a mistake in what was asked for", code, said)
	}
}
