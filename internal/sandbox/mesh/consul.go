package mesh

const consulTrustDomain = "5f2f3f4e-1d0c-4b7a-9e35-0c8a6d1b2e47"

// Consul is Consul's mesh with namespaces that mirror those of Kubernetes, in one datacenter
// and the default partition. Each pod is a service that has the name of its label app.
func Consul() Type {
	labels := []string{
		"namespace", "pod", "envoy_cluster_name", "local_cluster",
		"consul_source_service", "consul_source_namespace", "consul_source_partition", "consul_source_datacenter",
		"consul_destination_service", "consul_destination_namespace", "consul_destination_datacenter", "consul_destination_routing_type",
		"consul_destination_trust_domain", "consul_destination_target", "consul_destination_full_target",
	}
	return envoy("consul", labels, func(s series) map[string]string {
		return map[string]string{
			"namespace": s.proxy.namespace, "pod": s.proxy.name, "local_cluster": s.self().app,
			"consul_source_service": s.self().app, "consul_source_namespace": s.proxy.namespace,
			"consul_source_partition": "default", "consul_source_datacenter": "dc1",
		}
	}, func(s series) map[string]string {
		if s.host != "" {
			return map[string]string{"envoy_cluster_name": "original-destination"}
		}
		target := s.service.Name + "." + s.service.Namespace + ".dc1"
		return map[string]string{
			"envoy_cluster_name": s.service.Name, "consul_destination_service": s.service.Name, "consul_destination_namespace": s.service.Namespace,
			"consul_destination_datacenter": "dc1", "consul_destination_routing_type": "internal", "consul_destination_trust_domain": consulTrustDomain,
			"consul_destination_target": target, "consul_destination_full_target": target + ".internal." + consulTrustDomain,
		}
	}, func(series) string { return "local_app" })
}
