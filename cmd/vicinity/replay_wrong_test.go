package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/internal/recordingtest"
)

// packed is a directory's files as tar -czf packs them.
func packed(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestReplayWrongFiles gives each flag a file that belongs elsewhere, or that was not
// written as it should be. The error says what the file is and what to do.
func TestReplayWrongFiles(t *testing.T) {
	dir := t.TempDir()
	objects := asIs{sixNodes + shopPods}.json(t)
	files := map[string]string{
		"cluster.json": objects, "edges.csv": shopEdges,
		"semicolon.csv":  "from;to;bytes_per_second\nshop/web;shop/cart;20000\n",
		"tab.csv":        "from\tto\tbytes_per_second\nshop/web\tshop/cart\t20000\n",
		"utf16.csv":      "\xff\xfef\x00r\x00o\x00m\x00,\x00t\x00o\x00",
		"klog.json":      "E1128 10:00:00.123456   12345 memcache.go:287] couldn't get resource list\n" + objects,
		"warn.json":      "Warning: v1 ComponentStatus is deprecated in v1.19+\n" + objects,
		"graph.json":     `{"schema": "vicinity.graph/v1", "edges": []}`,
		"report.json":    `{"schema": "vicinity.replay/v1", "runs": []}`,
		"login.html":     "<!DOCTYPE html><html><title>Sign in</title></html>",
		"telemetry.yaml": "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {url: 'http://p:9090'}\n",
		"scheduler.yaml": "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n",
		"shop.tar.gz":    packed(t, record(t, filepath.Join(t.TempDir(), "shop"), recordingtest.Options{Nodes: 2, Workloads: 2, Edges: 1, Replicas: 1, From: recordedFrom, Length: time.Minute, Step: time.Minute})),
		"charts/x.yaml":  "a: b\n",
		"top/data/wal/0": "",
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
	}
	cases := map[string]struct {
		args string // names of files stand for their paths
		want string
	}{
		"objects as INPUT":        {"cluster.json", "a list of Kubernetes objects, not an input of vicinity replay; give it with --cluster"},
		"graph as INPUT":          {"graph.json", "the JSON output of vicinity graph, not an input of vicinity replay; convert it to an edge list"},
		"graph beside a cluster":  {"graph.json --cluster cluster.json", "--cluster goes with an edge list (.csv), not with DIR/graph.json (the JSON output of vicinity graph; convert it"},
		"report as INPUT":         {"report.json", "a report of vicinity replay, not an input"},
		"page as INPUT":           {"login.html", "an HTML page, not an input"},
		"telemetry as INPUT":      {"telemetry.yaml", "a TelemetryConfiguration, not an input of vicinity replay; give it with --telemetry-config"},
		"archive as INPUT":        {"shop.tar.gz", "a recording packed as .tar.gz, not an input of vicinity replay; unpack it and replay the directory: mkdir recording && tar -xzf DIR/shop.tar.gz"},
		"another directory":       {"charts", "DIR/charts is neither a recording nor a Prometheus data directory"},
		"the directory above":     {"top", "but DIR/top/data looks like one; give that"},
		"semicolons":              {"semicolon.csv --cluster cluster.json", "semicolon.csv:1: fields are separated by semicolons instead of commas"},
		"tabs":                    {"tab.csv --cluster cluster.json", "tab.csv:1: fields are separated by tabs instead of commas"},
		"UTF-16":                  {"utf16.csv --cluster cluster.json", "utf16.csv:1: the file is UTF-16"},
		"edges as cluster":        {"edges.csv --cluster edges.csv", "an edge list (CSV), not a list of Kubernetes objects"},
		"graph as cluster":        {"edges.csv --cluster graph.json", "the JSON output of vicinity graph, not a list of Kubernetes objects"},
		"log before objects":      {"edges.csv --cluster klog.json", `klog.json:1: the file begins with a message of the program that wrote it, "E1128 10:00:00.123456   12345 memcache.go:287] couldn't get resource list"; delete this line`},
		"warning before objects":  {"edges.csv --cluster warn.json", `warn.json:1: the file begins with a message of the program that wrote it, "Warning: v1 ComponentStatus is deprecated in v1.19+"; delete this line`},
		"edges as assignment":     {"edges.csv --cluster cluster.json --assignment a=edges.csv", "an edge list (CSV), not an assignment (CSV)"},
		"telemetry for scheduler": {"edges.csv --cluster cluster.json --scheduler-config telemetry.yaml", "a TelemetryConfiguration, not a KubeSchedulerConfiguration; give it with --telemetry-config"},
		"scheduler for telemetry": {"top/data --cluster cluster.json --telemetry-config scheduler.yaml", "a KubeSchedulerConfiguration, not a TelemetryConfiguration; vicinity replay takes it with --scheduler-config"},
		"objects for scheduler":   {"edges.csv --cluster cluster.json --scheduler-config cluster.json", "a list of Kubernetes objects, not a KubeSchedulerConfiguration"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			args := []string{"replay"}
			for _, arg := range strings.Fields(c.args) {
				named, file, _ := strings.Cut(arg, "=")
				switch _, known := files[arg]; {
				case file != "":
					arg = named + "=" + filepath.Join(dir, file)
				case known || !strings.HasPrefix(arg, "-"):
					arg = filepath.Join(dir, arg)
				}
				args = append(args, arg)
			}
			code, out, said := invoke(t, args...)
			if want := strings.ReplaceAll(c.want, "DIR", dir); code == exitOK || out != "" || strings.Count(said, "\n") != 1 || !strings.Contains(said, want) {
				t.Errorf("exit code %d, stdout %.100q, stderr %s\nwant %s", code, out, said, want)
			}
		})
	}
}

