package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/internal/sandbox"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
)

// TestMeshes records and replays the same traffic under every simulated mesh, with the
// source that reads it. The meshes run at the same time over the same pods, each with a
// Prometheus of its own, so that one more costs little time. What crosses nodes in the
// replay is what that Prometheus measured.
func TestMeshes(t *testing.T) {
	s := newScene(t)
	a := s.deployShop(t)
	for _, service := range []string{"cart", "catalog"} {
		a.prefer(t, service, "PreferSameZone") // which all follow that follow anything
	}
	calls := []mesh.Call{
		a.call("web", "cart"), a.call("web", "catalog"), a.call("catalog", "store"), a.call("cart", "store"),
		{From: mesh.External, To: a.namespace + "/web", RequestsPerSecond: 10, RequestBytes: 1000, ResponseBytes: 1000, Protocol: "http"},
	}
	calls[2].Protocol = "tcp"
	calls[3].Protocol = "grpc"
	under := map[string]*scene{}
	for _, kind := range mesh.Types() {
		own := *s
		var err error
		own.Telemetry, err = sandbox.StartTelemetry(t.Context(), s.client, filepath.Join(s.dir, "prometheus-"+kind.Name), kind, calls)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := own.Stop(); err != nil {
				t.Errorf("stopping the telemetry of %s: %v", kind.Name, err)
			}
		})
		under[kind.Name] = &own
	}
	// A window for the first rate, the steps, and what is on its way.
	begun := time.Now().Add(2*roundtripStep + roundtripWindow + roundtripLength)
	for name, own := range under {
		eventually(t, name+" has been seen for long enough", func() error { return own.scrapedSince(t, begun) })
	}
	for _, kind := range mesh.Types() {
		t.Run(kind.Name, func(t *testing.T) { under[kind.Name].recordsAndReplays(t, a, kind) })
	}
}

// recordsAndReplays records what has gone by under a mesh, replays it and renders the page.
func (s *scene) recordsAndReplays(t *testing.T, a *app, kind mesh.Type) {
	shell := s.newShell(t)
	config, err := sandbox.TelemetryConfig(s.Metrics.URL(), kind)
	if err != nil {
		t.Fatal(err)
	}
	if len(config.Sources) != 1 || string(config.Sources[0].Type) != kind.Source || config.Sources[0].Window.Duration != roundtripWindow {
		t.Fatalf("the sources are %+v, want one of type %s with the window of this test", config.Sources, kind.Source)
	}
	if _, err := sandbox.WriteConfig(shell.dir, "telemetry.yaml", config); err != nil {
		t.Fatal(err)
	}
	shell.run(t, fmt.Sprintf("bin/vicinity record --telemetry-config telemetry.yaml --since %v --step %v past", roundtripLength, roundtripStep))
	report := shell.replay(t, "bin/vicinity replay past --run recorded -o json --warm-up 0s")
	if kind.Closest == "" { // what the Services ask for counts for nothing
		report.Runs[0].Summary.Node.Configured = report.Runs[0].Summary.Node.Uniform
		report.Runs[0].Summary.Zone.Configured = report.Runs[0].Summary.Zone.Uniform
	} else {
		report.routingMatters(t)
	}
	s.sameAsMeasured(t, a, report)
	shell.run(t, "bin/vicinity replay past --run recorded -o html --warm-up 0s > page.html")
	content, err := os.ReadFile(filepath.Join(shell.dir, "page.html"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)
	if !strings.HasPrefix(strings.ToLower(page), "<!doctype html>") || !strings.HasSuffix(strings.TrimSpace(page), "</html>") {
		t.Errorf("the page is not whole: it begins with %.40q", page)
	}
	// The page has the figures of the JSON.
	figure, err := json.Marshal(report.Runs[0].Summary.Node.Configured.CrossingBytesPerSecond.Mean)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page, string(figure)) {
		t.Errorf("the page does not have the traffic between nodes, %s bytes/s", figure)
	}
}
