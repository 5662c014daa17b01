package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// placed is a cluster of two zones. web (2 pods, on n1 and n3) is Vicinity's and so is db (n1);
// cart has a pod on n2, and one on n3 that is not ready. logs has no traffic.
func placed() map[string]string {
	node := func(name, zone string) string {
		return fmt.Sprintf(`{"apiVersion": "v1", "kind": "Node", "metadata": {"name": %q, "labels": {"topology.kubernetes.io/zone": %q, "topology.kubernetes.io/region": "r"}},
			"status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}}`, name, zone)
	}
	pod := func(name, node, scheduler, ready string) string {
		app := strings.Split(name, "-")[0]
		return fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": %q, "uid": %q, "labels": {"app": %q},
			"ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": %q, "controller": true}]},
			"spec": {"nodeName": %q, "schedulerName": %q, "containers": [{"name": "c"}]}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": %q}]}}`,
			name, name, app, app, node, scheduler, ready)
	}
	service := func(name, distribution string) string {
		return fmt.Sprintf(`{"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": %q},
			"spec": {"selector": {"app": %q}, "clusterIP": "10.96.0.1", "trafficDistribution": %q}}`, name, name, distribution)
	}
	return map[string]string{
		"nodes":    strings.Join([]string{node("n1", "a"), node("n2", "a"), node("n3", "b")}, ","),
		"services": strings.Join([]string{service("db", ""), service("cart", "PreferSameZone")}, ","),
		"pods": strings.Join([]string{
			pod("web-0", "n1", "vicinity", "True"), pod("web-1", "n3", "vicinity", "True"), pod("db-0", "n1", "vicinity", "True"),
			pod("cart-0", "n2", "default-scheduler", "True"), pod("cart-1", "n3", "default-scheduler", "False"), pod("logs-0", "n2", "default-scheduler", "True"),
		}, ","),
	}
}

// placedTraffic: of web -> db, half stays on n1 and half crosses zones; of web -> cart, half
// stays in zone a and half crosses; cart -> db stays in zone a; nobody has pods of old.
const placedTraffic = `
	shop/web  -> shop/db   via db:   600 400 1
	shop/web  -> shop/cart via cart: 100 100 1
	shop/cart -> shop/db   via db:    50  50 1
	shop/old  -> shop/db   via db:     7   3 1
	unknown   -> shop/web  via web:    5   0 1
`

func TestLocality(t *testing.T) {
	url := prometheus(t, traffic(t, placedTraffic))
	flags := []string{"locality", "--prometheus", url, "--kubeconfig", apiServerOf(t, placed()), "--price-per-gb", "0.02"}
	golden(t, "locality.txt", strings.ReplaceAll(succeed(t, flags...), url, "http://prometheus"))
	var got localityJSON
	if err := json.Unmarshal([]byte(succeed(t, append(flags, "-o", "json")...)), &got); err != nil {
		t.Fatal(err)
	}
	wants := map[string]struct{ got, want float64 }{
		"all":                 {got.All.BytesPerSecond, 1310},
		"on the node":         {got.All.Levels["node"], 500},
		"in the zone":         {got.All.Levels["zone"], 100 + 100},
		"in the region":       {got.All.Levels["region"], 500 + 100},
		"with old":            {got.All.Levels["outside"], 10},
		"between zones":       {got.All.BetweenZones, 600},
		"a month":             {*got.All.PerMonth, 600 * 30 * 86400 / 1e9 * 0.02},
		"Vicinity's":          {got.PlacedByVicinity.BytesPerSecond, 1310},
		"pods":                {float64(got.Pods.Serving), 5},
		"pods of Vicinity's":  {float64(got.Pods.ServingPlacedByVicinity), 3},
		"pods without":        {float64(got.Pods.WithoutTraffic), 1},
		"the first edge":      {got.Edges[0].BetweenZones, 500},
		"edges":               {float64(len(got.Edges)), 4},
		"namespaces":          {float64(len(got.Namespaces)), 1},
		"of the namespace":    {got.Namespaces[0].BetweenZones, 600},
		"from outside is not": {float64(got.Sources[0].LeftOut[0].BytesPerSecond), 5},
	}
	for name, v := range wants {
		if math.Abs(v.got-v.want) > 1e-4*v.want {
			t.Errorf("%s: %v, want %v", name, v.got, v.want)
		}
	}
	if to := got.Edges[1].To.Name; to != "cart" || got.Edges[1].Routing != "SameZone" || got.Edges[0].Routing != "Uniform" {
		t.Errorf("edges: %+v", got.Edges)
	}
}

// TestLocalityPage: the page has the figures of the JSON output, as a clock that stands still
// has it print them.
func TestLocalityPage(t *testing.T) {
	url := prometheus(t, traffic(t, placedTraffic))
	args := []string{"locality", "--prometheus", url, "--kubeconfig", apiServerOf(t, placed()), "-o"}
	want, got := indented(t, []byte(succeed(t, append(args, "json")...))), indented(t, pageData(t, succeed(t, append(args, "html")...)))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-json +html):\n%s", diff)
	}
}

