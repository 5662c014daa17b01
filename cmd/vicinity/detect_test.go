package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vicinity-sched/vicinity/internal/sources"
	"github.com/vicinity-sched/vicinity/plugins/config"
)

// What agents say of the edge shop/web -> shop/api, OBI's on two nodes.
const (
	obiLabels = `direction="request",k8s_src_owner_type="Deployment",k8s_src_namespace="shop",k8s_src_owner_name="web",` +
		`k8s_dst_owner_type="Deployment",k8s_dst_namespace="shop",k8s_dst_owner_name="api",k8s_src_node_name="n1",k8s_dst_node_name="n2"`
	ofOBI = `
	raw obi_network_flow_bytes_total{` + obiLabels + `,job="obi",instance="n1:9400",pod="obi-1",namespace="obi"} 0+30000x20
	raw obi_network_flow_bytes_total{` + obiLabels + `,job="obi",instance="n2:9400",pod="obi-2",namespace="obi"} 0+30000x20
`
	ofOBITwice = `
	raw obi_network_flow_bytes_total{` + obiLabels + `,job="again",instance="n1:9400",pod="obi-1",namespace="obi"} 0+30000x20
	raw obi_network_flow_bytes_total{` + obiLabels + `,job="again",instance="n2:9400",pod="obi-2",namespace="obi"} 0+30000x20
`
	ofIstio  = "shop/web -> shop/api via api: 1000 4000 2\n"
	ofHubble = `raw hubble_flows_processed_total{source="shop/web",destination="shop/api"} 0+1x20`
)

// TestDetectedByGraph: without a source, the only one that is there is read.
func TestDetectedByGraph(t *testing.T) {
	cases := map[string]struct {
		traffic string
		args    []string
		code    int
		want    []string // in the output, in this order
	}{
		"obi":                                 {ofOBI, nil, exitOK, []string{"shop/web   shop/api   1.0 KiB/s", "source", "obi, found by its metrics (2 series); --source obi reads it without looking"}},
		"istio, which is read from both ends": {ofIstio, nil, exitOK, []string{"shop/web   shop/api   1.0 KiB/s    3.9 KiB/s", "istio-sidecar, found by its metrics (6 series)"}},
		"both": {ofIstio + ofOBI, nil, exitFailure, []string{
			"the metrics of 2 types of sources: istio-sidecar (6 series), obi (2 series)", "Choose one with --source istio-sidecar or --source obi",
			"--source istio-sidecar,obi reads all", "vicinity sources detect --prometheus http://127.0.0.1"}},
		"one of both":        {ofIstio + ofOBI, []string{"--source", "obi"}, exitOK, []string{"shop/web   shop/api   1.0 KiB/s        0 B/s", "\nobi "}},
		"both are wanted":    {ofIstio + ofOBI, []string{"--source", "istio-sidecar,obi"}, exitOK, []string{"shop/web   shop/api   1.0 KiB/s    3.9 KiB/s", "\nistio-sidecar ", "\nobi "}},
		"one is selected":    {ofIstio + ofOBI, []string{"--selector", `job="obi"`}, exitOK, []string{"obi, found by its metrics"}},
		"nothing":            {"raw up{} 1x20", nil, exitEmpty, []string{"no metric is there that counts bytes", "istio_request_bytes_sum", "obi_network_flow_bytes_total", "docs/telemetry-sources.md"}},
		"nothing selected":   {ofOBI, []string{"--selector", `job="none"`}, exitEmpty, []string{`the selector job="none" leaves`}},
		"hubble":             {ofHubble, nil, exitEmpty, []string{"hubble_flows_processed_total is there", "counts flows and requests, not bytes", "obi, caretta or netobserv"}},
		"hubble beside obi":  {ofHubble + "\n" + ofOBI, nil, exitOK, []string{"obi, found by its metrics"}},
		"labels are missing": {`raw networkobservability_adv_forward_bytes{direction="INGRESS"} 0+1x20`, nil, exitEmpty, []string{"without the labels that sources of type retina need", "vicinity sources show retina"}},
		"metrics are gone":   {`raw caretta_links_observed{role="1"} 0+1x3`, nil, exitEmpty, []string{"caretta_links_observed (caretta) was scraped within the last hour, but is not now"}},
		"no such type":       {ofOBI, []string{"--source", "linkerdd"}, exitUsage, []string{`--source: there is no type of sources called "linkerdd"`, "vicinity sources list"}},
		"hubble is wanted":   {ofOBI, []string{"--source", "hubble"}, exitUsage, []string{"not bytes"}},
		"another name":       {ofOBI, []string{"--source", "istio"}, exitUsage, []string{"read by sources of type istio-sidecar"}},
		"the user's own":     {ofOBI, []string{"--source", "promql"}, exitUsage, []string{"give it with --telemetry-config"}},
		"twice":              {ofOBI, []string{"--source", "obi,obi"}, exitUsage, []string{"--source: obi is named twice"}},
		"a cluster of none":  {ofOBI, []string{"--source", "caretta", "--mesh-cluster", "east"}, exitUsage, []string{"--source: ", "clusterLabel"}},
		"two clusters": {strings.ReplaceAll(ofOBI, "direction=", `k8s_cluster_name="a",direction=`) + strings.ReplaceAll(ofOBI, "direction=", `k8s_cluster_name="b",direction=`), nil, exitFailure,
			[]string{"2 clusters", "--mesh-cluster"}},
		"one of two clusters": {strings.ReplaceAll(ofOBI, "direction=", `k8s_cluster_name="a",direction=`) + strings.ReplaceAll(ofOBI, "direction=", `k8s_cluster_name="b",direction=`),
			[]string{"--mesh-cluster", "a"}, exitOK, []string{"shop/web   shop/api   1.0 KiB/s", "other-cluster"}},
		"bad selectors, once": {ofOBI, []string{"--source", "obi,caretta", "--selector", "a=b"}, exitUsage, []string{"--selector: "}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"graph", "--prometheus", prometheus(t, traffic(t, tc.traffic)), "--kubeconfig", apiServer(t)}, tc.args...)
			code, out, stderr := invoke(t, args...)
			if code != tc.code || (stderr == "") != (code == exitOK) || strings.Count(stderr, "\n") > 1 {
				t.Fatalf("exit code %d, want %d, stderr %s", code, tc.code, stderr)
			}
			rest := out + stderr
			for _, want := range tc.want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("no %q in order in:\n%s", want, out+stderr)
				}
				rest = after
			}
			if name == "bad selectors, once" && strings.Count(stderr, "--selector: ") != 1 {
				t.Errorf("it says it again: %s", stderr)
			}
		})
	}
}

