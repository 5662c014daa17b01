package routing

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// everyHost is a rule for all hosts with a traffic policy and what else it says.
func everyHost(policy, more string) string {
	return `{host: "*", trafficPolicy: {` + policy + "}" + more + "}"
}

const fqdn = "host: web.shop.svc.cluster.local"

// placed is a rule in a namespace, the older the lower its day.
type placed struct {
	namespace string
	day       int
	spec      string
}

// byCaller is how the calls from namespaces are divided: "*" stands for those that no
// rule is in and none names.
type byCaller map[string]affinity.Routing

// callerCase is rules for calls to the Service shop/web.
type callerCase struct {
	service string // of the Service's spec
	rules   []placed
	want    byCaller
}

// callerCases follow Istio's documentation of exportTo and
// PushContext.destinationRule.
func callerCases() map[string]callerCase {
	const (
		any, zone, node = affinity.Uniform, affinity.SameZone, affinity.SameNode
		nodeOnly        = "{failoverPriority: [topology.kubernetes.io/zone, kubernetes.io/hostname]}"
		byNode          = outliers + ", loadBalancer: {localityLbSetting: " + nodeOnly + "}"
		forApp          = ", workloadSelector: {matchLabels: {app: x}}"
		forAll          = ", workloadSelector: {}"
	)
	return map[string]callerCase{
		"no rule": {"", nil, byCaller{"shop": any, "*": any}},
		"another namespace's own rule is its own": {
			"trafficDistribution: PreferSameZone",
			[]placed{{"tenant", 1, everyHost(off, `, exportTo: ["."]`)}},
			byCaller{"shop": zone, "tenant": any, "*": zone},
		},
		"another namespace's exported rule is its own too": {
			"", []placed{{"front", 1, everyHost(outliers, `, exportTo: ["*"]`)}},
			byCaller{"shop": any, "front": zone, "*": any},
		},
		"the Service's namespace, exported to all":         {"", []placed{{"shop", 1, toZone}}, byCaller{"shop": zone, "*": zone}},
		"the Service's namespace, exported by name to all": {"", []placed{{"shop", 1, "{host: web, exportTo: ['*'], trafficPolicy: {" + outliers + "}}"}}, byCaller{"shop": zone, "*": zone}},
		"the Service's namespace, not exported":            {"", []placed{{"shop", 1, "{host: web, exportTo: ['.'], trafficPolicy: {" + outliers + "}}"}}, byCaller{"shop": zone, "*": any}},
		"the Service's namespace, exported to itself":      {"", []placed{{"shop", 1, "{host: web, exportTo: [shop], trafficPolicy: {" + outliers + "}}"}}, byCaller{"shop": zone, "*": any}},
		"the Service's namespace, exported to another": {
			"", []placed{{"shop", 1, "{host: web, exportTo: [front], trafficPolicy: {" + outliers + "}}"}},
			byCaller{"shop": any, "front": zone, "*": any},
		},
		"the Service's namespace, exported to both": {
			"", []placed{{"shop", 1, "{host: web, exportTo: ['.', front], trafficPolicy: {" + outliers + "}}"}},
			byCaller{"shop": zone, "front": zone, "*": any},
		},
		"the caller's namespace comes before the Service's": {
			"", []placed{{"shop", 1, toZone}, {"front", 1, "{" + fqdn + ", trafficPolicy: {" + byNode + "}}"}},
			byCaller{"shop": zone, "front": node, "*": zone},
		},
		"even when its host is less specific": {
			"", []placed{{"shop", 1, toZone}, {"front", 1, everyHost(off, "")}},
			byCaller{"shop": zone, "front": any, "*": zone},
		},
		"a short name is of its own namespace": {"", []placed{{"front", 1, toZone}, {"istio-system", 1, toZone}}, byCaller{"shop": any, "front": any, "istio-system": any, "*": any}},
		"the root namespace is last": {
			"", []placed{{"istio-system", 1, everyHost(outliers, "")}, {"front", 1, everyHost(byNode, "")}},
			byCaller{"shop": zone, "front": node, "istio-system": zone, "*": zone},
		},
		"the Service's namespace comes before the root": {
			"", []placed{{"istio-system", 1, "{" + fqdn + ", trafficPolicy: {" + outliers + "}}"}, {"shop", 2, `{host: "*"}`}},
			byCaller{"shop": any, "istio-system": any, "*": any},
		},
		"also for callers in the root namespace": {
			"", []placed{{"istio-system", 1, everyHost(outliers, "")}, {"shop", 1, toAny}},
			byCaller{"istio-system": any, "*": any},
		},
		"but what the root keeps for itself is first there": {
			"", []placed{{"istio-system", 1, everyHost(outliers, `, exportTo: ["."]`)}, {"shop", 1, toNode}},
			byCaller{"shop": node, "istio-system": zone, "*": node},
		},
		"the root, exported to one": {
			"", []placed{{"istio-system", 1, everyHost(outliers, ", exportTo: [front]")}},
			byCaller{"shop": any, "front": zone, "istio-system": any, "*": any},
		},
		"a namespace that is called as no root": {"", []placed{{"istio-config", 1, everyHost(outliers, "")}}, byCaller{"shop": any, "istio-config": zone, "*": any}},

		"exported to nothing that is a namespace": {"", []placed{{"shop", 1, "{host: web, exportTo: ['', '~'], trafficPolicy: {" + outliers + "}}"}}, byCaller{"shop": any, "*": any, "": any}},

		"the more specific host":                      {"", []placed{{"shop", 2, toNode}, {"shop", 1, everyHost(outliers, "")}}, byCaller{"shop": node, "*": node}},
		"the more specific wildcard":                  {"", []placed{{"shop", 2, `{host: "*.shop.svc.cluster.local", trafficPolicy: {` + byNode + "}}"}, {"shop", 1, `{host: "*.local", trafficPolicy: {` + outliers + "}}"}}, byCaller{"*": node}},
		"the more specific, though not exported here": {"", []placed{{"shop", 2, "{host: web, exportTo: [front], trafficPolicy: {" + byNode + "}}"}, {"shop", 1, everyHost(outliers, "")}}, byCaller{"shop": zone, "front": node, "*": any}},
		"the more specific, if it is private":         {"", []placed{{"shop", 2, "{host: web, exportTo: ['.'], trafficPolicy: {" + byNode + "}}"}, {"shop", 1, everyHost(outliers, "")}}, byCaller{"shop": node, "*": zone}},

		"the more specific, exported to itself alone": {
			"", []placed{{"shop", 2, "{host: web, exportTo: [shop], trafficPolicy: {" + byNode + "}}"}, {"shop", 1, everyHost(outliers, "")}},
			byCaller{"shop": node, "*": zone},
		},
		"merged into one with a selector, and for the others too": {
			"", []placed{{"shop", 1, "{host: web" + forApp + "}"}, {"shop", 2, "{host: web, exportTo: ['.', front], trafficPolicy: {" + outliers + "}}"}},
			byCaller{"shop": zone, "front": zone, "*": any},
		},
		"merged into one with a selector, as exported alike, and gone": {
			"", []placed{{"shop", 1, "{host: web" + forApp + "}"}, {"shop", 2, "{host: web, exportTo: ['.'], trafficPolicy: {" + outliers + "}}"}},
			byCaller{"shop": any, "*": any},
		},
		"the older first":                      {"", []placed{{"shop", 2, toNode}, {"shop", 1, toZone}}, byCaller{"*": zone}},
		"the older without a policy":           {"", []placed{{"shop", 2, toNode}, {"shop", 1, "{host: web}"}}, byCaller{"*": node}},
		"the younger's subsets":                {"", []placed{{"shop", 1, toZone}, {"shop", 2, "{host: web, subsets: [{name: v1, trafficPolicy: {" + off + "}}]}"}}, byCaller{"*": any}},
		"the younger's subset of a known name": {"", []placed{{"shop", 1, "{host: web, trafficPolicy: {" + outliers + "}, subsets: [{name: v1}]}"}, {"shop", 2, "{host: web, subsets: [{name: v1, trafficPolicy: {" + off + "}}]}"}}, byCaller{"*": zone}},
		"exported otherwise, not merged": {
			"", []placed{{"shop", 1, toZone}, {"shop", 2, "{host: web, exportTo: [front], trafficPolicy: {" + byNode + "}}"}},
			byCaller{"shop": zone, "front": node, "*": zone},
		},
		"exported to more, merged": {
			"", []placed{{"shop", 1, "{host: web, exportTo: [front], trafficPolicy: {" + outliers + "}}"}, {"shop", 2, "{host: web, exportTo: [front, back], trafficPolicy: {" + byNode + "}}"}},
			byCaller{"shop": any, "front": zone, "back": any, "*": any},
		},

		"some callers of the namespace know more":       {"", []placed{{"shop", 1, "{host: web, trafficPolicy: {" + outliers + "}" + forApp + "}"}}, byCaller{"shop": any, "*": any}},
		"some callers keep less":                        {"trafficDistribution: PreferSameNode", []placed{{"shop", 1, "{host: web, trafficPolicy: {" + off + "}" + forApp + "}"}}, byCaller{"shop": any, "*": node}},
		"some callers, as the others":                   {"", []placed{{"shop", 1, "{host: web, trafficPolicy: {" + byNode + "}" + forApp + "}"}, {"shop", 1, toNode}}, byCaller{"shop": node, "*": node}},
		"some callers of another namespace":             {"", []placed{{"front", 1, everyHost(off, forApp)}, {"shop", 1, toZone}}, byCaller{"shop": zone, "front": any, "*": zone}},
		"a selector keeps a rule at home, whatever":     {"", []placed{{"shop", 1, "{host: web, exportTo: ['*'], trafficPolicy: {" + outliers + "}" + forAll + "}"}}, byCaller{"shop": zone, "*": any}},
		"a selector of all comes before the others":     {"", []placed{{"shop", 1, "{host: web, trafficPolicy: {" + byNode + "}" + forAll + "}"}, {"shop", 1, toAny}}, byCaller{"shop": node, "*": any}},
		"a selector in the root namespace":              {"", []placed{{"istio-system", 1, everyHost(outliers, forAll)}}, byCaller{"shop": any, "istio-system": zone, "*": any}},
		"internalTrafficPolicy comes before every rule": {"internalTrafficPolicy: Local", []placed{{"shop", 1, toAny}, {"front", 1, everyHost(off, "")}}, byCaller{"shop": node, "front": node, "*": node}},
	}
}