// TestLocalityOfNamespaces: what is asked for, and no more; who is Vicinity's is said by name.
func TestLocalityOfNamespaces(t *testing.T) {
	url := prometheus(t, traffic(t, placedTraffic))
	flags := []string{"locality", "--prometheus", url, "--kubeconfig", apiServerOf(t, placed(), "list namespaces"), "-o", "json", "--limit", "1"}
	for _, c := range []struct {
		more             []string
		edges, others    int
		placed, perMonth float64
	}{
		{more: []string{}, edges: 1, others: 3, placed: 1310},
		{more: []string{"--scheduler-name", "default-scheduler"}, edges: 1, others: 3, placed: 300},
		{more: []string{"--namespace", "other"}, placed: 1310},
	} {
		var got localityJSON
		if err := json.Unmarshal([]byte(succeed(t, append(flags, c.more...)...)), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Edges) != c.edges || got.NotShown != c.others || math.Abs(got.PlacedByVicinity.BytesPerSecond-c.placed) > 0.1 || got.All.PerMonth != nil {
			t.Errorf("%v: %d edges and %d others, %v placed", c.more, len(got.Edges), got.NotShown, got.PlacedByVicinity.BytesPerSecond)
		}
		if strings.Join(got.NotRead, ",") != "namespaces" {
			t.Errorf("%v: not read: %v", c.more, got.NotRead)
		}
	}
}

// TestLocalityRouting: a mesh that does not follow Services is warned of, and the scheduler's
// configuration says how calls are divided and whose pods are Vicinity's.
func TestLocalityRouting(t *testing.T) {
	script := "load 30s\n  envoy_cluster_upstream_cx_tx_bytes_total{source_namespace=\"shop\",source_workload_kind=\"StatefulSet\",source_workload_name=\"web\",envoy_cluster_name=\"shop/cart|80\"} 0+3000x20\n"
	flags := []string{"locality", "--prometheus", prometheus(t, script), "--kubeconfig", apiServerOf(t, placed())}
	uniform := writeFile(t, `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: near
  plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 5}]}}
  pluginConfig:
  - name: TrafficLocality
    args: {apiVersion: config.vicinity.dev/v1, kind: TrafficLocalityArgs, routing: Uniform}
`)
	for _, c := range []struct {
		more    []string
		routing string
		warned  bool
		names   string
	}{
		{nil, "SameZone", true, "vicinity"},
		{[]string{"--scheduler-config", uniform}, "Uniform", false, "near"},
		{[]string{"--scheduler-config", uniform, "--scheduler-name", "a,b"}, "Uniform", false, "a b"},
	} {
		var got localityJSON
		if err := json.Unmarshal([]byte(succeed(t, append(append(flags, "-o", "json"), c.more...)...)), &got); err != nil {
			t.Fatal(err)
		}
		if got.Edges[0].Routing != c.routing || (len(got.Warnings) > 0) != c.warned || strings.Join(got.SchedulerNames, " ") != c.names {
			t.Errorf("%v: %s, warnings %v, of %v", c.more, got.Edges[0].Routing, got.Warnings, got.SchedulerNames)
		}
	}
	if out := succeed(t, flags...); !strings.Contains(out, "warning: 1 edge taken to be routed as the Services ask") || !strings.Contains(out, "source                osm") && !strings.Contains(out, "osm, found by its metrics") {
		t.Error(out)
	}
	if out := succeed(t, append(flags, "-n", "none")...); !strings.Contains(out, "No edge begins or ends in namespace none. Namespaces with traffic: shop.") {
		t.Error(out)
	}
}

func TestLocalityRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"":                                                    "which Prometheus?",
		"--prometheus http://p -o dot":                        "must be table, json or html",
		"--prometheus http://p -w -o html":                    "a page is written once",
		"--prometheus http://p --limit -1":                    "must not be negative",
		"--prometheus http://p --every 5s":                    "goes with --watch only",
		"--prometheus http://p -w --every 1ms":                "must be at least 1s",
		"--prometheus http://p --price-per-gb 1 --price aws":  "exclude each other",
		"--prometheus http://p --since 1h":                    "goes with --shadow only",
		"--prometheus http://p --shadow --since 1s":           "must be at least 1m",
		"--prometheus http://p --shadow --window 1m":          "--window does not go with --shadow",
		"--prometheus http://p --shadow --source obi":         "--source does not go with --shadow",
		"--prometheus http://p --shadow --selector a=\"b\"":   "--selector does not go with --shadow",
		"--prometheus http://p --shadow --mesh-cluster c":     "--mesh-cluster does not go with --shadow",
		"--prometheus http://p --shadow --scheduler-config f": "--scheduler-config does not go with --shadow",
		"--prometheus http://p --shadow -o html":              "table or json",
		"--prometheus http://p --shadow --price aws":          "does not go with --shadow",
		"--prometheus http://p --shadow -w":                   "does not go with --shadow",
	} {
		code, _, stderr := invoke(t, append([]string{"locality"}, strings.Fields(args)...)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%q: exit code %d, %s; want %q", args, code, stderr, want)
		}
	}
}
