package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExplainMistakes: what is wrong with the command line is said before anything is asked.
func TestExplainMistakes(t *testing.T) {
	const prometheus = "--prometheus=http://127.0.0.1:1"
	cases := map[string]struct {
		args []string
		want string
	}{
		"nothing":              {[]string{prometheus}, "what? Type: vicinity explain pod NAME, vicinity explain workload NAME, or vicinity explain -f pod.yaml"},
		"something else":       {[]string{prometheus, "node", "n1"}, `explain "node": must be pod or workload`},
		"no name":              {[]string{prometheus, "workload"}, "which workload? Type: vicinity explain workload NAME"},
		"two names":            {[]string{prometheus, "pod", "a", "b"}, `explain takes one pod, not "b" as well`},
		"no namespace":         {[]string{prometheus, "pod", "/web"}, `pod "/web": must be NAME or NAMESPACE/NAME`},
		"no name in it":        {[]string{prometheus, "workload", "shop/"}, `workload "shop/": must be NAME or NAMESPACE/NAME`},
		"two slashes":          {[]string{prometheus, "pod", "a/b/c"}, `pod "a/b/c": must be NAME or NAMESPACE/NAME`},
		"a file and a name":    {[]string{prometheus, "-f", "pod.yaml", "pod"}, `-f pod.yaml and "pod" exclude each other`},
		"no Prometheus":        {[]string{"pod", "a"}, "which Prometheus? Type: vicinity explain --prometheus"},
		"another output":       {[]string{prometheus, "pod", "a", "-o", "html"}, `--output "html": must be table or json`},
		"a negative limit":     {[]string{prometheus, "pod", "a", "--limit=-1"}, "--limit -1: must not be negative; 0 shows all"},
		"a window with a file": {[]string{"--telemetry-config=t.yaml", "--window=1m", "pod", "a"}, "--window does not go with --telemetry-config"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := invokeAs(t.Context(), append([]string{"vicinity", "explain"}, tc.args...), streams{out: &out, err: &errs}, clock())
			if code != exitUsage || !strings.Contains(errs.String(), tc.want) || out.Len() > 0 {
				t.Errorf("exit code %d, stderr %s, want %q", code, &errs, tc.want)
			}
		})
	}
}

