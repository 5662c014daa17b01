package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// declaringObjects are those of a cluster in which web and ads are a few minutes old.
func declaringObjects(t *testing.T) map[string]string {
	t.Helper()
	now := clock()()
	set := func(name, annotation string) string {
		text, err := json.Marshal(map[string]any{
			"apiVersion": "apps/v1", "kind": "ReplicaSet",
			"metadata": map[string]any{
				"namespace": "fresh", "name": name + "-1", "creationTimestamp": now.UTC().Format("2006-01-02T15:04:05Z"),
				"annotations":     map[string]any{"vicinity.dev/peers": annotation},
				"ownerReferences": []any{map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "controller": true}},
			},
			"spec": map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"pod-template-hash": "1"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	return map[string]string{"replicasets": set("web", "data/db=4Ki/s, cache=1Ki/s") + "," + set("ads", "db=soon")}
}

// TestGraphDeclared shows what is declared among what is observed, and in no sum of it.
func TestGraphDeclared(t *testing.T) {
	url := prometheus(t, traffic(t, shop))
	args := []string{"graph", "--prometheus", url, "--kubeconfig", apiServerOf(t, declaringObjects(t), "list sidecars"), "--declared"}
	plain, out := succeed(t, "graph", "--prometheus", url), succeed(t, args...)
	words := strings.Join(strings.Fields(out), " ")
	for _, want := range []string{
		"fresh/web data/db 2.0 KiB/s 2.0 KiB/s - - annotation", "fresh/web fresh/cache 512.0 B/s 512.0 B/s - - annotation",
		"declared 2 edges, 5.0 KiB/s, in no other sum",
		`warning: Deployment fresh/ads: annotation vicinity.dev/peers: "db=soon": the rate must be a quantity per second above 0, such as 1Mi/s.`,
	} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for line := range strings.SplitSeq(plain, "\n") {
		if strings.HasPrefix(line, "graph ") && !strings.Contains(out, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
	var graph struct {
		Total, Declared struct {
			Edges                                      int
			SentBytesPerSecond, ReceivedBytesPerSecond float64
		}
		Problems []string
		Edges    []struct {
			From   struct{ Namespace string }
			Origin string
			Share  float64
		}
	}
	if err := json.Unmarshal([]byte(succeed(t, append(args, "-o", "json")...)), &graph); err != nil {
		t.Fatal(err)
	}
	if len(graph.Edges) != graph.Total.Edges+2 || graph.Declared.Edges != 2 || math.Abs(graph.Declared.SentBytesPerSecond-2560) > 1 || len(graph.Problems) != 1 {
		t.Errorf("%d edges, %+v, %q", len(graph.Edges), graph.Declared, graph.Problems)
	}
	for _, e := range graph.Edges {
		if isDeclared := e.From.Namespace == "fresh"; isDeclared != (e.Origin == "annotation") || isDeclared && e.Share != 0 {
			t.Errorf("%+v", e)
		}
	}
	if dot := succeed(t, append(args, "-o", "dot")...); strings.Count(dot, "style=dashed") != 2 || strings.Count(dot, `\nannotation"`) != 2 {
		t.Errorf("not two dashed edges in\n%s", dot)
	}
}

// TestGraphDeclaredMistakes says what is the matter, and what to do.
func TestGraphDeclaredMistakes(t *testing.T) {
	url := prometheus(t, traffic(t, shop))
	code, _, stderr := invoke(t, "graph", "--prometheus", url, "--declared", "-o", "html")
	if code != exitUsage || !strings.Contains(stderr, "--declared goes with --output table, json and dot") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	code, _, stderr = invoke(t, "graph", "--prometheus", url, "--declared", "--kubeconfig", apiServerOf(t, nil, "list pods"))
	if code != exitFailure || !strings.Contains(stderr, "--declared: finding what new workloads declare: listing pods: ") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
