package sources_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// fromKuma are the labels of a sidecar of a pod in the zone east.
const fromKuma = `namespace="shop",pod="client-1",dataplane="client-1.shop",mesh="default",kuma_io_zone="east"`

func kumaEndpoints() knownEndpoints {
	return knownEndpoints{
		"service shop/web": "shop/web", "service kuma-test/echo-server": "kuma-test/echo-server",
		"pod shop/client-1": "shop/client", "pod kuma-system/kuma-ingress-1": "kuma-system/kuma-ingress", "pod kuma-system/kuma-egress-1": "kuma-system/kuma-egress",
	}
}

// TestKumaClusters reads clusters as Kuma names them.
func TestKumaClusters(t *testing.T) {
	const web = "shop/client -> shop/web"
	cases := map[string]string{
		"web_shop_svc_80":                                web,
		"web_shop_svc_80-0382aaf295add2eb":               web,
		"none_shop_svc_80":                               "unknown-object",
		"default_web_shop_svc_80":                        "ambiguous",
		"a_b_c_d_svc_80":                                 "ambiguous",
		"a_svc_80":                                       "ambiguous",
		"Web_shop_svc_80":                                "invalid",
		"default_web_shop_east_msvc_80":                  web,
		"default_web_shop_east_msvc_80-0382aaf295add2eb": web,
		"default_web_shop_west_msvc_80":                  "other-cluster",
		"default_web_shop__msvc_80":                      web,
		"default_backend___msvc_80":                      "unknown-workload",
		"default_web_shop_east_mzsvc_80":                 "unknown-workload",
		"default_payments___extsvc_443":                  "external",
		"kri_msvc_default_east_shop_web_http":            web,
		"kri_msvc_default_east_shop_web_80":              web,
		"kri_msvc_default_east_shop_web_":                web,
		"kri_msvc_default__shop_web_http":                web,
		"kri_msvc_default_west_shop_web_http":            "other-cluster",
		"kri_msvc_default_east__web_http":                "unknown-workload",
		"kri_msvc_default_east_a_shop_web_http":          "unknown-workload",
		"kri_mzsvc_default__kuma-system_web_80":          "unknown-workload",
		"kri_extsvc_default___payments_443":              "external",
		"outbound_passthrough_ipv4":                      "passthrough",
		"meshpassthrough_http_*_8080":                    "passthrough",
		"httpbin":                                        "external",
		"mesh-1_externalservice-1":                       "external",
		"localhost_8080":                                 "not read",
		"self_inbound_dp_8080":                           "not read",
		"inbound_passthrough_ipv6":                       "not read",
		"ads_cluster":                                    "not read",
		"access_log_sink":                                "not read",
		"kuma_envoy_admin":                               "not read",
		"kuma_metrics_hijacker":                          "not read",
		"_kuma_metrics_opentelemetry_backend-1":          "not read",
		"system_envoy_admin":                             "not read",
	}
	for cluster, want := range cases {
		t.Run(cluster, func(t *testing.T) {
			got := outcome(t, "kuma", kumaEndpoints(), fmt.Sprintf("envoy_cluster_upstream_cx_tx_bytes_total{%s,envoy_cluster_name=%q} 0+50x20", fromKuma, cluster))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestKumaScrapes: the pod is named by the labels of the scrape, or by the data plane.
func TestKumaScrapes(t *testing.T) {
	cases := map[string]struct{ labels, want string }{
		"Kubernetes' discovery":                {`namespace="shop",pod="client-1"`, "shop/client -> shop/web"},
		"Kuma's discovery without relabelling": {`dataplane="client-1.shop",k8s_kuma_io_name="client-1",mesh="default"`, "shop/client -> shop/web"},
		"the pod's name has a dot":             {`dataplane="client.v1-1.shop"`, "unknown-object"},
		"a machine outside Kubernetes":         {`dataplane="backend-1"`, "missing-label"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := outcome(t, "kuma", kumaEndpoints(), `envoy_cluster_upstream_cx_tx_bytes_total{envoy_cluster_name="web_shop_svc_80",`+tc.labels+"} 0+50x20")
			if got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// TestKumaZoneProxies: what goes to another zone and comes from one is counted once. An
// egress sends on what the client's proxy has reported, and an ingress what nobody else here
// has.
func TestKumaZoneProxies(t *testing.T) {
	series := func(labels, cluster string, rate int) string {
		return fmt.Sprintf("envoy_cluster_upstream_cx_tx_bytes_total{%s,envoy_cluster_name=%q} 0+%dx20", labels, cluster, 30*rate)
	}
	const ingress, egress = `namespace="kuma-system",pod="kuma-ingress-1",proxy="ingress"`, `namespace="kuma-system",pod="kuma-egress-1",proxy="egress"`
	cases := map[string]struct {
		series  []string
		want    []string
		leftOut map[telemetry.Reason]telemetry.LeftOut
	}{
		"out, by the name of a resource": {
			series: []string{
				series(fromKuma, "kri_msvc_default_west_shop_web_http", 10), series(egress, "kri_msvc_default_west_shop_web_http", 10),
			},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.OtherCluster: {Series: 1, BytesPerSecond: 10}},
		},
		"out, by the name of a service": { // which does not say in which zone it is
			series: []string{series(fromKuma, "web_shop_svc_80", 10), series(egress, "default_web_shop_svc_80", 10)},
			want:   []string{"shop/client -> shop/web 10"},
		},
		"in": {
			series: []string{
				series(ingress, "default_web_shop_svc_80", 10), series(ingress, "other_web_shop_svc_80", 5), series(ingress, "kri_msvc_default_east_shop_web_http", 2),
				series(ingress, "ads_cluster", 100),
			},
			want: []string{"kuma-system/kuma-ingress -> shop/web 17"},
		},
		"in and out, of proxies that are not labelled": {
			series: []string{
				series(strings.Replace(ingress, "proxy", "app", 1), "default_web_shop_svc_80", 10),
				series(strings.Replace(egress, "proxy", "app", 1), "default_web_shop_svc_80", 10),
			},
			leftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.Ambiguous: {Series: 2, BytesPerSecond: 20}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := collected(t, "kuma", kumaEndpoints(), tc.series...)
			var got []string
			for _, f := range o.Flows {
				got = append(got, fmt.Sprintf("%v -> %v %.6g", f.From, f.To, f.SentBytesPerSecond))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("flows (-want +got):\n%s", diff)
			}
			if tc.leftOut == nil {
				tc.leftOut = map[telemetry.Reason]telemetry.LeftOut{}
			}
			if diff := cmp.Diff(tc.leftOut, o.LeftOut); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
		})
	}
}

// TestKumaRecorded reads the clusters of a recorded exposition as if its one counter were
// that of bytes: as Envoy has them, with a service in three parts, and as kuma-dp passes
// them on.
func TestKumaRecorded(t *testing.T) {
	for _, path := range []string{"kuma/counter-and-noncluster-metrics.in.txt", "kuma/counter-and-noncluster-metrics.out.txt"} {
		t.Run(path, func(t *testing.T) {
			var series []string
			for line := range strings.Lines(recordedText(t, path)) {
				if rest, ok := strings.CutPrefix(line, "envoy_cluster_assignment_stale{"); ok {
					labels, value, _ := strings.Cut(rest, "} ")
					series = append(series, fmt.Sprintf("envoy_cluster_upstream_cx_tx_bytes_total{%s,%s} 0+%sx20", fromKuma, labels, strings.TrimSpace(value)))
				}
			}
			o := collected(t, "kuma", kumaEndpoints(), series...)
			if len(o.Flows) != 1 || o.Flows[0].To.String() != "kuma-test/echo-server" || math.Abs(o.Flows[0].SentBytesPerSecond-(101+102+103)/30.0) > 1e-9 {
				t.Errorf("flows %v", o.Flows)
			}
			want := map[telemetry.Reason]telemetry.LeftOut{
				telemetry.External:    {Series: 1, BytesPerSecond: 13 / 30.0}, // demo-client
				telemetry.Passthrough: {Series: 2, BytesPerSecond: (18 + 19) / 30.0},
			}
			if diff := cmp.Diff(want, o.LeftOut, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
		})
	}
}

// TestKumaProfile: the metrics that are read are in what the basic profile of MeshMetric
// lets through.
func TestKumaProfile(t *testing.T) {
	text := recordedText(t, "kuma/profiles-basic.in.txt")
	for _, metric := range []string{"cx_tx_bytes_total", "cx_rx_bytes_total", "rq_total"} {
		if !strings.Contains(text, "\nenvoy_cluster_upstream_"+metric+`{envoy_cluster_name="`) {
			t.Errorf("no %s", metric)
		}
	}
}
