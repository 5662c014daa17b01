//go:build linux

package realmeshes

import (
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// osm is Open Service Mesh with the Prometheus that comes with it.
func osm() mesh {
	return mesh{
		name: "osm", product: "osm",
		upstream:  func(service string) string { return "shop/" + service + "|80" },
		inbound:   func(service string) string { return "shop/" + service + "|80|local" },
		admin:     "envoy-metrics-cluster",
		elsewhere: map[string]telemetry.Reason{"passthrough-outbound": telemetry.Passthrough},
		// A pod of a headless Service. Envoy takes a part of the name, "shop/db-0", for the
		// cluster's and the rest for a part of the metric's.
		unseen: map[string]string{"shop/db-0.db|5432": `envoy_cluster_db_5432_upstream_cx_tx_bytes_total{envoy_cluster_name="shop/db-0"}`},
		relabelling: []string{
			from("__meta_kubernetes_namespace", "source_namespace"), from("__meta_kubernetes_pod_name", "source_pod_name"),
			from("__meta_kubernetes_pod_label_app", "source_service"),
			from("__meta_kubernetes_namespace", "namespace"), // is not in OSM's own: for trust
			from("__meta_kubernetes_pod_controller_kind", "source_workload_kind"), from("__meta_kubernetes_pod_controller_name", "source_workload_name"),
			// A ReplicaSet stands for its Deployment, whose name it has with a hash behind.
			`{source_labels: [source_workload_kind, source_workload_name], regex: "ReplicaSet;(.*)-[^-]+", target_label: source_workload_name}`,
			`{source_labels: [source_workload_kind], regex: ReplicaSet, target_label: source_workload_kind, replacement: Deployment}`,
		},
	}
}
