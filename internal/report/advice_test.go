package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/price"
)

func all(c *cluster.Cluster) []bool { return slices.Repeat([]bool{true}, len(c.Workloads)) }

// TestAdviceIsWhatAChangeMakes measures the cluster with the one Service changed,
// with every seed.
func TestAdviceIsWhatAChangeMakes(t *testing.T) {
	const perGB = 0.02
	routings := map[string]affinity.Routing{"Any": affinity.Uniform, "PreferSameNode": affinity.SameNode, "PreferSameZone": affinity.SameZone}
	for of, options := range map[string]int{"Any": 4, "PreferSameNode": 2, "PreferSameZone": 3} { // of cart; db has Any
		c := shop()
		c.Workloads[1].Routing = routings[of]
		r := reportOf(c, 3, perGB, false)
		for _, a := range r.RoutingAdvice {
			w := slices.IndexFunc(c.Workloads, func(w cluster.Workload) bool { return workload(w.ID) == a.Workload })
			for _, o := range a.Options {
				options--
				for _, s := range o.Runs {
					node, zone := savedBy(c, w, routings[o.TrafficDistribution], r.run(s.Run).samples)
					for what, pair := range map[string][2]float64{
						"between nodes": {s.CrossNode, node}, "between zones": {*s.CrossZone, zone},
						"money": {*s.PerMonth, zone * 2_592_000 * perGB / 1e9},
					} {
						if math.Abs(pair[0]-pair[1]) > 1e-6*max(1, pair[1]) {
							t.Errorf("%s = %s, %s: saves %v %s, want %v", a.Workload, o.TrafficDistribution, s.Run, pair[0], what, pair[1])
						}
					}
				}
			}
		}
		if options != 0 {
			t.Errorf("cart = %s: %d options are missing", of, options)
		}
	}
}

// savedBy measures a cluster with one workload routed otherwise, in the mean over
// assignments.
func savedBy(c *cluster.Cluster, w int, routing affinity.Routing, samples []Sample) (node, zone float64) {
	changed := *c
	changed.Workloads = slices.Clone(c.Workloads)
	changed.Workloads[w].Routing = routing
	for _, sample := range samples {
		was, is := cut.Measure(c, sample.Assigned, nil), cut.Measure(&changed, sample.Assigned, nil)
		node += (was.Crossing(locality.Node, cut.Configured) - is.Crossing(locality.Node, cut.Configured)) / float64(len(samples))
		zone += (was.Crossing(locality.Zone, cut.Configured) - is.Crossing(locality.Zone, cut.Configured)) / float64(len(samples))
	}
	return node, zone
}

// TestTheBusiestPodOfAdvice has all of cart in front of one pod of db.
func TestTheBusiestPodOfAdvice(t *testing.T) {
	c := shop()
	c.Assigned = cluster.Assignment{{0, 1, 2, 3}, {0, 0, 0}, {0, 3}, nil}
	r := New(recordedOnly(c, nil))
	i := slices.IndexFunc(r.RoutingAdvice, func(a Advice) bool { return a.Workload.Name == "db" })
	if i < 0 {
		t.Fatalf("no advice for db in %+v", r.RoutingAdvice)
	}
	half := 4.5 * (1 << 20) // half of cart's 8 MiB/s was not local, and of db's own 1 MiB/s
	want := Saving{
		Run: "recorded", CrossNode: rounded(half), CrossZone: &half, BusiestEndpointNow: 1,
		BusiestEndpoint: rounded((8 + 0.5) / 4.5), // and db's own traffic
	}
	*want.CrossZone = rounded(half)
	if diff := cmp.Diff(want, r.RoutingAdvice[i].Options[0].Runs[0]); diff != "" {
		t.Errorf("db = PreferSameNode (-want +got):\n%s", diff)
	}
}

// recordedOnly is the draft of a report on the assignment that was found.
func recordedOnly(c *cluster.Cluster, prices *price.List) Draft {
	samples := []Sample{NewSample(c, &sim.Result{Assigned: c.Assigned})}
	return Draft{Price: prices, Runs: []Run{NewRun("recorded", "", samples, prices, false)}, Today: "recorded", Settable: all(c)}
}

// TestAdviceInMoneyKnowsItsZones: what an option moves to and from a node of an unknown
// zone is in no price.
func TestAdviceInMoneyKnowsItsZones(t *testing.T) {
	c := shop()
	c.Nodes[2].Zone, c.Nodes[2].Region = "", ""
	c.Workloads[1].Routing = affinity.Uniform
	changed := *c
	changed.Workloads = slices.Clone(c.Workloads)
	changed.Workloads[1].Routing = affinity.SameNode
	cost := func(c *cluster.Cluster) float64 {
		return priceOf(0.02).PerMonth(cut.Measure(c, c.Assigned, nil).CrossingBetween(locality.Zone))
	}
	advice := New(recordedOnly(c, priceOf(0.02))).RoutingAdvice
	i := slices.IndexFunc(advice, func(a Advice) bool { return a.Workload.Name == "cart" })
	if i < 0 {
		t.Fatal("no advice for cart")
	}
	got := advice[i].Options[0].Runs[0]
	if want := cost(c) - cost(&changed); math.Abs(*got.PerMonth-want) > 1e-6*want || want == 0 {
		t.Errorf("PreferSameNode saves %v a month, want %v", *got.PerMonth, want)
	}
	if all := priceOf(0.02).PerMonth(*got.CrossZone); all <= *got.PerMonth {
		t.Errorf("nothing of it is at the node without a zone: %v of %v", *got.PerMonth, all)
	}
}

