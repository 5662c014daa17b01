package routing

import (
	"bytes"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// ruleCase is a rule in the namespace of the Service shop/web, and what it makes of calls
// from there.
type ruleCase struct {
	service, rule string
	want          affinity.Routing
}

func ruleCases() map[string]ruleCase {
	zoneAware := func(setting string) string {
		return "{host: web, trafficPolicy: {loadBalancer: {zoneAwareLbSetting: " + setting + "}}}"
	}
	return map[string]ruleCase{
		"nothing of it":                    {"", "{host: web}", affinity.Uniform},
		"only TLS":                         {"trafficDistribution: PreferSameNode", "{host: web, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}", affinity.SameNode},
		"outliers: the mesh's default":     {"", toZone, affinity.SameZone},
		"outliers, empty":                  {"", "{host: web, trafficPolicy: {outlierDetection: {}}}", affinity.SameZone},
		"outliers, null":                   {"", "{host: web, trafficPolicy: {outlierDetection: null}}", affinity.Uniform},
		"the Service before the mesh":      {"trafficDistribution: PreferSameNode", toZone, affinity.SameNode},
		"the rule before the Service":      {"trafficDistribution: PreferSameNode", locally("{enabled: true}"), affinity.SameZone},
		"switched off":                     {"trafficDistribution: PreferSameNode", toAny, affinity.Uniform},
		"switched off with outliers":       {"", locally("{enabled: false}"), affinity.Uniform},
		"without outliers":                 {"trafficDistribution: PreferSameNode", "{host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: true}}}}", affinity.Uniform},
		"the policy Local before all":      {"internalTrafficPolicy: Local", toAny, affinity.SameNode},
		"an empty setting":                 {"", locally("{}"), affinity.SameZone},
		"failover":                         {"", locally("{failover: [{from: a, to: b}]}"), affinity.SameZone},
		"shares":                           {"trafficDistribution: PreferSameNode", locally("{distribute: [{from: r/a/*, to: {r/a/*: 80, r/b/*: 20}}]}"), affinity.ZoneShare(80)},
		"shares, switched off":             {"", locally("{enabled: false, distribute: [{from: r/a, to: {r/a: 80, r/b: 20}}]}"), affinity.Uniform},
		"shares need no outliers":          {"", "{host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r/a, to: {r/a: 80, r/b: 20}}]}}}}", affinity.ZoneShare(80)},
		"shares and less":                  {"", "{host: web, trafficPolicy: {" + outliers + "}, subsets: [{name: v1, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r/a, to: {r/a: 80, r/b: 20}}]}}}}]}", affinity.ZoneShare(80)},
		"priority: node":                   {"", locally("{failoverPriority: [kubernetes.io/hostname]}"), affinity.SameNodeOrAny},
		"priority: zone":                   {"", locally("{failoverPriority: [topology.kubernetes.io/zone]}"), affinity.SameZone},
		"priority: region":                 {"", locally("{failoverPriority: [topology.kubernetes.io/region]}"), affinity.Uniform},
		"priority: as PreferSameNode":      {"", locally("{failoverPriority: [topology.istio.io/network, topology.kubernetes.io/region, topology.kubernetes.io/zone, topology.istio.io/subzone, kubernetes.io/hostname]}"), affinity.SameNode},
		"priority: node before zone":       {"", locally("{failoverPriority: [kubernetes.io/hostname, topology.kubernetes.io/zone]}"), affinity.SameNodeOrAny},
		"priority: an unknown label":       {"", locally("{failoverPriority: [version, kubernetes.io/hostname]}"), affinity.Uniform},
		"priority: a value of its own":     {"", locally("{failoverPriority: [topology.kubernetes.io/zone=a, kubernetes.io/hostname]}"), affinity.Uniform},
		"priority: unknown in the zone":    {"", locally("{failoverPriority: [topology.kubernetes.io/zone, version, kubernetes.io/hostname]}"), affinity.SameZone},
		"priority: subzone first":          {"", locally("{failoverPriority: [topology.istio.io/subzone, topology.kubernetes.io/zone]}"), affinity.Uniform},
		"priority: subzone, node":          {"", locally("{failoverPriority: [topology.istio.io/subzone, kubernetes.io/hostname]}"), affinity.SameNodeOrAny},
		"priority: node, then failover":    {"", locally("{failoverPriority: [kubernetes.io/hostname], failover: [{from: a, to: b}]}"), affinity.SameNode},
		"its own port":                     {"ports: [{port: 80}]", "{host: web, trafficPolicy: {" + outliers + ", portLevelSettings: [{port: {number: 80}, connectionPool: {}}]}}", affinity.Uniform},
		"another port":                     {"ports: [{port: 80}]", "{host: web, trafficPolicy: {" + outliers + ", portLevelSettings: [{port: {number: 81}}]}}", affinity.SameZone},
		"one of two ports":                 {"ports: [{port: 80}, {port: 81}]", "{host: web, trafficPolicy: {" + outliers + ", portLevelSettings: [{port: {number: 81}}]}}", affinity.Uniform},
		"all ports":                        {"ports: [{port: 80}]", "{host: web, trafficPolicy: {portLevelSettings: [{port: {number: 80}, " + outliers + "}]}}", affinity.SameZone},
		"a subset as the rest":             {"", "{host: web, trafficPolicy: {" + outliers + "}, subsets: [{name: v1, labels: {version: v1}}]}", affinity.SameZone},
		"a subset of its own":              {"", "{host: web, trafficPolicy: {" + outliers + "}, subsets: [{name: v1, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: false}}}}]}", affinity.Uniform},
		"a subset alone":                   {"", "{host: web, subsets: [{name: v1, trafficPolicy: {" + outliers + "}}]}", affinity.Uniform},
		"fully named":                      {"", "{host: web.shop.svc.cluster.local, trafficPolicy: {" + outliers + "}}", affinity.SameZone},
		"half named":                       {"", "{host: web.shop, trafficPolicy: {" + outliers + "}}", affinity.Uniform},
		"another Service":                  {"", "{host: db, trafficPolicy: {" + outliers + "}}", affinity.Uniform},
		"all of the namespace":             {"", `{host: "*.shop.svc.cluster.local", trafficPolicy: {` + outliers + "}}", affinity.SameZone},
		"all of another":                   {"", `{host: "*.other.svc.cluster.local", trafficPolicy: {` + outliers + "}}", affinity.Uniform},
		"all of the cluster":               {"", `{host: "*.local", trafficPolicy: {` + outliers + "}}", affinity.SameZone},
		"all":                              {"", `{host: "*", trafficPolicy: {` + outliers + "}}", affinity.SameZone},
		"zone-aware":                       {"trafficDistribution: PreferSameZone", zoneAware("{}"), affinity.FairZone(6)},
		"zone-aware, outliers":             {"", "{host: web, trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {enabled: true}}, " + outliers + "}}", affinity.FairZone(6)},
		"zone-aware, enough endpoints":     {"", zoneAware("{minClusterSize: 3}"), affinity.FairZone(3)},
		"zone-aware, any number will do":   {"", zoneAware("{minClusterSize: 0}"), affinity.FairZone(0)},
		"zone-aware, switched off":         {"trafficDistribution: PreferSameZone", zoneAware("{enabled: false}"), affinity.Uniform},
		"zone-aware by region":             {"", zoneAware("{failover: [{from: a, to: b}]}"), affinity.FairZone(6)},
		"zone-aware, the node before":      {"", zoneAware("{failoverPriority: [topology.istio.io/network, kubernetes.io/hostname]}"), affinity.SameNodeOrAny},
		"zone-aware, a label before":       {"", zoneAware("{failoverPriority: [version]}"), affinity.Uniform},
		"zone-aware, a subset by itself":   {"", "{host: web, trafficPolicy: {" + outliers + "}, subsets: [{name: v1, trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {}}}}]}", affinity.FairZone(6)},
		"zone-aware comes before locality": {"", "{host: web, trafficPolicy: {" + outliers + ", loadBalancer: {zoneAwareLbSetting: {}, localityLbSetting: {}}}}", affinity.FairZone(6)},
		"a field of a later Istio":         {"", "{host: web, later: 1, trafficPolicy: {" + outliers + "}}", affinity.SameZone},
	}
}

// TestDestinationRule has a rule in the namespace of the Service shop/web, whose
// callers are there too.
func TestDestinationRule(t *testing.T) {
	for name, c := range ruleCases() {
		t.Run(name, func(t *testing.T) {
			routes := among(t, service(t, "web", c.service), rule(t, "shop", "web", 1, c.rule))
			if got := routes.ByCaller(web()).From("shop").Routing; got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestUndecodableRules are skipped: calls are divided as without them.
func TestUndecodableRules(t *testing.T) {
	cases := map[string]string{
		"a setting that is a list":     "{host: web, trafficPolicy: []}",
		"a number as text":             locally("{distribute: [{from: r/a, to: {r/a: many, r/b: 20}}]}"),
		"a number below 0":             locally("{distribute: [{from: r/a, to: {r/a: 120, r/b: -20}}]}"),
		"a number that is too large":   locally("{distribute: [{from: r/a, to: {r/a: 4294967296, r/b: 100}}]}"),
		"entries that are no list":     locally("{distribute: {from: r/a}}"),
		"a priority that is a number":  locally("{failoverPriority: [5]}"),
		"a balancer that nobody knows": "{host: web, trafficPolicy: {loadBalancer: {simple: MAGIC, localityLbSetting: {enabled: false}}}}",
		"no host":                      "{trafficPolicy: {" + off + "}}",
		"a host that is a number":      "{host: 5, trafficPolicy: {" + off + "}}",
		"nothing":                      "null",
		"a spec that is no object":     "7",
	}
	for name, spec := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := decoded(t, "shop", "web", 1, spec)
			if err == nil {
				t.Fatalf("decoded as %v", &r.Spec)
			}
			if r.Namespace != "shop" || r.Name != "web" {
				t.Errorf("it is called %s/%s", r.Namespace, r.Name)
			}
			routes := among(t, service(t, "web", "trafficDistribution: PreferSameNode"), r)
			if got := routes.ByCaller(web()); got.Routing != affinity.SameNode || got.Exceptions != nil {
				t.Errorf("calls are divided by %+v, want SameNode", got)
			}
			if n := routes.rules.Skipped(); n != 1 {
				t.Errorf("%d rules are skipped, want 1", n)
			}
		})
	}
}

// TestPolicies has every policy say something else of one Service.
func TestPolicies(t *testing.T) {
	s := service(t, "web", "trafficDistribution: PreferSameNode")
	s.Annotations = map[string]string{TrafficDistributionAnnotation: "PreferSameZone"}
	r := rule(t, "shop", "web", 1, locally("{failoverPriority: [kubernetes.io/hostname]}"))
	of := func(policies Policies, s *corev1.Service) affinity.Routing {
		routes := under(t, policies, s, r)
		return routes.ByCaller(web()).From("shop").Routing
	}
	for _, c := range []struct {
		policies Policies
		want     affinity.Routing
	}{
		{AllPolicies(), affinity.SameNodeOrAny},
		{Policies{DestinationRules: true}, affinity.SameNodeOrAny},
		{Policies{TrafficDistribution: true, Annotation: true}, affinity.SameNode},
		{Policies{Annotation: true}, affinity.SameZone},
		{Policies{InternalTrafficPolicy: true}, affinity.Uniform},
	} {
		if got := of(c.policies, s); got != c.want {
			t.Errorf("%+v: got %v, want %v", c.policies, got, c.want)
		}
	}
	ignoring := s.DeepCopy()
	IgnoreRules(ignoring)
	if got := of(AllPolicies(), ignoring); got != affinity.SameNode {
		t.Errorf("with the rules ignored: got %v, want SameNode", got)
	}
	routes := among(t, s, r)
	routes.rules.publish(nil)
	if got := routes.ByCaller(web()).From("shop").Routing; got != affinity.SameNode {
		t.Errorf("with no rules published: got %v, want SameNode", got)
	}
}

// TestZoneAwareMesh: what the mesh says comes after rules and Services.
func TestZoneAwareMesh(t *testing.T) {
	on, disabled := &ZoneAware{Enabled: true, MinClusterSize: 4}, &ZoneAware{MinClusterSize: 4}
	cases := map[string]struct {
		mesh          *ZoneAware
		service, rule string // "" is no rule
		ignore        bool
		want          affinity.Routing
	}{
		"no rule":                     {on, "", "", false, affinity.FairZone(4)},
		"a rule of something else":    {on, "", "{host: web, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}", false, affinity.FairZone(4)},
		"before failover":             {on, "", toZone, false, affinity.FairZone(4)},
		"the Service before it":       {on, "trafficDistribution: PreferSameNode", "", false, affinity.SameNode},
		"the rule before it":          {on, "", toAny, false, affinity.Uniform},
		"a rule with its own number":  {on, "", "{host: web, trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {minClusterSize: 9}}}}", false, affinity.FairZone(9)},
		"the Service is not of Istio": {on, "", "", true, affinity.Uniform},
		"switched off":                {disabled, "", "", false, affinity.Uniform},
		"switched off, failover too":  {disabled, "", toZone, false, affinity.Uniform},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := service(t, "web", c.service)
			if c.ignore {
				IgnoreRules(s)
			}
			objects := []runtime.Object{s}
			if c.rule != "" {
				objects = append(objects, rule(t, "shop", "web", 1, c.rule))
			}
			for policies, want := range map[*Policies]affinity.Routing{
				{TrafficDistribution: true, DestinationRules: true, Mesh: Mesh{ZoneAware: c.mesh}}: c.want,
				{TrafficDistribution: true, Mesh: Mesh{ZoneAware: c.mesh}}:                         Of(s),
			} {
				routes := under(t, *policies, objects...)
				if got := routes.ByCaller(web()).From("shop").Routing; got != want {
					t.Errorf("%+v: got %v, want %v", policies, got, want)
				}
			}
		})
	}
}

