package mesh

// Kuma is a Kuma of version 2, scraped by its own discovery. Each pod is one service of Kuma,
// which has the name of its label app.
func Kuma() Type {
	labels := []string{
		"namespace", "pod", "envoy_cluster_name", "mesh", "dataplane", "kuma_io_service", "kuma_io_services", "kuma_io_protocol", "kuma_io_zone",
		"k8s_kuma_io_namespace", "k8s_kuma_io_name", "kuma_io_mesh_traffic",
	}
	return envoy("kuma", labels, func(s series) map[string]string {
		service := kumaService(s.self().app, s.proxy.namespace)
		return map[string]string{
			"namespace": s.proxy.namespace, "pod": s.proxy.name, "k8s_kuma_io_namespace": s.proxy.namespace, "k8s_kuma_io_name": s.proxy.name,
			"mesh": "default", "dataplane": s.proxy.name + "." + s.proxy.namespace, "kuma_io_zone": "default",
			"kuma_io_service": service, "kuma_io_services": "," + service + ",", "kuma_io_protocol": "tcp", "kuma_io_mesh_traffic": "true",
		}
	}, func(s series) map[string]string {
		if s.host != "" {
			return map[string]string{"envoy_cluster_name": "outbound_passthrough_ipv4"}
		}
		return map[string]string{"envoy_cluster_name": kumaService(s.service.Name, s.service.Namespace)}
	}, func(series) string { return "localhost_" + envoyPort })
}

func kumaService(name, namespace string) string {
	return name + "_" + namespace + "_svc_" + envoyPort
}
