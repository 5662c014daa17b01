package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// asIs is a cluster as kubectl writes it, made of short lines:
//
//	node NAME ZONE REGION      "-" for a label that is missing
//	wants WORKLOAD REPLICAS
//	pod WORKLOAD NODE [STATUS] STATUS is not-ready, unknown or nothing
//	full NODE                  the node says nothing of its allocatable
//	lost NODE                  the node is not ready
//	zone-label KEY             of nodes that follow
type asIs struct{ lines string }

func (c asIs) json(t *testing.T) string {
	t.Helper()
	var items []map[string]any
	nodes := map[string]map[string]any{}
	zoneLabel := "topology.kubernetes.io/zone"
	for line := range strings.Lines(c.lines) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		switch f[0] {
		case "zone-label":
			zoneLabel = f[1]
		case "node":
			labels := map[string]any{"kubernetes.io/hostname": f[1]}
			for i, key := range []string{zoneLabel, "topology.kubernetes.io/region"} {
				if f[i+2] != "-" {
					labels[key] = f[i+2]
				}
			}
			nodes[f[1]] = map[string]any{"allocatable": map[string]any{"cpu": "4", "memory": "16Gi", "pods": "110"}}
			items = append(items, object("v1", "Node", "", f[1], map[string]any{"labels": labels}, nil, nodes[f[1]]))
		case "full":
			delete(nodes[f[1]], "allocatable")
		case "lost":
			nodes[f[1]]["conditions"] = []any{map[string]any{"type": "Ready", "status": "Unknown"}}
		case "wants":
			var replicas int
			if _, err := fmt.Sscan(f[2], &replicas); err != nil {
				t.Fatal(err)
			}
			items = append(items, object("apps/v1", "ReplicaSet", "shop", f[1]+"-1", map[string]any{"labels": map[string]any{"pod-template-hash": "1"}}, map[string]any{"replicas": replicas}, nil))
		case "pod":
			items = append(items, podAsIs(len(items), f))
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func podAsIs(n int, f []string) map[string]any {
	status := map[string]any{"phase": "Running", "conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}
	switch strings.Join(f[3:], " ") {
	case "not-ready":
		status["conditions"] = []any{map[string]any{"type": "Ready", "status": "False"}}
	case "unknown":
		status = map[string]any{"phase": "Unknown"}
	}
	meta := map[string]any{
		"labels":          map[string]any{"app": f[1], "pod-template-hash": "1"},
		"ownerReferences": []any{map[string]any{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f[1] + "-1", "controller": true}},
	}
	return object("v1", "Pod", "shop", fmt.Sprintf("%s-1-%d", f[1], n), meta, map[string]any{"nodeName": f[2]}, status)
}

func object(version, kind, namespace, name string, meta, spec, status map[string]any) map[string]any {
	meta["name"] = name
	if namespace != "" {
		meta["namespace"] = namespace
	}
	return map[string]any{"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec, "status": status}
}

// sixNodes has two nodes in each of three zones.
const sixNodes = "node n1 z1 r\nnode n2 z1 r\nnode n3 z2 r\nnode n4 z2 r\nnode n5 z3 r\nnode n6 z3 r\n"

// shopPods is four workloads, spread over them.
const shopPods = "wants web 3\npod web n1\npod web n3\npod web n5\nwants cart 3\npod cart n2\npod cart n4\npod cart n6\n" +
	"wants list 2\npod list n1\npod list n4\nwants store 2\npod store n6\npod store n3\n"

// shopEdges is the traffic between them; oneEdge is from web to api, 100 kB/s.
const (
	shopEdges = "from,to,bytes_per_second,received_bytes_per_second,requests_per_second\n" +
		"shop/web,shop/cart,20000,100000,50\nshop/web,shop/list,10000,80000,20\nshop/cart,shop/store,30000,120000,40\n"
	oneEdge = "from,to,bytes_per_second\nshop/web,shop/api,100000\n"
)

// TestReplayOfClustersAsTheyAre: what is measured is true for clusters that are not
// in perfect order. Prices are 0.01 for 1e9 bytes.
func TestReplayOfClustersAsTheyAre(t *testing.T) {
	fourNodes := "node n1 z1 r\nnode n2 z1 r\nnode n3 z2 r\nnode n4 z3 r\n"
	cases := map[string]struct {
		cluster, edges string
		zone           float64 // percent that crosses; negative for no figure
		price, unknown float64
		idle           float64
		warnings       []string // parts of all there are
	}{
		"in order":                          {sixNodes + shopPods, shopEdges, 66.7, 6.22, 0, 0, nil},
		"more pods than wanted":             {fourNodes + "wants web 1\npod web n1\nwants api 1\npod api n2\npod api n4\n", oneEdge, 50, 1.30, 0, 0, nil},
		"more callers than wanted":          {fourNodes + "wants web 1\npod web n1\npod web n4\nwants api 1\npod api n2\n", oneEdge, 50, 1.30, 0, 0, nil},
		"fewer pods than wanted":            {fourNodes + "wants web 2\npod web n1\nwants api 4\npod api n2\npod api n4\n", oneEdge, 50, 1.30, 0, 0, []string{"3 pods without a node"}},
		"a pod that is not ready":           {fourNodes + "wants web 1\npod web n1\nwants api 2\npod api n2\npod api n4 not-ready\n", oneEdge, 0, 0, 0, 1, []string{"a pod is not ready"}},
		"a caller that is not ready":        {fourNodes + "wants web 2\npod web n1\npod web n4 not-ready\nwants api 1\npod api n2\n", oneEdge, 0, 0, 0, 1, []string{"a pod is not ready"}},
		"a pod of unknown phase":            {fourNodes + "wants web 1\npod web n1\nwants api 2\npod api n2\npod api n4 unknown\n", oneEdge, 0, 0, 0, 1, []string{"a pod is not ready"}},
		"a pod on a node out of reach":      {fourNodes + "lost n4\nwants web 1\npod web n1\nwants api 2\npod api n2\npod api n4\n", oneEdge, 0, 0, 0, 1, []string{"a pod is not ready"}},
		"no pod that serves":                {fourNodes + "wants web 1\npod web n1\nwants api 1\npod api n2 not-ready\n", oneEdge, 100, 0, 0, 1, []string{"a pod is not ready", "of which no pod serves", "only 0.0 % of the bytes"}},
		"a node without a zone":             {strings.Replace(sixNodes, "n1 z1 r", "n1 - r", 1) + shopPods, shopEdges, 70.4, 4.36, 2.20, 0, []string{"1 of 6 nodes has no zone"}},
		"a zone with and without a region":  {strings.Replace(sixNodes, "n3 z2 r", "n3 z2 -", 1) + shopPods, shopEdges, 66.7, 6.22, 0, 0, []string{"with and without a region"}},
		"zones in the label of long ago":    {"zone-label failure-domain.beta.kubernetes.io/zone\n" + sixNodes + shopPods, shopEdges, -1, 0, 0, 0, []string{"failure-domain.beta.kubernetes.io/zone", "no node has a zone"}},
		"a node that says nothing of room":  {sixNodes + "node n7 z1 r\nfull n7\n" + shopPods, shopEdges, 66.7, 6.22, 0, 0, []string{"no allocatable cpu, memory or pods"}},
		"a zone whose region is not agreed": {"node n1 z1 r\nnode n2 z1 s\nnode n3 z1 -\nwants web 1\npod web n1\nwants api 1\npod api n3\n", oneEdge, 100, 2.59, 0, 0, []string{"in several regions"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			clusterFile, edges := filepath.Join(dir, "cluster.json"), filepath.Join(dir, "edges.csv")
			for path, text := range map[string]string{clusterFile: asIs{tc.cluster}.json(t), edges: tc.edges} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out := succeed(t, "replay", edges, "--cluster", clusterFile, "--run", "recorded", "--price-per-gb", "0.01", "-o", "json")
			var got struct {
				Runs []struct {
					Summary struct {
						Zone *struct {
							Configured struct{ LocalShare mean }
						}
						CrossZonePerMonth, UnknownZonePerMonth, Idle mean
					}
				}
				Warnings []string
			}
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatal(err)
			}
			s, zone := got.Runs[0].Summary, -1.0
			if s.Zone != nil {
				zone = 100 - 100*s.Zone.Configured.LocalShare.Mean
			}
			for what, pair := range map[string][2]float64{
				"percent across zones": {zone, tc.zone}, "price": {s.CrossZonePerMonth.Mean, tc.price},
				"price of what is not known": {s.UnknownZonePerMonth.Mean, tc.unknown}, "idle pods": {s.Idle.Mean, tc.idle},
			} {
				if diff := pair[0] - pair[1]; diff > 0.051 || diff < -0.051 {
					t.Errorf("%s: %v, want %v", what, pair[0], pair[1])
				}
			}
			if len(got.Warnings) != len(tc.warnings) {
				t.Errorf("warnings %q, want %q", got.Warnings, tc.warnings)
			}
			for _, want := range tc.warnings {
				if !slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
					t.Errorf("no warning of %q in %q", want, got.Warnings)
				}
			}
		})
	}
}

type mean struct{ Mean float64 }
