package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Three nodes in three zones of two regions. db has its place in a DaemonSet on
// node c, the smallest; web calls it.
const clusterList = `{"apiVersion": "v1", "kind": "List", "items": [
{"kind": "Node", "metadata": {"name": "a", "labels": {"topology.kubernetes.io/zone": "1a", "topology.kubernetes.io/region": "1"}}, "status": {"allocatable": {"cpu": "16", "memory": "64Gi", "pods": "110"}}},
{"kind": "Node", "metadata": {"name": "b", "labels": {"topology.kubernetes.io/zone": "1b", "topology.kubernetes.io/region": "1"}}, "status": {"allocatable": {"cpu": "16", "memory": "64Gi", "pods": "110"}}},
{"kind": "Node", "metadata": {"name": "c", "labels": {"topology.kubernetes.io/zone": "2a", "topology.kubernetes.io/region": "2"}}, "status": {"allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"}}},
{"kind": "Pod", "metadata": {"name": "db-0", "namespace": "shop", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "db", "uid": "db", "controller": true}]},
 "spec": {"nodeName": "c", "containers": [{"name": "app", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]}},
{"kind": "Pod", "metadata": {"name": "web-x-0", "namespace": "shop", "labels": {"pod-template-hash": "x"}, "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-x", "uid": "web", "controller": true}]},
 "spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]}}
]}`

const edgeList = "from,to,bytes_per_second,received_bytes_per_second,requests_per_second\nshop/web,shop/db,1000,9000,10\n"

func TestRun(t *testing.T) {
	cases := map[string]struct {
		flags []string
		want  string // the row of web
	}{
		"default plugins":                 {[]string{"-weight=0"}, "shop/web,a,1"},
		"NetworkOverhead":                 {nil, "shop/web,c,1"},
		"NetworkOverhead, topological":    {[]string{"-order=topological"}, "shop/web,c,1"},
		"NetworkOverhead, declared twice": {[]string{"-both"}, "shop/web,c,1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cluster, edges, out := filepath.Join(dir, "cluster.json"), filepath.Join(dir, "edges.csv"), filepath.Join(dir, "out.csv")
			for path, text := range map[string]string{cluster: clusterList, edges: edgeList} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var notes strings.Builder
			args := append([]string{"-cluster", cluster, "-edges", edges, "-o", out}, tc.flags...)
			if err := run(context.Background(), args, &notes); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if want := "workload,node,pods\nshop/db,c,1\n" + tc.want + "\n"; string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if notes.Len() > 0 {
				t.Errorf("notes: %s", &notes)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{{"-order=alphabet"}, {"-weight=-1"}, {"-weight=101"}, {"-cluster=absent.json"}} {
		if err := run(context.Background(), args, &strings.Builder{}); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