// TestDetectedByRecord: a recording says what it was made from.
func TestDetectedByRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rec")
	url := prometheus(t, traffic(t, ofOBI))
	out := succeed(t, "record", "--prometheus", url, "--kubeconfig", apiServer(t), "--since", "4m", "--window", "2m", path)
	if !strings.Contains(out, "Source: obi, found by its metrics (2 series)") || !strings.Contains(out, "traffic on average   1.0 KiB/s") {
		t.Errorf("it says:\n%s", out)
	}
	code, _, stderr := invoke(t, "record", "--prometheus", prometheus(t, traffic(t, ofIstio+ofOBI)), "--kubeconfig", apiServer(t), "--since", "4m", path+"2")
	if code != exitFailure || !strings.Contains(stderr, "Choose one with") {
		t.Errorf("of two types: exit code %d, %s", code, stderr)
	}
	if _, err := os.Stat(path + "2"); err == nil {
		t.Error("it has begun a recording all the same")
	}
}

// TestSourcesDetect prints what there is, and what to configure.
func TestSourcesDetect(t *testing.T) {
	one, both, twice := prometheus(t, traffic(t, ofOBI)), prometheus(t, traffic(t, ofIstio+ofOBI)), prometheus(t, traffic(t, ofOBI+ofOBITwice))
	golden(t, "detect.txt", strings.ReplaceAll(succeed(t, "sources", "detect", "--prometheus", one), one, "http://prometheus:9090"))
	golden(t, "detect-both.txt", strings.ReplaceAll(succeed(t, "sources", "detect", "--prometheus", both), both, "http://prometheus:9090"))
	golden(t, "detect-both.yaml", strings.ReplaceAll(succeed(t, "sources", "detect", "--prometheus", both, "-o", "yaml"), both, "http://prometheus:9090"))
	golden(t, "detect-twice.txt", strings.ReplaceAll(succeed(t, "sources", "detect", "--prometheus", twice), twice, "http://prometheus:9090"))
	golden(t, "detect-twice.yaml", strings.ReplaceAll(succeed(t, "sources", "detect", "--prometheus", twice, "--window", "2m", "-o", "yaml"), twice, "http://prometheus:9090"))
	golden(t, "detect.json", succeed(t, "sources", "detect", "--prometheus", both, "-o", "json"))

	code, out, stderr := invoke(t, "sources", "detect", "--prometheus", prometheus(t, traffic(t, "raw up{} 1x20")), "-o", "yaml")
	if code != exitEmpty || out != "" || !strings.Contains(stderr, "no metric is there that counts bytes") {
		t.Errorf("of nothing: exit code %d, %s%s", code, out, stderr)
	}
	if code, _, stderr := invoke(t, "sources", "detect", "--prometheus", one, "-o", "dot"); code != exitUsage || !strings.Contains(stderr, "table, yaml or json") {
		t.Errorf("of another format: exit code %d, %s", code, stderr)
	}
}

