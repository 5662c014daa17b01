package replayinput

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// shop has web (3 pods), db (1 pod) and another db (1 pod) in another namespace,
// on the nodes a, b and "c,d".
func shop() *cluster.Cluster {
	c := &cluster.Cluster{}
	for _, w := range []struct {
		namespace, name string
		replicas        int32
	}{{"shop", "web", 3}, {"shop", "db", 1}, {"bank", "db", 1}} {
		c.Workloads = append(c.Workloads, cluster.Workload{ID: flowgraph.WorkloadID{Namespace: w.namespace, Name: w.name}, Replicas: w.replicas})
	}
	for _, name := range []string{"a", "b", "c,d"} {
		n := cluster.Node{Allocatable: cluster.Resources{MilliCPU: 1, Memory: 1}, MaxPods: 1}
		n.Node = name
		c.Nodes = append(c.Nodes, n)
	}
	return c
}

func TestReadAssignment(t *testing.T) {
	cases := map[string]struct {
		text string
		want cluster.Assignment
		// wantFewer is how many workloads lack pods.
		wantFewer int
	}{
		"complete":          {"workload,node,pods\nshop/web,b,2\nshop/web,a,1\nshop/db,a,1\nbank/db,\"c,d\",1\n", cluster.Assignment{{1, 1, 0}, {0}, {2}}, 0},
		"some":              {"workload,node,pods\nshop/web,a,2\nbank/db,b,1\n", cluster.Assignment{{0, 0}, nil, {1}}, 2},
		"none":              {"workload,node,pods\n", cluster.Assignment{nil, nil, nil}, 3},
		"services":          {"service,machine,pods\nweb,a,3\nshop/db,a,1\n", cluster.Assignment{{0, 0, 0}, {0}, nil}, 1},
		"order of columns":  {"pods,node,workload\n1,a,shop/db\n", cluster.Assignment{nil, {0}, nil}, 2},
		"spaces and quotes": {"workload,node,pods\n shop/db , \"b\", 1\n", cluster.Assignment{nil, {1}, nil}, 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			assigned, warnings, err := ReadAssignment(strings.NewReader(c.text), "f.csv", shop())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(assigned, c.want) {
				t.Errorf("got %v, want %v", assigned, c.want)
			}
			var want []Warning
			if c.wantFewer > 0 {
				want = []Warning{{"workloads have fewer pods in the assignment than they want", c.wantFewer}}
			}
			if !slices.Equal(warnings, want) {
				t.Errorf("warnings %v, want %v", warnings, want)
			}
		})
	}
}

