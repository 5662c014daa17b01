package kube

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
)

// TestLocalityShares reads distribute from text, and as a dynamic client has it.
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
		"no numbers":               {"[{from: r/a, to: {r/a: many, r/b: 20}}]", affinity.Uniform},
		"below 0":                  {"[{from: r/a, to: {r/a: 120, r/b: -20}}]", affinity.Uniform},
		"very many":                {"[{from: r/a, to: {r/a: 4294967296, r/b: 100}}]", affinity.Uniform},
		"another form":             {"{from: r/a}", affinity.Uniform},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			text, err := yaml.YAMLToJSON([]byte("metadata: {namespace: shop, name: web}\nspec: " + locally("{distribute: "+c.distribute+"}")))
			if err != nil {
				t.Fatal(err)
			}
			u := &unstructured.Unstructured{}
			if err := u.UnmarshalJSON([]byte(`{"kind": "DestinationRule", ` + string(text[1:]))); err != nil {
				t.Fatal(err)
			}
			read, err := ReadRule(u)
			if got := ruled(t, "", read); got != c.want {
				t.Errorf("calls are divided by %v, want %v (%v)", got, c.want, err)
			}
			again := &DestinationRule{}
			if yaml.Unmarshal(text, again) != nil {
				return // a file with it is rejected
			}
			if got := ruled(t, "", again); got != c.want {
				t.Errorf("in a file, calls are divided by %v, want %v", got, c.want)
			}
		})
	}
}
