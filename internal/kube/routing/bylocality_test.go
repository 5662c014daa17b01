package routing

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// TestLocalityShares has a distribute for calls to shop/web.
func TestLocalityShares(t *testing.T) {
	cases := map[string]struct {
		distribute string
		want       affinity.Routing
	}{
		"as in Istio's manual":     {"[{from: r/a/*, to: {r/a/*: 80, r/b/*: 20}}, {from: r/b/*, to: {r/a/*: 20, r/b/*: 80}}]", affinity.ZoneShare(80)},
		"the zones differ":         {"[{from: r/a, to: {r/a: 80, r/b: 20}}, {from: r/b, to: {r/a: 70, r/b: 30}}]", affinity.ZoneShare(30)},
		"all stays":                {"[{from: r/a, to: {r/a: 100}}]", affinity.ZoneShare(100)},
		"all leaves":               {"[{from: r/a, to: {r/b: 60, r/c: 40}}]", affinity.ZoneShare(0)},
		"one zone of two has none": {"[{from: r/a, to: {r/a: 100}}, {from: r/b, to: {r/a: 100}}]", affinity.ZoneShare(0)},
		"spelt in two ways":        {"[{from: r/a, to: {r/a/*: 80, r/b: 20}}]", affinity.ZoneShare(80)},
		"the same zone elsewhere":  {"[{from: r/a, to: {r/a: 80, s/a: 20}}]", affinity.ZoneShare(80)},
		"another region":           {"[{from: r/a, to: {r/a: 80, s/*: 10, t: 10}}]", affinity.ZoneShare(80)},
		"a subzone elsewhere":      {"[{from: r/a, to: {r/a: 80, r/b/c: 20}}]", affinity.ZoneShare(80)},
		"the own region":           {"[{from: r/a, to: {r/a: 80, r/*: 20}}]", affinity.Uniform},
		"any region":               {`[{from: r/a, to: {r/a: 80, "*": 20}}]`, affinity.Uniform},
		"of a subzone":             {"[{from: r/a/x, to: {r/a/x: 80, r/b: 20}}]", affinity.Uniform},
		"to an own subzone":        {"[{from: r/a, to: {r/a/x: 80, r/b: 20}}]", affinity.Uniform},
		"of a region":              {"[{from: r/*, to: {r/*: 80, s/*: 20}}]", affinity.Uniform},
		"of all":                   {`[{from: "*", to: {r/a: 80, r/b: 20}}]`, affinity.Uniform},
		"of nothing":               {"[{to: {r/a: 100}}]", affinity.Uniform},
		"one entry of a region":    {"[{from: r/a, to: {r/a: 80, r/b: 20}}, {from: s/*, to: {s/*: 100}}]", affinity.Uniform},
		"90 % in all":              {"[{from: r/a, to: {r/a: 70, r/b: 20}}]", affinity.Uniform},
		"110 % in all":             {"[{from: r/a, to: {r/a: 90, r/b: 20}}]", affinity.Uniform},
		"a share of 0":             {"[{from: r/a, to: {r/a: 100, r/b: 0}}]", affinity.Uniform},
		"to nothing":               {"[{from: r/a}]", affinity.Uniform},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			routes := among(t, service(t, "web", ""), rule(t, "shop", "web", 1, locally("{distribute: "+c.distribute+"}")))
			if got := routes.ByCaller(web()).From("shop").Routing; got != c.want {
				t.Errorf("calls are divided by %v, want %v", got, c.want)
			}
		})
	}
}

// TestShares has rules for the only Service of web, except in one case.
func TestShares(t *testing.T) {
	const (
		entries = "{distribute: [{from: r/a/*, to: {r/a/*: 80, r/b: 20}}, {from: r/b, to: {r/b: 100}}, {from: r/b, to: {r/a: 100}}]}"
	)
	want := cluster.Shares{"r/a": {"r/a": 80, "r/b": 20}, "r/b": {"r/b": 100}}
	balancer := "loadBalancer: {localityLbSetting: " + entries + "}"
	one, two := []string{"web"}, []string{"web", "web2"}
	cases := map[string]struct {
		services []string
		rule     string
		want     cluster.Shares
	}{
		"of one rule":               {one, "host: web, trafficPolicy: {" + balancer + "}", want},
		"a zone in two spellings":   {one, "host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r/a, to: {r/a: 50, r/a/*: 50}}]}}}", cluster.Shares{"r/a": {"r/a": 100}}},
		"no rule":                   {one, "host: db, trafficPolicy: {" + balancer + "}", nil},
		"no shares":                 {one, "host: web, trafficPolicy: {" + outliers + "}", nil},
		"two Services":              {two, "host: \"*\", trafficPolicy: {" + balancer + "}", want},
		"one of two Services":       {two, "host: web, trafficPolicy: {" + balancer + "}", nil},
		"every subset alike":        {one, "host: web, subsets: [{name: v1, trafficPolicy: {" + outliers + "}}], trafficPolicy: {" + balancer + "}", want},
		"a subset of its own":       {one, "host: web, subsets: [{name: v1, trafficPolicy: {" + balancer + "}}], trafficPolicy: {" + outliers + "}", nil},
		"a subset without":          {one, "host: web, trafficPolicy: {" + balancer + "}, subsets: [{name: v1, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: true}}}}]", nil},
		"90 % in all":               {one, "host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r/a, to: {r/a: 70, r/b: 20}}]}}}", nil},
		"a share beyond all":        {one, "host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r/a, to: {r/a: 4294967295, r/b: 101}}]}}}", nil},
		"for some callers":          {one, "host: web, workloadSelector: {matchLabels: {app: x}}, trafficPolicy: {" + balancer + "}", nil},
		"one is about a region":     {one, "host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r/a, to: {r/a: 80, s: 20}}]}}}", nil},
		"the callers are of all":    {one, "host: web, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: \"*\", to: {r/a: 80, r/b: 20}}]}}}", nil},
		"zone-aware in their place": {one, "host: web, trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {}, localityLbSetting: " + entries + "}}", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			objects := []runtime.Object{rule(t, "shop", "web", 1, "{"+c.rule+"}")}
			for _, name := range c.services {
				objects = append(objects, service(t, name, ""))
			}
			w := cluster.Workload{}
			among(t, objects...).Fill(&w, web())
			if diff := cmp.Diff(c.want, w.RouteFrom("shop").Shares); diff != "" {
				t.Errorf("shares (-want +got):\n%s", diff)
			}
		})
	}
}
