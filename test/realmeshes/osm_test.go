//go:build linux

package realmeshes

import (
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// osm is Open Service Mesh with the Prometheus that comes with it.
func osm() mesh {
	return mesh{
		name: "osm", product: "osm",
		upstream:  func(service string) string { return "shop/" + service + "|80" },
		inbound:   func(service string) string { return "shop/" + service + "|80|local" },
		admin:     "envoy-metrics-cluster",
		elsewhere: []string{"passthrough-outbound"},
		relabelling: []string{
			from("__meta_kubernetes_namespace", "source_namespace"), from("__meta_kubernetes_pod_name", "source_pod_name"),
			from("__meta_kubernetes_pod_label_app", "source_service"),
			from("__meta_kubernetes_pod_controller_kind", "source_workload_kind"), from("__meta_kubernetes_pod_controller_name", "source_workload_name"),
			// A ReplicaSet stands for its Deployment, whose name it has with a hash behind.
			`{source_labels: [source_workload_kind, source_workload_name], regex: "ReplicaSet;(.*)-[^-]+", target_label: source_workload_name}`,
			`{source_labels: [source_workload_kind], regex: ReplicaSet, target_label: source_workload_kind, replacement: Deployment}`,
		},
		source: v1.TelemetrySource{Type: promql.Type, PromQL: &promql.Definition{
			Queries: []promql.Query{
				{Measures: promql.Sent, Query: `sum by ($labels) (rate(envoy_cluster_upstream_cx_tx_bytes_total{envoy_cluster_name=~"[^|]+/[^|]+[|][0-9]+",$selector}[$window]) >= 0)`},
				{Measures: promql.Received, Query: `sum by ($labels) (rate(envoy_cluster_upstream_cx_rx_bytes_total{envoy_cluster_name=~"[^|]+/[^|]+[|][0-9]+",$selector}[$window]) >= 0)`},
			},
			Client: []promql.End{{KindLabel: "source_workload_kind", NamespaceLabel: "source_namespace", NameLabel: "source_workload_name"}},
			Server: []promql.End{{Kind: "service", Label: "envoy_cluster_name", Pattern: `(?P<namespace>[^/]+)/(?P<name>[^|]+)\|[0-9]+`}},
		}},
	}
}
