package helm

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// everything switches on all that the chart can create.
const everything = `
priorityClassQuota: true
rbac: {destinationRules: true, coldStarts: true}
metrics: {service: true, token: true}
serviceMonitor: {enabled: true}
prometheusRule: {enabled: true, recordingRules: true}
dashboards: {enabled: true}
`

// typed decodes every object strictly into its type, and fails where one does not fit, where a
// field is null, and where a name is none.
func typed(t *testing.T, all objects) {
	t.Helper()
	for key, object := range all {
		into, known := map[string]any{
			"ClusterRole": &rbacv1.ClusterRole{}, "ClusterRoleBinding": &rbacv1.ClusterRoleBinding{}, "Role": &rbacv1.Role{}, "RoleBinding": &rbacv1.RoleBinding{},
			"ConfigMap": &corev1.ConfigMap{}, "Secret": &corev1.Secret{}, "Service": &corev1.Service{}, "ServiceAccount": &corev1.ServiceAccount{},
			"Pod": &corev1.Pod{}, "ResourceQuota": &corev1.ResourceQuota{}, "Deployment": &appsv1.Deployment{}, "NetworkPolicy": &networkingv1.NetworkPolicy{},
			"PodDisruptionBudget": &policyv1.PodDisruptionBudget{}, "ServiceMonitor": &monitoringv1.ServiceMonitor{}, "PrometheusRule": &monitoringv1.PrometheusRule{},
		}[object.GetKind()]
		if !known {
			t.Errorf("%s: a kind that this test does not know", key)
			continue
		}
		all.decode(t, key, into)
		for _, path := range nulls("", object.Object) {
			t.Errorf("%s: %s is null", key, path)
		}
		if object.GetKind() == "Service" {
			if errs := validation.IsDNS1035Label(object.GetName()); len(errs) > 0 {
				t.Errorf("%s: %v", key, errs)
			}
		}
		if errs := validation.IsDNS1123Subdomain(strings.ReplaceAll(object.GetName(), ":", "-")); len(errs) > 0 {
			t.Errorf("%s: %v", key, errs)
		}
	}
}

// nulls returns the paths of fields that are null.
func nulls(path string, value any) (found []string) {
	switch value := value.(type) {
	case nil:
		return []string{path}
	case map[string]any:
		for key, v := range value {
			found = append(found, nulls(path+"."+key, v)...)
		}
	case []any:
		for _, v := range value {
			found = append(found, nulls(path+"[]", v)...)
		}
	}
	return found
}

// TestOddStrings: what is a string stays one, whatever YAML would make of it.
func TestOddStrings(t *testing.T) {
	values := everything + `
schedulerName: "123"
image: {tag: "1.0", registry: "127.0.0.1:5000", pullPolicy: Never}
commonLabels: {a: "true", b: "1e3"}
podLabels: {c: "null"}
podAnnotations: {d: "yes: {{ no }}\n- \"'"}
priorityClassName: "1e3"
imagePullSecrets: [{name: "1"}]
serviceAccount: {name: "0x1f", annotations: {e: "1"}}
prometheusCredentials: {secret: "456", tokenKey: "7"}
networkPolicy: {metricsFrom: "789", prometheus: {namespace: "1e2"}, apiServer: {cidrs: ["192.0.2.1/32"]}}
scheduler: {extraArgs: ["-v=4", "--x={{ y }}: \"'"]}
extraEnv: [{name: A, value: "1"}]
telemetry: {prometheus: {url: "http://prometheus.monitoring:9090", headers: {X-Scope-OrgID: "1e3", X-Other: "a: {{ b }}\n- \"'"}}}
`
	values = strings.Replace(values, "metrics: {service: true, token: true}", `metrics: {service: true, token: true, tlsSecret: "10", readers: [{namespace: "11", name: "12"}]}`, 1)
	values = strings.Replace(values, "serviceMonitor: {enabled: true}", `serviceMonitor: {enabled: true, labels: {f: "on"}, interval: 1m, serverName: "*.example.com"}`, 1)
	values = strings.Replace(values, "recordingRules: true}", `recordingRules: true, severity: "a: {{ b }}"}`, 1)
	for _, release := range []string{"true", "null", "vicinity"} {
		t.Run(release, func(t *testing.T) {
			text, err := run(t, "template", release, chart, "--namespace", "456", "--kube-version", "v1.37.0", "--values", writeFile(t, values))
			if err != nil {
				t.Fatal(err)
			}
			all := parse(t, text)
			typed(t, all)
			var d appsv1.Deployment
			all.decode(t, "Deployment "+release+"-scheduler", &d)
			pod := d.Spec.Template
			if diff := cmp.Diff("yes: {{ no }}\n- \"'", pod.Annotations["d"]); diff != "" {
				t.Errorf("the annotation (-want +got):\n%s", diff)
			}
			if got := pod.Spec.Containers[0].Args[len(pod.Spec.Containers[0].Args)-1]; got != "--x={{ y }}: \"'" {
				t.Errorf("the argument is %s", got)
			}
			var test corev1.Pod
			all.decode(t, "Pod "+release+"-scheduler-test", &test)
			if test.Spec.SchedulerName != "123" || test.Spec.Containers[0].ImagePullPolicy != corev1.PullNever {
				t.Errorf("the test's pod is for scheduler %s, its image is pulled %q", test.Spec.SchedulerName, test.Spec.Containers[0].ImagePullPolicy)
			}
		})
	}
}

