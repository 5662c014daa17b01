package doctor_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/doctor"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	"github.com/vicinity-sched/vicinity/internal/telemetrysetup"
	"github.com/vicinity-sched/vicinity/plugins/config"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// The data reach from start to now.
var (
	start = time.Date(2026, 10, 1, 11, 0, 0, 0, time.UTC)
	now   = start.Add(20 * time.Minute)
)

// mesh is the metrics of an Istio mesh of three workloads, with sidecars and a scrape every
// 15 s. Each series is a line.
func mesh() []string {
	lines := []string{}
	for _, c := range [][2]string{{"shop/web", "shop/cart"}, {"shop/cart", "data/db"}} {
		for _, reporter := range []string{"source", "destination"} {
			from, to := strings.Split(c[0], "/"), strings.Split(c[1], "/")
			proxy := from
			if reporter == "destination" {
				proxy = to
			}
			labels := fmt.Sprintf("job=\"proxies\",instance=%q,namespace=%q,pod=%q,reporter=%q,"+
				"source_workload=%q,source_workload_namespace=%q,source_cluster=\"Kubernetes\","+
				"destination_workload=%q,destination_workload_namespace=%q,destination_cluster=\"Kubernetes\",destination_service_name=%q",
				proxy[1]+":15020", proxy[0], proxy[1]+"-1", reporter, from[1], from[0], to[1], to[0], to[1])
			for metric, perScrape := range map[string]int{"istio_request_bytes_sum": 15000, "istio_response_bytes_sum": 150000, "istio_requests_total": 15} {
				lines = append(lines, fmt.Sprintf("%s{%s} 0+%dx80", metric, labels, perScrape))
			}
		}
	}
	for _, name := range []string{"web", "cart", "db"} {
		lines = append(lines, fmt.Sprintf("up{job=\"proxies\",instance=%q} 1x80", name+":15020"))
	}
	slices.Sort(lines)
	return lines
}

// planted is a telemetry with a fault.
type planted struct {
	// lines changes the series.
	lines func([]string) []string
	// serve stands before the server.
	serve func(http.Handler) http.Handler
	// status changes the answers about the server.
	status func(map[string]any)
	// every is the scrape interval, 15s if it is 0.
	every time.Duration
	// config changes the configuration, which is then given as a file.
	config func(*v1.TelemetryConfiguration)
	// ours is how much our clock is ahead of the server's.
	ours time.Duration
}

// replaced returns a change of every line.
func replaced(pairs ...string) func([]string) []string {
	return func(lines []string) []string {
		for i := range lines {
			lines[i] = strings.NewReplacer(pairs...).Replace(lines[i])
		}
		return lines
	}
}

// without drops the lines with a text.
func without(text string) func([]string) []string {
	return func(lines []string) []string {
		return slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, text) })
	}
}

// with adds lines.
func with(more ...string) func([]string) []string {
	return func(lines []string) []string { return append(lines, more...) }
}

