package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// routedJSON is what these tests read of a report.
type routedJSON struct {
	Assumed []struct {
		Service, TrafficDistribution string
		Services                     int
	}
	Runs []struct {
		Name    string
		Summary struct {
			Node, Zone struct {
				Configured, Uniform, SameNode struct {
					LocalBytesPerSecond struct{ Mean float64 }
				}
			}
		}
	}
	RoutingAdvice []struct {
		Workload struct{ Name string }
		Options  []struct {
			TrafficDistribution string
			Runs                []struct {
				Run                          string
				CrossNodeSavedBytesPerSecond float64
			}
		}
	}
	Warnings []string
}

// keeps is what stays on its node of the traffic in a run, as its calls are routed.
func (r routedJSON) keeps(t *testing.T, name string) float64 {
	t.Helper()
	for _, run := range r.Runs {
		if run.Name == name {
			return run.Summary.Node.Configured.LocalBytesPerSecond.Mean
		}
	}
	t.Fatalf("there is no run %s", name)
	return 0
}

func replayed(t *testing.T, args ...string) routedJSON {
	t.Helper()
	var r routedJSON
	if err := json.Unmarshal([]byte(succeed(t, append([]string{"replay", "-o", "json"}, args...)...)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// shopFiles is web (2 pods), which calls cart and db (2 pods each) and the
// headless queue, on two nodes of two zones. cart has two Services.
func shopFiles(t *testing.T) (edges, cluster string) {
	t.Helper()
	dir := t.TempDir()
	edges, cluster = filepath.Join(dir, "edges.csv"), filepath.Join(dir, "cluster.yaml")
	write(t, edges, "from,to,bytes_per_second\nshop/web,shop/cart,1000\nshop/web,shop/db,100\nshop/web,shop/queue,10\n")
	data, err := os.ReadFile(filepath.Join("testdata", "replay-shop.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, cluster, string(data))
	return edges, cluster
}

// TestReplayRoutes measures the recorded assignment, in which every caller has an
// endpoint of each workload on its node.
func TestReplayRoutes(t *testing.T) {
	edges, cluster := shopFiles(t)
	cases := map[string]struct {
		routes     []string
		node, zone float64 // what stays as configured, of 1110
		warning    string
	}{
		"the default":           {nil, 1105, 1105, ""},
		"a Service":             {[]string{"shop/db=PreferSameNode"}, 605, 605, ""},
		"a zone":                {[]string{"shop/db=PreferSameZone"}, 605, 605, ""},
		"a zone, by its name":   {[]string{"shop/db=PreferClose"}, 605, 605, ""},
		"all":                   {[]string{"all=PreferSameNode"}, 1105, 1105, "queue"},
		"the last one counts":   {[]string{"all=PreferSameNode", "shop/db=Any"}, 1055, 1055, ""},
		"a workload's Services": {[]string{"shop/cart=PreferSameNode"}, 1055, 1055, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			args := []string{edges, "--cluster", cluster, "--run", "recorded"}
			for _, r := range tc.routes {
				args = append(args, "--route", r)
			}
			r := replayed(t, args...)
			got := r.Runs[len(r.Runs)-1].Summary // with the routing assumed, if any is
			if today := r.keeps(t, "recorded"); today != 555 {
				t.Errorf("today %v stay on the node, want 555 whatever is assumed", today)
			}
			if got.Node.Configured.LocalBytesPerSecond.Mean != tc.node || got.Zone.Configured.LocalBytesPerSecond.Mean != tc.zone {
				t.Errorf("as configured, %v stay on the node and %v in the zone, want %v and %v",
					got.Node.Configured.LocalBytesPerSecond.Mean, got.Zone.Configured.LocalBytesPerSecond.Mean, tc.node, tc.zone)
			}
			if want := max(len(tc.routes), 1); len(r.Assumed) != want {
				t.Errorf("the report has %v of %v", r.Assumed, tc.routes)
			}
			if warned := strings.Join(r.Warnings, "\n"); tc.warning != "" && !strings.Contains(warned, tc.warning) {
				t.Errorf("warnings %s, want one of %s", warned, tc.warning)
			}
			for _, a := range r.Assumed {
				if out := succeed(t, append([]string{"replay"}, args...)...); !strings.Contains(out, "assumed: trafficDistribution "+a.TrafficDistribution+" on ") || !strings.Contains(out, strings.TrimPrefix(a.Service, "all")) {
					t.Errorf("the assumption is not in\n%s", out)
				}
			}
		})
	}
}

// TestThePluginSeesTheRoutes: a profile that reads the routing places pods
// otherwise where every Service prefers the node. What is written has it too.
func TestThePluginSeesTheRoutes(t *testing.T) {
	config := filepath.Join(t.TempDir(), "auto.yaml")
	write(t, config, "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n"+
		"- {schedulerName: a, plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 5}]}}}\n")
	local := func(routes ...string) map[string]float64 {
		figures := map[string]float64{}
		args := append([]string{"mesh:chain-replicas", "--seeds", "2", "--run", "default", "--scheduler-config", config}, routes...)
		for _, run := range replayed(t, args...).Runs {
			figures[run.Name] = run.Summary.Node.SameNode.LocalBytesPerSecond.Mean
		}
		return figures
	}
	plain, near := local(), local("--route", "all=PreferSameNode")
	if near["default"] != near["default+routing"] || near["default"] != plain["default"] {
		t.Errorf("kube-scheduler's own configuration looks at the routing: %v and %v", plain, near)
	}
	if near["auto"] == near["auto+routing"] || near["auto"] != plain["auto"] {
		t.Errorf("the plugin does not look at the routing, or at one that is assumed beside it: %v and %v", plain, near)
	}
	if plain["auto+routing"] != near["auto+routing"] {
		t.Errorf("the default is no route for all Services to the same node: %v and %v", plain, near)
	}
	dir := t.TempDir()
	succeed(t, "replay", "mesh:chain", "--route", "all=PreferSameZone", "--write", dir)
	written, err := os.ReadFile(filepath.Join(dir, "cluster.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(written), `"trafficDistribution":"PreferSameZone"`) {
		t.Error("what is written does not have the assumption")
	}
}

// TestThePluginSeesDestinationRules: a rule for all Services that prefers the node
// has pods placed as PreferSameNode has, and one that keeps all calls in their zones as
// PreferSameZone.
func TestThePluginSeesDestinationRules(t *testing.T) {
	dir := t.TempDir()
	config, edges, cluster := filepath.Join(dir, "auto.yaml"), filepath.Join(dir, "edges.csv"), filepath.Join(dir, "cluster.json")
	write(t, config, "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nprofiles:\n"+
		"- {schedulerName: a, plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: 5}]}}}\n")
	succeed(t, "replay", "mesh:chain-replicas", "--run", "recorded", "--write", dir)
	local := func(run string, routes ...string) float64 {
		args := append([]string{edges, "--cluster", cluster, "--seeds", "2", "--run", "default", "--scheduler-config", config}, routes...)
		return replayed(t, args...).keeps(t, run)
	}
	plain, near, zone := local("auto"), local("auto+routing", "--route", "all=PreferSameNode"), local("auto+routing", "--route", "all=PreferSameZone")
	written, err := os.ReadFile(cluster)
	if err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]float64{
		`{"failoverPriority": ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]}`: near,
		`{"distribute": [` + allToThemselves(t, written) + `]}`:                           zone,
	} {
		write(t, cluster, string(written)+`{"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
			"metadata": {"namespace": "istio-system", "name": "all"}, "spec": {"host": "*.local", "trafficPolicy": {"outlierDetection": {},
			"loadBalancer": {"localityLbSetting": `+setting+`}}}}`)
		if ruled := local("auto"); ruled != want || ruled == plain {
			t.Errorf("%s: %v stay on their nodes, want %v as with a trafficDistribution; without either it is %v", setting, ruled, want, plain)
		}
	}
}

// allToThemselves is an entry of Istio's distribute for each zone in a cluster file.
func allToThemselves(t *testing.T, cluster []byte) string {
	t.Helper()
	file, _, err := objects.ReadObjects(bytes.NewReader(cluster), "the cluster")
	if err != nil {
		t.Fatal(err)
	}
	read, _, err := history.Translate(file)
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	for _, node := range read.Cluster.Nodes {
		entries = append(entries, fmt.Sprintf(`{"from": "%[1]s/%[2]s", "to": {"%[1]s/%[2]s": 100}}`, node.Region, node.Zone))
	}
	return strings.Join(entries, ", ")
}

func TestReplayRouteErrors(t *testing.T) {
	edges, cluster := shopFiles(t)
	cases := map[string]struct {
		route string
		want  []string
	}{
		"no policy":              {"shop/db", []string{`--route "shop/db"`, "SERVICE=POLICY", "all=PreferSameZone"}},
		"no Service":             {"=Any", []string{"SERVICE=POLICY"}},
		"unknown policy":         {"shop/db=SameNode", []string{`"SameNode"`, "Any, PreferSameZone, PreferClose, PreferSameNode"}},
		"unknown Service":        {"shop/nothing=Any", []string{`"shop/nothing"`, "edges.csv", "must be all, or one of shop/cart-a, shop/cart-b"}},
		"another namespace":      {"db=Any", []string{"did you mean shop/db?"}},
		"one Service of two":     {"shop/cart-a=PreferSameNode", []string{"shop/cart would not be divided so", "set that one too"}},
		"headless":               {"shop/queue=PreferSameNode", []string{"shop/queue would not be divided so", "headless"}},
		"selects nothing":        {"shop/stray=PreferSameNode", []string{"selects no workload"}},
		"a workload without one": {"shop/web=PreferSameNode", []string{"no Service selects this workload"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			code, out, said := invoke(t, "replay", edges, "--cluster", cluster, "--route", tc.route)
			if code != exitUsage || out != "" || strings.Count(said, "\n") != 1 {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, out, said)
			}
			for _, want := range tc.want {
				if !strings.Contains(said, want) {
					t.Errorf("%q is not in %s", want, said)
				}
			}
		})
	}
}

// TestALocalPolicyGivesWay: a route is all that a Service says.
func TestALocalPolicyGivesWay(t *testing.T) {
	edges, cluster := shopFiles(t)
	text, err := os.ReadFile(cluster)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cluster, strings.Replace(string(text), "selector: {app: db}", "selector: {app: db}, internalTrafficPolicy: Local", 1))
	for route, want := range map[string]float64{"shop/cart=Any": 605, "shop/db=Any": 555} {
		r := replayed(t, edges, "--cluster", cluster, "--run", "recorded", "--route", route)
		if diff := cmp.Diff(want, r.keeps(t, "recorded+routing")); diff != "" {
			t.Errorf("%s: what stays (-want +got):\n%s", route, diff)
		}
	}
}

// TestReplayAdvice tries every advice: a headless Service gets none.
func TestReplayAdvice(t *testing.T) {
	edges, cluster := shopFiles(t)
	args := []string{edges, "--cluster", cluster, "--run", "recorded"}
	now := replayed(t, args...)
	var advised []string
	for _, a := range now.RoutingAdvice {
		for _, o := range a.Options {
			advised = append(advised, a.Workload.Name+"="+o.TrafficDistribution)
			then := replayed(t, append(args, "--route", "shop/"+a.Workload.Name+"="+o.TrafficDistribution)...)
			if want := then.keeps(t, "recorded+routing") - now.keeps(t, "recorded"); len(o.Runs) != 1 || o.Runs[0].Run != "recorded" || o.Runs[0].CrossNodeSavedBytesPerSecond != want {
				t.Errorf("%s = %s: %+v, want %v saved", a.Workload.Name, o.TrafficDistribution, o.Runs, want)
			}
		}
	}
	if want := []string{"cart=PreferSameNode", "cart=PreferSameZone", "db=PreferSameNode", "db=PreferSameZone"}; !slices.Equal(advised, want) {
		t.Errorf("advised %v, want %v", advised, want)
	}
	if out := succeed(t, append([]string{"replay", "--price-per-gb", "0.01"}, args...)...); !strings.Contains(out, "SERVICES OF") || !strings.Contains(out, "RECORDED: NODE") {
		t.Errorf("no advice in\n%s", out)
	}
}

// TestReplayAdviceAgainstRules: where a DestinationRule says that calls go to any
// endpoint no trafficDistribution is of use, but where the rule does not count.
func TestReplayAdviceAgainstRules(t *testing.T) {
	edges, cluster := shopFiles(t)
	data, err := os.ReadFile(cluster)
	if err != nil {
		t.Fatal(err)
	}
	const rule = `
---
{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {namespace: shop, name: db},
 spec: {host: db, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: false}}}}}
`
	ignoring := strings.Replace(string(data), "name: db}", "name: db, annotations: {vicinity.dev/destination-rules: Ignore}}", 1)
	if ignoring == string(data) {
		t.Fatal("there is no Service db")
	}
	for name, test := range map[string]struct {
		cluster string
		want    bool // for db
	}{
		"no rule":           {string(data), true},
		"a rule":            {string(data) + rule, false},
		"it does not count": {ignoring + rule, true},
	} {
		write(t, cluster, test.cluster)
		advised := false
		for _, a := range replayed(t, edges, "--cluster", cluster, "--run", "recorded").RoutingAdvice {
			advised = advised || a.Workload.Name == "db"
		}
		if advised != test.want {
			t.Errorf("%s: advice for db: %v, want %v", name, advised, test.want)
		}
	}
}

// TestReplayRoutesComeBeforeIstio has a DestinationRule switch off for db what the
// Namespace's annotation asks for.
func TestReplayRoutesComeBeforeIstio(t *testing.T) {
	edges, cluster := shopFiles(t)
	data, err := os.ReadFile(cluster)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cluster, string(data)+`
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {networking.istio.io/traffic-distribution: PreferSameNode}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {namespace: shop, name: db}
spec: {host: db, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: false}}}}
`)
	for route, want := range map[string]float64{"shop/db=PreferSameNode": 1105, "all=Any": 555} {
		r := replayed(t, edges, "--cluster", cluster, "--run", "recorded", "--route", route)
		if today, got := r.keeps(t, "recorded"), r.keeps(t, "recorded+routing"); today != 1055 || got != want {
			t.Errorf("--route %q: %v stay on their node, want %v; today %v, want 1055", route, got, want, today)
		}
	}
}

// TestReplayRoutesOfBothServices: the workload cart has two Services. To set both is what
// the error for one of them asks for.
func TestReplayRoutesOfBothServices(t *testing.T) {
	edges, cluster := shopFiles(t)
	out := succeed(t, "replay", edges, "--cluster", cluster, "--run", "recorded",
		"--route", "shop/cart-a=PreferSameNode", "--route", "shop/cart-b=PreferSameNode")
	for _, want := range []string{"assumed: trafficDistribution PreferSameNode on shop/cart-a, in runs", "assumed: trafficDistribution PreferSameNode on shop/cart-b, in runs"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}
