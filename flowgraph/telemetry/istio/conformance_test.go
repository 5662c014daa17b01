package istio

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
	"github.com/vicinity-sched/vicinity/internal/promtest"
)

func TestConformance(t *testing.T) {
	meshes := map[string]telemetrytest.Mesh{
		"sidecars": mesh(sidecars),
	}
	for name, m := range meshes {
		t.Run(name, func(t *testing.T) { telemetrytest.Run(t, promtest.Engine, m) })
	}
}

// TestConformanceNotices breaks the source once for each property.
func TestConformanceNotices(t *testing.T) {
	only := func(reporter string) telemetrytest.Fault {
		return telemetrytest.Asking(func(promQL string) string {
			return strings.ReplaceAll(promQL, bothEnds, fmt.Sprintf("reporter=%q", reporter))
		})
	}
	telemetrytest.RunFaults(t, promtest.Engine, mesh(sidecars), map[string]telemetrytest.Fault{
		"servers without proxies":          only("destination"),
		"half of the pods without proxies": only("destination"),
		"requests are retried":             only("source"),
	})
}

// mesh is a mesh whose proxies report calls in some way.
func mesh(report func(telemetrytest.Call) []telemetrytest.Counter) telemetrytest.Mesh {
	var optional []string
	for label := range describe("source", telemetrytest.Call{}, "http") {
		switch label {
		case "reporter", "source_workload", "source_workload_namespace", "destination_workload", "destination_workload_namespace":
		default:
			optional = append(optional, label)
		}
	}
	slices.Sort(optional)
	return telemetrytest.Mesh{
		New: func(o telemetrytest.Options) (telemetry.Source, error) {
			return NewSidecar(Options{Window: o.Window, Selector: o.Selector})
		},
		Report: report,
		// A client's proxy knows the workloads of all endpoints, a server's those of clients
		// that have a proxy.
		Names:    func(c telemetrytest.Call) bool { return c.Client.Meshed },
		Optional: optional,
		Tolerance: func(p telemetrytest.Protocol) float64 {
			return map[telemetrytest.Protocol]float64{telemetrytest.TCP: 0.01, telemetrytest.HTTP: 0.05}[p]
		},
	}
}

// sidecars is what the sidecars at both ends of a call report.
func sidecars(c telemetrytest.Call) []telemetrytest.Counter {
	var all []telemetrytest.Counter
	if c.Client.Meshed {
		all = append(all, sidecar(c, "source", c.Client.Target())...)
	}
	if c.Server.Meshed {
		all = append(all, sidecar(c, "destination", c.Server.Target())...)
	}
	return all
}

// sidecar is what the sidecar at one end reports. That of a client counts a request once,
// whatever it takes.
func sidecar(c telemetrytest.Call, reporter string, target telemetrytest.Target) []telemetrytest.Counter {
	if c.Protocol == telemetrytest.TCP {
		return tcp(describe(reporter, c, "tcp"), target, func(s telemetrytest.Step) telemetrytest.Traffic { return s.Moved })
	}
	attempts := func(s telemetrytest.Step) []telemetrytest.Traffic {
		if reporter == "source" {
			return []telemetrytest.Traffic{s.Ended}
		}
		return []telemetrytest.Traffic{s.Ended, s.Retried}
	}
	sum := func(s telemetrytest.Step, of func(telemetrytest.Traffic) float64) (all float64) {
		for _, t := range attempts(s) {
			all += of(t)
		}
		return all
	}
	requests := func(s telemetrytest.Step) float64 {
		return sum(s, func(t telemetrytest.Traffic) float64 { return t.Requests })
	}
	labels := describe(reporter, c, "http")
	all := []telemetrytest.Counter{{Target: target, Name: "istio_requests_total", Labels: labels, Add: requests}}
	for name, size := range map[string]func(telemetrytest.Traffic) float64{
		"istio_request_bytes":  func(t telemetrytest.Traffic) float64 { return t.Sent },
		"istio_response_bytes": func(t telemetrytest.Traffic) float64 { return t.Received },
	} {
		bucket := maps.Clone(labels)
		bucket["le"] = "+Inf"
		all = append(all,
			telemetrytest.Counter{Target: target, Name: name + "_count", Labels: labels, Add: requests},
			telemetrytest.Counter{Target: target, Name: name + "_bucket", Labels: bucket, Add: requests},
			telemetrytest.Counter{Target: target, Name: name + "_sum", Labels: labels, Add: func(s telemetrytest.Step) float64 {
				return sum(s, func(t telemetrytest.Traffic) float64 { return approximate(size(t), t.Requests) })
			}})
	}
	return all
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

// tcp is what a proxy reports of connections.
func tcp(labels map[string]string, target telemetrytest.Target, moved func(telemetrytest.Step) telemetrytest.Traffic) []telemetrytest.Counter {
	counter := func(name string, of func(telemetrytest.Traffic) float64) telemetrytest.Counter {
		return telemetrytest.Counter{Target: target, Name: name, Labels: labels, Add: func(s telemetrytest.Step) float64 { return of(moved(s)) }}
	}
	return []telemetrytest.Counter{
		counter("istio_tcp_received_bytes_total", func(t telemetrytest.Traffic) float64 { return t.Sent }),
		counter("istio_tcp_sent_bytes_total", func(t telemetrytest.Traffic) float64 { return t.Received }),
		counter("istio_tcp_connections_opened_total", func(t telemetrytest.Traffic) float64 { return t.Requests }),
	}
}

// describe returns the labels that a proxy at one end gives to a call.
func describe(reporter string, c telemetrytest.Call, protocol string) map[string]string {
	labels := map[string]string{
		"reporter": reporter, "request_protocol": protocol, "response_flags": "-", "connection_security_policy": "mutual_tls",
		"destination_service":           c.Server.Workload + "." + c.Server.Namespace + ".svc.cluster.local",
		"destination_service_name":      c.Server.Workload,
		"destination_service_namespace": c.Server.Namespace,
	}
	if reporter == "source" {
		labels["connection_security_policy"] = unknown
	}
	if protocol == "http" {
		labels["response_code"], labels["grpc_response_status"] = "200", ""
	}
	end(labels, "source", c.Client, c.Client.Meshed)
	end(labels, "destination", c.Server, true)
	return labels
}

// end adds the labels of one end.
func end(labels map[string]string, side string, p telemetrytest.Pod, isKnown bool) {
	values := map[string]string{
		"workload": p.Workload, "workload_namespace": p.Namespace, "principal": "spiffe://cluster.local/ns/" + p.Namespace + "/sa/default",
		"app": p.Workload, "version": "v1", "canonical_service": p.Workload, "canonical_revision": "v1", "cluster": "Kubernetes",
	}
	for label, value := range values {
		if !isKnown {
			value = unknown
		}
		labels[side+"_"+label] = value
	}
}
