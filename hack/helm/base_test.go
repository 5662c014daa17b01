package helm

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	schedulerv1 "k8s.io/kube-scheduler/config/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/vicinity-sched/vicinity/plugins/config"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
	"github.com/vicinity-sched/vicinity/plugins/config/validation"
)

// kustomize builds a directory of manifests.
func kustomize(t *testing.T, dir string) objects {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../../manifests/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

// TestDefaultsAreTheBase compares the chart with default values and manifests/base, object by
// object. What may differ is said by compared.
func TestDefaultsAreTheBase(t *testing.T) {
	base, rendered := compared(t, kustomize(t, "base")), compared(t, render(t, ""))
	delete(base, "Namespace vicinity-system") // helm's --create-namespace creates it
	if diff := cmp.Diff(slices.Sorted(maps.Keys(base)), slices.Sorted(maps.Keys(rendered))); diff != "" {
		t.Fatalf("objects (-base +chart):\n%s", diff)
	}
	for key, object := range base {
		if diff := cmp.Diff(object, rendered[key]); diff != "" {
			t.Errorf("%s (-base +chart):\n%s", key, diff)
		}
	}
}

// TestComponentsAreValues compares the kustomize components with the values that stand for them.
func TestComponentsAreValues(t *testing.T) {
	plain := render(t, "")
	for component, values := range map[string]string{
		"istio":           "rbac: {destinationRules: true}",
		"cold-starts":     "rbac: {coldStarts: true}",
		"metrics":         "metrics: {service: true, token: true}",
		"service-monitor": "serviceMonitor: {enabled: true}",
	} {
		t.Run(component, func(t *testing.T) {
			got := compared(t, render(t, values))
			for key := range plain {
				delete(got, key)
			}
			want := compared(t, kustomize(t, "components/"+component))
			if diff := cmp.Diff(unlabelled(want), unlabelled(got)); diff != "" {
				t.Errorf("objects (-component +chart):\n%s", diff)
			}
		})
	}
}

// unlabelled removes the labels of objects: a component's have none of the base's.
func unlabelled(all map[string]any) map[string]any {
	for _, object := range all {
		unstructured.RemoveNestedField(object.(map[string]any), "metadata", "labels")
	}
	return all
}

// hash is what kustomize adds to the name of a generated ConfigMap. The chart's has none; an
// annotation of the pods has one instead.
var hash = regexp.MustCompile(`^vicinity-config-[a-z0-9]{10}$`)

// compared returns objects without the differences that there may be: labels but for
// app.kubernetes.io/name, in selectors too; the hash of the ConfigMap's name, and the pods'
// annotation instead of it; the formatting and defaults of the configurations.
func compared(t *testing.T, all objects) map[string]any {
	t.Helper()
	found := map[string]any{}
	for _, object := range all {
		content := object.DeepCopy().Object
		if object.GetKind() == "ConfigMap" {
			content["data"] = map[string]any{"scheduler.yaml": scheduler(t, object), "telemetry.yaml": telemetry(t, object)}
		}
		found[object.GetKind()+" "+hash.ReplaceAllString(object.GetName(), "vicinity-config")] = strip(content)
	}
	return found
}

// strip removes what may differ at any depth.
func strip(value any) any {
	switch value := value.(type) {
	case map[string]any:
		stripped := map[string]any{}
		for key, v := range value {
			switch {
			case strings.HasPrefix(key, "app.kubernetes.io/") && key != "app.kubernetes.io/name", key == "helm.sh/chart", key == "checksum/config":
			default:
				if v := strip(v); !isEmpty(v) {
					stripped[key] = v
				}
			}
		}
		return stripped
	case []any:
		stripped := make([]any, len(value))
		for i, v := range value {
			stripped[i] = strip(v)
		}
		return stripped
	case string:
		return hash.ReplaceAllString(value, "vicinity-config")
	case int64:
		return float64(value)
	}
	return value
}

func isEmpty(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 0
}

// scheduler returns the KubeSchedulerConfiguration of a ConfigMap with the plugin's defaults.
func scheduler(t *testing.T, object *unstructured.Unstructured) any {
	t.Helper()
	text, _, _ := unstructured.NestedString(object.Object, "data", "scheduler.yaml")
	c, args := schedulerConfig(t, []byte(text))
	return []any{c, args}
}

// schedulerConfig reads a KubeSchedulerConfiguration strictly and takes out the arguments of
// TrafficLocality, with the defaults set.
func schedulerConfig(t *testing.T, text []byte) (*schedulerv1.KubeSchedulerConfiguration, *configv1.TrafficLocalityArgs) {
	t.Helper()
	c := &schedulerv1.KubeSchedulerConfiguration{}
	if err := config.DecodeStrict(text, c); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	args := &configv1.TrafficLocalityArgs{}
	own := &c.Profiles[0].PluginConfig[0]
	if err := config.DecodeStrict(own.Args.Raw, args); err != nil {
		t.Fatal(err)
	}
	own.Args.Raw = nil
	args.SetDefaults()
	if err := config.OneLine(validation.TrafficLocalityArgs(args)); err != nil {
		t.Fatal(err)
	}
	return c, args
}

// telemetry returns the TelemetryConfiguration of a ConfigMap.
func telemetry(t *testing.T, object *unstructured.Unstructured) any {
	t.Helper()
	text, _, _ := unstructured.NestedString(object.Object, "data", "telemetry.yaml")
	c := &configv1.TelemetryConfiguration{}
	if err := config.DecodeStrict([]byte(text), c); err != nil {
		t.Fatal(err)
	}
	return c
}
