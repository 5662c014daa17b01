package cluster

import (
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// shop has two nodes and three workloads, of which x/b has two pods more than it
// wants and x/c, with one pod, one fewer.
func shop() *Cluster {
	node := func(name string) Node {
		return Node{Locality: locality.Locality{Node: name}, Allocatable: Resources{MilliCPU: 1000, Memory: 1000}, MaxPods: 10}
	}
	id := func(name string) flowgraph.WorkloadID { return flowgraph.WorkloadID{Namespace: "x", Name: name} }
	return &Cluster{
		Nodes:     []Node{node("n0"), node("n1")},
		Workloads: []Workload{{ID: id("a"), Replicas: 2}, {ID: id("b"), Replicas: 1}, {ID: id("c"), Replicas: 2}},
		Assigned:  Assignment{{0, 1}, {0, 0, 1}, {1}},
		Edges:     []flowgraph.Edge{{From: id("a"), To: id("c"), Rates: flowgraph.Rates{SentBytesPerSecond: 1}}},
	}
}

func TestAssignmentCounts(t *testing.T) {
	c := shop()
	if got := c.Assigned.Pods(); got != 6 {
		t.Errorf("%d pods have a node, want 6", got)
	}
	if got := c.Assigned.Missing(c); got != 1 {
		t.Errorf("%d pods are missing, want that of x/c alone: the surplus of x/b is none of its", got)
	}
	if got := make(Assignment, 3).Missing(c); got != 5 {
		t.Errorf("%d pods of an empty assignment are missing, want 5", got)
	}
}

func TestValidate(t *testing.T) {
	cases := map[string]struct {
		change func(*Cluster)
		want   string
	}{
		"good":                {func(*Cluster) {}, ""},
		"no nodes":            {func(c *Cluster) { c.Nodes, c.Assigned = nil, nil }, "no nodes"},
		"node without name":   {func(c *Cluster) { c.Nodes[0].Node = "" }, "no name"},
		"two nodes":           {func(c *Cluster) { c.Nodes[0].Node = "n1" }, "two nodes are called n1"},
		"no room":             {func(c *Cluster) { c.Nodes[0].Allocatable.Memory, c.Nodes[0].MaxPods = 0, 0 }, ""},
		"less than no room":   {func(c *Cluster) { c.Nodes[0].Allocatable.Memory = -1 }, "node n0 has less than no room"},
		"two workloads":       {func(c *Cluster) { c.Workloads[0].ID.Name = "c" }, "two workloads are called x/c"},
		"workload, no name":   {func(c *Cluster) { c.Workloads[2].ID = flowgraph.WorkloadID{} }, "workload 2 has no name"},
		"no replicas":         {func(c *Cluster) { c.Workloads[2].Replicas = 0 }, "x/c wants 0 pods"},
		"negative request":    {func(c *Cluster) { c.Workloads[2].Requests.MilliCPU = -1 }, "less than nothing"},
		"negative rate":       {func(c *Cluster) { c.Edges[0].SentBytesPerSecond = -1 }, "x/a to x/c: a rate is negative"},
		"edge without end":    {func(c *Cluster) { c.Edges[0].To = flowgraph.WorkloadID{} }, "no name at one end"},
		"edge twice":          {func(c *Cluster) { c.Edges = append(c.Edges, c.Edges[0]) }, "is there twice"},
		"unknown node":        {func(c *Cluster) { c.Assigned[0][0] = 2 }, "node 2 of 2"},
		"too few assignments": {func(c *Cluster) { c.Assigned = c.Assigned[1:] }, "2 workloads are assigned"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tested := shop()
			c.change(tested)
			err := tested.Validate()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