// TestRuleOfTheCaller looks for the rule that counts for calls from several namespaces.
func TestRuleOfTheCaller(t *testing.T) {
	for name, c := range callerCases() {
		t.Run(name, func(t *testing.T) {
			objects := []runtime.Object{service(t, "web", c.service)}
			for i, p := range c.rules {
				objects = append(objects, rule(t, p.namespace, string(rune('a'+i)), p.day, p.spec))
			}
			routes := among(t, objects...)
			got, by, direct := byCaller{}, byCaller{}, routes.ByCaller(web())
			for caller := range c.want {
				got[caller] = asked(routes, caller).Routing
				by[caller] = direct.From(caller).Routing
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("asked one by one (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.want, by); diff != "" {
				t.Errorf("asked for all (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRootNamespace has the mesh's root namespace be another one.
func TestRootNamespace(t *testing.T) {
	objects := []runtime.Object{service(t, "web", ""), rule(t, "mesh-config", "a", 1, everyHost(outliers, "")), rule(t, "istio-system", "a", 1, everyHost(off, ""))}
	policies := AllPolicies()
	policies.Mesh.RootNamespace = "mesh-config"
	routes := under(t, policies, objects...)
	want := ByCaller{
		Route:      cluster.Route{Routing: affinity.SameZone},
		Exceptions: map[string]cluster.Route{"istio-system": {Routing: affinity.Uniform}},
	}
	if diff := cmp.Diff(want, routes.ByCaller(web())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSeveralServices: that which keeps the least counts, for each caller by itself, and
// no shares.
func TestSeveralServices(t *testing.T) {
	const entries = "{distribute: [{from: r/a, to: {r/a: 80, r/b: 20}}]}"
	routes := among(t, service(t, "web", "trafficDistribution: PreferSameNode"), service(t, "web2", "trafficDistribution: PreferSameZone"),
		rule(t, "front", "a", 1, `{host: web2.shop.svc.cluster.local, trafficPolicy: {loadBalancer: {localityLbSetting: `+entries+`}}}`),
		rule(t, "back", "a", 1, `{host: web2.shop.svc.cluster.local, trafficPolicy: {`+off+`}}`))
	w := cluster.Workload{}
	if !routes.Fill(&w, web()) {
		t.Error("the Services do not differ")
	}
	want := cluster.Workload{
		Route: cluster.Route{Routing: affinity.SameZone},
		Exceptions: map[string]cluster.Route{
			"back": {Routing: affinity.Uniform}, "front": {Routing: affinity.ZoneShare(80)},
		},
	}
	if diff := cmp.Diff(want, w); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if (among(t, service(t, "web", "")).Fill(&w, web())) || w.Exceptions != nil {
		t.Errorf("one Service differs, or leaves %+v", w)
	}
}
