package sources_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// statsTag makes a label of a part of a stat's name, or has the same value always.
type statsTag struct {
	Name  string `json:"tag_name"`
	Regex string `json:"regex"`
	Fixed string `json:"fixed_value"`
}

// statsTags are those of a bootstrap that an agent of Consul has made, and Envoy's own one
// for the names of clusters, which are cut at the first dot.
func statsTags(t *testing.T) []statsTag {
	t.Helper()
	text := recordedText(t, "consul/envoy-bootstrap-1.14.11.json")
	var bootstrap struct {
		Stats struct {
			Tags []statsTag `json:"stats_tags"`
		} `json:"stats_config"`
	}
	if err := json.Unmarshal([]byte(text), &bootstrap); err != nil {
		t.Fatal(err)
	}
	return append(bootstrap.Stats.Tags, statsTag{Name: "envoy.cluster_name", Regex: `^cluster\.((.*?)\.)`})
}

// tagged is a stat as Envoy exposes it: the first group of each expression leaves the name,
// and the second is the label's value.
func tagged(t *testing.T, tags []statsTag, stat string) (name string, labels map[string]string) {
	t.Helper()
	labels = map[string]string{}
	leaves := make([]bool, len(stat))
	for _, tag := range tags {
		label := strings.ReplaceAll(tag.Name, ".", "_")
		if tag.Regex == "" {
			labels[label] = tag.Fixed
			continue
		}
		at := regexp.MustCompile(tag.Regex).FindStringSubmatchIndex(stat)
		if at == nil {
			continue
		}
		value := at[2:4]
		if len(at) > 4 {
			value = at[4:6]
		}
		if value[0] >= 0 && value[0] < value[1] { // Prometheus has no empty labels
			labels[label] = stat[value[0]:value[1]]
		}
		for i := at[2]; i < at[3]; i++ {
			leaves[i] = true
		}
	}
	var rest []byte
	for i := range len(stat) {
		if !leaves[i] {
			rest = append(rest, stat[i])
		}
	}
	return "envoy_" + strings.NewReplacer(".", "_", "-", "_", "~", "_").Replace(string(rest)), labels
}

// TestConsulLabelsFollowFromStatsTags: each label that the source reads, but for those of
// the scrape, is one that the agent has Envoy make.
func TestConsulLabelsFollowFromStatsTags(t *testing.T) {
	tags := statsTags(t)
	made := map[string]bool{"namespace": true, "pod": true, "kubernetes_namespace": true, "kubernetes_pod_name": true}
	for _, tag := range tags {
		made[strings.ReplaceAll(tag.Name, ".", "_")] = true
	}
	for _, end := range slices.Concat(typed(t, "consul").Client, typed(t, "consul").Server) {
		for _, label := range []string{end.NamespaceLabel, end.NameLabel, end.Label, end.ClusterLabel} {
			if label != "" && !made[label] {
				t.Errorf("nothing makes the label %s", label)
			}
		}
	}
}

// TestConsulClusters reads what Envoy exposes of clusters as Consul names them.
func TestConsulClusters(t *testing.T) {
	tags := statsTags(t)
	const domain = "." + trustDomain + ".consul"
	cases := map[string]string{ // by the cluster, after the client's partition where it is not the default one
		"web.default.dc1.internal":                   "shop/web",
		"v2.web.default.dc1.internal":                "shop/web",
		"1a2b3c~v2.web.default.dc1.internal":         "shop/web",
		"1a2b3c~web.default.dc1.internal":            "shop/web",
		"failover-target~0~web.default.dc1.internal": "shop/web",
		"passthrough~web.default.dc1.internal":       "shop/web",
		"web.team.dc1.internal":                      "team/web",
		"none.default.dc1.internal":                  "unknown-object",
		"web.default.dc2.internal":                   "other-cluster",
		"v2.web.default.dc2.internal":                "other-cluster",
		"web.default.west.dc1.internal-v1":           "other-cluster",
		"default.web.west.dc1.internal-v1":           "other-cluster",
		"v2.web.default.west.dc1.internal-v1":        "other-cluster",
		"web.default.peer.external":                  "other-cluster",
		"web.peer.external":                          "other-cluster",
		"west web.default.west.dc1.internal-v1":      "shop/web",
		"west v2.web.default.west.dc1.internal-v1":   "shop/web",
		"west web.default.dc1.internal":              "other-cluster",
		"west web.default.east.dc1.internal-v1":      "other-cluster",
		"dc2.internal":                               "not read", // of a mesh gateway: its name is in that of the metric
		"original-destination":                       "passthrough",
		"httpbin.example.com":                        "not read",
		"httpbin":                                    "external",
		"local_app":                                  "not read",
		"local_agent":                                "not read",
		"self_admin":                                 "not read",
		"prometheus_backend":                         "not read",
		"consul-dataplane":                           "not read",
		"exposed_cluster_21500":                      "not read",
	}
	known := knownEndpoints{
		"consul-service default/web": "shop/web", "consul-service team/web": "team/web",
		"pod shop/client-1": "shop/client",
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			partition, cluster, ok := strings.Cut(name, " ")
			if !ok {
				partition, cluster = "default", name
			}
			if strings.Contains(cluster, "internal") || strings.Contains(cluster, "external") {
				cluster += domain
			}
			metric, labels := tagged(t, tags, "cluster."+cluster+".upstream_cx_tx_bytes_total")
			maps.Copy(labels, map[string]string{"namespace": "shop", "pod": "client-1", "consul_source_partition": partition})
			got := outcome(t, "consul", known, metric+promLabels(labels)+" 0+50x20")
			want := want
			if strings.Contains(want, "/") {
				want = "shop/client -> " + want
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v (-want +got):\n%s", labels, diff)
			}
		})
	}
}

// TestConsulScrapes: the pod is named by either of two pairs of labels, and a bootstrap
// before partitions has none.
func TestConsulScrapes(t *testing.T) {
	known := knownEndpoints{"consul-service default/web": "shop/web", "pod shop/client-1": "shop/client"}
	const upstream = `consul_source_service="client",consul_source_datacenter="dc1",envoy_cluster_name="web",consul_destination_service="web",` +
		`consul_destination_namespace="default",consul_destination_datacenter="dc1"`
	cases := map[string]struct{ labels, want string }{
		"usual":                        {`namespace="shop",pod="client-1"`, "shop/client -> shop/web"},
		"of Consul's chart":            {`kubernetes_namespace="shop",kubernetes_pod_name="client-1",consul_source_partition="default"`, "shop/client -> shop/web"},
		"of Consul's chart, partition": {`kubernetes_namespace="shop",kubernetes_pod_name="client-1",consul_source_partition="west"`, "other-cluster"},
		"neither":                      {`instance="10.0.0.1:20200"`, "missing-label"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := outcome(t, "consul", known, "envoy_cluster_upstream_cx_tx_bytes_total{"+upstream+","+tc.labels+"} 0+50x20")
			if got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}
