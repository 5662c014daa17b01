package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// invoke runs a command line in this process.
func invoke(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = invokeAs(t.Context(), append([]string{"vicinity"}, args...), streams{out: &out, err: &errs}, clock())
	return code, out.String(), errs.String()
}

// succeed runs a command line that must exit with 0 and an empty stderr.
func succeed(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	code, stdout, stderr := invoke(t, args...)
	if code != exitOK || stderr != "" {
		t.Fatalf("vicinity %s: exit code %d, stderr: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// showing runs a command line that must exit with 0 and an empty stderr or, where the graph is
// empty, with the code and the line for that.
func showing(t *testing.T, empty bool, args ...string) (stdout string) {
	t.Helper()
	if !empty {
		return succeed(t, args...)
	}
	code, stdout, stderr := invoke(t, args...)
	if code != exitEmpty || stderr != "vicinity: no traffic: the graph is empty\n" {
		t.Fatalf("vicinity %s: exit code %d, stderr: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); -update accepts it:\n%s", path, diff)
	}
}

func TestGolden(t *testing.T) {
	url := prometheus(t, traffic(t, shop))
	cases := map[string][]string{
		"graph.txt":             nil,
		"graph-limit.txt":       {"--limit", "3"},
		"graph-namespace.txt":   {"--namespace", "data"},
		"graph-elsewhere.txt":   {"-n", "nowhere"},
		"graph-cluster.txt":     {"--mesh-cluster", "west", "--request-bytes", "0"},
		"graph.json":            {"-o", "json"},
		"graph-limit.json":      {"-o", "json", "--limit", "2", "--namespace", "data"},
		"graph.dot":             {"-o", "dot"},
		"graph-limit.dot":       {"-o", "dot", "--limit", "2"},
		"graph-empty.txt":       {"--source", "istio-sidecar", "--selector", `job="none"`, "--window", "1m"},
		"graph-empty.json":      {"--source", "istio-sidecar", "--selector", `job="none"`, "-o", "json"},
		"graph-empty.dot":       {"--source", "istio-sidecar", "--selector", `job="none"`, "-o", "dot"},
		"graph-request-max.txt": {"--request-bytes", "1Mi", "--limit", "0"},
	}
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			empty := strings.HasPrefix(name, "graph-empty.") || name == "graph-cluster.txt"
			golden(t, name, showing(t, empty, append([]string{"graph", "--prometheus", url}, args...)...))
		})
	}
}

// TestEmpty checks the causes that an empty graph has beside the one in the
// golden files.
func TestEmpty(t *testing.T) {
	cases := map[string]struct{ traffic, want string }{
		"everything is left out": {
			"shop/ads -> unknown via PassthroughCluster: 300 90000 -",
			"istio-sidecar: all 4 series were left out, for the reasons above.",
		},
		"no traffic": {
			"shop/web -> shop/api via api: 0 0 0",
			"istio-sidecar: every rate is zero: no traffic in the last 5m.",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := showing(t, true, "graph", "--prometheus", prometheus(t, traffic(t, tc.traffic)))
			if !strings.Contains(got, tc.want) || !strings.Contains(got, "The graph is empty") {
				t.Errorf("want %q in:\n%s", tc.want, got)
			}
		})
	}
}

func TestEmptyWithoutRecordingRules(t *testing.T) {
	file := filepath.Join(t.TempDir(), "telemetry.yaml")
	text := "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {url: " + prometheus(t, traffic(t, shop)) + "}\nsources: [{type: istio-sidecar, recorded: true}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := showing(t, true, "graph", "--telemetry-config", file)
	if !strings.Contains(got, "1. the recording rules are not loaded") {
		t.Errorf("it does not speak of the rules:\n%s", got)
	}
}

// TestSums checks that the edges add up to the totals in every view.
func TestSums(t *testing.T) {
	url := prometheus(t, traffic(t, shop))
	views := map[string][]string{
		"all":                 nil,
		"limit":               {"--limit", "4"},
		"namespace":           {"--namespace", "data"},
		"namespace and limit": {"--namespace", "shop", "--limit", "5"},
	}
	for name, args := range views {
		t.Run(name, func(t *testing.T) {
			got := decode(t, succeed(t, append([]string{"graph", "--prometheus", url, "-o", "json"}, args...)...))
			want, sum, self, share := got.Total, totalsJSON{}, ratesJSON{}, 0.0
			if got.Matching != nil {
				want = *got.Matching
			}
			if got.NotShown != nil {
				sum, self = *got.NotShown, got.NotShown.SelfFlow
				share = float64((sum.SentBytesPerSecond + sum.ReceivedBytesPerSecond) / (got.Total.SentBytesPerSecond + got.Total.ReceivedBytesPerSecond))
			}
			wantShare := float64((want.SentBytesPerSecond + want.ReceivedBytesPerSecond) / (got.Total.SentBytesPerSecond + got.Total.ReceivedBytesPerSecond))
			for _, e := range got.Edges {
				sum.Edges++
				addJSON(&sum.ratesJSON, e.ratesJSON)
				if e.From == e.To {
					addJSON(&self, e.ratesJSON)
				}
				share += float64(e.Share)
			}
			near(t, "sent", sum.SentBytesPerSecond, want.SentBytesPerSecond)
			near(t, "received", sum.ReceivedBytesPerSecond, want.ReceivedBytesPerSecond)
			near(t, "requests", sum.RequestsPerSecond, want.RequestsPerSecond)
			near(t, "self-flow", self.SentBytesPerSecond, want.SelfFlow.SentBytesPerSecond)
			near(t, "share", float32(share), float32(wantShare))
			if sum.Edges != want.Edges || want.Edges == 0 {
				t.Errorf("%d edges, want %d", sum.Edges, want.Edges)
			}
		})
	}
}

