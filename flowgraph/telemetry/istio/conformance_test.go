package istio

import (
	"regexp"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest/istiomesh"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

// read returns a mesh that the source reads.
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

// TestConformanceNotices breaks the source once for each property, for sidecars alone,
// where half of all pods have ztunnel instead, and with waypoints.
func TestConformanceNotices(t *testing.T) {
	cases := map[string]struct {
		mesh   telemetrytest.Mesh
		faults map[string]telemetrytest.Fault
	}{
		"sidecars":              {istiomesh.Sidecars(), istiomesh.Faults()},
		"migrating":             {istiomesh.Migrating(true), istiomesh.Faults()},
		"ambient and waypoints": {istiomesh.Waypoints(), telemetrytest.AgentFaults()},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { telemetrytest.RunFaults(t, promtest.Engine, read(tc.mesh), tc.faults) })
	}
}

// TestWaypointsCountOnce: a source that takes waypoints for servers sees edges that are not
// there, and the suite notices.
func TestWaypointsCountOnce(t *testing.T) {
	for name, m := range map[string]telemetrytest.Mesh{"ambient": istiomesh.Waypoints(), "mixed": istiomesh.Mixed()} {
		t.Run(name, func(t *testing.T) {
			rates := regexp.MustCompile(`rate\([^)]*\)`)
			both := telemetrytest.Asking(func(promQL string) string {
				promQL = strings.ReplaceAll(promQL, istiomesh.Reporters, `reporter=~"source|destination|waypoint"`)
				return rates.ReplaceAllString(promQL, `label_replace($0, "reporter", "destination", "reporter", "waypoint")`)
			})
			err := telemetrytest.Check(t, promtest.Engine, both(read(m)), "steady traffic")
			if err == nil || !strings.Contains(err.Error(), "there is no such edge") {
				t.Errorf("error %v, want an edge that is not there", err)
			}
		})
	}
}

// TestTrustLosesNothing: where targets speak for themselves and both ends must agree, honest
// ones lose nothing. ztunnel's word is enough for what it alone sees: the traffic of waypoints
// has no other end.
func TestTrustLosesNothing(t *testing.T) {
	trust := telemetry.Trust{ReporterLabel: "namespace", TrustedReporters: []string{"istio-system"}, Agreed: true}
	for name, m := range map[string]telemetrytest.Mesh{"sidecars": istiomesh.Sidecars(), "waypoints": istiomesh.Waypoints(), "mixed": istiomesh.Mixed()} {
		t.Run(name, func(t *testing.T) {
			m.New = func(o telemetrytest.Options) (telemetry.Source, error) {
				return NewSidecar(Options{Window: o.Window, Selector: o.Selector, Trust: trust})
			}
			if err := telemetrytest.Check(t, promtest.Engine, m, "steady traffic"); err != nil {
				t.Error(err)
			}
		})
	}
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
