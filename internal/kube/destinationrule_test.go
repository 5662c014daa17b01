package kube

import (
	"bytes"
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

const (
	outliers = "outlierDetection: {consecutive5xxErrors: 5}"
	toZone   = "{host: web, trafficPolicy: {" + outliers + "}}"
	toNode   = "{host: web, trafficPolicy: {" + outliers + ", loadBalancer: {localityLbSetting: {failoverPriority: [topology.kubernetes.io/zone, kubernetes.io/hostname]}}}}"
	toAny    = "{host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: false}}}}"
)

// locally is a rule for web with a localityLbSetting, and with outlierDetection.
func locally(setting string) string {
	return "{host: web, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN, localityLbSetting: " + setting + "}, " + outliers + "}}"
}

// rule returns one of a namespace, the older the lower its day.
func rule(t testing.TB, namespace, name string, day int, spec string) *DestinationRule {
	t.Helper()
	r := &DestinationRule{}
	text := created(object("networking.istio.io/v1", "DestinationRule", name, spec[1:len(spec)-1]), day)
	if err := yaml.Unmarshal([]byte(text), r); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	r.Namespace = namespace
	return r
}

// ruleCase is a row: the spec of the Service shop/web, and a rule in its namespace.
type ruleCase struct {
	service, rule string
	want          affinity.Routing
}

func ruleCases() map[string]ruleCase {
	return map[string]ruleCase{
		"nothing of it":                 {"", "{host: web}", affinity.Uniform},
		"only TLS":                      {"trafficDistribution: PreferSameNode", "{host: web, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}", affinity.SameNode},
		"outliers: the mesh's default":  {"", toZone, affinity.SameZone},
		"outliers, empty":               {"", "{host: web, trafficPolicy: {outlierDetection: {}}}", affinity.SameZone},
		"outliers, null":                {"", "{host: web, trafficPolicy: {outlierDetection: null}}", affinity.Uniform},
		"the Service before the mesh":   {"trafficDistribution: PreferSameNode", toZone, affinity.SameNode},
		"the rule before the Service":   {"trafficDistribution: PreferSameNode", locally("{enabled: true}"), affinity.SameZone},
		"switched off":                  {"trafficDistribution: PreferSameNode", toAny, affinity.Uniform},
		"switched off with outliers":    {"", locally("{enabled: false}"), affinity.Uniform},
		"without outliers":              {"trafficDistribution: PreferSameNode", "{host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: true}}}}", affinity.Uniform},
		"the policy Local before all":   {"internalTrafficPolicy: Local", toAny, affinity.SameNode},
		"an empty setting":              {"", locally("{}"), affinity.SameZone},
		"failover":                      {"", locally("{failover: [{from: a, to: b}]}"), affinity.SameZone},
		"shares":                        {"trafficDistribution: PreferSameNode", locally("{distribute: [{from: r/a/*, to: {r/a/*: 80, r/b/*: 20}}]}"), affinity.ZoneShare(80)},
		"shares, switched off":          {"", locally("{enabled: false, distribute: [{from: r/a, to: {r/a: 80, r/b: 20}}]}"), affinity.Uniform},
		"shares need no outliers":       {"", "{host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r/a, to: {r/a: 80, r/b: 20}}]}}}}", affinity.ZoneShare(80)},
		"shares and less":               {"", "{host: web, trafficPolicy: {" + outliers + "}, subsets: [{name: v1, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r/a, to: {r/a: 80, r/b: 20}}]}}}}]}", affinity.ZoneShare(80)},
		"zone-aware":                    {"trafficDistribution: PreferSameZone", "{host: web, trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {}}, " + outliers + "}}", affinity.Uniform},
		"priority: node":                {"", locally("{failoverPriority: [kubernetes.io/hostname]}"), affinity.SameNodeOrAny},
		"priority: zone":                {"", locally("{failoverPriority: [topology.kubernetes.io/zone]}"), affinity.SameZone},
		"priority: region":              {"", locally("{failoverPriority: [topology.kubernetes.io/region]}"), affinity.Uniform},
		"priority: as PreferSameNode":   {"", locally("{failoverPriority: [topology.istio.io/network, topology.kubernetes.io/region, topology.kubernetes.io/zone, topology.istio.io/subzone, kubernetes.io/hostname]}"), affinity.SameNode},
		"priority: node before zone":    {"", locally("{failoverPriority: [kubernetes.io/hostname, topology.kubernetes.io/zone]}"), affinity.SameNodeOrAny},
		"priority: an unknown label":    {"", locally("{failoverPriority: [version, kubernetes.io/hostname]}"), affinity.Uniform},
		"priority: a value of its own":  {"", locally("{failoverPriority: [topology.kubernetes.io/zone=a, kubernetes.io/hostname]}"), affinity.Uniform},
		"priority: unknown in the zone": {"", locally("{failoverPriority: [topology.kubernetes.io/zone, version, kubernetes.io/hostname]}"), affinity.SameZone},
		"priority: subzone first":       {"", locally("{failoverPriority: [topology.istio.io/subzone, topology.kubernetes.io/zone]}"), affinity.Uniform},
		"priority: subzone, node":       {"", locally("{failoverPriority: [topology.istio.io/subzone, kubernetes.io/hostname]}"), affinity.SameNodeOrAny},
		"priority: node, then failover": {"", locally("{failoverPriority: [kubernetes.io/hostname], failover: [{from: a, to: b}]}"), affinity.SameNode},
		"its own port":                  {"ports: [{port: 80}]", "{host: web, trafficPolicy: {" + outliers + ", portLevelSettings: [{port: {number: 80}, connectionPool: {}}]}}", affinity.Uniform},
		"another port":                  {"ports: [{port: 80}]", "{host: web, trafficPolicy: {" + outliers + ", portLevelSettings: [{port: {number: 81}}]}}", affinity.SameZone},
		"one of two ports":              {"ports: [{port: 80}, {port: 81}]", "{host: web, trafficPolicy: {" + outliers + ", portLevelSettings: [{port: {number: 81}}]}}", affinity.Uniform},
		"all ports":                     {"ports: [{port: 80}]", "{host: web, trafficPolicy: {portLevelSettings: [{port: {number: 80}, " + outliers + "}]}}", affinity.SameZone},
		"a subset as the rest":          {"", "{host: web, trafficPolicy: {" + outliers + "}, subsets: [{name: v1, labels: {version: v1}}]}", affinity.SameZone},
		"a subset of its own":           {"", "{host: web, trafficPolicy: {" + outliers + "}, subsets: [{name: v1, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: false}}}}]}", affinity.Uniform},
		"a subset alone":                {"", "{host: web, subsets: [{name: v1, trafficPolicy: {" + outliers + "}}]}", affinity.Uniform},
		"fully named":                   {"", "{host: web.shop.svc.cluster.local, trafficPolicy: {" + outliers + "}}", affinity.SameZone},
		"half named":                    {"", "{host: web.shop, trafficPolicy: {" + outliers + "}}", affinity.Uniform},
		"another Service":               {"", "{host: db, trafficPolicy: {" + outliers + "}}", affinity.Uniform},
		"all of the namespace":          {"", `{host: "*.shop.svc.cluster.local", trafficPolicy: {` + outliers + "}}", affinity.SameZone},
		"all of another":                {"", `{host: "*.other.svc.cluster.local", trafficPolicy: {` + outliers + "}}", affinity.Uniform},
		"all of the cluster":            {"", `{host: "*.local", trafficPolicy: {` + outliers + "}}", affinity.SameZone},
		"all":                           {"", `{host: "*", trafficPolicy: {` + outliers + "}}", affinity.SameZone},
		"exported to all":               {"", `{host: web, exportTo: ["*"], trafficPolicy: {` + outliers + "}}", affinity.SameZone},
		"not exported":                  {"", `{host: web, exportTo: ["."], trafficPolicy: {` + outliers + "}}", affinity.Uniform},
		"for some callers":              {"", "{host: web, workloadSelector: {matchLabels: {app: x}}, trafficPolicy: {" + outliers + "}}", affinity.Uniform},
		"some callers know more":        {"trafficDistribution: PreferSameNode", "{host: web, workloadSelector: {matchLabels: {app: x}}, trafficPolicy: {" + outliers + "}}", affinity.SameNode},
		"some callers keep less":        {"trafficDistribution: PreferSameNode", "{host: web, workloadSelector: {}, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: false}}}}", affinity.Uniform},
	}
}

// TestDestinationRule has a rule in the namespace of the Service shop/web.
func TestDestinationRule(t *testing.T) {
	for name, c := range ruleCases() {
		t.Run(name, func(t *testing.T) {
			if got := ruled(t, c.service, rule(t, "shop", "web", 1, c.rule)); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// ruled returns how calls to the Service shop/web are divided under rules.
func ruled(t testing.TB, spec string, rules ...runtime.Object) affinity.Routing {
	t.Helper()
	service := &corev1.Service{}
	if err := yaml.Unmarshal([]byte(object("v1", "Service", "web", spec)), service); err != nil {
		t.Fatal(err)
	}
	all, err := RulesAmong(rules)
	if err != nil {
		t.Fatal(err)
	}
	return surroundings{settings: AllSettings(), rules: all}.routing(service)
}

// placedRule is a rule of a namespace, the older the lower its day.
type placedRule struct {
	namespace string
	day       int
	spec      string
}

// precedenceCase is a row: rules, of which some are about the Service shop/web.
type precedenceCase struct {
	rules []placedRule
	want  affinity.Routing
}

func precedenceCases() map[string]precedenceCase {
	const wild = `{host: "*.local", trafficPolicy: {` + outliers + "}}"
	return map[string]precedenceCase{
		"none":                             {nil, affinity.Uniform},
		"the older first":                  {[]placedRule{{"shop", 2, toNode}, {"shop", 1, toZone}}, affinity.SameZone},
		"the older without a policy":       {[]placedRule{{"shop", 2, toNode}, {"shop", 1, "{host: web}"}}, affinity.SameNode},
		"the younger's subsets":            {[]placedRule{{"shop", 1, toZone}, {"shop", 2, "{host: web, subsets: [{name: v1, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: false}}}}]}"}}, affinity.Uniform},
		"the more specific first":          {[]placedRule{{"shop", 2, toNode}, {"shop", 1, wild}}, affinity.SameNode},
		"the root namespace":               {[]placedRule{{"istio-system", 1, wild}}, affinity.SameZone},
		"the Service's namespace first":    {[]placedRule{{"istio-system", 1, "{host: web.shop.svc.cluster.local, trafficPolicy: {" + outliers + "}}"}, {"shop", 2, `{host: "*"}`}}, affinity.Uniform},
		"a short name is of its namespace": {[]placedRule{{"istio-system", 1, toZone}}, affinity.Uniform},
		"callers elsewhere keep less":      {[]placedRule{{"shop", 1, toNode}, {"front", 1, wild}}, affinity.SameZone},
		"callers elsewhere know more":      {[]placedRule{{"front", 1, wild}}, affinity.Uniform},
	}
}

func TestPrecedenceOfDestinationRules(t *testing.T) {
	for name, c := range precedenceCases() {
		t.Run(name, func(t *testing.T) {
			var rules []runtime.Object
			for i, p := range c.rules {
				rules = append(rules, rule(t, p.namespace, string(rune('a'+i)), p.day, p.spec))
			}
			if got := ruled(t, "", rules...); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestSettings has every setting say something else of one Service.
func TestSettings(t *testing.T) {
	service := &corev1.Service{}
	service.Namespace, service.Name = "shop", "web"
	service.Annotations = map[string]string{TrafficDistributionAnnotation: "PreferSameZone"}
	node := corev1.ServiceTrafficDistributionPreferSameNode
	service.Spec.TrafficDistribution = &node
	rules, err := RulesAmong([]runtime.Object{rule(t, "shop", "web", 1, locally("{failoverPriority: [kubernetes.io/hostname]}"))})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		settings Settings
		want     affinity.Routing
	}{
		{AllSettings(), affinity.SameNodeOrAny},
		{Settings{DestinationRules: true}, affinity.SameNodeOrAny},
		{Settings{TrafficDistribution: true, Annotation: true}, affinity.SameNode},
		{Settings{Annotation: true}, affinity.SameZone},
		{Settings{InternalTrafficPolicy: true}, affinity.Uniform},
	} {
		if got := (surroundings{settings: c.settings, rules: rules}).routing(service); got != c.want {
			t.Errorf("%+v: got %v, want %v", c.settings, got, c.want)
		}
	}
	IgnoreRules(service)
	if got := (surroundings{settings: AllSettings(), rules: rules}).routing(service); got != affinity.SameNode {
		t.Errorf("with the rules ignored: got %v, want SameNode", got)
	}
	rules.Publish(nil)
	if got := (surroundings{settings: Settings{DestinationRules: true}, rules: rules}).routing(service); got != affinity.Uniform {
		t.Errorf("with no rules published: got %v, want Uniform", got)
	}
}

// FuzzDestinationRule reads anything as the spec of a rule. No rule has calls
// prefer more than its settings of node and zone may.
func FuzzDestinationRule(f *testing.F) {
	for _, spec := range []string{toZone, toNode, toAny, locally("{distribute: [{from: a/b, to: {a/b: 80, a: 20}}]}"), `{host: "*", subsets: [{}, {}]}`, "{host: web, trafficPolicy: {portLevelSettings: [{}]}}"} {
		text, err := yaml.YAMLToJSON([]byte(spec))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "shop")
	}
	f.Fuzz(func(t *testing.T, spec []byte, namespace string) {
		r := &DestinationRule{}
		if err := json.Unmarshal(spec, &r.Spec); err != nil {
			return
		}
		r.Namespace, r.Name = namespace, "any"
		read, err := json.Marshal(r.Spec)
		if err != nil {
			t.Fatal(err)
		}
		got := ruled(t, "ports: [{port: 80}]", r)
		if got == affinity.FairLoad {
			t.Errorf("a rule has calls divided by %v", got)
		}
		if got.Prefers(locality.Node) && !bytes.Contains(read, []byte(corev1.LabelHostname)) {
			t.Errorf("%v without a priority of the node", got)
		}
		if got != affinity.Uniform && !bytes.Contains(read, []byte("outlierDetection")) && !bytes.Contains(read, []byte("distribute")) {
			t.Errorf("%v without outlierDetection", got)
		}
		if got == affinity.SameNode && !bytes.Contains(read, []byte("failoverPriority")) {
			t.Errorf("%v without failoverPriority", got)
		}
	})
}
