package sim

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
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
			if got := place(c, assigned).links(resolve(c)); math.Abs(got.Busiest-test.want.Busiest) > 1e-12 || got.Known != test.want.Known {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestLinksCarryWhatCrosses: under every routing, what the callers' nodes exchange with
// others, and what the callees' nodes do, is the traffic that does not stay.
func TestLinksCarryWhatCrosses(t *testing.T) {
	compared := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 41))
		c := randomCluster(rng, 6, 8, 20, 6)
		assigned := make(cluster.Assignment, len(c.Workloads))
		for w := range assigned {
			for range c.Workloads[w].Replicas {
				assigned[w] = append(assigned[w], int32(rng.IntN(len(c.Nodes))))
			}
		}
		ends, p := resolve(c), place(c, assigned)
		for i, e := range c.Edges {
			if ends[i].from < 0 || ends[i].to < 0 {
				continue
			}
			w := e.BytesPerSecond()
			var calling, called float64
			p.remote(ends[i], w, func(_ int32, w float64) { calling += w }, func(_ int32, w float64) { called += w })
			want := w - p.underModels(ends[i], w, nil)[Configured][atNode]
			if math.Abs(calling-want) > 1e-9*w || math.Abs(called-want) > 1e-9*w {
				t.Fatalf("seed %d, %s to %s, %v: %v are called elsewhere and %v come from elsewhere, want %v", seed, e.From, e.To, c.Workloads[ends[i].to].Routing, calling, called, want)
			}
			if want < w {
				compared++
			}
		}
	}
	if compared < 200 {
		t.Errorf("only %d edges were compared", compared)
	}
}
