package helm

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/vicinity-sched/vicinity/plugins/config"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// TestEveryValueIsUsed changes each value in turn; the chart must then render something else.
func TestEveryValueIsUsed(t *testing.T) {
	changes := valueChanges()
	keys := documented(t)
	if diff := cmp.Diff(keys, slices.Sorted(maps.Keys(changes))); diff != "" {
		t.Fatalf("the keys of the manual and those of this test (-manual +test):\n%s", diff)
	}
	dir := withDashboard(t)
	for _, key := range keys {
		t.Run(key, func(t *testing.T) {
			before, after := changes[key][0], changes[key][1]
			// A file that is named later takes precedence, key by key.
			without := renderOf(t, dir, before)
			with := renderOf(t, dir, before, "--values", writeFile(t, after))
			if cmp.Equal(without, with) {
				t.Errorf("%q after %q changes nothing", after, before)
			}
		})
	}
}

// documented returns the keys with a default in docs/chart-values.md, sorted.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/chart-values.md")
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		if key, ok := strings.CutPrefix(cells[0], "| `"); ok && strings.TrimSpace(cells[1]) != "" {
			keys = append(keys, strings.TrimSuffix(key, "`"))
		}
	}
	slices.Sort(keys)
	return keys
}

func TestSchemaRefuses(t *testing.T) {
	for values, where := range map[string]string{
		"replica: 3":              "replica",
		"replicas: 0":             "/replicas",
		"replicas: two":           "/replicas",
		"image: {name: vicinity}": "/image",
		"image: {registry: 'https://registry.example.com'}": "/image/registry",
		"image: {tag: 1.0}":                                               "/image/tag",
		"image: {digest: 0123}":                                           "/image/digest",
		"image: {pullPolicy: always}":                                     "/image/pullPolicy",
		"schedulerName: ''":                                               "/schedulerName",
		"profile: fast":                                                   "/profile",
		"scheduler: {weight: -1}":                                         "/scheduler/weight",
		"scheduler: {percentageOfNodesToScore: 101}":                      "/scheduler/percentageOfNodesToScore",
		"scheduler: {args: {maxshare: {}}}":                               "/scheduler/args",
		"telemetry: {source: []}":                                         "/telemetry",
		"telemetry: {sources: []}":                                        "/telemetry/sources",
		"telemetry: {prometheus: {url: prometheus:9090}}":                 "/telemetry/prometheus/url",
		"telemetry: {prometheus: {url: 'http://me:pw@host'}}":             "/telemetry/prometheus/url",
		"prometheusCredentials: {tokenKey: token}":                        "/prometheusCredentials/secret",
		"prometheusCredentials: {secret: s, tokenKey: a/b}":               "/prometheusCredentials/tokenKey",
		"prometheusCredentials: {secret: s, tokenKey: t, passwordKey: p}": "/prometheusCredentials/passwordKey",
		"prometheusCredentials: {secret: s, username: reader}":            "/prometheusCredentials/passwordKey",
		"prometheusCredentials: {secret: s, passwordKey: p}":              "/prometheusCredentials/username",
		"prometheusCredentials: {secret: s, certKey: c}":                  "/prometheusCredentials/keyKey",
		"prometheusCredentials: {secret: s, keyKey: k}":                   "/prometheusCredentials/certKey",
		"scheduler: {config: {profiles: []}, weight: 3}":                  "/scheduler/weight",
		"scheduler: {config: {profiles: []}, args: {shadow: true}}":       "/scheduler/args",
		"schedulerName: default-scheduler":                                "/schedulerName",
		"commonLabels: {team: 'a b'}":                                     "/commonLabels/team",
		"dashboards: {labels: {helm.sh/chart: other}}":                    "invalid propertyName 'helm.sh/chart'",
		"podAnnotations: {checksum/config: none}":                         "invalid propertyName 'checksum/config'",
		"telemetry: {prometheus: {url: 'http://prometheus:9090x'}}":       "/telemetry/prometheus/url",
		"serviceMonitor: {interval: 30s1m}":                               "/serviceMonitor/interval",
		"serviceMonitor: {serverName: vicinity}":                          "/metrics/tlsSecret",
		"image: null":                                                     "missing property 'image'",
		"podLabels: {app.kubernetes.io/name: other}":                      "invalid propertyName 'app.kubernetes.io/name'",
		"nodeSelector: {a: 1}":                                            "/nodeSelector",
		"serviceAccount: {create: false}":                                 "/serviceAccount/name",
		"networkPolicy: {dnsPorts: []}":                                   "/networkPolicy/dnsPorts",
		"networkPolicy: {apiServer: {ports: [70000]}}":                    "/networkPolicy/apiServer/ports/0",
		"metrics: {readers: [prometheus]}":                                "/metrics/readers/0",
		"serviceMonitor: {interval: soon}":                                "/serviceMonitor/interval",
		"prometheusRule: {enabled: true, alerts: false}":                  "/prometheusRule",
		"dashboards: {enabled: 'yes'}":                                    "/dashboards/enabled",
	} {
		t.Run(values, func(t *testing.T) {
			_, err := template(t, values)
			if err == nil || !strings.Contains(err.Error(), "values don't meet the specifications of the schema") || !strings.Contains(err.Error(), where) {
				t.Errorf("error %v, want one of the schema about %s", err, where)
			}
		})
	}
}

