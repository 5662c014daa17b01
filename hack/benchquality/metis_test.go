package main

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// shop has web (2 pods), db (1) and an agent on the second of two nodes, which is
// the smaller.
func shop() *cluster.Cluster {
	id := func(name string) flowgraph.WorkloadID { return flowgraph.WorkloadID{Namespace: "shop", Name: name} }
	rates := func(bytes float64) flowgraph.Rates { return flowgraph.Rates{SentBytesPerSecond: bytes} }
	c := &cluster.Cluster{
		Nodes: []cluster.Node{
			{Allocatable: cluster.Resources{MilliCPU: 3000, Memory: 300}, MaxPods: 10},
			{Allocatable: cluster.Resources{MilliCPU: 1000, Memory: 100}, MaxPods: 10},
		},
		Workloads: []cluster.Workload{
			{ID: id("web"), Replicas: 2, Requests: cluster.Resources{MilliCPU: 1000, Memory: 10}},
			{ID: id("agent"), Replicas: 1, Fixed: true, Requests: cluster.Resources{MilliCPU: 100}},
			{ID: id("db"), Replicas: 1, Requests: cluster.Resources{MilliCPU: 500, Memory: 30}},
		},
		Assigned: cluster.Assignment{nil, {1}, nil},
		Edges: []flowgraph.Edge{
			{From: id("web"), To: id("db"), Rates: rates(6)}, {From: id("db"), To: id("web"), Rates: rates(2)},
			{From: id("web"), To: id("web"), Rates: rates(9)}, {From: id("web"), To: id("agent"), Rates: rates(9)},
			{From: id("elsewhere"), To: id("web"), Rates: rates(9)},
		},
	}
	c.Nodes[0].Node, c.Nodes[1].Node = "large", "small"
	return c
}

func TestWriteGraph(t *testing.T) {
	g := newPodGraph(shop())
	var graph, sizes bytes.Buffer
	if err := g.write(&graph); err != nil {
		t.Fatal(err)
	}
	// Weights are parts of 5e8; of the 8 bytes, each web has 4, which both ends count.
	want := "3 2 011 2\n200000000 100000000 3 125000000\n200000000 100000000 3 125000000\n100000000 300000000 1 125000000 2 125000000\n"
	if graph.String() != want {
		t.Errorf("graph: got\n%swant\n%s", &graph, want)
	}
	if err := g.writeSizes(&sizes); err != nil {
		t.Fatal(err)
	}
	if want := "0 : 0 = 0.750000000\n0 : 1 = 0.750000000\n1 : 0 = 0.250000000\n1 : 1 = 0.250000000\n"; sizes.String() != want {
		t.Errorf("sizes: got\n%swant\n%s", &sizes, want)
	}
	if got, want := g.slack(), "1.600 8.000"; got != want {
		t.Errorf("slack: got %s, want %s", got, want)
	}
}

func TestGraphOfManyPods(t *testing.T) {
	c := shop()
	c.Workloads[0].Replicas, c.Workloads[2].Replicas = 500, 200
	g := newPodGraph(c)
	traffic := 0.0
	for v, peers := range g.peers {
		for _, bytes := range peers {
			traffic += bytes / 2 // both ends count it
		}
		if g.pods[v] == 0 && len(peers) != maxPodPeers {
			t.Fatalf("pod %d has %d peers, want %d", v, len(peers), maxPodPeers)
		}
	}
	if traffic < 7.999 || traffic > 8.001 {
		t.Errorf("the edges have %v bytes, want 8", traffic)
	}
}

func TestReadPartition(t *testing.T) {
	got, err := readPartition(strings.NewReader("1\n0\n1\n"), 3, 2)
	if want := []int32{1, 0, 1}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for name, text := range map[string]string{
		"too few": "1\n0\n", "too many": "1\n0\n1\n1\n", "no such part": "1\n0\n2\n", "negative": "1\n0\n-1\n", "no number": "1\n0\nx\n",
	} {
		if got, err := readPartition(strings.NewReader(text), 3, 2); err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		}
	}
}

func TestRepair(t *testing.T) {
	cases := map[string]struct {
		wanted      []int32 // of web, web, db
		change      func(*cluster.Cluster)
		want        cluster.Assignment
		wantMissing int
	}{
		"all fit":     {[]int32{0, 0, 1}, nil, cluster.Assignment{{0, 0}, {1}, {1}}, 0},
		"no CPU":      {[]int32{1, 0, 1}, nil, cluster.Assignment{{0, 0}, {1}, {1}}, 0},
		"no memory":   {[]int32{0, 0, 1}, func(c *cluster.Cluster) { c.Nodes[1].Allocatable.Memory = 20 }, cluster.Assignment{{0, 0}, {1}, {0}}, 0},
		"too many":    {[]int32{0, 0, 0}, func(c *cluster.Cluster) { c.Nodes[0].MaxPods = 2 }, cluster.Assignment{{0}, {1}, {0}}, 1},
		"no room":     {[]int32{0, 0, 0}, func(c *cluster.Cluster) { c.Nodes[0].Allocatable.MilliCPU = 1200 }, cluster.Assignment{nil, {1}, {0}}, 2},
		"large first": {[]int32{0, 0, 0}, func(c *cluster.Cluster) { c.Nodes[0].Allocatable.MilliCPU = 2400 }, cluster.Assignment{{0}, {1}, {0}}, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := shop()
			if tc.change != nil {
				tc.change(c)
			}
			got := newPodGraph(c).repair(tc.wanted)
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			if n := got.Missing(c); n != tc.wantMissing {
				t.Errorf("%d pods are missing, want %d", n, tc.wantMissing)
			}
		})
	}
}
