package mesh

import (
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
)

// Each Envoy counts what it exchanges with the services that it calls, and with the
// application behind it, under the labels of its mesh and of its scrape.
func TestEnvoyProxies(t *testing.T) {
	const domain = consulTrustDomain
	cases := map[string]struct {
		kind Type
		want []model.Metric // of the metric of bytes to clusters
	}{
		"consul": {Consul(), []model.Metric{
			{
				"namespace": "shop", "pod": "db-1", "local_cluster": "db", "consul_source_service": "db", "consul_source_namespace": "shop",
				"consul_source_partition": "default", "consul_source_datacenter": "dc1", "envoy_cluster_name": "local_app",
			},
			{
				"namespace": "shop", "pod": "web-1", "local_cluster": "web", "consul_source_service": "web", "consul_source_namespace": "shop",
				"consul_source_partition": "default", "consul_source_datacenter": "dc1", "envoy_cluster_name": "db",
				"consul_destination_service": "db", "consul_destination_namespace": "shop", "consul_destination_datacenter": "dc1",
				"consul_destination_routing_type": "internal", "consul_destination_trust_domain": domain,
				"consul_destination_target": "db.shop.dc1", "consul_destination_full_target": "db.shop.dc1.internal." + domain,
			},
			{
				"namespace": "shop", "pod": "web-1", "local_cluster": "web", "consul_source_service": "web", "consul_source_namespace": "shop",
				"consul_source_partition": "default", "consul_source_datacenter": "dc1", "envoy_cluster_name": "original-destination",
			},
		}},
		"kuma": {Kuma(), []model.Metric{
			kumaMetric("db", "localhost_80"), kumaMetric("web", "db_shop_svc_80"), kumaMetric("web", "outbound_passthrough_ipv4"),
		}},
		"osm": {OSM(), []model.Metric{
			osmMetric("db", "shop/db|80|local"), osmMetric("web", "passthrough-outbound"), osmMetric("web", "shop/db|80"),
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newClusterWith(t, tc.kind, "n1: web; n2: db", "db", "web -> db; web -> external:example.com; web -> db tcp")
			c.flow(time.Second)
			var got []model.Metric
			for _, s := range scrape(t, c.Mesh) {
				m := present(s.Metric)
				if m[model.MetricNameLabel] == "envoy_cluster_upstream_cx_tx_bytes_total" {
					delete(m, model.MetricNameLabel)
					got = append(got, m)
				}
			}
			slices.SortFunc(got, func(a, b model.Metric) int {
				return slices.Compare(
					[]string{string(a["pod"] + a["source_pod_name"]), string(a["envoy_cluster_name"])},
					[]string{string(b["pod"] + b["source_pod_name"]), string(b["envoy_cluster_name"])})
			})
			if diff := gocmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// present is a metric without the labels that are empty, as a server has it.
func present(m model.Metric) model.Metric {
	m = m.Clone()
	for label, value := range m {
		if value == "" {
			delete(m, label)
		}
	}
	return m
}

func kumaMetric(app, cluster model.LabelValue) model.Metric {
	return model.Metric{
		"namespace": "shop", "pod": app + "-1", "k8s_kuma_io_namespace": "shop", "k8s_kuma_io_name": app + "-1", "mesh": "default", "dataplane": app + "-1.shop",
		"kuma_io_zone": "default", "kuma_io_service": app + "_shop_svc_80", "kuma_io_services": "," + app + "_shop_svc_80,", "kuma_io_protocol": "tcp",
		"kuma_io_mesh_traffic": "true", "envoy_cluster_name": cluster,
	}
}

func osmMetric(app, cluster model.LabelValue) model.Metric {
	return model.Metric{
		"source_namespace": "shop", "source_pod_name": app + "-1", "source_service": app, "source_workload_kind": "Deployment", "source_workload_name": app,
		"envoy_cluster_name": cluster,
	}
}

// OSM counts the requests of HTTP between two workloads once, at the client's end.
func TestOSMRequests(t *testing.T) {
	c := newClusterWith(t, OSM(), "n1: web; n2: api-v1*2 api-v2", "api", "web -> api; web -> api tcp; external -> api; web -> external:example.com")
	c.flow(3 * time.Second)
	var got []string
	for _, s := range scrape(t, c.Mesh) {
		m := s.Metric
		if m[model.MetricNameLabel] == "osm_request_total" {
			got = append(got, fmt.Sprintf("%s/%s/%s -> %s/%s/%s %s %v", m["source_namespace"], m["source_kind"], m["source_pod"],
				m["destination_namespace"], m["destination_name"], m["destination_pod"], m["response_code"], s.Value))
		}
	}
	slices.Sort(got)
	want := []string{
		"shop/Deployment/web_1 -> shop/api_v1/api_v1_1 200 10",
		"shop/Deployment/web_1 -> shop/api_v1/api_v1_2 200 10",
		"shop/Deployment/web_1 -> shop/api_v2/api_v2_1 200 10",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