// TestTemplatesRefuse what a schema cannot say.
func TestTemplatesRefuse(t *testing.T) {
	for values, want := range map[string]string{
		"scheduler: {config: {profiles: [{schedulerName: other}]}}":        `scheduler.config has no profile named "vicinity": set schedulerName to one of other`,
		"scheduler: {config: {profiles: [{schedulerName: vicinity}, {}]}}": "kube-scheduler places the same pods",
		"prometheusRule: {enabled: true, disabled: [VicinityDataStales]}":  "prometheusRule.disabled names no alert of the chart: VicinityDataStales",
	} {
		if _, err := template(t, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", values, err, want)
		}
	}
}

// TestSchemaNamesTheFields compares the schema with the types that the values are of.
func TestSchemaNamesTheFields(t *testing.T) {
	text, err := os.ReadFile(chart + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type properties map[string]struct {
		Properties map[string]json.RawMessage
	}
	var schema struct {
		Properties struct {
			Telemetry struct{ Properties map[string]json.RawMessage }
			Scheduler struct{ Properties properties }
		}
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for kind, named := range map[reflect.Type]map[string]json.RawMessage{
		reflect.TypeFor[configv1.TelemetryConfiguration](): schema.Properties.Telemetry.Properties,
		reflect.TypeFor[configv1.TrafficLocalityArgs]():    schema.Properties.Scheduler.Properties["args"].Properties,
	} {
		var fields []string
		for _, field := range reflect.VisibleFields(kind) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "kind" && name != "apiVersion" {
				fields = append(fields, name)
			}
		}
		slices.Sort(fields)
		if diff := cmp.Diff(fields, slices.Sorted(maps.Keys(named))); diff != "" {
			t.Errorf("fields of %s (-type +schema):\n%s", kind.Name(), diff)
		}
	}
}

// TestTelemetryIsPassedThrough: what the values say is what the scheduler's own parser reads.
func TestTelemetryIsPassedThrough(t *testing.T) {
	const given = `
interval: 1m
halfLife: 0s
retainFor: 2h
prometheus:
  url: https://prometheus.example.com/tenant
  timeout: 10s
  headers: {X-Scope-OrgID: a}
  maxSeries: 2000000
sources:
- type: istio-sidecar
  window: 10m
  recorded: true
- type: istio-sidecar
  name: shop
  selector: 'job="shop"'
  preferredIn: [shop]
sites:
- name: database
  zone: a
  hosts: [db.example.com]
trust:
  reporterNamespaceLabel: namespace
  agreement: agreed
  maxForeignShare: 0.5
  limits: {edges: 1000000}
`
	want, err := config.LoadTelemetry(writeFile(t, "apiVersion: config.vicinity.dev/v1\nkind: TelemetryConfiguration"+given))
	if err != nil {
		t.Fatal(err)
	}
	got, err := render(t, "telemetry:"+strings.ReplaceAll(given, "\n", "\n  ")).telemetry(t)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("TelemetryConfiguration (-given +rendered):\n%s", diff)
	}
}

