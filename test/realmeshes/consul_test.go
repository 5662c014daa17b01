//go:build linux

package realmeshes

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

const (
	trustDomain = "6f3c1f5e-2a4b-4c5d-8e9f-0a1b2c3d4e5f"
	domain      = "." + trustDomain + ".consul"
)

// consul is Consul as it is installed in Kubernetes.
func consul() mesh {
	return mesh{
		name: "consul", product: "consul",
		upstream: func(service string) string { return service + ".default.dc1.internal" + domain },
		inbound:  func(string) string { return "local_app" },
		admin:    "prometheus_backend",
		elsewhere: map[string]telemetry.Reason{
			"original-destination":                             telemetry.Passthrough,
			"cart.default.dc2.internal" + domain:               telemetry.OtherCluster, // another datacenter
			"cart.default.partner.external" + domain:           telemetry.OtherCluster, // a peer
			"v2.cart.default.billing.dc1.internal-v1" + domain: telemetry.OtherCluster, // another partition
			// The same, which Consul's tags take for a service default in the namespace billing.
			"cart.default.billing.dc1.internal-v1" + domain: telemetry.OtherCluster,
		},
		stats:  func(app string) object { return object{"stats_tags": consulTags(app)} },
		labels: map[string]string{"consul.hashicorp.com/connect-inject-status": "injected"},
		relabelling: []string{
			from("__meta_kubernetes_namespace", "namespace"), from("__meta_kubernetes_pod_name", "pod"), from("__meta_kubernetes_pod_label_app", "app"),
		},
	}
}

// consulTags are the stats_tags that say which services an Envoy is between. Consul gives
// its clusters names of these parts, some of which may be missing:
//
//	hash~ subset. service. namespace. partition. datacenter. routing-type. trust-domain. consul
func consulTags(app string) list {
	const any = `[^.]+`
	name := func(captured string) string {
		of := func(part string) string {
			if part == captured {
				return "(" + any + ")"
			}
			return any
		}
		routing := of("routing_type")
		if captured == "partition" || captured == "datacenter" {
			routing = `internal[^.]*` // peers have neither
		}
		target := `(?:` + of("custom_hash") + `~)?(?:` + of("service_subset") + `\.)?` + of("service") + `\.` + of("namespace") + `\.` +
			`(?:` + of("partition") + `\.)?` + of("datacenter")
		full := target + `\.` + routing + `\.` + of("trust_domain")
		switch captured {
		case "target":
			full = "(" + target + `)\.` + routing + `\.` + any
		case "full_target":
			full = "(" + full + ")"
		}
		return "(" + full + `\.consul\.)`
	}
	tags := list{}
	for _, part := range []string{"custom_hash", "service_subset", "service", "namespace", "partition", "datacenter", "peer", "routing_type", "trust_domain", "target", "full_target"} {
		regex := `^cluster\.(?:passthrough~)?` + name(part)
		if part == "peer" {
			regex = `^cluster\.([^.]+\.(?:[^.]+\.)?([^.]+)\.external\.[^.]+\.consul\.)`
		}
		tags = append(tags, object{"tag_name": "consul.destination." + part, "regex": regex})
	}
	for _, fixed := range [][2]string{
		{"local_cluster", app}, {"consul.source.service", app}, {"consul.source.namespace", "default"}, {"consul.source.partition", "default"}, {"consul.source.datacenter", "dc1"},
	} {
		tags = append(tags, object{"tag_name": fixed[0], "fixed_value": fixed[1]})
	}
	return tags
}

// TestConsulTags compares with what an agent of Consul has really configured.
func TestConsulTags(t *testing.T) {
	const path = "../../../shared/data/consul/envoy-bootstrap-1.14.11.json"
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not here: recorded configurations are not part of the repository", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	type tag struct {
		Name  string `json:"tag_name"`
		Regex string `json:"regex"`
		Fixed string `json:"fixed_value"`
	}
	var recorded struct {
		Config struct {
			Tags []tag `json:"stats_tags"`
		} `json:"stats_config"`
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	has := map[string]tag{}
	for _, r := range recorded.Config.Tags {
		has[r.Name] = r
	}
	for _, ours := range consulTags("web") {
		o := ours.(object)
		name := o["tag_name"].(string)
		regex, _ := o["regex"].(string)
		fixed, _ := o["fixed_value"].(string)
		if diff := cmp.Diff(has[name], tag{name, regex, fixed}); diff != "" {
			t.Errorf("%s (-recorded +ours):\n%s", name, diff)
		}
	}
}