// objectsServer is an API server with the objects of some resources; it refuses to list others.
func objectsServer(t *testing.T, objects map[string][]any, forbidden ...string) (kubeconfig string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resource := filepath.Base(r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		var answer any = map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{}, "items": append([]any{}, objects[resource]...)}
		for _, f := range forbidden {
			if f == resource {
				w.WriteHeader(http.StatusForbidden)
				answer = map[string]any{"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": resource + " is forbidden"}
			}
		}
		if r.Method != http.MethodGet {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	text := `{"apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [{"name": "c", "cluster": {"server": "` + server.URL + `"}}], "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}], "users": [{"name": "u", "user": {}}]}`
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// TestExplainAsksOnly: the verb reads, says what it may not, and what to do where it cannot go on.
func TestExplainAsksOnly(t *testing.T) {
	node := func(name string) any {
		return map[string]any{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": name}, "status": map[string]any{
			"allocatable": map[string]any{"cpu": "4", "memory": "8Gi", "pods": "10"},
		}}
	}
	pod := map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"namespace": "shop", "name": "web", "uid": "1"}, "spec": map[string]any{
		"schedulerName": "vicinity", "nodeName": "n1", "containers": []any{map[string]any{"name": "c", "image": "i"}},
	}, "status": map[string]any{"phase": "Running"}}
	objects := map[string][]any{"nodes": {node("n1"), node("n2")}, "pods": {pod}}
	traffic := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result := []any{}
		if strings.Contains(r.FormValue("query"), "istio_request_bytes_sum") {
			result = append(result, map[string]any{"metric": map[string]string{
				"reporter": "source", "source_workload_namespace": "shop", "source_workload": "web",
				"destination_workload_namespace": "shop", "destination_workload": "db",
			}, "value": []any{1, "1000"}})
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "vector", "result": result}}); err != nil {
			t.Error(err)
		}
	}))
	defer traffic.Close()
	cases := map[string]struct {
		forbidden []string
		args      []string
		code      int
		want      []string
	}{
		"a pod of the context's namespace": {nil, []string{"pod", "web"}, exitOK, []string{"shop/web", "shop/db", "is on", "has no say (no-peers)"}},
		"a name as graph writes it":        {nil, []string{"pod", "shop/web", "-n", "other"}, exitOK, []string{"shop/web", "is on"}},
		"Services may not be listed":       {[]string{"services"}, []string{"pod", "web"}, exitOK, []string{"note: you may not list services", "kubectl auth can-i list services"}},
		"nodes may not be listed":          {[]string{"nodes"}, []string{"pod", "web"}, exitFailure, []string{"listing nodes: nodes is forbidden"}},
		"no such pod":                      {nil, []string{"pod", "cart"}, exitFailure, []string{"there is no pod cart in namespace shop; see: kubectl get pods"}},
		"no such profile":                  {nil, []string{"pod", "web", "--profile", "x"}, exitFailure, []string{`the shipped configuration has no profile "x"; its profiles: vicinity`}},
		"no such file":                     {nil, []string{"-f", "none.yaml"}, exitUsage, []string{"--filename none.yaml: no such file"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kubeconfig := objectsServer(t, objects, tc.forbidden...)
			var out, errs bytes.Buffer
			code := invokeAs(t.Context(), append([]string{"vicinity", "explain", "--kubeconfig", kubeconfig, "--prometheus", traffic.URL}, tc.args...), streams{out: &out, err: &errs}, clock())
			if code != tc.code {
				t.Errorf("exit code %d, want %d: %s", code, tc.code, &errs)
			}
			for _, part := range tc.want {
				if !strings.Contains(out.String()+errs.String(), part) {
					t.Errorf("%q is not in\n%s%s", part, &out, &errs)
				}
			}
			if (tc.code == exitOK) != (out.Len() > 0) || (tc.code == exitOK) == (errs.Len() > 0) {
				t.Errorf("stdout:\n%s\nstderr:\n%s", &out, &errs)
			}
		})
	}
}

// TestExplainByConfiguration: what a profile says of routing, weight and shadow mode is what is
// explained.
func TestExplainByConfiguration(t *testing.T) {
	flags := []string{"explain", "workload", "web", "-n", "shop", "-o", "json", "--prometheus", prometheus(t, traffic(t, placedTraffic)), "--kubeconfig", apiServerOf(t, placed())}
	for name, tc := range map[string]struct {
		weight        int64
		args, routing string // of the calls to cart, whose Service says PreferSameZone
		shadow        bool
	}{
		"as Services say": {weight: 5, routing: "SameZone"},
		"uniform":         {weight: 5, args: ", routing: Uniform", routing: "Uniform"},
		"weight 0":        {weight: 0, routing: "SameZone"},
		"shadow":          {weight: 5, args: ", shadow: true", routing: "SameZone", shadow: true},
	} {
		t.Run(name, func(t *testing.T) {
			config := writeFile(t, fmt.Sprintf(`apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: vicinity
  plugins: {multiPoint: {enabled: [{name: TrafficLocality, weight: %d}]}}
  pluginConfig:
  - name: TrafficLocality
    args: {apiVersion: config.vicinity.dev/v1, kind: TrafficLocalityArgs%s}
`, tc.weight, tc.args))
			var got struct {
				Notes     []string
				Scheduler struct{ Weights map[string]int64 }
				Edges     []struct{ Peer, Routing string }
			}
			if err := json.Unmarshal([]byte(succeed(t, append(flags, "--scheduler-config", config)...)), &got); err != nil {
				t.Fatal(err)
			}
			for _, e := range got.Edges {
				if e.Peer == "shop/cart" && e.Routing != tc.routing {
					t.Errorf("calls to cart are divided by %s, want %s", e.Routing, tc.routing)
				}
			}
			if weight := got.Scheduler.Weights["TrafficLocality"]; len(got.Edges) != 2 || weight != tc.weight {
				t.Errorf("weight %d, want %d; %d edges", weight, tc.weight, len(got.Edges))
			}
			if said := strings.Contains(strings.Join(got.Notes, "\n"), "shadow mode"); said != tc.shadow {
				t.Errorf("notes: %v", got.Notes)
			}
		})
	}
}
