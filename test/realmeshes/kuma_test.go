//go:build linux

package realmeshes

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// kumas are Kuma with each of its ways to name services.
func kumas() []mesh {
	named := func(name, pattern string, upstream func(service string) string) mesh {
		return mesh{
			name: name, product: "kuma", upstream: upstream,
			rewrite: kumaDP, rewrites: " (kuma_io_mesh_traffic is added by a stand-in for Kuma's data plane)",
			inbound:   func(string) string { return "localhost_8080" },
			admin:     "kuma_envoy_admin",
			elsewhere: []string{"outbound:passthrough:ipv4", "meshexternalservice_api.test"},
			discovered: func(p *corev1.Pod) map[string]string {
				return map[string]string{
					"__meta_kuma_mesh": "default", "__meta_kuma_dataplane": p.Name + "." + p.Namespace, "__meta_kuma_label_kuma_io_service": p.Labels["app"] + "_shop_svc_80",
					"__meta_kuma_label_k8s_kuma_io_name": p.Name, "__meta_kuma_label_k8s_kuma_io_namespace": p.Namespace,
				}
			},
			relabelling: []string{
				from("__meta_kuma_mesh", "mesh"), from("__meta_kuma_dataplane", "dataplane"), `{action: labelmap, regex: __meta_kuma_label_(.+)}`,
				from("__meta_kuma_label_k8s_kuma_io_name", "pod"), from("__meta_kuma_label_k8s_kuma_io_namespace", "namespace"),
			},
			source: v1.TelemetrySource{Type: promql.Type, PromQL: &promql.Definition{
				Queries: []promql.Query{
					{Measures: promql.Sent, Query: `sum by ($labels) (rate(envoy_cluster_upstream_cx_tx_bytes_total{envoy_cluster_name=~".*(svc_).*",$selector}[$window]) >= 0)`},
					{Measures: promql.Received, Query: `sum by ($labels) (rate(envoy_cluster_upstream_cx_rx_bytes_total{envoy_cluster_name=~".*(svc_).*",$selector}[$window]) >= 0)`},
				},
				Client: []promql.End{{Kind: "pod", NamespaceLabel: "namespace", NameLabel: "pod"}},
				Server: []promql.End{{Kind: "service", Label: "envoy_cluster_name", Pattern: pattern}},
			}},
		}
	}
	return []mesh{
		named("kuma", `(?P<name>[^_]+)_(?P<namespace>[^_]+)_svc_[0-9]+`, func(s string) string {
			if s == "cart" || s == "db" {
				return s + "_shop_svc_80-369bce2d30623ffb" // which Kuma's data plane merges
			}
			return s + "_shop_svc_80"
		}),
		named("kuma-meshservice", `[^_]+_(?P<name>[^_]+)_(?P<namespace>[^_]+)_[^_]*_msvc_[0-9]+`, func(s string) string { return fmt.Sprintf("default_%s_shop_zone-1_msvc_80", s) }),
		named("kuma-kri", `kri_msvc_[^_]+_[^_]*_(?P<namespace>[^_]+)_(?P<name>[^_]+)_[^_]+`, func(s string) string { return fmt.Sprintf("kri_msvc_default_zone-1_shop_%s_http", s) }),
	}
}
