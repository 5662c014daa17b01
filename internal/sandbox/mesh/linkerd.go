package mesh

import (
	"hash/fnv"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// Where a proxy of Linkerd counts: towards the peer, and towards the container beside it.
const (
	towardsPeer = "peer"
	towardsApp  = "app"
)

// linkerdKinds are the owners of pods that have a label of their own.
func linkerdKinds() []string {
	return []string{"deployment", "statefulset", "daemonset", "replicaset", "k8s_job", "cronjob"}
}

// Linkerd is a mesh in which each pod has a proxy. It counts the bytes that it exchanges with
// its peer and once more with the container beside it. The client's names the called pod; a
// server's knows the client's identity alone. What is idle for long is counted no more.
func Linkerd() Type {
	outbound := func(s series) bool { return s.reporter == "source" }
	inbound := func(s series) bool { return s.reporter == "destination" }
	metrics := []metric{
		{name: "request_total", help: "Requests.", of: requests, applies: func(s series) bool { return !isTCP(s) }},
	}
	// bytes adds what proxies at one end write somewhere, and read from there.
	bytes := func(end func(series) bool, view string, written, read func(traffic) float64) {
		metrics = append(metrics,
			metric{name: "tcp_write_bytes_total", help: "Bytes written to peers.", of: written, applies: end, view: view},
			metric{name: "tcp_read_bytes_total", help: "Bytes read from peers.", of: read, applies: end, view: view})
	}
	bytes(outbound, towardsPeer, sent, received)
	bytes(outbound, towardsApp, received, sent)
	bytes(inbound, towardsPeer, received, sent)
	bytes(inbound, towardsApp, sent, received)
	return Type{
		Name: "linkerd", Source: "linkerd", keepsIdle: 10 * time.Minute, internal: true,
		Closest: corev1.ServiceTrafficDistributionPreferSameZone, // by the hints of EndpointSlices
		sees: func(e exchange) exchange {
			e.from.at, e.to.at = locality.Locality{}, locality.Locality{}
			return e
		},
		metrics: metrics, labels: linkerdLabels(), values: linkerdValues,
	}
}

// linkerdLabels are those that the proxies write, and those that Linkerd's own configuration
// of the scrape adds: the pod, its owner and its labels.
func linkerdLabels() []string {
	labels := append([]string{"namespace", "pod", "control_plane_ns", "workload_ns", "app", "pod_template_hash"}, linkerdKinds()...)
	labels = append(labels, "direction", "peer", "authority", "target_addr", "target_ip", "target_port",
		"tls", "no_tls_reason", "server_id", "client_id", "srv_group", "srv_kind", "srv_name", "srv_port",
		"dst_namespace", "dst_service", "dst_pod", "dst_serviceaccount", "dst_control_plane_ns", "dst_pod_template_hash")
	for _, kind := range linkerdKinds() {
		labels = append(labels, "dst_"+kind)
	}
	return labels
}

func linkerdValues(s series, view string) []string {
	of := map[string]string{}
	own := s.from
	if s.reporter == "destination" {
		own = s.to
	}
	of["namespace"], of["pod"], of["workload_ns"], of["control_plane_ns"] = s.proxy.namespace, s.proxy.name, s.proxy.namespace, "linkerd"
	of["app"], of["pod_template_hash"] = own.app, own.pod.hash
	of[linkerdKind(own)] = own.pod.owner.name
	if s.reporter == "source" {
		linkerdOutbound(of, s, view)
	} else {
		linkerdInbound(of, s, view)
	}
	var values []string
	for _, label := range linkerdLabels() {
		values = append(values, of[label])
	}
	return values
}

// linkerdKind is the label of a pod's owner. That of a pod without one has no place among
// linkerdKinds.
func linkerdKind(p peer) string {
	if p.pod.owner.kind == "job" {
		return "k8s_job" // Prometheus has a label job
	}
	return p.pod.owner.kind
}

// linkerdOutbound adds the labels of what a client's proxy counts. Metrics of requests have
// no peer.
func linkerdOutbound(of map[string]string, s series, view string) {
	of["direction"], of["peer"] = "outbound", map[string]string{towardsPeer: "dst", towardsApp: "src"}[view]
	linkerdTarget(of, s.to.pod.address, s.host)
	if view == towardsApp {
		of["tls"], of["no_tls_reason"] = "no_identity", "loopback"
		return
	}
	of["tls"], of["no_tls_reason"] = "no_identity", "not_provided_by_service_discovery"
	if s.host != "" {
		if !isTCP(s) {
			of["authority"] = s.host
		}
		return
	}
	of["tls"], of["no_tls_reason"], of["server_id"] = "true", "", linkerdIdentity(s.to)
	if !isTCP(s) {
		of["authority"] = s.service.Name + "." + s.service.Namespace + ".svc.cluster.local:80"
	}
	of["dst_namespace"], of["dst_service"], of["dst_pod"] = s.to.id.Namespace, s.service.Name, s.to.pod.name
	of["dst_serviceaccount"], of["dst_control_plane_ns"], of["dst_pod_template_hash"] = s.to.serviceAccount, "linkerd", s.to.pod.hash
	of["dst_"+linkerdKind(s.to)] = s.to.pod.owner.name
}

// linkerdInbound adds the labels of what a server's proxy counts.
func linkerdInbound(of map[string]string, s series, view string) {
	of["direction"] = "inbound"
	of["tls"], of["no_tls_reason"] = "no_identity", "loopback"
	if view == towardsApp {
		of["peer"] = "dst"
		return
	}
	if view == towardsPeer {
		of["peer"] = "src"
	}
	linkerdTarget(of, s.to.pod.address, "")
	of["srv_kind"], of["srv_name"], of["srv_port"] = "default", "all-unauthenticated", "80"
	if of["no_tls_reason"] = "no_tls_from_remote"; !s.from.id.IsZero() {
		of["tls"], of["no_tls_reason"], of["client_id"] = "true", "", linkerdIdentity(s.from)
	}
}

// linkerdTarget adds the labels of an address. A host outside has one of those that are for
// examples.
func linkerdTarget(of map[string]string, ip, host string) {
	if host != "" {
		sum := fnv.New32()
		_, _ = sum.Write([]byte(host))
		ip = netip.AddrFrom4([4]byte{198, 51, 100, byte(sum.Sum32())}).String()
	}
	if ip != "" {
		of["target_addr"], of["target_ip"], of["target_port"] = ip+":80", ip, "80"
	}
}

func linkerdIdentity(p peer) string {
	return p.serviceAccount + "." + p.id.Namespace + ".serviceaccount.identity.linkerd.cluster.local"
}
