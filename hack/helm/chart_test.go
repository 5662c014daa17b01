package helm

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/prometheus/promql/parser"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestLint(t *testing.T) {
	out, err := run(t, "lint", "--strict", "--kube-version", "v1.37.0", chart)
	if err != nil || !strings.Contains(out, "0 chart(s) failed") {
		t.Errorf("helm lint: %v\n%s", err, out)
	}
}

func deployment(t *testing.T, all objects) appsv1.Deployment {
	t.Helper()
	var d appsv1.Deployment
	all.decode(t, "Deployment vicinity-scheduler", &d)
	return d
}

// TestReleasesDoNotCollide: two releases share no object and select no pods of each other,
// unless they serve the same scheduler name, which must not be.
func TestReleasesDoNotCollide(t *testing.T) {
	names := func(release, namespace, schedulerName string) []string {
		text, err := run(t, "template", release, chart, "--namespace", namespace, "--kube-version", "v1.37.0",
			"--set", "schedulerName="+schedulerName, "--set", "serviceMonitor.enabled=true,prometheusRule.enabled=true,rbac.coldStarts=true,rbac.destinationRules=true,priorityClassQuota=true")
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, object := range parse(t, text) {
			all = append(all, object.GetKind()+" "+object.GetNamespace()+"/"+object.GetName())
		}
		return all
	}
	first := names("vicinity", "vicinity-system", "vicinity")
	if len(first) < 20 {
		t.Fatalf("only %d objects", len(first))
	}
	for _, other := range [][]string{names("near", "vicinity-system", "near"), names("vicinity", "elsewhere", "near")} {
		for _, name := range other {
			if slices.Contains(first, name) {
				t.Errorf("both have %s", name)
			}
		}
	}
	shared := slices.DeleteFunc(names("near", "elsewhere", "vicinity"), func(name string) bool { return !slices.Contains(first, name) })
	if !slices.Contains(shared, "ClusterRoleBinding /vicinity:kube-scheduler") {
		t.Errorf("two releases that serve one name share only %v: helm would install both", shared)
	}
	text, err := run(t, "template", "near", chart, "--namespace", "vicinity-system", "--kube-version", "v1.37.0", "--set", "schedulerName=near")
	if err != nil {
		t.Fatal(err)
	}
	var d appsv1.Deployment
	parse(t, text).decode(t, "Deployment near-scheduler", &d)
	if cmp.Equal(d.Spec.Selector, deployment(t, render(t, "")).Spec.Selector) {
		t.Error("both Deployments select the same pods")
	}
}

// TestServiceMonitor decodes it into the operator's own type: it finds the Service, the port
// and the token.
func TestServiceMonitor(t *testing.T) {
	all := render(t, "serviceMonitor: {enabled: true, interval: 30s, serverName: vicinity}\nmetrics: {tlsSecret: tls}")
	var monitor monitoringv1.ServiceMonitor
	all.decode(t, "ServiceMonitor vicinity-scheduler", &monitor)
	var service corev1.Service
	all.decode(t, "Service vicinity-scheduler", &service)
	var secret corev1.Secret
	all.decode(t, "Secret vicinity-scheduler-metrics", &secret)
	endpoint := monitor.Spec.Endpoints[0]
	if endpoint.Port != service.Spec.Ports[0].Name || service.Spec.Ports[0].TargetPort.StrVal != deployment(t, all).Spec.Template.Spec.Containers[0].Ports[0].Name {
		t.Errorf("the monitor scrapes port %s of %+v", endpoint.Port, service.Spec.Ports)
	}
	for key, value := range monitor.Spec.Selector.MatchLabels {
		if service.Labels[key] != value {
			t.Errorf("the monitor selects %s=%s, the Service has %v", key, value, service.Labels)
		}
	}
	if got := endpoint.Authorization.Credentials; got.Name != secret.Name || got.Key != corev1.ServiceAccountTokenKey || secret.Type != corev1.SecretTypeServiceAccountToken {
		t.Errorf("the token is in %+v", got)
	}
	if got := endpoint.TLSConfig; *got.ServerName != "vicinity" || got.CA.Secret.Name != "tls" || got.InsecureSkipVerify != nil {
		t.Errorf("the certificate is verified by %+v", got)
	}
}