// TestDistributedDoesNotAllocate: it is asked for every Service of every pod.
func TestDistributedDoesNotAllocate(t *testing.T) {
	for value, want := range map[string]affinity.Routing{
		"PreferSameNode": affinity.SameNode, "prefersamezone": affinity.SameZone, "PREFERCLOSE": affinity.SameZone, "": affinity.Uniform, "Any": affinity.Uniform,
	} {
		got := affinity.Uniform
		if n := testing.AllocsPerRun(100, func() { got = distributed(value) }); n > 0 || got != want {
			t.Errorf("%q: %v with %v allocations, want %v with none", value, got, n, want)
		}
	}
}

// FuzzDecodeRule reads anything as the spec of a rule. Nothing panics, what cannot be
// decoded covers nothing, and no rule makes calls prefer more than its settings of node
// and zone may.
func FuzzDecodeRule(f *testing.F) {
	for _, spec := range []string{
		toZone, toNode, toAny, locally("{distribute: [{from: a/b, to: {a/b: 80, a: 20}}]}"), `{host: "*", subsets: [{}, {}]}`,
		"{host: web, trafficPolicy: {portLevelSettings: [{}]}}", "{host: web, exportTo: [a, '.'], workloadSelector: {}, subsets: [null]}",
		"{host: web, trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {minClusterSize: 4}}}}", "{host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [null], failover: [null]}}}}",
	} {
		text, err := yaml.YAMLToJSON([]byte(spec))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "shop")
	}
	f.Fuzz(func(t *testing.T, spec []byte, namespace string) {
		r, err := DecodeRule(append(append([]byte(`{"metadata": {"name": "any"}, "spec": `), spec...), '}'))
		r.Namespace = namespace
		routes := among(t, service(t, "web", "ports: [{port: 80}]"), r)
		by := routes.ByCaller(web())
		if err != nil && (by.Routing != affinity.Uniform || by.Exceptions != nil) {
			t.Errorf("a rule that cannot be decoded divides calls by %+v", by)
		}
		for _, caller := range append(r.Spec.GetExportTo(), "shop", "istio-system", namespace, "elsewhere") {
			got := by.From(caller)
			if direct := asked(routes, caller); !direct.Equal(got) {
				t.Errorf("calls from %q are divided by %+v or %+v", caller, direct, got)
			}
			if got.Routing.Prefers(locality.Node) && !bytes.Contains(spec, []byte(`"kubernetes.io`)) && !bytes.Contains(spec, []byte(`\`)) {
				t.Errorf("%v without a priority of the node", got.Routing)
			}
		}
	})
}
