package sources_test

import (
	"fmt"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest/istiomesh"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// TestDataConform: the types that are data pass the suite, and so does what is shown of the
// type istio-sidecar as data.
func TestDataConform(t *testing.T) {
	cases := map[string]struct {
		kind v1.SourceType
		mesh telemetrytest.Mesh
	}{
		"istio, sidecars": {v1.SourceIstioSidecar, istiomesh.Sidecars()},
		"istio, mixed":    {v1.SourceIstioSidecar, istiomesh.Mixed()},
		"caretta":         {"caretta", caretta()},
		"consul":          {"consul", consul()},
		"kuma, services":  {"kuma", kuma(func(p telemetrytest.Pod) string { return fmt.Sprintf("%s_%s_svc_80", p.Workload, p.Namespace) })},
		"kuma, resource identifiers": {"kuma", kuma(func(p telemetrytest.Pod) string {
			return fmt.Sprintf("kri_msvc_default_east_%s_%s_http", p.Namespace, p.Workload)
		})},
		"linkerd":       {"linkerd", linkerd(true)},
		"linkerd, pods": {"linkerd", linkerd(false)},
		"osm":           {"osm", osm()},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { telemetrytest.Run(t, promtest.Engine, data(t, tc.kind, tc.mesh)) })
	}
}

// TestDataConformNotices breaks a type that is data once for each property.
func TestDataConformNotices(t *testing.T) {
	telemetrytest.RunFaults(t, promtest.Engine, data(t, v1.SourceIstioSidecar, istiomesh.Sidecars()), istiomesh.Faults())
}

// data returns a mesh that a type reads as data.
func data(t *testing.T, name v1.SourceType, m telemetrytest.Mesh) telemetrytest.Mesh {
	t.Helper()
	kind, ok, err := sources.Named(name)
	if err != nil || !ok {
		t.Fatalf("type %s: %v, error %v", name, ok, err)
	}
	m.New = func(o telemetrytest.Options) (telemetry.Source, error) {
		return promql.New(promql.Options{
			Name: "data", Type: promql.Type, Definition: *kind.Definition, Window: o.Window, Selector: o.Selector, Resolver: o.Resolver,
		})
	}
	return m
}

// caretta is what Caretta's agents export: each counts what the sockets on its node send. The
// client's names the Service, the server's the workload. Agents see all pods.
func caretta() telemetrytest.Mesh {
	agent := func(node string) telemetrytest.Target {
		return telemetrytest.Target{Namespace: "caretta", Pod: "caretta-" + node, Address: "192.168.0." + node[len(node)-1:]}
	}
	link := func(c telemetrytest.Call, role, kind, node string, sent func(telemetrytest.Traffic) float64) telemetrytest.Counter {
		return telemetrytest.Counter{
			Target: agent(node), Name: "caretta_links_observed",
			Labels: map[string]string{
				"client_name": c.Client.Workload, "client_namespace": c.Client.Namespace, "client_kind": "Deployment",
				"server_name": c.Server.Workload, "server_namespace": c.Server.Namespace, "server_kind": kind,
				"role": role, "server_port": "8080", "link_id": c.Client.Workload + c.Server.Workload, "client_id": c.Client.Workload, "server_id": c.Server.Workload,
			},
			Add: func(s telemetrytest.Step) float64 { return sent(s.Moved) + sent(s.Retried) },
		}
	}
	return telemetrytest.Mesh{
		Report: func(c telemetrytest.Call) []telemetrytest.Counter {
			return []telemetrytest.Counter{
				link(c, "1", "Service", c.Client.Node, func(t telemetrytest.Traffic) float64 { return t.Sent }),
				link(c, "2", "Deployment", c.Server.Node, func(t telemetrytest.Traffic) float64 { return t.Received }),
			}
		},
		Names:     func(telemetrytest.Call) bool { return true },
		Optional:  []string{"client_id", "link_id", "server_id", "server_port"},
		Tolerance: func(telemetrytest.Protocol) float64 { return 0.01 },
	}
}
