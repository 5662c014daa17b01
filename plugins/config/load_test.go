package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/promql"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

const header = "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration\n"

func load(t *testing.T, text string) (*v1.TelemetryConfiguration, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "telemetry.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadTelemetry(path)
	return c, path, err
}

func duration(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func pointer[T any](v T) *T { return &v }

func TestLoadTelemetry(t *testing.T) {
	meta := metav1.TypeMeta{APIVersion: v1.GroupVersion, Kind: "TelemetryConfiguration"}
	cases := map[string]struct {
		text string
		want *v1.TelemetryConfiguration
	}{
		"defaults": {
			text: header + "prometheus: {url: 'http://p:9090'}\n",
			want: &v1.TelemetryConfiguration{
				TypeMeta: meta,
				Interval: duration(30 * time.Second), HalfLife: duration(2 * time.Minute), RetainFor: duration(time.Hour),
				Prometheus: v1.Prometheus{
					URL: "http://p:9090", Timeout: duration(30 * time.Second),
					MaxBodyBytes: pointer(resource.MustParse("512Mi")), MaxSeries: pointer[int32](1000000),
				},
				Sources: []v1.TelemetrySource{{Type: "istio-sidecar", Name: "istio-sidecar", Window: duration(5 * time.Minute)}},
				Trust: v1.Trust{
					Agreement: v1.AgreementLarger, MaxForeignShare: pointer(1.0),
					Limits: v1.Limits{
						Edges: pointer[int32](300_000), NamespaceEdges: pointer[int32](250_000),
						Workloads: pointer[int32](30_000), NamespaceWorkloads: pointer[int32](20_000),
					},
				},
				Declared: v1.Declared{
					Kinds:  []v1.DeclaredKind{"Annotation", "AppGroup", "Sidecar", "Inherited"},
					Window: duration(time.Hour), MaxRate: pointer(resource.MustParse("100Mi")),
				},
			},
		},
		"everything": {
			text: header + `
interval: 10s
halfLife: 0s
retainFor: 30m
prometheus:
  url: https://p/prometheus
  timeout: 5s
  tls: {caFile: /ca, certFile: /crt, keyFile: /key, serverName: p}
  basicAuth: {username: u, passwordFile: /pw}
  headers: {X-Scope-OrgID: a}
  maxBodyBytes: 1Mi
  maxSeries: 7
sources:
- {type: istio-sidecar, name: istio, window: 2m, cluster: east, selector: 'job="envoy"', preferredIn: [shop]}
- type: promql
  name: mine
  promql:
    queries: [{measures: sent, query: 'sum by ($labels) (rate(a_total[$window]))'}]
    client: [{namespaceLabel: a_ns, nameLabel: a}]
    server: [{kind: app, namespaceLabel: b_ns, nameLabel: b}, {kind: external}]
    reporters: {by: both, label: side, clientValue: out, serverValue: in}
nodeNetworks: {query: node_network_speed_bytes, label: instance}
trust:
  reporterNamespaceLabel: namespace
  trustedReporterNamespaces: [istio-system]
  agreement: agreed
  namespaces:
  - {from: [data], to: ['*']}
  maxForeignShare: 0.5
  limits: {edges: 1000, workloads: 100, namespaceWorkloads: 50}
declared:
  kinds: []
  window: 10m
  defaultRate: 8Ki
  maxRate: 1Mi
`,
			want: &v1.TelemetryConfiguration{
				TypeMeta: meta,
				Interval: duration(10 * time.Second), HalfLife: duration(0), RetainFor: duration(30 * time.Minute),
				Prometheus: v1.Prometheus{
					URL: "https://p/prometheus", Timeout: duration(5 * time.Second),
					TLS:          &v1.TLS{CAFile: "/ca", CertFile: "/crt", KeyFile: "/key", ServerName: "p"},
					BasicAuth:    &v1.BasicAuth{Username: "u", PasswordFile: "/pw"},
					Headers:      map[string]string{"X-Scope-OrgID": "a"},
					MaxBodyBytes: pointer(resource.MustParse("1Mi")), MaxSeries: pointer[int32](7),
				},
				Sources: []v1.TelemetrySource{{
					Type: "istio-sidecar", Name: "istio", Window: duration(2 * time.Minute), Cluster: "east", Selector: `job="envoy"`, PreferredIn: []string{"shop"},
				}, {
					Type: "promql", Name: "mine", Window: duration(5 * time.Minute), PromQL: &promql.Definition{
						Scraped:   "what has the metrics of this source",
						Queries:   []promql.Query{{Name: "sent", Measures: "sent", Unit: "bytes", Query: "sum by ($labels) (rate(a_total[$window]))"}},
						Client:    []promql.End{{Kind: "workload", NamespaceLabel: "a_ns", NameLabel: "a"}},
						Server:    []promql.End{{Kind: "app", NamespaceLabel: "b_ns", NameLabel: "b", PodLabel: "app"}, {Kind: "external"}},
						Reporters: promql.Reporters{By: "both", Label: "side", ClientValue: "out", ServerValue: "in", Instances: "sum"},
					},
				}},
				NodeNetworks: &v1.NodeNetworks{Query: "node_network_speed_bytes", Label: "instance"},
				Trust: v1.Trust{
					ReporterNamespaceLabel: "namespace", TrustedReporterNamespaces: []string{"istio-system"},
					Agreement: v1.AgreementAgreed, MaxForeignShare: pointer(0.5),
					Namespaces: []v1.NamespaceRule{{From: []string{"data"}, To: []string{"*"}}},
					Limits: v1.Limits{
						Edges: pointer[int32](1000), NamespaceEdges: pointer[int32](1000),
						Workloads: pointer[int32](100), NamespaceWorkloads: pointer[int32](50),
					},
				},
				Declared: v1.Declared{
					Kinds: []v1.DeclaredKind{}, Window: duration(10 * time.Minute),
					DefaultRate: pointer(resource.MustParse("8Ki")), MaxRate: pointer(resource.MustParse("1Mi")),
				},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, _, err := load(t, tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadTelemetryRefuses(t *testing.T) {
	const ok = header + "prometheus: {url: 'http://p:9090'}\n"
	cases := map[string]struct {
		text string
		want string // after "<path>: "
	}{
		"empty file":        {"", `apiVersion: Unsupported value: "": supported values: "config.vicinity.dev/v1"; kind: `},
		"other kind":        {strings.Replace(ok, "Telemetry", "X", 1), `kind: Unsupported value: "XConfiguration"`},
		"no prometheus":     {header, "prometheus.url: Required value"},
		"unknown type":      {ok + "sources: [{type: istioo}]", `sources[0].type: Unsupported value: "istioo": supported values: "`},
		"unknown field":     {ok + "sources: [{type: istio-sidecar, windows: 1m}]", "sources[0].windows: Forbidden: unknown field; known here are cluster, name, preferredIn, promql, recorded, selector, type, window"},
		"two mistakes":      {ok + "intervall: 1s\nhalfLive: 1s", "halfLive: Forbidden: unknown field; known here are apiVersion, declared, halfLife, interval, kind, nodeNetworks, prometheus, retainFor, sites, sources, trust; intervall: Forbidden: "},
		"wrong case":        {ok + "Interval: 1s", "Interval: Forbidden: unknown field"},
		"repeated field":    {ok + "interval: 1s\ninterval: 2s", `key "interval" already set in map`},
		"bad duration":      {ok + "halfLife: 2 minutes", `halfLife: Invalid value: "2 minutes": must be a duration such as 30s or 5m`},
		"number duration":   {ok + "interval: 30", "interval: Invalid value: 30: must be a duration such as 30s or 5m"},
		"deep duration":     {ok + "sources: [{type: istio-sidecar}, {type: istio-sidecar, name: b, window: x}]", `sources[1].window: Invalid value: "x": must be a duration such as 30s or 5m`},
		"bad quantity":      {header + "prometheus: {url: 'http://p', maxBodyBytes: lots}", `prometheus.maxBodyBytes: Invalid value: "lots": must be an amount such as 100Mi`},
		"not a list":        {ok + "sources: {a: b}", "sources: Invalid value: \"a map\": must be a list"},
		"not a map":         {"- a", "file: Forbidden: must be a map"},
		"not YAML":          {header + "a: b: c", "line 3: mapping values are not allowed in this context"},
		"scheduler config":  {"apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n", "the file is a KubeSchedulerConfiguration, not a TelemetryConfiguration; vicinity replay takes it with --scheduler-config, vicinity-scheduler with --config"},
		"graph":             {`{"schema": "vicinity.graph/v1"}`, "the file is the JSON output of vicinity graph, not a TelemetryConfiguration; convert"},
		"header is no text": {header + "prometheus: {url: 'http://p', headers: {a: [1]}}", "prometheus.headers[a]: Invalid value: \"a list\": must be a string"},
		"short interval":    {ok + "interval: 10ms", `interval: Invalid value: "10ms": must be at least 1s`},
		"unknown kind":      {ok + "declared: {kinds: [Service]}", `declared.kinds[0]: Unsupported value: "Service": supported values: "Annotation", "AppGroup", "Sidecar", "Inherited"`},
		"kind twice":        {ok + "declared: {kinds: [Sidecar, Sidecar]}", `declared.kinds[1]: Duplicate value: "Sidecar"`},
		"no time":           {ok + "declared: {window: 0s}", `declared.window: Invalid value: "0s": must be at least 1s`},
		"negative rates":    {ok + "declared: {defaultRate: 0, maxRate: -1}", `declared.defaultRate: Invalid value: "0": must be above 0 and at most 1T, in bytes per second; declared.maxRate: Invalid value: "-1"`},
		"short retention":   {ok + "retainFor: 1s", `retainFor: Invalid value: "1s": must be at least 30s`},
		"negative halfLife": {ok + "halfLife: -1s", `halfLife: Invalid value: "-1s"`},
		"short window":      {ok + "sources: [{type: istio-sidecar, window: 4s}]", `sources[0].window: Invalid value: "4s": must be at least 5s`},
		"uneven window":     {ok + "sources: [{type: istio-sidecar, window: 60100ms}]", "must be whole seconds"},
		"same name":         {ok + "sources: [{type: istio-sidecar}, {type: istio-sidecar}]", `sources[1].name: Duplicate value: "istio-sidecar"`},
		"bad selector":      {ok + "sources: [{type: istio-sidecar, selector: a}]", `sources[0].selector: Invalid value: "a"`},
		"promql of another": {ok + "sources: [{type: istio-sidecar, promql: {}}]", "sources[0].promql: Forbidden: goes with the type promql only; vicinity sources show istio-sidecar"},
		"no promql":         {ok + "sources: [{type: promql}]", "sources[0].promql: Required value: the type promql is what this field says; vicinity sources show promql"},
		"broken promql": {ok + "sources: [{type: promql, promql: {queries: [{measures: sent, query: 'rate(a[5m])'}], client: [{namespaceLabel: a, nameLabel: b}], server: [{nameLabel: b}]}}]",
			`sources[0].promql.queries[0].query: Invalid value: "rate(a[5m])": the range at byte 6 must be [$window], so that the window of the source is that of all rates; sources[0].promql.server[0].namespaceLabel: Required value: say which label`},
		"field of promql": {ok + "sources: [{type: promql, promql: {query: a}}]", "sources[0].promql.query: Forbidden: unknown field; known here are client, queries, reporters, scraped, server"},
		"no rules":        {ok + "sources: [{type: promql, recorded: true}]", "sources[0].recorded: Invalid value: true: there are no recording rules for the type promql"},
		"one end agrees": {ok + "trust: {agreement: agreed}\nsources: [{type: promql, promql: {queries: [{measures: sent, query: a}], client: [{namespaceLabel: a, nameLabel: b}], server: [{namespaceLabel: c, nameLabel: d}]}}]",
			`sources[0].promql.reporters.by: Invalid value: "client": one end alone reports, and with trust.agreement: agreed nothing between namespaces would count. Set trust.agreement: larger`},
		"untrusted agents":  {ok + "trust: {reporterNamespaceLabel: namespace}\nsources: [{type: caretta}]", `sources[0].type: Invalid value: "caretta": with trust.reporterNamespaceLabel agents are believed only from trusted namespaces: name theirs in trust.trustedReporterNamespaces`},
		"preferred nowhere": {ok + "sources: [{type: istio-sidecar, preferredIn: [Shop]}]", `sources[0].preferredIn[0]: Invalid value: "Shop": must be the name of a namespace, or "*" for all`},
		"no query":          {ok + "nodeNetworks: {label: node}", "nodeNetworks.query: Required value: PromQL"},
		"not a label":       {ok + "nodeNetworks: {query: a, label: a-b}", `nodeNetworks.label: Invalid value: "a-b": must be the name of a label`},
		"taken name":        {ok + "nodeNetworks: {query: a}\nsources: [{type: istio-sidecar, name: node-networks}]", `sources[0].name: Invalid value: "node-networks": is what nodeNetworks is called`},
		"URL with password": {header + "prometheus: {url: 'http://u:hunter2@p'}", "prometheus.url: Forbidden: must not hold credentials"},
		"half a cert":       {header + "prometheus: {url: 'http://p', tls: {certFile: a}}", "prometheus.tls: Required value: certFile and keyFile"},
		"half basic auth":   {header + "prometheus: {url: 'http://p', basicAuth: {username: a}}", "prometheus.basicAuth.passwordFile: Required value"},
		"two credentials":   {header + "prometheus: {url: 'http://p', bearerTokenFile: t, basicAuth: {username: a, passwordFile: b}}", "prometheus.basicAuth: Forbidden: excludes bearerTokenFile"},
		"authorization":     {header + "prometheus: {url: 'http://p', headers: {authorization: hunter2}}", "prometheus.headers[authorization]: Forbidden: credentials"},
		"no series":         {header + "prometheus: {url: 'http://p', maxSeries: 0}", "prometheus.maxSeries: Invalid value: 0"},
		"too many series":   {header + "prometheus: {url: 'http://p', maxSeries: 3000000000}", "prometheus.maxSeries: Invalid value: 3e+09: must be an integer (int32)"},
		"forgeable label":   {ok + "trust: {reporterNamespaceLabel: source_workload_namespace}", `trust.reporterNamespaceLabel: Invalid value: "source_workload_namespace": must be a label that the scrape attaches, such as namespace`},
		"trusted by none":   {ok + "trust: {trustedReporterNamespaces: [a]}", "trust.reporterNamespaceLabel: Required value: trustedReporterNamespaces exempts namespaces from it"},
		"trusting all":      {ok + "trust: {reporterNamespaceLabel: namespace, trustedReporterNamespaces: ['*']}", `trust.trustedReporterNamespaces[0]: Invalid value: "*": must be the name of a namespace`},
		"half agreed":       {ok + "trust: {agreement: half}", `trust.agreement: Unsupported value: "half": supported values: "larger", "agreed"`},
		"no side":           {ok + "trust: {namespaces: [{from: [a]}]}", `trust.namespaces[0].to: Required value: name namespaces, or "*"`},
		"bad namespace":     {ok + "trust: {namespaces: [{from: ['a*'], to: [b]}]}", `trust.namespaces[0].from[0]: Invalid value: "a*": must be the name of a namespace, or "*"`},
		"no share":          {ok + "trust: {maxForeignShare: 0}", "trust.maxForeignShare: Invalid value: 0: must be above 0 and at most 1"},
		"share of all":      {ok + "trust: {maxForeignShare: 1.5}", "trust.maxForeignShare: Invalid value: 1.5"},
		"no edges":          {ok + "trust: {limits: {edges: 0}}", "trust.limits.edges: Invalid value: 0: must be at least 1"},
		"beyond all edges":  {ok + "trust: {limits: {edges: 5, namespaceEdges: 6}}", "trust.limits.namespaceEdges: Invalid value: 6: must be at most edges (5)"},
		"no body":           {header + "prometheus: {url: 'http://p', maxBodyBytes: 0}", "prometheus.maxBodyBytes: Invalid value"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, path, err := load(t, tc.text)
			if err == nil {
				t.Fatal("no error")
			}
			got, ok := strings.CutPrefix(err.Error(), path+": ")
			if !ok || !strings.Contains(got, tc.want) {
				t.Errorf("error = %v\nwant it to begin with the path and say %s", err, tc.want)
			}
			if strings.Contains(got, "\n") || strings.Contains(got, "hunter2") {
				t.Errorf("error = %v, want one line without secrets", err)
			}
		})
	}
	if _, err := LoadTelemetry("/nonexistent/t.yaml"); err == nil || !strings.Contains(err.Error(), "/nonexistent/t.yaml") {
		t.Errorf("error = %v, want it to name the file", err)
	}
}
