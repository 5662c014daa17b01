package trafficlocality

import (
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

func TestArgsErrors(t *testing.T) {
	cases := map[string]struct {
		args string
		want []string // in the text
	}{
		"unknown field":            {"weigth: 5", []string{"weigth", "unknown field"}},
		"unknown nested field":     {"closeness: {rack: 1}", []string{"closeness.rack", "unknown field"}},
		"repeated field":           {"routing: Uniform, routing: FairLoad", []string{"routing", "already"}},
		"not a duration":           {"staleAfter: soon", []string{"staleAfter", "duration"}},
		"no duration":              {"staleAfter: 0s", []string{"staleAfter", "greater than 0"}},
		"expires before it ages":   {"staleAfter: 10m, expireAfter: 5m", []string{"expireAfter", "greater than staleAfter"}},
		"no share of a node":       {"maxShare: {node: 0}", []string{"maxShare.node", "greater than 0"}},
		"more than all in a zone":  {"maxShare: {zone: 1.5}", []string{"maxShare.zone", "at most 1"}},
		"not a label":              {"networkCapacity: {label: a b}", []string{"networkCapacity.label", `"a b"`}},
		"no unit":                  {"networkCapacity: {label: a, unit: 0}", []string{"networkCapacity.unit", "greater than 0"}},
		"more than the network":    {"networkCapacity: {label: a, maxUtilization: 1.2}", []string{"networkCapacity.maxUtilization", "at most 1"}},
		"negative significance":    {"significantRate: -1", []string{"significantRate", "not be negative"}},
		"negative request size":    {"requestBytes: -1Ki", []string{"requestBytes", "not be negative"}},
		"not a quantity":           {"requestBytes: much", []string{"requestBytes", "must be an amount such as 100Mi"}},
		"unknown strategy":         {"strategy: Best", []string{"strategy", `"Best"`, "Gain", "NetMARKS"}},
		"unknown routing":          {"routing: Random", []string{"routing", `"Random"`, "FairLoad", "Uniform"}},
		"unknown setting":          {"routingPolicies: [DestinationRules, Hints]", []string{"routingPolicies[1]", `"Hints"`, "TrafficDistribution"}},
		"no setting at all":        {"routingPolicies: []", []string{"routingPolicies", "set routing to Uniform"}},
		"the old name of a field":  {"honours: [DestinationRules]", []string{"honours", "is called routingPolicies now"}},
		"Istio without its rules":  {"routingPolicies: [TrafficDistribution], istio: {}", []string{"istio", "DestinationRules"}},
		"Istio under Uniform":      {"routing: Uniform, istio: {rootNamespace: mesh}", []string{"istio", "routingPolicies"}},
		"a namespace that is none": {"istio: {rootNamespace: 'Mesh!'}", []string{"istio.rootNamespace", "RFC 1123"}},
		"negative endpoints":       {"istio: {zoneAwareLbSetting: {minClusterSize: -1}}", []string{"istio.zoneAwareLbSetting.minClusterSize", "negative"}},
		"settings unheard":         {"routing: Uniform, routingPolicies: [TrafficDistribution]", []string{"routingPolicies", "routing is Auto"}},
		"closeness above 1":        {"closeness: {node: 2}", []string{"closeness.node", "between 0 and 1"}},
		"a zone nearer than nodes": {"closeness: {node: 0.4, zone: 0.6}", []string{"closeness.zone", "nearer level"}},
		"costs and closeness":      {"closeness: {node: 1}, cost: {zone: 0, region: 1, remote: 2}", []string{"cost", "excludes closeness"}},
		"a cost is missing":        {"cost: {zone: 0, remote: 2}", []string{"cost.region", "Required"}},
		"a negative cost":          {"cost: {node: -1, zone: 0, region: 1, remote: 2}", []string{"cost.node", "must not be negative"}},
		"a cheap region":           {"cost: {zone: 1, region: 0, remote: 2}", []string{"cost.region", "less than that of the nearer level"}},
		"all for nothing":          {"cost: {zone: 0, region: 0, remote: 0}", []string{"cost.remote", "greater than 0"}},
		"a level without a label":  {"levels: [{closeness: 0.7}]", []string{"levels[0].label", "Required"}},
		"no label key":             {"levels: [{label: 'a b', closeness: 0.7}]", []string{"levels[0].label", `"a b"`}},
		"a label twice":            {"levels: [{label: a, closeness: 0.7}, {label: a, closeness: 0.6}]", []string{"levels[1].label", "Duplicate"}},
		"zones by label":           {"levels: [{label: topology.kubernetes.io/zone, closeness: 0.7}]", []string{"levels[0].label", "is the level zone"}},
		"nodes by label":           {"levels: [{label: kubernetes.io/hostname, closeness: 0.7}]", []string{"levels[0].label", "is the level node"}},
		"six labels":               {"levels: [{label: a, closeness: 0.9}, {label: b, closeness: 0.8}, {label: c, closeness: 0.7}, {label: d, closeness: 0.6}, {label: e, closeness: 0.4}, {label: f, closeness: 0.3}]", []string{"levels", "at most 5"}},
		"a level without worth":    {"levels: [{label: a}]", []string{"levels[0].closeness", "Required"}},
		"a level as the zone":      {"levels: [{label: a, closeness: 0.5}]", []string{"levels[0].closeness", "must differ from closeness.zone"}},
		"two levels alike":         {"levels: [{label: a, closeness: 0.7}, {label: b, closeness: 0.7}]", []string{"levels[1].closeness", "must differ from levels[0].closeness"}},
		"a level in the node":      {"levels: [{label: a, closeness: 1}]", []string{"levels[0].closeness", "must lie between"}},
		"a level beyond all":       {"levels: [{label: a, closeness: 0}]", []string{"levels[0].closeness", "must lie between"}},
		"a cost among closeness":   {"levels: [{label: a, closeness: 0.7, cost: 1}]", []string{"levels[0].cost", "either closeness or cost"}},
		"closeness among costs":    {"cost: {zone: 1, region: 2, remote: 3}, levels: [{label: a, closeness: 0.7}]", []string{"levels[0].closeness", "either closeness or cost", "levels[0].cost", "Required"}},
		"a level at no cost":       {"cost: {zone: 1, region: 2, remote: 3}, levels: [{label: a, cost: 0}]", []string{"levels[0].cost", "must lie between"}},
		"a level at a zone's cost": {"cost: {zone: 1, region: 2, remote: 3}, levels: [{label: a, cost: 1}]", []string{"levels[0].cost", "must differ from cost.zone"}},
		"another version":          {"apiVersion: config.vicinity.dev/v9", []string{"apiVersion", configv1.GroupVersion}},
		"another kind":             {"kind: OtherArgs", []string{"kind", configv1.TrafficLocalityArgsKind}},
		"not a map":                {"]", nil},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			plugin, err := Factory(Dependencies{})(t.Context(), rawArgs(test.args), handle{})
			if err == nil || plugin != nil {
				t.Fatalf("the factory returns %v, %v", plugin, err)
			}
			for _, part := range append(test.want, configv1.TrafficLocalityArgsKind) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is more than a line", err)
			}
		})
	}
	if _, err := DecodeArgs(&v1.Pod{}); err == nil {
		t.Error("arguments of a foreign type pass")
	}
}

func TestArgs(t *testing.T) {
	for name, obj := range map[string]runtime.Object{"none": nil, "empty": rawArgs("")} {
		args, err := DecodeArgs(obj)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if args.Strategy != configv1.StrategyGain || args.Routing != configv1.RoutingAuto || args.SignificantRate != nil || *args.MaxShare.Node != 0.66 || *args.Closeness.Zone != 0.5 {
			t.Errorf("%s: the defaults are %+v", name, args)
		}
	}
	args, err := DecodeArgs(rawArgs(`"apiVersion": "config.vicinity.dev/v1", "kind": "TrafficLocalityArgs", "routing": "FairLoad", "closeness": {"zone": 0, "region": 0}`))
	if err != nil {
		t.Fatal(err)
	}
	if args.Routing != configv1.RoutingFairLoad || *args.Closeness.Zone != 0 || *args.Closeness.Node != 1 {
		t.Errorf("the arguments are %+v", args)
	}
}