// examine returns the checks of a telemetry.
func (p planted) examine(t *testing.T) *doctor.Examination {
	t.Helper()
	lines := mesh()
	if p.lines != nil {
		lines = p.lines(lines)
	}
	every := p.every
	if every == 0 {
		every = 15 * time.Second
	}
	status := map[string]any{
		"buildinfo":   map[string]any{"version": "3.14.0", "revision": "abc", "branch": "HEAD"},
		"runtimeinfo": map[string]any{"storageRetention": "15d", "reloadConfigSuccess": true},
		"flags":       map[string]any{"query.lookback-delta": "5m"},
	}
	if p.status != nil {
		p.status(status)
	}
	var handler http.Handler = &promtest.Server{
		Querier: promtest.New(t, fmt.Sprintf("load %ds\n  %s\n", int(every.Seconds()), strings.Join(lines, "\n  "))),
		Start:   start, Now: func() time.Time { return now }, Status: status,
	}
	if p.serve != nil {
		handler = p.serve(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg := &v1.TelemetryConfiguration{Prometheus: v1.Prometheus{URL: server.URL}}
	cfg.SetDefaults()
	o := doctor.Telemetry{Config: cfg, NoObjects: "There is no cluster.", Now: func() time.Time { return now.Add(p.ours) }, Words: doctor.Words{
		Failure: func(f telemetry.Failure) string { return "mend " + f.String() },
		Finding: func(source string, f telemetry.Finding) string { return f.Next(telemetry.SetInFile("t.yaml", source)) },
		Reason:  func(r telemetry.Reason) string { return "mend " + r.String() },
	}}
	if p.config != nil {
		o.File, o.Chosen = filepath.Join(t.TempDir(), "t.yaml"), true
		cfg.TypeMeta = metav1.TypeMeta{APIVersion: v1.GroupVersion, Kind: v1.TelemetryConfigurationKind}
		p.config(cfg)
		text := "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\nprometheus:\n  url: " + server.URL + "\n"
		if err := os.WriteFile(o.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if o.Client, err = telemetrysetup.Client(cfg, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Client.Close)
	return doctor.NewExamination(o)
}

// found are the results that are worse than Unchecked, as "check severity". It fails the test
// where a result does not say what it must.
func found(t *testing.T, r doctor.Report) []string {
	t.Helper()
	var all []string
	for _, result := range r.Results {
		if doctor.GroupOf(result.Check) == "Other" {
			t.Errorf("nobody has described %s", result.Check)
		}
		if !strings.HasSuffix(result.What, ".") || result.Severity > doctor.Unchecked && (result.Why == "" || result.Next == "") {
			t.Errorf("%s does not say what, why and what next: %+v", result.Check, result)
		}
		if result.Severity > doctor.Unchecked {
			all = append(all, result.Check+" "+result.Severity.String())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func status(code int) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
}

// answering answers each query alike.
func answering(body string) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
	}
}

// plantedFaults are faults with what must be found: exactly that.
func plantedFaults() map[string]struct {
	planted
	want string
} {
	waypoints := replaced(`reporter="source"`, `reporter="waypoint"`, `reporter="destination"`, `reporter="waypoint"`)
	type fault = struct {
		planted
		want string
	}
	return map[string]fault{
		"healthy":                 {planted{}, ""},
		"credentials are refused": {planted{serve: status(401)}, "prometheus-allowed error"},
		"forbidden":               {planted{serve: status(403)}, "prometheus-allowed error"},
		"another program":         {planted{serve: answering("<html>Grafana</html>")}, "prometheus-api error"},
		"it is starting":          {planted{serve: status(503)}, "prometheus-api error"},
		"a store is missing":      {planted{serve: answering(`{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["no store"]}`)}, "prometheus-complete error"},
		"our clock is behind":     {planted{ours: -time.Minute}, "prometheus-clock warning"},
		"our clock is far ahead":  {planted{ours: time.Hour}, "prometheus-clock error"},
		"little is kept": {planted{status: func(s map[string]any) {
			s["runtimeinfo"] = map[string]any{"storageRetention": "2m", "reloadConfigSuccess": true}
		}}, "prometheus-retention error"},
		"the last reload failed":    {planted{status: func(s map[string]any) { s["runtimeinfo"] = map[string]any{"storageRetention": "15d"} }}, "prometheus-reload warning"},
		"it says nothing of itself": {planted{status: func(s map[string]any) { s["runtimeinfo"] = map[string]any{} }}, ""},
		"it has no such pages":      {planted{status: func(s map[string]any) { clear(s) }}, ""},
		"no mesh":                   {planted{lines: without("istio")}, "source-found error"},
		"Hubble alone":              {planted{lines: func([]string) []string { return []string{"hubble_flows_processed_total 0+1x80"} }}, "source-found error"},
		"no bytes":                  {planted{lines: without("_bytes_")}, "source-bytes error"},
		"no request bytes":          {planted{lines: without("istio_request_bytes_sum")}, "source-bytes warning"},
		"scraped twice":             {planted{lines: func(l []string) []string { return append(l, replaced(`job="proxies"`, `job="again"`)(mesh())...) }}, "source-scraped-twice error"},
		"a label is dropped":        {planted{lines: replaced(`destination_workload="db",`, "")}, "bytes-resolved warning,source-labels warning"},
		"all of its labels":         {planted{lines: replaced(`destination_workload="db",`, "", `destination_workload="cart",`, "")}, "bytes-resolved error,source-labels error,source-read error"},
		"two clusters":              {planted{lines: func(l []string) []string { return append(l, replaced("Kubernetes", "west")(mesh())...) }}, "source-clusters error"},
		"data are old":              {planted{lines: replaced("x80", "x52")}, "source-fresh error"},
		"data lag":                  {planted{lines: replaced("x80", "x74")}, "source-fresh warning"},
		"young data":                {planted{lines: replaced(" 0+", " _x70 0+", "x80", "x10")}, "source-young warning"},
		"waypoints alone":           {planted{lines: waypoints}, "source-found error,source-read error,source-waypoints error"},
		"a target is down":          {planted{lines: replaced(`instance="db:15020"} 1x80`, `instance="db:15020"} 0x80`)}, "source-targets warning"},
		"no target is up":           {planted{lines: replaced("} 1x80", "} 0x80")}, "source-targets error"},
		"scraped every two minutes": {planted{every: 2 * time.Minute, lines: replaced("x80", "x10")}, "source-window warning"},
		"a window of one scrape":    {planted{config: window(20 * time.Second)}, "source-window error,telemetry-configuration warning"},
		"another type configured":   {planted{config: ofType("linkerd")}, "source-configured error,source-read error,telemetry-configuration warning"},
		"another type, none there":  {planted{lines: without("istio"), config: ofType("linkerd")}, "source-configured error,source-found error,source-read error"},
		"another selector":          {planted{config: func(c *v1.TelemetryConfiguration) { c.Sources[0].Selector = `job="envoy"` }}, "source-read error"},
		"rules that do not exist":   {planted{config: func(c *v1.TelemetryConfiguration) { c.Sources[0].Recorded = true }}, "recording-rules error,source-read error"},
		"few series are read":       {planted{config: func(c *v1.TelemetryConfiguration) { c.Prometheus.MaxSeries = new(int32(5)) }}, "prometheus-cost warning"},
		"too few series are read":   {planted{config: func(c *v1.TelemetryConfiguration) { c.Prometheus.MaxSeries = new(int32(3)) }}, "prometheus-cost error,source-read error"},
		"few edges are kept":        {planted{config: limit(2, 1)}, "bytes-resolved warning,graph-limits error"},
		"edges near the limit":      {planted{config: limit(2, 2)}, "graph-limits warning"},
		"a label that is not there": {planted{config: func(c *v1.TelemetryConfiguration) { c.Trust.ReporterNamespaceLabel = "team" }}, "source-read error,trust-reporters error"},
		"an agent is not trusted":   {planted{lines: replaced(`namespace="data",pod`, `namespace="agents",pod`), config: reporter("namespace")}, "bytes-resolved warning,telemetry-configuration warning,trust-reporters warning"},
		"one end reports":           {planted{lines: without(`namespace="data",pod`), config: func(c *v1.TelemetryConfiguration) { c.Trust.Agreement = v1.AgreementAgreed }}, "bytes-resolved warning,telemetry-configuration warning,trust-agreement warning"},
		"most is outside":           {planted{lines: replaced(`source_workload="web",source_workload_namespace="shop",source_cluster="Kubernetes"`, `source_workload="unknown",source_workload_namespace="unknown",source_cluster="unknown"`)}, "bytes-outside warning"},
		"two types":                 {planted{lines: with(linkerd()...)}, "source-found warning"},
	}
}

// linkerd is traffic of a Linkerd mesh.
func linkerd() []string {
	labels := `direction="outbound",peer="dst",namespace="shop",deployment="web",dst_namespace="shop",dst_deployment="cart",job="proxies",instance="web:15020",pod="web-1"`
	return []string{"tcp_write_bytes_total{" + labels + "} 0+15000x80", "tcp_read_bytes_total{" + labels + "} 0+15000x80"}
}

func window(d time.Duration) func(*v1.TelemetryConfiguration) {
	return func(c *v1.TelemetryConfiguration) { c.Sources[0].Window = &metav1.Duration{Duration: d} }
}

func ofType(name v1.SourceType) func(*v1.TelemetryConfiguration) {
	return func(c *v1.TelemetryConfiguration) { c.Sources[0].Type, c.Sources[0].Name = name, string(name) }
}

func reporter(label string) func(*v1.TelemetryConfiguration) {
	return func(c *v1.TelemetryConfiguration) { c.Trust.ReporterNamespaceLabel = label }
}

func limit(edges, perNamespace int32) func(*v1.TelemetryConfiguration) {
	return func(c *v1.TelemetryConfiguration) {
		c.Trust.Limits.Edges, c.Trust.Limits.NamespaceEdges = new(edges), new(perNamespace)
	}
}

// TestPlantedFaults finds each fault, and nothing else.
func TestPlantedFaults(t *testing.T) {
	for name, tc := range plantedFaults() {
		t.Run(name, func(t *testing.T) {
			report := doctor.Run(t.Context(), tc.examine(t).Checks(), nil)
			if got := strings.Join(found(t, report), ","); got != tc.want {
				out := &strings.Builder{}
				report.WriteTable(out, true)
				t.Errorf("found %s\nwant  %s\n%s", got, tc.want, out)
			}
			if name == "healthy" || name == "GET alone is allowed" {
				if n := report.Count(doctor.Unchecked); n != 2 { // those for which the cluster is needed
					t.Errorf("%d checks are unchecked", n)
				}
			}
		})
	}
}

// TestUnreachable: nothing else is said of a server that is not there.
func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	report := doctor.Run(t.Context(), planted{config: func(c *v1.TelemetryConfiguration) { c.Prometheus.URL = server.URL }}.examine(t).Checks(), nil)
	if got := found(t, report); !slices.Equal(got, []string{"prometheus-reachable error"}) {
		t.Errorf("found %v", got)
	}
	if report.Count(doctor.Unchecked) < 20 {
		t.Errorf("%d checks are unchecked", report.Count(doctor.Unchecked))
	}
}

// TestSuggestions are configurations that load, and with which nothing is left to change.
func TestSuggestions(t *testing.T) {
	cases := map[string]struct {
		planted
		want []string
	}{
		"healthy":            {planted{}, []string{"type: istio-sidecar", "window: 5m", "reporterNamespaceLabel: namespace", "agreement: agreed", "scraped every 15s", "# The scheduler needs the address within the cluster"}},
		"slow scrapes":       {planted{every: 2 * time.Minute, lines: replaced("x80", "x10")}, []string{"window: 8m", "At least 4 scrapes, one every 2m"}},
		"scraped twice":      {planted{lines: func(l []string) []string { return append(l, replaced(`job="proxies"`, `job="again"`)(mesh())...) }}, []string{`selector: job="again"`}},
		"agents":             {planted{lines: replaced(`namespace="data",pod`, `namespace="agents",pod`)}, []string{"trustedReporterNamespaces:\n  - agents", "Remove every namespace whose targets are no agents of yours"}},
		"one end":            {planted{lines: without(`namespace="data",pod`)}, []string{"reporterNamespaceLabel: namespace"}},
		"two types":          {planted{lines: with(linkerd()...)}, []string{"type: istio-sidecar", "type: linkerd"}},
		"another configured": {planted{config: ofType("linkerd")}, []string{"type: istio-sidecar"}},
		"a file":             {planted{config: window(20 * time.Second)}, []string{"window: 1m", "kind: TelemetryConfiguration"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := tc.examine(t)
			doctor.Run(t.Context(), e.Checks(), nil)
			out := &strings.Builder{}
			if err := e.Suggest(out); err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is missing", want)
				}
			}
			path := filepath.Join(t.TempDir(), "t.yaml")
			if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.LoadTelemetry(path); err != nil {
				t.Error(err)
			}
			if t.Failed() {
				t.Log(out.String())
			}
		})
	}
}

// TestNothingToSuggest where nothing has been found.
func TestNothingToSuggest(t *testing.T) {
	e := planted{lines: without("istio")}.examine(t)
	doctor.Run(t.Context(), e.Checks(), nil)
	if err := e.Suggest(&strings.Builder{}); err == nil {
		t.Error("something is suggested")
	}
}
