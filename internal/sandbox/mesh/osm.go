package mesh

import "strings"

// byRequest is the view of the metric that knows the workloads at both ends.
const byRequest = "request"

// OSM is Open Service Mesh, scraped by the Prometheus of its chart. Its WebAssembly filter
// counts the requests between two workloads, at the client's end.
func OSM() Type {
	own := []string{"source_namespace", "source_pod_name", "source_service", "source_workload_kind", "source_workload_name", "envoy_cluster_name"}
	request := []string{"source_kind", "source_name", "source_pod", "destination_namespace", "destination_kind", "destination_name", "destination_pod", "response_code"}
	kind := envoy("osm", append(own, request...), func(s series) map[string]string {
		self := s.self()
		return map[string]string{
			"source_namespace": s.proxy.namespace, "source_pod_name": s.proxy.name, "source_service": self.app,
			"source_workload_kind": osmKind(self.pod.owner.kind), "source_workload_name": self.pod.owner.name,
		}
	}, func(s series) map[string]string {
		if s.host != "" {
			return map[string]string{"envoy_cluster_name": "passthrough-outbound"}
		}
		return map[string]string{"envoy_cluster_name": osmCluster(s)}
	}, func(s series) string { return osmCluster(s) + "|local" })
	clusters := kind.values
	kind.values = func(s series, view string) []string {
		if view == byRequest {
			return inOrder(kind.labels, osmRequest(s))
		}
		return clusters(s, view)
	}
	kind.metrics = append(kind.metrics, metric{
		name: "osm_request_total", help: "Requests.", of: requests, view: byRequest,
		applies: func(s series) bool { return s.reporter == "source" && s.host == "" && !isTCP(s) },
	})
	return kind
}

func osmCluster(s series) string {
	return s.service.Namespace + "/" + s.service.Name + "|" + envoyPort
}

// osmKind is the kind of a pod's owner as Prometheus' discovery writes it.
func osmKind(owner string) string {
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet"} {
		if strings.EqualFold(kind, owner) {
			return kind
		}
	}
	return owner
}

// osmRequest are the labels of the requests. They come through the name of the metric, in
// which each - and . is _.
func osmRequest(s series) map[string]string {
	of := map[string]string{"response_code": "200"}
	add := func(end string, p peer) {
		for label, value := range map[string]string{
			"_namespace": p.id.Namespace, "_kind": osmKind(p.pod.owner.kind), "_name": p.pod.owner.name, "_pod": p.pod.name,
		} {
			of[end+label] = strings.NewReplacer("-", "_", ".", "_").Replace(value)
		}
	}
	add("source", s.from)
	add("destination", s.to)
	return of
}
