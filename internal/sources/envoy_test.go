package sources_test

import (
	"fmt"
	"maps"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/telemetrytest"
)

// proxied is a mesh of Envoy proxies that is read at the client's end. Each proxy counts what
// it exchanges with the clusters that it calls, and again what it exchanges with the
// application behind it, which is the cluster local. upstream returns the labels of the
// former, own those that all series of a proxy have.
func proxied(local string, optional []string, own func(telemetrytest.Pod) map[string]string, upstream func(telemetrytest.Call) map[string]string) telemetrytest.Mesh {
	return telemetrytest.Mesh{
		Report: func(c telemetrytest.Call) []telemetrytest.Counter {
			if !c.Client.Meshed {
				return nil
			}
			all := envoyCounters(c.Client, own(c.Client), upstream(c))
			if c.Server.Meshed {
				all = append(all, envoyCounters(c.Server, own(c.Server), map[string]string{"envoy_cluster_name": local})...)
			}
			return all
		},
		Names:     func(c telemetrytest.Call) bool { return c.Client.Meshed },
		Optional:  optional,
		Tolerance: func(telemetrytest.Protocol) float64 { return 0.01 },
	}
}

// envoyCounters are those of a cluster. A proxy that sends a request again counts it again.
func envoyCounters(proxy telemetrytest.Pod, labels ...map[string]string) []telemetrytest.Counter {
	all := map[string]string{}
	for _, of := range labels {
		maps.Copy(all, of)
	}
	counter := func(name string, of func(telemetrytest.Traffic) float64) telemetrytest.Counter {
		return telemetrytest.Counter{
			Target: proxy.Target(), Name: "envoy_cluster_upstream_" + name, Labels: all,
			Add: func(s telemetrytest.Step) float64 { return of(s.Moved) + of(s.Retried) },
		}
	}
	return []telemetrytest.Counter{
		counter("cx_tx_bytes_total", func(t telemetrytest.Traffic) float64 { return t.Sent }),
		counter("cx_rx_bytes_total", func(t telemetrytest.Traffic) float64 { return t.Received }),
		counter("rq_total", func(t telemetrytest.Traffic) float64 { return t.Requests }),
	}
}

// consul are proxies of a community edition of Consul: one namespace, one partition.
func consul() telemetrytest.Mesh {
	optional := []string{
		"consul_destination_full_target", "consul_destination_trust_domain", "consul_destination_datacenter", "consul_source_partition",
		"consul_source_datacenter", "consul_source_namespace", "local_cluster",
	}
	return proxied("local_app", optional, func(p telemetrytest.Pod) map[string]string {
		return map[string]string{
			"local_cluster": p.Workload, "consul_source_service": p.Workload, "consul_source_namespace": "default",
			"consul_source_partition": "default", "consul_source_datacenter": "dc1",
		}
	}, func(c telemetrytest.Call) map[string]string {
		return map[string]string{
			"envoy_cluster_name": c.Server.Workload, "consul_destination_service": c.Server.Workload, "consul_destination_namespace": "default",
			"consul_destination_datacenter": "dc1", "consul_destination_trust_domain": trustDomain,
			"consul_destination_full_target": c.Server.Workload + ".default.dc1.internal." + trustDomain,
		}
	})
}

// kuma are proxies whose clusters are called by a function. Each pod has two services of
// Kuma, of which the label kuma_io_service has one.
func kuma(cluster func(telemetrytest.Pod) string) telemetrytest.Mesh {
	optional := []string{"mesh", "dataplane", "kuma_io_service", "kuma_io_services", "kuma_io_zone", "kuma_io_mesh_traffic"}
	return proxied("localhost_8080", optional, func(p telemetrytest.Pod) map[string]string {
		service := fmt.Sprintf("%s_%s_svc_80", p.Workload, p.Namespace)
		return map[string]string{
			"mesh": "default", "dataplane": p.Name + "." + p.Namespace, "kuma_io_zone": "east",
			"kuma_io_service": service, "kuma_io_services": "," + service + "," + strings.Replace(service, "_svc_80", "-admin_svc_81", 1) + ",",
		}
	}, func(c telemetrytest.Call) map[string]string {
		return map[string]string{"envoy_cluster_name": cluster(c.Server), "kuma_io_mesh_traffic": "true"}
	})
}

// osm are proxies that the Prometheus of OSM's chart scrapes.
func osm() telemetrytest.Mesh {
	m := proxied("shop/web|8080|local", []string{"source_service", "source_pod_name"}, func(p telemetrytest.Pod) map[string]string {
		return map[string]string{
			"source_namespace": p.Namespace, "source_pod_name": p.Name, "source_service": p.Workload,
			"source_workload_kind": "Deployment", "source_workload_name": p.Workload,
		}
	}, func(c telemetrytest.Call) map[string]string {
		return map[string]string{"envoy_cluster_name": fmt.Sprintf("%s/%s|8080", c.Server.Namespace, c.Server.Workload)}
	})
	bytes := m.Report
	m.Report = func(c telemetrytest.Call) []telemetrytest.Counter {
		all := bytes(c)
		if c.Protocol != telemetrytest.HTTP || len(all) == 0 {
			return all
		}
		return append(all, telemetrytest.Counter{
			Target: c.Client.Target(), Name: "osm_request_total", Labels: osmRequest(c),
			Add: func(s telemetrytest.Step) float64 { return s.Ended.Requests },
		})
	}
	return m
}

// osmRequest are the labels of a request, which have come through a metric's name.
func osmRequest(c telemetrytest.Call) map[string]string {
	labels := map[string]string{"response_code": "200"}
	for end, p := range map[string]telemetrytest.Pod{"source": c.Client, "destination": c.Server} {
		labels[end+"_namespace"], labels[end+"_kind"] = underscored(p.Namespace), "Deployment"
		labels[end+"_name"], labels[end+"_pod"] = underscored(p.Workload), underscored(p.Name)
	}
	return labels
}

func underscored(name string) string { return strings.NewReplacer("-", "_", ".", "_").Replace(name) }

const trustDomain = "8c7db6d3-e4ee-aa8c-488c-dbedd3772b78"