// TestOddReleases: each name that helm takes gives names that Kubernetes takes, or is refused
// with what to do.
func TestOddReleases(t *testing.T) {
	for release, refused := range map[string]string{
		"my.release":            "",
		strings.Repeat("a", 53): "",
		"123":                   "set fullnameOverride to a name that begins with a letter",
	} {
		text, err := run(t, "template", release, chart, "--kube-version", "v1.37.0", "--values", writeFile(t, everything))
		if refused != "" {
			if err == nil || !strings.Contains(err.Error(), refused) {
				t.Errorf("release %s: error %v, want %s", release, err, refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("release %s: %v", release, err)
			continue
		}
		typed(t, parse(t, text))
	}
}

// TestNulls: null takes a default away. Each key is then either refused by name, or rendered
// without it.
func TestNulls(t *testing.T) {
	keys := documented(t)
	for _, key := range documented(t) {
		for i, c := range key {
			if section := key[:i]; c == '.' && !slices.Contains(keys, section) {
				keys = append(keys, section)
			}
		}
	}
	for _, key := range keys {
		t.Run(key, func(t *testing.T) {
			parts := strings.Split(key, ".")
			null := strings.Repeat("{", len(parts)) + strings.Join(parts, ": {") + ": null" + strings.Repeat("}", len(parts))
			null = strings.Replace(null, strings.Repeat("{", len(parts)), "{", 1)
			text, err := run(t, "template", "vicinity", chart, "--kube-version", "v1.37.0", "--values", writeFile(t, everything), "--values", writeFile(t, null))
			if err != nil {
				if want := "missing property '" + parts[len(parts)-1] + "'"; !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %s", err, want)
				}
				return
			}
			typed(t, parse(t, text))
		})
	}
}

// TestWithoutRBAC: whoever installs with rbac.create=false may not create roles.
func TestWithoutRBAC(t *testing.T) {
	values := strings.Replace(everything, "rbac: {", "rbac: {create: false, ", 1)
	for key, object := range render(t, values) {
		if strings.HasPrefix(object.GetAPIVersion(), "rbac.authorization.k8s.io/") {
			t.Errorf("it has %s", key)
		}
	}
}

// TestLabelsMayMeet: a label that two values set is written once, and the more specific one counts.
func TestLabelsMayMeet(t *testing.T) {
	all := render(t, `{commonLabels: {release: a}, podLabels: {release: b}, serviceMonitor: {enabled: true, labels: {release: b}},
prometheusRule: {enabled: true, labels: {release: b}}, dashboards: {enabled: true, labels: {release: b}}}`)
	typed(t, all)
	for key, want := range map[string]string{
		"Deployment vicinity-scheduler": "a", "ServiceMonitor vicinity-scheduler": "b", "PrometheusRule vicinity-scheduler": "b",
		"ConfigMap vicinity-scheduler-dashboard-vicinity-health": "b", "ConfigMap vicinity-config": "a",
	} {
		if got := all[key].GetLabels()["release"]; got != want {
			t.Errorf("%s has the label %q, want %q", key, got, want)
		}
	}
	if got := deployment(t, all).Spec.Template.Labels["release"]; got != "b" {
		t.Errorf("the pods have the label %q", got)
	}
}

// TestMemoryLimitIsReplaced: the chart's own variable gives way to the reader's, since the API
// server takes each name once.
func TestMemoryLimitIsReplaced(t *testing.T) {
	env := deployment(t, render(t, "extraEnv: [{name: VICINITY_MEMORY_LIMIT, value: '1000'}, {name: A, value: b}]")).Spec.Template.Spec.Containers[0].Env
	if len(env) != 2 || env[0].Value != "1000" {
		t.Errorf("the environment is %+v", env)
	}
}
