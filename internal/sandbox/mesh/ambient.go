package mesh

import corev1 "k8s.io/api/core/v1"

// IstioAmbient is Istio's ambient mode without waypoints: ztunnel on each node counts the
// connections of all pods there, at either end. It does not look into them, so that HTTP
// is bytes like any other. It does not read DestinationRules, and its counters outlive the
// pods.
func IstioAmbient() Type {
	return Type{
		Name: "istio-ambient", Source: "istio-sidecar", perNode: true, annotation: true, internal: true,
		Closest: corev1.ServiceTrafficDistributionPreferSameNode,
		sees: func(e exchange) exchange {
			e.protocol, e.host = "tcp", ""
			e.from.at.Node, e.to.at.Node = "", ""
			e.from.pod, e.to.pod = podPeer{}, podPeer{}
			return e
		},
		metrics: istioConnections(),
		labels:  append(istioLabels(), "app", "source_region", "source_zone", "destination_region", "destination_zone"),
		values:  ztunnelValues,
	}
}

func ztunnelValues(s series, _ string) []string {
	service := istioService(s.exchange)
	if s.service.IsZero() {
		service = [3]string{unknown, unknown, unknown}
	}
	policy := "mutual_tls"
	if s.from.id.IsZero() || s.to.id.IsZero() {
		policy = unknown
	}
	ztunnel := objectKey{"istio-system", "ztunnel-" + s.proxy.name}
	return append(istioValues(ztunnel, s, service, policy),
		"ztunnel", s.from.at.Region, s.from.at.Zone, s.to.at.Region, s.to.at.Zone)
}