func TestReadAssignmentErrors(t *testing.T) {
	const header = "workload,node,pods\n"
	cases := map[string]struct{ text, want string }{
		"empty":            {"", "f.csv: the file is empty; the first line must be workload,node,pods or service,machine,pods"},
		"mixed header":     {"workload,machine,pods\n", "f.csv:1: the first line must be the header workload,node,pods or service,machine,pods (found \"workload,machine,pods\")"},
		"both headers":     {"workload,node,service,machine,pods\n", `f.csv:1: unknown column "service": must be one of workload, node, pods`},
		"unknown workload": {header + "shop/cache,a,1\n", `f.csv:2: workload: "shop/cache" is not in the cluster`},
		"no namespace":     {header + "web,a,1\n", `f.csv:2: workload: "web" is not namespace/name`},
		"unknown service":  {"service,machine,pods\ncache,a,1\n", `f.csv:2: service: "cache" is not in the cluster`},
		"ambiguous":        {"service,machine,pods\ndb,a,1\n", `f.csv:2: service: "db" is in several namespaces: write namespace/name`},
		"unknown node":     {header + "shop/web,a,1\nshop/web,c,1\n", `f.csv:3: node: "c" is not in the cluster`},
		"unknown machine":  {"service,machine,pods\nweb,c,1\n", `f.csv:2: machine: "c" is not in the cluster`},
		"too many":         {header + "shop/web,a,2\nshop/web,b,2\n", "f.csv:3: pods: shop/web has 4 up to here, but wants 3"},
		"far too many":     {header + "shop/web,a,2147483647\n", "f.csv:2: pods: shop/web has 2147483647 up to here, but wants 3"},
		"twice":            {header + "shop/web,a,1\n\nshop/web,a,1\n", "f.csv:4: shop/web on a is in line 2 already"},
		"no pods":          {header + "shop/web,a,0\n", `f.csv:2: pods: "0" must be a whole number from 1 on`},
		"fewer than none":  {header + "shop/web,a,-1\n", `f.csv:2: pods: "-1" must be a whole number from 1 on`},
		"half a pod":       {header + "shop/web,a,1.5\n", `f.csv:2: pods: "1.5" must be a whole number from 1 on`},
		"too large":        {header + "shop/web,a,2147483648\n", `f.csv:2: pods: "2147483648" must be a whole number from 1 on`},
		"fields":           {header + "shop/web,a\n", "f.csv:2: the line has 2 fields, the header has 3"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			assigned, _, err := ReadAssignment(strings.NewReader(c.text), "f.csv", shop())
			if err == nil {
				t.Fatalf("accepted as %v", assigned)
			}
			if err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestReadAssignmentLimit(t *testing.T) {
	c := shop()
	c.Workloads[0].Replicas = maxAssignedPods + 1
	_, _, err := ReadAssignment(strings.NewReader("workload,node,pods\nshop/web,a,1\nshop/web,b,3000000\n"), "f.csv", c)
	if want := "f.csv:3: pods: more than 3000000 in all"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWriteAssignment(t *testing.T) {
	var out bytes.Buffer
	if err := WriteAssignment(&out, shop(), cluster.Assignment{{2, 0, 2}, nil, {1}}); err != nil {
		t.Fatal(err)
	}
	if want := "workload,node,pods\nshop/web,a,1\nshop/web,\"c,d\",2\nbank/db,b,1\n"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
	assigned, _, err := ReadAssignment(&out, "f.csv", shop())
	if want := (cluster.Assignment{{0, 2, 2}, nil, {1}}); err != nil || !reflect.DeepEqual(assigned, want) {
		t.Errorf("reads as %v, %v; want %v", assigned, err, want)
	}
}

// full is a disk without space.
type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteAssignmentErrors(t *testing.T) {
	if err := WriteAssignment(full{}, shop(), make(cluster.Assignment, 3)); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
	for name, c := range map[string]struct {
		assigned cluster.Assignment
		want     string
	}{
		"none known":      {nil, "writing the assignment: it is of 0 workloads, the cluster has 3"},
		"nowhere":         {cluster.Assignment{{sim.Anywhere}, nil, nil}, "writing the assignment: a pod of shop/web is on node -1 of 3"},
		"beyond the last": {cluster.Assignment{nil, {3}, nil}, "writing the assignment: a pod of shop/db is on node 3 of 3"},
	} {
		if err := WriteAssignment(new(bytes.Buffer), shop(), c.assigned); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func FuzzReadAssignment(f *testing.F) {
	for _, text := range []string{
		"workload,node,pods\nshop/web,a,2\nshop/web,b,1\nbank/db,\"c,d\",1\n", "service,machine,pods\nweb,a,3\ndb,a,1\n",
		"pods,node,workload\n99999999999,a,shop/db\n", "workload,node,pods\nshop/web,a,-1\n", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := shop()
		assigned, _, err := ReadAssignment(strings.NewReader(text), "f.csv", c)
		if err != nil {
			return
		}
		c.Assigned = assigned
		if err := c.Validate(); err != nil {
			t.Fatalf("%q is accepted: %v", text, err)
		}
		for w, nodes := range assigned {
			if len(nodes) > int(c.Workloads[w].Replicas) {
				t.Errorf("%q: %d pods of %s", text, len(nodes), c.Workloads[w].ID)
			}
		}
		var out bytes.Buffer
		if err := WriteAssignment(&out, c, assigned); err != nil {
			t.Fatal(err)
		}
		again, _, err := ReadAssignment(&out, "f.csv", c)
		for _, nodes := range assigned {
			slices.Sort(nodes)
		}
		if err != nil || !reflect.DeepEqual(again, assigned) {
			t.Errorf("%v is written and read as %v, %v", assigned, again, err)
		}
	})
}
