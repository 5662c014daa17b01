package mesh

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

const unknown = "unknown"

// labelNames are Istio's standard labels, with the namespace and pod of the
// proxy that a scrape would add.
func labelNames() []string {
	names := []string{"namespace", "pod", "reporter"}
	for _, side := range []string{"source", "destination"} {
		for _, label := range []string{"workload", "workload_namespace", "principal", "app", "version", "canonical_service", "canonical_revision", "cluster"} {
			names = append(names, side+"_"+label)
		}
	}
	return append(names, "destination_service", "destination_service_name", "destination_service_namespace",
		"request_protocol", "response_code", "grpc_response_status", "response_flags", "connection_security_policy")
}

func (s series) labelValues() []string {
	values := []string{s.proxy.namespace, s.proxy.name, s.reporter}
	values = append(values, s.from.labelValues()...)
	values = append(values, s.to.labelValues()...)
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
	namespace := s.to.serviceNamespace
	if namespace == "" {
		namespace = unknown
	}
	return append(values, s.service, s.name, namespace, s.protocol, code, status, "-", policy)
}

func (p peer) labelValues() []string {
	if p.id.IsZero() {
		return []string{unknown, unknown, unknown, unknown, unknown, unknown, unknown, unknown}
	}
	principal := "spiffe://cluster.local/ns/" + p.id.Namespace + "/sa/" + p.serviceAccount
	return []string{p.id.Name, p.id.Namespace, principal, p.app, p.version, p.app, p.version, "Kubernetes"}
}

// collector hands the counters to Prometheus' exposition library. It is
// unchecked (Describe yields nothing): its label sets come and go.
type collector struct {
	mesh                                         *Mesh
	requests, requestBytes, responseBytes        *prometheus.Desc
	tcpReceived, tcpSent, tcpConnections, actual *prometheus.Desc
}

// Handler serves all proxies' metrics as one endpoint in the Prometheus text
// format. Scrape it with honor_labels: the labels namespace and pod are those
// of the proxies. Beside Istio's metrics it has sandbox_traffic_bytes_total,
// which says between which nodes and zones the bytes really went.
func (m *Mesh) Handler() http.Handler {
	labels := labelNames()
	desc := func(name, help string, labels []string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{
		mesh:           m,
		requests:       desc("istio_requests_total", "Requests.", labels),
		requestBytes:   desc("istio_request_bytes", "Size of requests.", labels),
		responseBytes:  desc("istio_response_bytes", "Size of responses.", labels),
		tcpReceived:    desc("istio_tcp_received_bytes_total", "Bytes from the client.", labels),
		tcpSent:        desc("istio_tcp_sent_bytes_total", "Bytes to the client.", labels),
		tcpConnections: desc("istio_tcp_connections_opened_total", "Connections.", labels),
		actual: desc("sandbox_traffic_bytes_total", "Bytes in both directions, by where both ends really run.", []string{
			"source_workload_namespace", "source_workload", "destination_workload_namespace", "destination_workload",
			"source_node", "destination_node", "source_zone", "destination_zone", "source_region", "destination_region",
			"same_node", "same_zone",
		}),
	})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// Describe yields nothing.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect yields every counter as it stands.
func (c collector) Collect(out chan<- prometheus.Metric) {
	c.mesh.mu.Lock()
	defer c.mesh.mu.Unlock()
	counter := func(desc *prometheus.Desc, v float64, values []string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, v, values...)
	}
	histogram := func(desc *prometheus.Desc, sum float64, t *traffic, values []string) {
		out <- prometheus.MustNewConstHistogram(desc, uint64(t.requests), sum, nil, values...)
	}
	for s, t := range c.mesh.counters.reported {
		values := s.labelValues()
		if s.protocol == "tcp" {
			counter(c.tcpReceived, t.sent, values)
			counter(c.tcpSent, t.received, values)
			counter(c.tcpConnections, t.requests, values)
			continue
		}
		counter(c.requests, t.requests, values)
		histogram(c.requestBytes, t.sent, t, values)
		histogram(c.responseBytes, t.received, t, values)
	}
	for p, bytes := range c.mesh.counters.truth {
		counter(c.actual, bytes, p.labelValues())
	}
}

func (p path) labelValues() []string {
	pair := func(a, b flowgraph.WorkloadID) []string { return []string{a.Namespace, a.Name, b.Namespace, b.Name} }
	level := locality.LevelOf(p.source, p.dest)
	return append(pair(p.from, p.to),
		p.source.Node, p.dest.Node, p.source.Zone, p.dest.Zone, p.source.Region, p.dest.Region,
		strconv.FormatBool(level == locality.Node),
		strconv.FormatBool(level == locality.Node || level == locality.Zone))
}
