package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
)

// placedNearSites has web in the zone of the site orders, api in another one, and new, whose
// ReplicaSet is as old as the data and declares that it calls api.
func placedNearSites(t *testing.T) map[string]string {
	t.Helper()
	node := func(name, zone string) string {
		return fmt.Sprintf(`{"apiVersion": "v1", "kind": "Node", "metadata": {"name": %q, "labels": {"topology.kubernetes.io/zone": %q, "topology.kubernetes.io/region": "eu"}},
			"status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}}`, name, zone)
	}
	pod := func(name, node string) string {
		return fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": "%[1]s-0", "uid": %[1]q, "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": %[1]q},
			"ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": %[1]q, "controller": true}]},
			"spec": {"nodeName": %[2]q, "schedulerName": "vicinity", "containers": [{"name": "c", "image": "i"}]}, "status": {"phase": "Running"}}`, name, node)
	}
	made := queryTime.UTC().Format("2006-01-02T15:04:05Z")
	return map[string]string{
		"nodes": node("n1", "eu-a") + "," + node("n2", "eu-b"),
		"pods":  pod("web", "n1") + "," + pod("api", "n2"),
		"replicasets": fmt.Sprintf(`{"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"namespace": "shop", "name": "new-1", "uid": "r", "creationTimestamp": %q,
			"annotations": {"vicinity.dev/peers": "api=4Ki/s"}, "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "new", "uid": "d", "controller": true}]},
			"spec": {"replicas": 1, "selector": {"matchLabels": {"app": "new", "pod-template-hash": "1"}}, "template": {"metadata": {"labels": {"app": "new", "pod-template-hash": "1"}}, "spec": {"schedulerName": "vicinity", "containers": [{"name": "c", "image": "i"}]}}}}`, made),
	}
}

// TestSitesAndDeclaredEdges: what is observed with a site counts in its zone, and what is only
// declared explains a decision but is no traffic.
func TestSitesAndDeclaredEdges(t *testing.T) {
	config := writeFile(t, fmt.Sprintf(sitesConfig, prometheus(t, sitesTraffic(t))))
	flags := []string{"--telemetry-config", config, "--kubeconfig", apiServerOf(t, placedNearSites(t))}
	var live localityJSON
	if err := json.Unmarshal([]byte(succeed(t, append([]string{"locality", "-o", "json"}, flags...)...)), &live); err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string]float64{"node": 0, "zone": 10000, "region": 2000, "beyond": 0, "unknown": 0, "outside": 0} {
		if got := live.All.Levels[part]; math.Abs(got-want) > 1 {
			t.Errorf("%s: %v, want %v", part, got, want)
		}
	}
	if math.Abs(live.All.BytesPerSecond-12000) > 1 || len(live.Edges) != 2 || math.Abs(live.All.BetweenZones-2000) > 1 {
		t.Errorf("%v in all, %v between zones, of %d edges", live.All.BytesPerSecond, live.All.BetweenZones, len(live.Edges))
	}
	explained := func(name string) (edges []struct {
		Peer, Origin, Routing string
		Local                 *struct{ Node, Zone float64 }
	}) {
		var result struct{ Edges any }
		result.Edges = &edges
		if err := json.Unmarshal([]byte(succeed(t, append([]string{"explain", "workload", name, "-n", "shop", "-o", "json"}, flags...)...)), &result); err != nil {
			t.Fatal(err)
		}
		return edges
	}
	web := explained("web")
	if len(web) != 2 || web[0].Peer != "@eu:eu-a/orders" || web[0].Origin != "" || web[0].Local == nil || web[0].Local.Node != 0 || web[0].Local.Zone != 1 {
		t.Errorf("web: %+v", web)
	}
	if fresh := explained("new"); len(fresh) != 1 || fresh[0].Peer != "shop/api" || fresh[0].Origin != "annotation" {
		t.Errorf("new: %+v", fresh)
	}
	if out := succeed(t, append([]string{"explain", "workload", "new", "-n", "shop"}, flags...)...); !strings.Contains(out, "annotation") {
		t.Errorf("no origin in\n%s", out)
	}
}