// TestDetectedConfiguration: what is printed is a configuration, which counts all once.
func TestDetectedConfiguration(t *testing.T) {
	url := prometheus(t, traffic(t, ofOBI+ofOBITwice))
	file := writeFile(t, succeed(t, "sources", "detect", "--prometheus", url, "-o", "yaml"))
	cfg, err := config.LoadTelemetry(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Sources) != 1 || cfg.Sources[0].Selector != `job="again"` {
		t.Errorf("the sources are %+v", cfg.Sources)
	}
	got := succeed(t, "graph", "--telemetry-config", file, "--kubeconfig", apiServer(t))
	if !strings.Contains(got, "shop/web   shop/api   1.0 KiB/s") || strings.Contains(got, "warning") {
		t.Errorf("the graph is\n%s", got)
	}
	// The server of a file is used, and its credentials are in what is printed.
	withHeader := writeFile(t, "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {url: '"+url+"', headers: {X-Scope-OrgID: a}}\nsources: [{type: caretta}]\n")
	again := succeed(t, "sources", "detect", "--telemetry-config", withHeader, "-o", "yaml")
	if !strings.Contains(again, "X-Scope-OrgID: a") || !strings.Contains(again, "type: obi") || strings.Contains(again, "maxSeries") {
		t.Errorf("from a file:\n%s", again)
	}
}

// TestDetectWhatIsWrong: a type whose source fails is found all the same.
func TestDetectWhatIsWrong(t *testing.T) {
	clusters := prometheus(t, traffic(t, "shop/web@east -> shop/api@east via api: 1 2 3\nshop/web@west -> shop/api@west via api: 1 2 3"))
	url := prometheus(t, traffic(t, ofIstio+ofOBI))
	small := writeFile(t, "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {url: '"+url+"', maxSeries: 1}\n")
	for name, tc := range map[string]struct{ args, want []string }{
		"several clusters": {[]string{"--prometheus", clusters}, []string{"warning: istio-sidecar, several-clusters", "--mesh-cluster"}},
		"a type that names nothing": {[]string{"--prometheus", prometheus(t, traffic(t, ofIstio+`raw caretta_links_observed{role="1"} 0+1x20`))},
			[]string{"istio_request_bytes_sum", "caretta has 1 series, and none of them names two workloads", "Next: vicinity graph --prometheus"}},
		"too many series": {[]string{"--telemetry-config", small}, []string{"istio_request_bytes_sum", "obi_network_flow_bytes_total",
			"warning: istio-sidecar could not be read: source istio-sidecar: query request-bytes: ", "maxSeries"}},
	} {
		for _, format := range []string{outputTable, outputYAML, outputJSON} {
			out := succeed(t, append([]string{"sources", "detect", "-o", format}, tc.args...)...)
			for _, want := range tc.want {
				if format == outputTable && !strings.Contains(out, want) {
					t.Errorf("%s: no %q in\n%s", name, want, out)
				}
			}
			if !strings.Contains(out, "istio-sidecar") {
				t.Errorf("%s: it is not there in\n%s", name, out)
			}
		}
	}
}

// TestDetectJSON: programs find what people do.
func TestDetectJSON(t *testing.T) {
	var got detectJSON
	out := succeed(t, "sources", "detect", "--prometheus", prometheus(t, traffic(t, ofOBI)), "-o", "json")
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != detectSchema || len(got.Types) != 1 || got.Types[0].Type != "obi" || got.Types[0].NamedPairs != 1 ||
		got.Types[0].BytesPerSecond != 1000 || len(got.Types[0].Jobs) != 1 || got.Types[0].Jobs[0].Targets != 2 {
		t.Errorf("got %+v", got)
	}
}

// TestAnswered: types that read the same metrics as an answer are none of their own.
func TestAnswered(t *testing.T) {
	has := func(names ...string) (f sources.Found) {
		for _, name := range names {
			f.Metrics = append(f.Metrics, sources.Metric{Name: name})
		}
		return f
	}
	answers := []sources.Found{has("a", "b"), has("c")}
	for name, tc := range map[string]struct {
		found sources.Found
		want  bool
	}{"an answer": {has("a", "b"), true}, "some of one": {has("b"), true}, "of two": {has("a", "c"), true}, "one more": {has("a", "d"), false}} {
		if got := isAnswered(tc.found, answers); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestUnknownTypes: who asks for what counts no bytes is told so everywhere.
func TestUnknownTypes(t *testing.T) {
	file := writeFile(t, "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus: {url: 'http://p:9090'}\nsources: [{type: cilium}]\n")
	for name, args := range map[string][]string{
		"show": {"sources", "show", "hubble"}, "a file": {"graph", "--telemetry-config", file},
	} {
		code, _, stderr := invoke(t, args...)
		if code == exitOK || !strings.Contains(stderr, "counts flows and requests, not bytes") || !strings.Contains(stderr, "obi") {
			t.Errorf("%s: exit code %d, %s", name, code, stderr)
		}
	}
}
