package integration

import (
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	"github.com/vicinity-sched/vicinity/internal/sandbox/mesh"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// podsAndServices reads the mesh's metrics as if they named the client by its pod alone, and
// the server by the Service that is called.
func podsAndServices() *promql.Definition {
	bytes := func(metric string) string {
		return `sum by ($labels) (rate(` + metric + `{reporter="source",$selector}[$window]) >= 0)`
	}
	return &promql.Definition{
		Queries: []promql.Query{
			{Measures: promql.Sent, Query: bytes("istio_request_bytes_sum")},
			{Measures: promql.Received, Query: bytes("istio_response_bytes_sum")},
		},
		Client: []promql.End{{Kind: "pod", NamespaceLabel: "namespace", NameLabel: "pod"}},
		Server: []promql.End{{Kind: "service", NamespaceLabel: "destination_service_namespace", NameLabel: "destination_service_name"}},
	}
}

// TestPodsAndServices places web by telemetry that names only pods and Services. The
// scheduler finds the workloads behind them in its own informers, without any further
// permission.
func TestPodsAndServices(t *testing.T) {
	const source = "istio-sidecar" // which sees waits for
	s := newScene(t)
	o := s.options(t, "endpoints")
	o.telemetry = func(c *configv1.TelemetryConfiguration) {
		c.Sources[0].Type, c.Sources[0].Name, c.Sources[0].PromQL = configv1.SourcePromQL, source, podsAndServices()
	}
	a := s.newApp(t)
	scheduler := s.start(t, o)
	a.deploy(t, filler("zone-b-2"))
	a.deploy(t, workload{name: "db", node: "zone-b-2"})
	a.deploy(t, workload{name: "web", node: "zone-a-1"})
	s.Mesh.SetCalls([]mesh.Call{a.call("web", "db")})
	scheduler.sees(t, a, "web", "db")
	a.deploy(t, workload{name: "web", scheduler: "vicinity"})
	if got := a.nodesOf(t, "web"); got != "zone-b-2" {
		t.Errorf("web is placed on %s, want its peer's node zone-b-2", got)
	}
	for _, reason := range []telemetry.Reason{telemetry.NoObjects, telemetry.UnknownObject, telemetry.NotServing} {
		if n, err := scheduler.metric("vicinity_telemetry_left_out_series", "reason="+reason.String(), "source="+source); err != nil || n != 0 {
			t.Errorf("%v series are left out as %s: %v", n, reason, err)
		}
	}
}