// TestTotalsOfAdviceAreOneChange: the total of an option is what the cluster saves when
// all of these Services are changed.
func TestTotalsOfAdviceAreOneChange(t *testing.T) {
	c := shop()
	c.Workloads[1].Routing = affinity.Uniform
	changed := *c
	changed.Workloads = slices.Clone(c.Workloads)
	for w := range changed.Workloads {
		changed.Workloads[w].Routing = affinity.SameNode
	}
	total := New(recordedOnly(c, priceOf(0.02))).RoutingTotals
	if len(total) != 2 || total[0].TrafficDistribution != "PreferSameNode" {
		t.Fatalf("totals %+v, want those of two options", total)
	}
	was, is := cut.Measure(c, c.Assigned, nil), cut.Measure(&changed, c.Assigned, nil)
	for level, got := range map[locality.Level]float64{locality.Node: total[0].Runs[0].CrossNode, locality.Zone: *total[0].Runs[0].CrossZone} {
		if want := was.Crossing(level, cut.Configured) - is.Crossing(level, cut.Configured); math.Abs(got-want) > 1e-6*want {
			t.Errorf("%v: the total is %v, one change of all saves %v", level, got, want)
		}
	}
}

// TestEqualOptionsMerge: options with the same figures share a row.
func TestEqualOptionsMerge(t *testing.T) {
	saves := func(node float64) []Saving { return []Saving{{Run: "recorded", CrossNode: node}} }
	got := merged([]Option{{"PreferSameNode", saves(2)}, {"PreferSameZone", saves(2)}, {"Any", saves(1)}})
	var names []string
	for _, o := range got {
		names = append(names, o.TrafficDistribution)
	}
	if diff := cmp.Diff([]string{"PreferSameNode or PreferSameZone", "Any"}, names); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestWhatAdviceLeavesOut(t *testing.T) {
	names := func(r *Report) (names []string) {
		for _, a := range r.RoutingAdvice {
			for _, o := range a.Options {
				names = append(names, a.Workload.Name+"="+o.TrafficDistribution)
			}
		}
		return names
	}
	cases := map[string]struct {
		cluster  *cluster.Cluster
		settable []bool
		today    string
		want     []string
	}{
		// cart prefers the node already; nobody in the cluster calls web and batch.
		"what is so, and what is not called": {shop(), nil, "recorded", []string{"db=PreferSameNode", "db=PreferSameZone"}},
		"zones that nobody knows":            {flat(), nil, "recorded", []string{"db=PreferSameNode"}},
		"without a Service":                  {shop(), make([]bool, 4), "recorded", nil},
		"no such run":                        {shop(), nil, "nothing", nil},
		"no traffic":                         {quiet(), nil, "recorded", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := draftOf(tc.cluster, 2, 0, false)
			d.Today = tc.today
			if tc.today == "nothing" {
				d.Vicinity = "nothing else"
			}
			if tc.settable != nil {
				d.Settable = tc.settable
			}
			if diff := cmp.Diff(tc.want, names(New(d))); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAdviceIsRanked has callers on each node of a dozen Services, whose traffic
// grows with the number in their names.
func TestAdviceIsRanked(t *testing.T) {
	for perGB, want := range map[float64][]string{0: {"s00", "s12", "s01"}, 0.02: {"s12", "s11", "s00"}} {
		c := manyServices(12)
		r := New(recordedOnly(c, priceOf(perGB)))
		var got []string
		for _, a := range r.RoutingAdvice {
			got = append(got, a.Workload.Name)
		}
		if len(got) != 13 || !slices.Equal(want, []string{got[0], got[1], got[12]}) {
			t.Errorf("price %v: ranked %v, want 13, the first, second and last of them %v", perGB, got, want)
		}
		var out strings.Builder
		if err := r.WriteSummary(&out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "(3 more in the JSON output)") || strings.Contains(out.String(), "shop/"+want[2]+" ") {
			t.Errorf("not the first ten:\n%s", out.String())
		}
	}
}

// manyServices has Services s01, s02, ... whose endpoints are in two zones, and
// s00, which has more traffic, but all endpoints in the zone of its callers.
func manyServices(n int) *cluster.Cluster {
	c := shop()
	c.Workloads, c.Edges, c.Assigned = c.Workloads[:1], nil, cluster.Assignment{{0, 0, 1, 1}}
	web := c.Workloads[0].ID
	for i := range n + 1 {
		id := web
		id.Name = fmt.Sprintf("s%02d", i)
		c.Workloads = append(c.Workloads, cluster.Workload{ID: id, Replicas: 2})
		at, rate := []int32{0, 2}, float64(i)
		if i == 0 {
			at, rate = []int32{0, 1}, 1e6
		}
		c.Assigned = append(c.Assigned, at)
		c.Edges = append(c.Edges, edgeOf(web, id, rate))
	}
	return c
}
