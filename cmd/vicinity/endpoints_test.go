package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"sigs.k8s.io/yaml"
)

// meshOfPods is a source whose metrics name the client by its pod and the server by its
// Service; url is that of Prometheus.
func meshOfPods(t *testing.T, url string) string {
	return writeFile(t, fmt.Sprintf(`apiVersion: config.vicinity.dev/v1
kind: TelemetryConfiguration
prometheus: {url: %q}
sources:
- type: promql
  name: pods
  window: 2m
  promql:
    queries:
    - {measures: sent, query: 'sum by ($labels) (rate(pod_sent_bytes_total{$selector}[$window]))'}
    client: [{kind: pod, namespaceLabel: namespace, nameLabel: pod}]
    server:
    - {kind: service, label: upstream, pattern: '(?P<namespace>[^/]+)/(?P<name>[^|]+)\|\d+'}
    - {kind: external}
`, url))
}

// upstreams are the Services that the metrics name, and the bytes per second to each.
func upstreams() map[string]float64 {
	return map[string]float64{"shop/cart|80": 600, "shop/none|80": 30, "example.com": 6}
}

// shopObjects are the objects of a cluster by their resources: the Service cart has a pod
// of a Deployment, and two of another, one of them not ready.
func shopObjects() map[string]string {
	pod := func(name, owner, hash, ready string) string {
		return fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": %q, "labels": {"app": %q, "pod-template-hash": %q},
			"ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": %q, "controller": true}]},
			"spec": {"nodeName": "n1", "containers": [{"name": "c"}]}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": %q}]}}`,
			name, strings.Split(owner, "-")[0], hash, owner+"-"+hash, ready)
	}
	return map[string]string{
		"nodes": `{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}}`,
		"services": `{"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": "cart"},
			"spec": {"selector": {"app": "cart"}, "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"]}}`,
		"pods": strings.Join([]string{
			pod("web-1-x", "web", "1", "True"), pod("cart-2-x", "cart", "2", "True"),
			pod("cart-canary-3-x", "cart-canary", "3", "True"), pod("cart-canary-3-y", "cart-canary", "3", "False"),
		}, ","),
	}
}

// TestEndpoints: graph, record and replay find the same workloads behind what telemetry
// names.
func TestEndpoints(t *testing.T) {
	script := &strings.Builder{}
	fmt.Fprintln(script, "load 30s")
	for upstream, rate := range upstreams() {
		fmt.Fprintf(script, "  pod_sent_bytes_total{namespace=\"shop\",pod=\"web-1-x\",upstream=%q} 0+%gx20\n", upstream, 30*rate)
	}
	url := prometheus(t, script.String())
	kubeconfig := apiServerOf(t, shopObjects())
	t.Run("graph", func(t *testing.T) {
		out := succeed(t, "graph", "--telemetry-config", meshOfPods(t, url), "--kubeconfig", kubeconfig)
		words := strings.Join(strings.Fields(out), " ")
		for _, want := range []string{
			"shop/web shop/cart 300 B/s", "shop/web shop/cart-canary 300 B/s", "external 1 6.0 B/s", "unknown-object 1 30.0 B/s",
			"left out 36.0 B/s in 2 series",
		} {
			if !strings.Contains(words, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
	})
	t.Run("graph without a cluster", func(t *testing.T) {
		code, _, stderr := invoke(t, "graph", "--telemetry-config", meshOfPods(t, url))
		if code != exitUsage || !strings.Contains(stderr, "source pods may name pods and Services, whose workloads are in the cluster: which cluster? ") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
	})
	for name, flags := range map[string][]string{"past": {"--since", "3m"}, "live": {"--duration", "2s", "--step", "1s"}} {
		t.Run("record what is "+name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rec")
			out := succeed(t, append([]string{"record", "--telemetry-config", meshOfPods(t, url), "--kubeconfig", kubeconfig, path}, flags...)...)
			if !strings.Contains(out, "unknown-object") {
				t.Errorf("what is left out is not said:\n%s", out)
			}
			_, lines := recordedIn(t, path)
			if last := lines[len(lines)-1]; !strings.HasSuffix(last, " web-cart:300/0/0 web-cart-canary:300/0/0") {
				t.Errorf("the last step is %s", last)
			}
		})
	}
	t.Run("replay data", func(t *testing.T) {
		items := []string{}
		for _, list := range shopObjects() {
			items = append(items, list)
		}
		list, err := yaml.JSONToYAML([]byte(`{"apiVersion": "v1", "kind": "List", "items": [` + strings.Join(items, ",") + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		out := succeed(t, "replay", podData(t), "--telemetry-config", meshOfPods(t, "http://unused"), "--cluster", writeFile(t, string(list)), "-v")
		words := strings.Join(strings.Fields(out), " ")
		for _, want := range []string{"2 edges", "unknown-object"} {
			if !strings.Contains(words, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
	})
}

// podData is a Prometheus data directory of half an hour.
func podData(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	db, err := tsdb.Open(dir, nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for at := time.Duration(0); at <= 30*time.Minute; at += 15 * time.Second {
		appender := db.Appender(t.Context())
		for upstream, rate := range upstreams() {
			series := labels.FromStrings("__name__", "pod_sent_bytes_total", "namespace", "shop", "pod", "web-1-x", "upstream", upstream)
			if _, err := appender.Append(0, series, recordedFrom.Add(at).UnixMilli(), rate*at.Seconds()); err != nil {
				t.Fatal(err)
			}
		}
		if err := appender.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}
