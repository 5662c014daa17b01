//go:build linux

package realmeshes

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// kumas are Kuma with each of its ways to name services.
func kumas() []mesh {
	services := kuma("kuma", func(service string) string {
		name := service + "_shop_svc_80"
		if service == "cart" || service == "db" {
			name += "-369bce2d30623ffb" // which Kuma's data plane merges
		}
		return name
	})
	meshServices := kuma("kuma, MeshService", func(service string) string { return fmt.Sprintf("default_%s_shop_zone-1_msvc_80", service) })
	meshServices.elsewhere["default_cart_shop_zone-2_msvc_80"] = telemetry.OtherCluster
	meshServices.elsewhere["default_api_shop_zone-1_extsvc_443"] = telemetry.External
	resources := kuma("kuma, kri", func(service string) string { return fmt.Sprintf("kri_msvc_default_zone-1_shop_%s_http", service) })
	resources.elsewhere["kri_msvc_default_zone-2_shop_cart_http"] = telemetry.OtherCluster
	resources.elsewhere["kri_mzsvc_default__shop_cart_http"] = telemetry.UnknownWorkload // of several zones
	resources.elsewhere["kri_extsvc_default_zone-1_shop_api_https"] = telemetry.External
	return []mesh{services, meshServices, resources}
}

func kuma(name string, upstream func(service string) string) mesh {
	return mesh{
		name: name, product: "kuma", upstream: upstream,
		inbound:   func(string) string { return "localhost_8080" },
		admin:     "kuma_envoy_admin",
		elsewhere: map[string]telemetry.Reason{"outbound:passthrough:ipv4": telemetry.Passthrough},
		discovered: func(p *corev1.Pod) map[string]string {
			return map[string]string{
				"__meta_kuma_mesh": "default", "__meta_kuma_dataplane": p.Name + "." + p.Namespace,
				"__meta_kuma_label_kuma_io_service": p.Labels["app"] + "_shop_svc_80", "__meta_kuma_label_kuma_io_zone": "zone-1",
				"__meta_kuma_label_k8s_kuma_io_name": p.Name, "__meta_kuma_label_k8s_kuma_io_namespace": p.Namespace,
			}
		},
		relabelling: []string{
			from("__meta_kuma_mesh", "mesh"), from("__meta_kuma_dataplane", "dataplane"), `{action: labelmap, regex: __meta_kuma_label_(.+)}`,
			from("__meta_kuma_label_k8s_kuma_io_name", "pod"), from("__meta_kuma_label_k8s_kuma_io_namespace", "namespace"),
		},
		rewrite: kumaDP,
	}
}
