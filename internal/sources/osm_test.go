package sources_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fromOSM are the labels of the proxy of a pod that the Prometheus of OSM's chart scrapes.
const fromOSM = `source_namespace="my-shop",source_pod_name="the-client-5d9c-a",source_service="client",source_workload_kind="Deployment",source_workload_name="the-client"`

func osmEndpoints() knownEndpoints {
	return knownEndpoints{
		"service my-shop/web": "my-shop/web.v1,my-shop/web.v2,my-shop/web-canary", "service my-shop/db": "my-shop/db",
		"service my-shop/twins": "my-shop/t-1,my-shop/t.1,my-shop/u",
		"pod my-shop/alone":     "my-shop/alone", "job my-shop/report-27800000": "my-shop/report",
	}
}

func osmSeries(metric, labels, cluster string, rate int) string {
	return fmt.Sprintf("envoy_cluster_upstream_%s{%s,envoy_cluster_name=%q} 0+%dx20", metric, labels, cluster, 30*rate)
}

// TestOSMClusters reads clusters as OSM names them.
func TestOSMClusters(t *testing.T) {
	const db = "my-shop/the-client -> my-shop/db"
	cases := map[string]string{
		"my-shop/db|5432":             db,
		"my-shop/db-0.db|5432":        db,
		"my-shop/none|80":             "unknown-object",
		"my-shop/a.db-0.db|80":        "ambiguous",
		"my-shop/.db|80":              "ambiguous",
		"my-shop/db.|80":              "ambiguous",
		"My-Shop/db|80":               "invalid",
		"my-shop/db":                  "external",
		"example.com:443":             "external",
		"passthrough-outbound":        "passthrough",
		"my-shop/the-client|80|local": "not read",
		"osm-controller":              "not read",
		"envoy-metrics-cluster":       "not read",
		"envoy-tracing-cluster":       "not read",
		"liveness_cluster":            "not read",
	}
	for cluster, want := range cases {
		t.Run(cluster, func(t *testing.T) {
			if got := outcome(t, "osm", osmEndpoints(), osmSeries("cx_tx_bytes_total", fromOSM, cluster, 10)); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// TestOSMScrapes: the client is named by the labels of the chart's Prometheus, or by usual ones.
func TestOSMScrapes(t *testing.T) {
	cases := map[string]struct{ labels, want string }{
		"a Deployment":             {fromOSM, "my-shop/the-client -> my-shop/db"},
		"a Job":                    {`source_namespace="my-shop",source_workload_kind="Job",source_workload_name="report-27800000"`, "my-shop/report -> my-shop/db"},
		"a pod without controller": {`source_namespace="my-shop",source_pod_name="alone"`, "my-shop/alone -> my-shop/db"},
		"usual labels":             {`namespace="my-shop",pod="alone"`, "my-shop/alone -> my-shop/db"},
		"none":                     {`instance="10.0.0.1:15010"`, "missing-label"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := outcome(t, "osm", osmEndpoints(), osmSeries("cx_tx_bytes_total", tc.labels, "my-shop/db|5432", 10)); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// TestOSMRequestsDivideAService: the bytes that go to a Service of several workloads are
// divided as the client's requests are, whose names have come through a metric's name. The
// sum stays.
func TestOSMRequestsDivideAService(t *testing.T) {
	requests := func(from, to string, rate int) string {
		return fmt.Sprintf(`osm_request_total{source_namespace="my_shop",source_kind="Deployment",source_name=%q,source_pod="p_%d",destination_namespace="my_shop",`+
			`destination_kind="Deployment",destination_name=%q,response_code="200",instance="10.0.0.1:15010",job="smi-metrics"} 0+%dx20`, from, rate, to, 30*rate)
	}
	bytes := []string{
		osmSeries("cx_tx_bytes_total", fromOSM, "my-shop/web|80", 60), osmSeries("cx_rx_bytes_total", fromOSM, "my-shop/web|80", 600),
		osmSeries("rq_total", fromOSM, "my-shop/web|80", 6),
	}
	ready := []string{"web-canary 20 200 2", "web.v1 20 200 2", "web.v2 20 200 2"}
	cases := map[string]struct{ series, want []string }{
		"no requests":                  {bytes, ready},
		"requests to all":              {append([]string{requests("the_client", "web_v1", 1), requests("the_client", "web_v2", 2), requests("the_client", "web_canary", 3)}, bytes...), []string{"web-canary 30 300 3", "web.v1 10 100 1", "web.v2 20 200 2"}},
		"requests to one, by two pods": {append([]string{requests("the_client", "web_v1", 1), requests("the_client", "web_v1", 2)}, bytes...), []string{"web.v1 60 600 6"}},
		"requests to others":           {append([]string{requests("the_client", "db", 1), requests("the_client", "unknown", 2)}, bytes...), ready},
		"requests of others":           {append([]string{requests("other", "web_v1", 1), requests("unknown", "web_v1", 2)}, bytes...), ready},
		"no rate":                      {append([]string{requests("the_client", "web_v1", 0)}, bytes...), ready},
		"names that are one in a metric's name": {
			[]string{requests("the_client", "t_1", 1), requests("the_client", "u", 9), osmSeries("cx_tx_bytes_total", fromOSM, "my-shop/twins|80", 60)},
			[]string{"t-1 20 0 0", "t.1 20 0 0", "u 20 0 0"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range collected(t, "osm", osmEndpoints(), tc.series...).Flows {
				got = append(got, fmt.Sprintf("%s %.6g %.6g %.6g", f.To.Name, f.SentBytesPerSecond, f.ReceivedBytesPerSecond, f.RequestsPerSecond))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