// TestPrometheusRule has every alert of the manual but the disabled one, as it is there, in the
// chart and in the component, and expressions that Prometheus can read.
func TestPrometheusRule(t *testing.T) {
	want := alertsOfTheManual(t)
	var component, rule monitoringv1.PrometheusRule
	kustomize(t, "components/prometheus-rule").decode(t, "PrometheusRule vicinity-alerts", &component)
	if diff := cmp.Diff(want, alerts(t, component, "5m", "warning")); diff != "" {
		t.Errorf("alerts (-docs/metrics.md +component):\n%s", diff)
	}
	all := render(t, "prometheusRule: {enabled: true, recordingRules: true, for: 7m, severity: page, disabled: [VicinitySiteApart]}")
	all.decode(t, "PrometheusRule vicinity-scheduler", &rule)
	if _, ok := want["VicinitySiteApart"]; !ok || len(rule.Spec.Groups) != 2 {
		t.Errorf("%d groups, want alerts and recording rules", len(rule.Spec.Groups))
	}
	delete(want, "VicinitySiteApart")
	if diff := cmp.Diff(want, alerts(t, rule, "7m", "page")); diff != "" {
		t.Errorf("alerts (-docs/metrics.md +chart):\n%s", diff)
	}
}

// alerts returns the expressions of a rule's alerts by name, and parses those of all rules.
func alerts(t *testing.T, rule monitoringv1.PrometheusRule, after, severity string) map[string]string {
	t.Helper()
	promql := parser.NewParser(parser.Options{})
	found := map[string]string{}
	for _, group := range rule.Spec.Groups {
		for _, r := range group.Rules {
			if _, err := promql.ParseExpr(r.Expr.StrVal); err != nil {
				t.Errorf("%s%s: %v", r.Alert, r.Record, err)
			}
			if r.Record != "" {
				continue
			}
			found[r.Alert] = r.Expr.StrVal
			// Prometheus expands templates in annotations.
			text := r.Annotations["description"]
			if string(*r.For) != after || r.Labels["severity"] != severity || text == "" || strings.Contains(text, "{{") ||
				!strings.HasSuffix(r.Annotations["runbook_url"], "#"+strings.ToLower(r.Alert)) {
				t.Errorf("%s: %+v", r.Alert, r)
			}
		}
	}
	return found
}

// alertsOfTheManual returns the expressions by the alert's name.
func alertsOfTheManual(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	alerts := map[string]string{}
	_, section, _ := strings.Cut(string(text), "\n## What to alert on\n")
	for _, part := range strings.Split(section, "\n### ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		_, code, _ := strings.Cut(rest, "```promql\n")
		alerts[name], _, _ = strings.Cut(code, "\n```")
	}
	if len(alerts) < 15 {
		t.Fatalf("only %d alerts in docs/metrics.md", len(alerts))
	}
	return alerts
}

// withDashboard returns a copy of the chart that has one more dashboard.
func withDashboard(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dashboards", "one-more.json"), []byte("{\n  \"title\": \"{{ $labels }}\"\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDashboards: each file is in a ConfigMap as it is, which Grafana's sidecar selects.
func TestDashboards(t *testing.T) {
	dir := withDashboard(t)
	files, _ := filepath.Glob(dir + "/dashboards/*.json")
	all := renderOf(t, dir, "dashboards: {enabled: true, annotations: {grafana_folder: Vicinity}}")
	for _, file := range files {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var object corev1.ConfigMap
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		all.decode(t, "ConfigMap vicinity-scheduler-dashboard-"+name, &object)
		got := object.Data[name+".json"]
		if object.Labels["grafana_dashboard"] != "1" || object.Annotations["grafana_folder"] != "Vicinity" || strings.TrimSpace(got) != strings.TrimSpace(string(want)) {
			t.Errorf("%s is in %+v", file, object)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%s is no JSON", file)
		}
	}
}