func addJSON(sum *ratesJSON, r ratesJSON) {
	sum.SentBytesPerSecond += r.SentBytesPerSecond
	sum.ReceivedBytesPerSecond += r.ReceivedBytesPerSecond
	sum.RequestsPerSecond += r.RequestsPerSecond
}

func near(t *testing.T, name string, got, want float32) {
	t.Helper()
	if math.Abs(float64(got-want)) > 1e-5*float64(want) {
		t.Errorf("%s: the edges add up to %v, the totals say %v", name, got, want)
	}
}

func decode(t *testing.T, text string) graphJSON {
	t.Helper()
	var g graphJSON
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestJSONRoundTrip checks that nothing is lost on the way through a program
// that reads the schema.
func TestJSONRoundTrip(t *testing.T) {
	text := succeed(t, "graph", "--prometheus", prometheus(t, traffic(t, shop)), "-o", "json", "-n", "shop", "--limit", "3")
	g := decode(t, text)
	if g.Schema != graphSchema || len(g.Edges) != 3 || g.NotShown == nil || g.Matching == nil || !g.DataAt.Equal(queryTime) {
		t.Errorf("decoded %+v", g)
	}
	again, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, string(again)+"\n"); diff != "" {
		t.Errorf("(-first +again):\n%s", diff)
	}
}

// TestConfigurationFile checks that the file does the same as the flags, and
// that a source that fails does not hide the others.
func TestConfigurationFile(t *testing.T) {
	url := prometheus(t, traffic(t, shop))
	file := writeFile(t, fmt.Sprintf(`
apiVersion: config.vicinity.dev/v1
kind: TelemetryConfiguration
prometheus: {url: %q}
sources:
- {type: istio-sidecar, cluster: Kubernetes, window: 2m}
`, url))
	got := succeed(t, "graph", "--telemetry-config", file)
	want := succeed(t, "graph", "--prometheus", url, "--source", "istio-sidecar", "--mesh-cluster", "Kubernetes", "--window", "2m")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-flags +file):\n%s", diff)
	}
}

func TestOneOfTwoSourcesFails(t *testing.T) {
	// Two ends report two edges: four series are more than the limit of two.
	url := prometheus(t, traffic(t, `
		shop/a -> shop/b via b: 1 2 3
		shop/c -> shop/d via d: 1 2 3`))
	file := writeFile(t, fmt.Sprintf(`
apiVersion: config.vicinity.dev/v1
kind: TelemetryConfiguration
prometheus: {url: %q, maxSeries: 2}
sources:
- {type: istio-sidecar, name: all}
- {type: istio-sidecar, name: only-a, selector: 'source_workload="a"'}
`, url))
	code, out, stderr := invoke(t, "graph", "--telemetry-config", file, "-o", "json")
	if want := "source all: query request-bytes: "; code != exitFailure || !strings.Contains(stderr, want) || !strings.Contains(stderr, "maxSeries") {
		t.Errorf("exit code %d, stderr %s, want %d and %q", code, stderr, exitFailure, want)
	}
	g := decode(t, out)
	if len(g.Edges) != 1 || g.Sources[0].Failure != "too-large" || g.Sources[1].Failure != "" {
		t.Errorf("got %+v", g)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "telemetry.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// excerpts are metrics that real proxies exported.
const excerpts = "../../../shared/data/istio-sidecar/sidecar-excerpts.prom"

func TestRealProxies(t *testing.T) {
	f, err := os.Open(excerpts)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not here: recorded proxy metrics are not part of the repository", excerpts)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(f)
	if err != nil {
		t.Fatal(err)
	}
	// Every counter rises from 0 to its value in the last minute.
	load := &strings.Builder{}
	fmt.Fprintln(load, "load 1m")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, families[name])
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range samples {
			fmt.Fprintf(load, "  %s 0x9 %g\n", s.Metric, float64(s.Value))
		}
	}
	golden(t, "graph-real-proxies.txt", succeed(t, "graph", "--prometheus", prometheus(t, load.String())))
}

// TestInterrupt checks that the end of the context ends the command silently, and
// before the timeout of the query does.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, hang(cancel))
	var out, errs, told bytes.Buffer
	code := invokeAs(ctx, []string{"vicinity", "graph", "--prometheus", url, "--source", "istio-sidecar", "--timeout", "1h"}, streams{out: &out, err: &errs, progress: onTerminal(&told)}, clock())
	if code != exitInterrupted || out.Len() > 0 || errs.Len() > 0 {
		t.Errorf("exit code %d, stdout %q, stderr %q, want %d and nothing", code, &out, &errs, exitInterrupted)
	}
	if want := eraseLine + lookingForServer + eraseLine + "asking Prometheus for request-bytes-native (1/7)..." + eraseLine; told.String() != want {
		t.Errorf("progress = %q, want %q", &told, want)
	}
}
