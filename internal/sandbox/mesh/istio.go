package mesh

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// unknown is what Istio's proxies write for what they do not know.
const unknown = "unknown"

// Istio is a mesh in which each pod has a sidecar. Both ends of a call report it.
func Istio() Type {
	isHTTP := func(s series) bool { return !isTCP(s) }
	return Type{
		Name: "istio", Source: "istio-sidecar", readRules: true, annotation: true, internal: true,
		Closest: corev1.ServiceTrafficDistributionPreferSameNode,
		sees: func(e exchange) exchange {
			e.from.at, e.to.at = locality.Locality{}, locality.Locality{}
			e.from.pod, e.to.pod = podPeer{}, podPeer{}
			return e
		},
		metrics: append([]metric{
			{name: "istio_requests_total", help: "Requests.", of: requests, applies: isHTTP},
			{name: "istio_request_bytes", help: "Size of requests.", of: sent, applies: isHTTP, histogram: true},
			{name: "istio_response_bytes", help: "Size of responses.", of: received, applies: isHTTP, histogram: true},
		}, istioConnections()...),
		labels: append(istioLabels(), "response_code", "grpc_response_status"),
		values: sidecarValues,
	}
}

// istioConnections are the metrics of connections. Each request is taken to have its own.
func istioConnections() []metric {
	return []metric{
		{name: "istio_tcp_received_bytes_total", help: "Bytes from the client.", of: sent, applies: isTCP},
		{name: "istio_tcp_sent_bytes_total", help: "Bytes to the client.", of: received, applies: isTCP},
		{name: "istio_tcp_connections_opened_total", help: "Connections.", of: requests, applies: isTCP},
	}
}

func isTCP(s series) bool { return s.protocol == "tcp" }

// istioLabels are the standard labels of all of Istio's proxies, with the namespace and
// pod of the proxy that a scrape would add.
func istioLabels() []string {
	names := []string{"namespace", "pod", "reporter"}
	for _, side := range []string{"source", "destination"} {
		for _, label := range []string{"workload", "workload_namespace", "principal", "app", "version", "canonical_service", "canonical_revision", "cluster"} {
			names = append(names, side+"_"+label)
		}
	}
	return append(names, "destination_service", "destination_service_name", "destination_service_namespace",
		"request_protocol", "response_flags", "connection_security_policy")
}

// istioValues are the values of istioLabels.
func istioValues(proxy objectKey, s series, service [3]string, policy string) []string {
	values := []string{proxy.namespace, proxy.name, s.reporter}
	values = append(values, istioEnd(s.from)...)
	values = append(values, istioEnd(s.to)...)
	values = append(values, service[:]...)
	return append(values, s.protocol, "-", policy)
}

// istioEnd are the labels of one end.
func istioEnd(p peer) []string {
	if p.id.IsZero() {
		return []string{unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown}
	}
	principal := "spiffe://cluster.local/ns/" + p.id.Namespace + "/sa/" + p.serviceAccount
	return []string{p.id.Name, p.id.Namespace, principal, p.app, p.version, p.app, p.version, "Kubernetes"}
}

// istioService are the labels of a Service.
func istioService(e exchange) [3]string {
	return [3]string{e.service.Name + "." + e.service.Namespace + ".svc.cluster.local", e.service.Name, e.service.Namespace}
}

func sidecarValues(s series, _ string) []string {
	service := istioService(s.exchange)
	if s.host != "" {
		service = [3]string{s.host, "PassthroughCluster", unknown}
	}
	code, status, policy := "200", "", "mutual_tls"
	switch s.protocol {
	case "grpc":
		status = "0"
	case "tcp":
		code = ""
	}
	if s.reporter == "source" || s.from.id.IsZero() {
		policy = unknown
	}
	return append(istioValues(s.proxy, s, service, policy), code, status)
}
