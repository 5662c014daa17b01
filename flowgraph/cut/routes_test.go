package cut

import (
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// TestRouteOfTheCaller has two workloads of other namespaces call the same one, of
// which one namespace has a route of its own.
func TestRouteOfTheCaller(t *testing.T) {
	room := cluster.Resources{MilliCPU: 1000, Memory: 1000}
	id := func(namespace string) flowgraph.WorkloadID {
		return flowgraph.WorkloadID{Namespace: namespace, Name: "web"}
	}
	c := &cluster.Cluster{
		Nodes: []cluster.Node{
			{Locality: locality.Locality{Node: "a", Zone: "a"}, Allocatable: room, MaxPods: 9},
			{Locality: locality.Locality{Node: "b", Zone: "b"}, Allocatable: room, MaxPods: 9},
		},
		Workloads: []cluster.Workload{
			{ID: id("shop"), Replicas: 1}, {ID: id("tenant"), Replicas: 1},
			{
				ID: id("db"), Replicas: 2, Route: cluster.Route{Routing: affinity.SameZone},
				Exceptions: map[string]cluster.Route{"tenant": {Routing: affinity.Uniform}},
			},
		},
		Edges: []flowgraph.Edge{
			{From: id("shop"), To: id("db"), Rates: flowgraph.Rates{SentBytesPerSecond: 100}},
			{From: id("tenant"), To: id("db"), Rates: flowgraph.Rates{SentBytesPerSecond: 10}},
		},
	}
	assigned := cluster.Assignment{{0}, {0}, {0, 1}}
	if l, _ := Measure(c, assigned, nil).Level(locality.Zone); !near(l.Local[Configured], 100+5) {
		t.Errorf("%v of 110 stay in the zone, want 105: all from shop, half from tenant", l.Local[Configured])
	}
	var stays float64
	for _, part := range Parts(c, assigned, Configured) {
		if part.From == part.To {
			stays += part.BytesPerSecond
		}
	}
	if !near(stays, 105) {
		t.Errorf("the parts that stay are %v, want 105", stays)
	}
	moved, _ := Changes(c, cluster.Assignment{{1}, {1}, {0, 0}}, c, assigned, locality.Zone, Configured)
	for i, want := range []float64{100, 5} {
		if len(moved) != 2 || !near(moved[i].Gained(), want) {
			t.Errorf("the edges gain %+v, want 100 and 5", moved)
		}
	}
}
