// Package istiomesh describes for the suite of package telemetrytest what Istio's proxies
// expose: sidecars, and in ambient mode ztunnel and waypoints. Whoever uses one of its
// meshes brings the source that reads it.
package istiomesh

import (
	"math"

	test "github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
)

// unknown is what proxies write for what they do not know.
const unknown = "unknown"

// Sidecars is a mesh in which each pod has a sidecar.
func Sidecars() test.Mesh {
	return mesh(func(test.Pod) mode { return sidecarMode }, true)
}

// sidecars is what the sidecars at the ends of a call report.
func (m modes) sidecars(c test.Call) []test.Counter {
	var all []test.Counter
	if c.Client.Meshed && m.of(c.Client) == sidecarMode {
		all = append(all, sidecar(c, "source", c.Client.Target(), true)...)
	}
	if c.Server.Meshed && m.of(c.Server) == sidecarMode {
		isKnown := c.Client.Meshed && (m.of(c.Client) == sidecarMode || m.sidecarsKnowAmbient)
		all = append(all, sidecar(c, "destination", c.Server.Target(), isKnown)...)
	}
	return all
}

// sidecar is what the sidecar at one end reports. That of the client counts a request once,
// however many attempts it takes.
func sidecar(c test.Call, reporter string, target test.Target, knowsClient bool) []test.Counter {
	if c.Protocol == test.TCP {
		return tcp(labels(c, reporter, "tcp", knowsClient), target, moved)
	}
	attempts := func(s test.Step) []test.Traffic {
		if reporter == "source" {
			return []test.Traffic{s.Ended}
		}
		return []test.Traffic{s.Ended, s.Retried}
	}
	return http(labels(c, reporter, "http", knowsClient), target, attempts)
}

// http is what Envoy reports of requests and streams when they have ended, except the
// buckets of its histograms, which no source reads.
func http(of map[string]string, target test.Target, ended func(test.Step) []test.Traffic) []test.Counter {
	sum := func(quantity func(test.Traffic) float64) func(test.Step) float64 {
		return func(s test.Step) (all float64) {
			for _, t := range ended(s) {
				all += quantity(t)
			}
			return all
		}
	}
	requests := sum(func(t test.Traffic) float64 { return t.Requests })
	return []test.Counter{
		{Target: target, Name: "istio_requests_total", Labels: of, Add: requests},
		{Target: target, Name: "istio_request_bytes_count", Labels: of, Add: requests},
		{Target: target, Name: "istio_request_bytes_sum", Labels: of, Add: sum(func(t test.Traffic) float64 { return approximate(t.Sent, t.Requests) })},
		{Target: target, Name: "istio_response_bytes_count", Labels: of, Add: requests},
		{Target: target, Name: "istio_response_bytes_sum", Labels: of, Add: sum(func(t test.Traffic) float64 { return approximate(t.Received, t.Requests) })},
	}
}

// approximate is how Envoy adds up a number of requests that have so many bytes in all: it
// knows of each the bin alone, of two digits, and takes its middle.
func approximate(bytes, requests float64) float64 {
	if bytes == 0 || requests == 0 {
		return 0
	}
	size := bytes / requests
	bin := math.Pow(10, math.Floor(math.Log10(size))-1)
	return requests * (math.Floor(size/bin) + 0.5) * bin
}

// tcp is what a proxy reports of connections, while they are open: what it received from the
// client and sent to it.
func tcp(of map[string]string, target test.Target, traffic func(test.Step) test.Traffic) []test.Counter {
	counter := func(name string, quantity func(test.Traffic) float64) test.Counter {
		return test.Counter{Target: target, Name: name, Labels: of, Add: func(s test.Step) float64 { return quantity(traffic(s)) }}
	}
	return []test.Counter{
		counter("istio_tcp_received_bytes_total", func(t test.Traffic) float64 { return t.Sent }),
		counter("istio_tcp_sent_bytes_total", func(t test.Traffic) float64 { return t.Received }),
		counter("istio_tcp_connections_opened_total", func(t test.Traffic) float64 { return t.Requests }),
	}
}

// moved is what crossed the network at first attempts.
func moved(s test.Step) test.Traffic { return s.Moved }

// labels are those that Envoy gives to a call.
func labels(c test.Call, reporter, protocol string, knowsClient bool) map[string]string {
	of := map[string]string{
		"reporter": reporter, "request_protocol": protocol, "response_flags": "-", "connection_security_policy": "mutual_tls",
		"destination_service":           c.Server.Workload + "." + c.Server.Namespace + ".svc.cluster.local",
		"destination_service_name":      c.Server.Workload,
		"destination_service_namespace": c.Server.Namespace,
	}
	if reporter == "source" {
		of["connection_security_policy"] = unknown
	}
	if protocol == "http" {
		of["response_code"], of["grpc_response_status"] = "200", ""
	}
	end(of, "source", c.Client, knowsClient)
	end(of, "destination", c.Server, true)
	return of
}

// end adds the labels of one end.
func end(of map[string]string, side string, p test.Pod, isKnown bool) {
	values := map[string]string{
		"workload": p.Workload, "workload_namespace": p.Namespace, "principal": "spiffe://cluster.local/ns/" + p.Namespace + "/sa/default",
		"app": p.Workload, "version": "v1", "canonical_service": p.Workload, "canonical_revision": "v1", "cluster": "Kubernetes",
	}
	for label, value := range values {
		if !isKnown {
			value = unknown
		}
		of[side+"_"+label] = value
	}
}
