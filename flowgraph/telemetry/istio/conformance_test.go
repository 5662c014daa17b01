package istio

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest/istiomesh"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// read has the source read a mesh.
func read(m telemetrytest.Mesh) telemetrytest.Mesh {
	m.New = func(o telemetrytest.Options) (telemetry.Source, error) {
		return NewSidecar(Options{Window: o.Window, Selector: o.Selector})
	}
	return m
}

func TestConformance(t *testing.T) {
	meshes := map[string]telemetrytest.Mesh{
		"sidecars":              istiomesh.Sidecars(),
		"ambient":               istiomesh.Ambient(),
		"ambient and waypoints": istiomesh.Waypoints(),
		"mixed":                 istiomesh.Mixed(),
		"migrating":             istiomesh.Migrating(true),
	}
	for name, m := range meshes {
		t.Run(name, func(t *testing.T) { telemetrytest.Run(t, promtest.Engine, read(m)) })
	}
}

// TestConformanceNotices breaks the source once for each property.
func TestConformanceNotices(t *testing.T) {
	only := func(reporter string) telemetrytest.Fault {
		return telemetrytest.Asking(func(promQL string) string {
			return strings.ReplaceAll(promQL, bothEnds, fmt.Sprintf("reporter=%q", reporter))
		})
	}
	telemetrytest.RunFaults(t, promtest.Engine, read(istiomesh.Sidecars()), map[string]telemetrytest.Fault{
		"servers without proxies":                       only("destination"),
		"half of the pods at one end without proxies":   only("destination"),
		"half of the pods at both ends without proxies": only("destination"),
		"requests are retried":                          only("source"),
	})
}

// TestSidecarsThatDoNotKnowAmbientClients: the client's ztunnel knows the server, so that
// all edges are right. What the server's sidecar cannot tell from traffic of others is left
// out beside them.
func TestSidecarsThatDoNotKnowAmbientClients(t *testing.T) {
	err := telemetrytest.Check(t, promtest.Engine, read(istiomesh.Migrating(false)), "steady traffic")
	if err == nil {
		t.Fatal("what sidecars do not know is not left out")
	}
	for line := range strings.Lines(err.Error()) {
		if _, what, _ := strings.Cut(line, "s: "); !strings.HasPrefix(what, "all traffic, left out or not") {
			t.Error(line)
		}
	}
}