// warningsOf replays and returns the warnings.
func warningsOf(t *testing.T, args ...string) []string {
	t.Helper()
	var got struct{ Warnings []string }
	if err := json.Unmarshal([]byte(succeed(t, append([]string{"replay", "-o", "json"}, args...)...)), &got); err != nil {
		t.Fatal(err)
	}
	return got.Warnings
}

// TestReplayWarnings: what a replay leaves out or cannot say is a warning.
func TestReplayWarnings(t *testing.T) {
	dir := t.TempDir()
	path := func(name, text string) string {
		write(t, filepath.Join(dir, name), text)
		return filepath.Join(dir, name)
	}
	objects, edges := path("cluster.json", asIs{sixNodes + shopPods}.json(t)), path("edges.csv", shopEdges)
	extender := path("extender.yaml", "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\nextenders: [{urlPrefix: 'http://127.0.0.1:9/x', filterVerb: filter}]\n")
	still := record(t, filepath.Join(dir, "still"), recordingtest.Options{Nodes: 3, Workloads: 3, Edges: 3, Replicas: 2, From: recordedFrom, Length: 10 * time.Minute, Step: time.Minute, Seed: 1})
	cases := map[string]struct {
		args []string
		want string // "" for no warning
	}{
		"none":                   {[]string{edges, "--cluster", objects, "--run", "recorded"}, ""},
		"unknown names":          {[]string{path("u.csv", "from,to,bytes_per_second\nshop/web-v1,shop/cart-v1,1\nshop/web,shop/cart,1\n"), "--cluster", objects, "--run", "recorded"}, "2 of 4 names in the edges are no workloads of the cluster (shop/cart-v1, shop/web-v1): "},
		"no traffic":             {[]string{path("z.csv", "from,to,bytes_per_second\nshop/web,shop/cart,0\n"), "--cluster", objects, "--run", "recorded"}, "there is no traffic in the input"},
		"an extender":            {[]string{edges, "--cluster", objects, "--run", "recorded", "--scheduler-config", extender, "--seeds", "1"}, "extender: 1 extender of the configuration is not called: "},
		"seeds for nothing":      {[]string{edges, "--cluster", objects, "--run", "default", "--order", "recorded", "--seeds", "3"}, "--seeds 3: the order recorded leaves nothing to chance"},
		"nothing arrives":        {[]string{still, "--run", "recorded,default", "--order", "recorded"}, "no pod was placed, because none arrived after the warm-up"},
		"an extender, over time": {[]string{still, "--run", "recorded", "--scheduler-config", extender, "--seeds", "1"}, "extender: 1 extender of the configuration is not called: "},
		"seeds over time":        {[]string{still, "--run", "recorded,default", "--order", "recorded", "--seeds", "2"}, "--seeds 2: the order recorded"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := warningsOf(t, c.args...)
			found := slices.ContainsFunc(got, func(w string) bool { return strings.HasPrefix(w, c.want) })
			if c.want == "" && len(got) > 0 || c.want != "" && !found {
				t.Errorf("warnings %q, want %q", got, c.want)
			}
		})
	}
}

// TestReplayDamagedData: a block that cannot be read is named, and a link is refused.
func TestReplayDamagedData(t *testing.T) {
	o := aRecording()
	objects := clusterFile(t, filepath.Join(t.TempDir(), "cluster.json"), o)
	dir := database(t, t.TempDir())
	block := filepath.Join(dir, "01KJVZ0000000000000000000A")
	if err := os.Mkdir(block, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(block, "meta.json"), `{"version":1,"minTime":1000,"maxTime":2000}`)
	got := warningsOf(t, dir, "--cluster", objects, "--run", "recorded")
	if want := "the block 01KJVZ0000000000000000000A, with the data from 1970-01-01T00:00:01Z to 1970-01-01T00:00:02Z, cannot be read: "; !slices.ContainsFunc(got, func(w string) bool { return strings.HasPrefix(w, want) }) {
		t.Errorf("warnings %q, want %q", got, want)
	}
	linked := t.TempDir()
	if err := os.Symlink("/usr", filepath.Join(linked, "wal")); err != nil {
		t.Fatal(err)
	}
	if code, _, said := invoke(t, "replay", linked, "--cluster", objects); code != exitFailure || !strings.Contains(said, "wal is a symbolic link") {
		t.Errorf("exit code %d, stderr %s; want that the link is refused", code, said)
	}
}

// TestFlagValues: what a flag's value must be is said without the words of Go's parsers.
func TestFlagValues(t *testing.T) {
	for _, c := range []struct{ flag, want string }{
		{"--price-per-gb=x", `--price-per-gb "x": must be a number such as 0.01; see vicinity replay --help`},
		{"--seeds=many", `--seeds "many": must be a whole number; see`},
		{"--first-seed=-1", `--first-seed "-1": must be a whole number that is not negative; see`},
		{"--step=1", `--step "1": must be a duration such as 30s or 5m; see`},
		{"--timing=perhaps", `--timing "perhaps": must be true or false; see`},
	} {
		code, _, said := invoke(t, "replay", "mesh:chain", c.flag)
		if code != exitUsage || !strings.HasPrefix(said, "vicinity: "+c.want) {
			t.Errorf("%s: exit code %d, %s; want %s", c.flag, code, said, c.want)
		}
	}
}
