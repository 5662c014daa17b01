package cut

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

func TestBusiestLink(t *testing.T) {
	id := func(name string) flowgraph.WorkloadID { return flowgraph.WorkloadID{Namespace: "shop", Name: name} }
	cases := map[string]struct {
		routing   affinity.Routing
		web, db   []int32 // nodes of their pods
		bandwidth [2]float64
		want      Links
	}{
		"not known":                {affinity.Uniform, []int32{0}, []int32{1}, [2]float64{}, Links{}},
		"all goes over":            {affinity.Uniform, []int32{0}, []int32{1}, [2]float64{400, 0}, Links{1, 0.75}}, // 300 of responses in
		"of both the fuller":       {affinity.Uniform, []int32{0}, []int32{1}, [2]float64{400, 200}, Links{2, 1.5}},
		"nothing leaves the node":  {affinity.Uniform, []int32{0}, []int32{0}, [2]float64{400, 400}, Links{2, 0}},
		"half of the calls":        {affinity.Uniform, []int32{0}, []int32{0, 1}, [2]float64{300, 300}, Links{2, 0.5}},
		"none where it is near":    {affinity.SameNode, []int32{0}, []int32{0, 1}, [2]float64{300, 300}, Links{2, 0}},
		"one caller is far":        {affinity.SameNode, []int32{0, 1}, []int32{0}, [2]float64{300, 300}, Links{2, 0.5}},
		"up to the fair share":     {affinity.FairLoad, []int32{0, 0, 1, 1}, []int32{0, 1, 1, 1}, [2]float64{300, 300}, Links{2, 0.25}},
		"all endpoints of a zone":  {affinity.SameZone, []int32{0}, []int32{0, 1}, [2]float64{300, 300}, Links{2, 0.5}},
		"several pods on one node": {affinity.Uniform, []int32{0, 0}, []int32{0, 0, 1, 1}, [2]float64{300, 300}, Links{2, 0.5}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := &cluster.Cluster{
				Nodes: []cluster.Node{
					{Locality: locality.Locality{Node: "n0", Zone: "a"}, Bandwidth: test.bandwidth[0]},
					{Locality: locality.Locality{Node: "n1", Zone: "a"}, Bandwidth: test.bandwidth[1]},
				},
				Workloads: []cluster.Workload{
					{ID: id("web"), Replicas: int32(len(test.web))},
					{ID: id("db"), Replicas: int32(len(test.db)), Route: cluster.Route{Routing: test.routing}},
				},
				Edges: []flowgraph.Edge{{From: id("web"), To: id("db"), Rates: flowgraph.Rates{SentBytesPerSecond: 100, ReceivedBytesPerSecond: 300}}},
			}
			assigned := cluster.Assignment{test.web, test.db}
			if got := NewLayout(c, assigned).links(resolve(c)); math.Abs(got.Busiest-test.want.Busiest) > 1e-12 || got.Known != test.want.Known {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestLinksCarryWhatCrosses: what all nodes send to others and to the outside is what
// does not stay on its node, as Configured.
func TestLinksCarryWhatCrosses(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		pods := &cuttest.Pods{C: c, Serving: assigned}
		load := make([][2]float64, len(c.Nodes)) // out and in
		carry := func(from, to int32, bytes float64) {
			if from == to {
				return
			}
			if from >= 0 {
				load[from][0] += bytes
			}
			if to >= 0 {
				load[to][1] += bytes
			}
		}
		for i := range c.Workloads {
			if w := &c.Workloads[i]; w.Routing == affinity.FairLoad {
				w.Routing = affinity.Uniform // fair load has no single calls
			}
			c.Workloads[i].Exceptions = nil
		}
		for _, e := range c.Edges {
			from, to := pods.Position(e.From), pods.Position(e.To)
			switch {
			case from >= 0 && to >= 0:
				for _, call := range pods.Calls(e, c.Workloads[to].Route) {
					a, b := assigned[from][call.From], assigned[to][call.To]
					carry(a, b, call.Part*e.SentBytesPerSecond)
					carry(b, a, call.Part*e.ReceivedBytesPerSecond)
				}
			case from >= 0:
				for _, a := range assigned[from] {
					carry(a, -1, e.SentBytesPerSecond/float64(len(assigned[from])))
					carry(-1, a, e.ReceivedBytesPerSecond/float64(len(assigned[from])))
				}
			case to >= 0:
				for _, b := range assigned[to] {
					carry(-1, b, e.SentBytesPerSecond/float64(len(assigned[to])))
					carry(b, -1, e.ReceivedBytesPerSecond/float64(len(assigned[to])))
				}
			}
		}
		want := 0.0
		for i := range c.Nodes {
			if rng.IntN(2) == 0 {
				c.Nodes[i].Bandwidth = 1000
				want = max(want, load[i][0]/1000, load[i][1]/1000)
			}
		}
		if got := Measure(c, assigned, nil).Links.Busiest; !near(got, want) {
			t.Errorf("the busiest link carries %v, want %v", got, want)
		}
	})
}
