package mesh

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	networking "istio.io/api/networking/v1alpha3"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

func TestWeighted(t *testing.T) {
	const (
		client    = "n1@r/a"
		endpoints = "n1@r/a n2@r/a n3@r/b n4@s/c"
	)
	cases := map[string]struct {
		entries, client, endpoints string
		want                       []float64
	}{
		"by zone":                          {entries: "[{from: r/b, to: {r/b: 100}}, {from: r/a/*, to: {r/a/*: 80, r/b/*: 20}}]", want: []float64{0.4, 0.4, 0.2, 0}},
		"the first one that covers":        {entries: "[{from: r/*, to: {s: 100}}, {from: r/a, to: {r/a: 100}}]", want: []float64{0, 0, 0, 1}},
		"no entry: all alike":              {entries: "[{from: s/*, to: {s: 100}}]", want: []float64{0.25, 0.25, 0.25, 0.25}},
		"a client without a zone":          {entries: "[{from: r/a, to: {r/a: 100}}]", client: "n1@r/", want: []float64{0.25, 0.25, 0.25, 0.25}},
		"none where it is named":           {entries: "[{from: r/a, to: {r/a: 60, r/x: 20, s: 20}}]", want: []float64{0.375, 0.375, 0, 0.25}},
		"none in the own zone":             {entries: "[{from: r/a, to: {r/a: 80, r/b: 20}}]", endpoints: "n3@r/b n4@s/c", want: []float64{1, 0}},
		"none anywhere":                    {entries: "[{from: r/a, to: {r/a: 100}}]", endpoints: "n3@r/b", want: []float64{0}},
		"a region by its endpoints":        {entries: "[{from: r/a, to: {r/*: 90, s/*: 10}}]", want: []float64{0.3, 0.3, 0.3, 0.1}},
		"everywhere by the endpoints":      {entries: `[{from: "*", to: {"*": 100}}]`, want: []float64{0.25, 0.25, 0.25, 0.25}},
		"whole numbers, rounded up":        {entries: "[{from: r/a, to: {r/*: 10, s/*: 90}}]", want: []float64{7.0 / 101 / 2, 7.0 / 101 / 2, 4.0 / 101, 90.0 / 101}},
		"a subzone, which none has":        {entries: "[{from: r/a/x, to: {s: 100}}, {from: r/a, to: {r/a/x: 50, r/b: 50}}]", want: []float64{0, 0, 1, 0}},
		"no weight at all":                 {entries: "[{from: r/a, to: {r/a: 0}}]", want: []float64{0, 0, 0, 0}},
		"the namesake of another region's": {entries: "[{from: r/a, to: {r/a: 80, s/a: 20}}]", endpoints: "n1@r/a n2@s/a", want: []float64{0.8, 0.2}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var entries []*networking.LocalityLoadBalancerSetting_Distribute
			if err := yaml.UnmarshalStrict([]byte(c.entries), &entries); err != nil {
				t.Fatal(err)
			}
			from, to := client, endpoints
			if c.client != "" {
				from = c.client
			}
			if c.endpoints != "" {
				to = c.endpoints
			}
			var places []locality.Locality
			for _, e := range strings.Fields(to) {
				places = append(places, at(e))
			}
			if diff := cmp.Diff(c.want, weighted(entries, at(from), places), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
				t.Errorf("parts of the calls (-want +got):\n%s", diff)
			}
		})
	}
}
