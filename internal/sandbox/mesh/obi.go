package mesh

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// ofService ends the view of a packet before the address of the Service has been translated.
const ofService = " of a Service"

// OBI is no mesh: eBPF agents of OpenTelemetry's OBI on each node see the packets of all pods
// there, by default attributes and the names of both nodes. Both ends of a call report it,
// and the client's counts it under the Service too, without saying so. What is on one node
// its agent counts once. Flows that are idle for long are counted no more.
func OBI() Type {
	// Of a call on one node there are two reports, and one agent.
	once := func(s series) bool { return s.reporter == "source" || s.from.at.Node != s.to.at.Node }
	translated := func(s series) bool { return s.reporter == "source" && !s.service.IsZero() }
	var metrics []metric
	for _, direction := range []struct {
		name string
		of   func(traffic) float64
	}{{"request", sent}, {"response", received}} {
		m := metric{name: "obi_network_flow_bytes_total", help: "Bytes of packets.", of: direction.of}
		m.applies, m.view = once, direction.name
		metrics = append(metrics, m)
		m.applies, m.view = translated, direction.name+ofService
		metrics = append(metrics, m)
	}
	return Type{
		Name: "obi", Source: "obi", perNode: true, keepsIdle: 5 * time.Minute,
		internal: true, Closest: corev1.ServiceTrafficDistributionPreferSameNode, // kube-proxy divides the calls
		sees: func(e exchange) exchange {
			e.protocol, e.host = "", ""
			e.from, e.to = obiPeer(e.from), obiPeer(e.to)
			return e
		},
		metrics: metrics,
		labels: []string{
			"namespace", "pod", "instance", "direction", "k8s_cluster_name",
			"k8s_src_namespace", "k8s_src_owner_type", "k8s_src_owner_name", "k8s_src_node_name",
			"k8s_dst_namespace", "k8s_dst_owner_type", "k8s_dst_owner_name", "k8s_dst_node_name",
		},
		values: obiValues,
	}
}

// obiPeer is what agents tell apart of a peer: its workload and its node.
func obiPeer(p peer) peer {
	return peer{id: p.id, at: locality.Locality{Node: p.at.Node}, pod: podPeer{owner: p.pod.owner}}
}

func obiValues(s series, view string) []string {
	direction, isService := strings.CutSuffix(view, ofService)
	src, dst := obiEnd(s.from), obiEnd(s.to)
	if isService {
		dst = []string{s.service.Namespace, "Service", s.service.Name, ""}
	}
	if direction == "response" {
		src, dst = dst, src
	}
	agent := []string{"obi", "obi-" + s.proxy.name, s.proxy.name + ":9400", direction, "sandbox"}
	return slices.Concat(agent, src, dst)
}

// obiEnd are the labels of one end. What is outside the cluster has none.
func obiEnd(p peer) []string {
	if p.id.IsZero() {
		return []string{"", "", "", ""}
	}
	kind, known := map[string]string{
		"deployment": "Deployment", "replicaset": "ReplicaSet", "statefulset": "StatefulSet", "daemonset": "DaemonSet", "job": "Job", "cronjob": "CronJob",
	}[p.pod.owner.kind]
	name := p.pod.owner.name
	switch {
	case name == "":
		kind, name = "Pod", p.id.Name
	case !known:
		kind = p.pod.owner.kind
	}
	return []string{p.id.Namespace, kind, name, p.at.Node}
}