// TestCredentials: the files that the configuration names are keys of the mounted Secret.
func TestCredentials(t *testing.T) {
	all := render(t, "prometheusCredentials: {secret: s, username: reader, passwordKey: password, caKey: ca.crt, certKey: tls.crt, keyKey: tls.key}\n"+
		"telemetry: {prometheus: {url: 'https://prometheus.example.com', tls: {serverName: prometheus}}}")
	c, err := all.telemetry(t)
	if err != nil {
		t.Fatal(err)
	}
	const dir = "/etc/vicinity/prometheus/"
	wantTLS := &configv1.TLS{ServerName: "prometheus", CAFile: dir + "ca.crt", CertFile: dir + "tls.crt", KeyFile: dir + "tls.key"}
	if diff := cmp.Diff(wantTLS, c.Prometheus.TLS); diff != "" {
		t.Errorf("tls (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&configv1.BasicAuth{Username: "reader", PasswordFile: dir + "password"}, c.Prometheus.BasicAuth); diff != "" {
		t.Errorf("basicAuth (-want +got):\n%s", diff)
	}
	pod := deployment(t, all).Spec.Template.Spec
	if got := pod.Volumes[1].Secret.SecretName; got != "s" {
		t.Errorf("the Secret is %s", got)
	}
	if got := pod.Containers[0].VolumeMounts[1].MountPath + "/"; got != dir {
		t.Errorf("it is mounted at %s, want %s", got, dir)
	}
	c, err = render(t, "prometheusCredentials: {secret: s, tokenKey: token}").telemetry(t)
	if err != nil || c.Prometheus.BearerTokenFile != dir+"token" {
		t.Errorf("the token is in %q: %v", c.Prometheus.BearerTokenFile, err)
	}
}

// TestProfiles: a profile's file is rendered as it is, and scheduler.args and scheduler.weight
// replace single fields.
func TestProfiles(t *testing.T) {
	for _, name := range []string{"latency", "cost", "availability"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile("../../manifests/profiles/" + name + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			want, wantArgs := schedulerConfig(t, text)
			got, gotArgs := schedulerConfig(t, render(t, "profile: "+name).config(t, "scheduler.yaml"))
			if diff := cmp.Diff([]any{want, wantArgs}, []any{got, gotArgs}); diff != "" {
				t.Errorf("configuration (-file +chart):\n%s", diff)
			}
		})
	}
	c, args := schedulerConfig(t, render(t, "schedulerName: near\nscheduler: {weight: 3, percentageOfNodesToScore: 0, args: {maxShare: {zone: 1}, cost: {zone: 0.0, region: 0.01, remote: 0.02}}}").config(t, "scheduler.yaml"))
	if p := c.Profiles[0]; *p.SchedulerName != "near" || *p.Plugins.MultiPoint.Enabled[0].Weight != 3 || *c.PercentageOfNodesToScore != 0 {
		t.Errorf("the configuration is %+v", c)
	}
	if *args.MaxShare.Node != 0.66 || *args.MaxShare.Zone != 1 || *args.Cost.Remote != 0.02 {
		t.Errorf("the arguments are %+v", args)
	}
}

// TestNetworkPolicyFollowsTheURL: where Prometheus is comes from its URL unless it is given.
func TestNetworkPolicyFollowsTheURL(t *testing.T) {
	for values, want := range map[string]string{
		"": "monitoring:9090",
		"telemetry: {prometheus: {url: 'http://prometheus.observability:80/base'}}":                                  "observability:80",
		"telemetry: {prometheus: {url: 'https://thanos.observability.svc'}}":                                         "observability:443",
		"telemetry: {prometheus: {url: 'http://thanos.observability.svc.cluster.local'}}":                            "observability:80",
		"telemetry: {prometheus: {url: 'http://prometheus:9090'}}":                                                   "vicinity-system:9090",
		"telemetry: {prometheus: {url: 'http://localhost:9090'}}":                                                    "",
		"telemetry: {prometheus: {url: 'http://[2001:db8::7]:9090'}}":                                                "",
		"telemetry: {prometheus: {url: 'http://Prometheus.Observability:80'}}":                                       "observability:80",
		"telemetry: {prometheus: {url: 'http://prometheus.observability.:80'}}":                                      "observability:80",
		"telemetry: {prometheus: {url: 'http://thanos.observability.svc.cluster.local.'}}":                           "observability:80",
		"{telemetry: {prometheus: {url: 'http://[2001:db8::7]:9090'}}, networkPolicy: {prometheus: {namespace: b}}}": "b:9090",
		"{telemetry: {prometheus: {url: 'https://[2001:db8::7]/a'}}, networkPolicy: {prometheus: {namespace: b}}}":   "b:443",
		"telemetry: {prometheus: {url: 'https://prometheus.example.com'}}":                                           "",
		"telemetry: {prometheus: {url: 'https://aps.eu-west-1.example.com'}}":                                        "",
		"telemetry: {prometheus: {url: 'http://192.0.2.7:9090'}}":                                                    "",
		"{telemetry: {prometheus: {url: 'http://p.a:80'}}, networkPolicy: {prometheus: {namespace: b, port: 9090}}}": "b:9090",
	} {
		t.Run(values, func(t *testing.T) {
			var policy networkingv1.NetworkPolicy
			render(t, values).decode(t, "NetworkPolicy vicinity-scheduler", &policy)
			got := ""
			for _, rule := range policy.Spec.Egress {
				if len(rule.To) > 0 && rule.To[0].NamespaceSelector != nil {
					got += rule.To[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] + ":" + rule.Ports[0].Port.String()
				}
			}
			if got != want {
				t.Errorf("Prometheus is at %q, want %q", got, want)
			}
		})
	}
}

// writeFile writes a temporary file of values and returns its path.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "values-") // t.TempDir may have a comma, at which helm splits
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := dir + "/values.yaml"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
