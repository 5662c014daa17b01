package sources_test

import (
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest/istiomesh"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// TestIstioAsDataConforms: what is shown of the type istio-sidecar as data passes the suite.
func TestIstioAsDataConforms(t *testing.T) {
	kind, _, err := sources.Named(v1.SourceIstioSidecar)
	if err != nil {
		t.Fatal(err)
	}
	meshes := map[string]telemetrytest.Mesh{"sidecars": istiomesh.Sidecars(), "mixed": istiomesh.Mixed()}
	for name, m := range meshes {
		m.New = func(o telemetrytest.Options) (telemetry.Source, error) {
			return promql.New(promql.Options{
				Name: "istio", Type: promql.Type, Definition: *kind.Definition, Window: o.Window, Selector: o.Selector, Resolver: o.Resolver,
			})
		}
		t.Run(name, func(t *testing.T) { telemetrytest.Run(t, promtest.Engine, m) })
	}
}
