package helm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/cmd"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/plugins/config"
	configv1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

const chart = "../../charts/vicinity"

// asHelm, when set in the environment, makes this test binary helm.
const asHelm = "VICINITY_TEST_AS_HELM"

func TestMain(m *testing.M) {
	if os.Getenv(asHelm) != "" {
		os.Exit(helm())
	}
	os.Exit(m.Run())
}

// helm is helm's own main function.
func helm() int {
	root, err := cmd.NewRootCmd(os.Stdout, os.Args[1:], cmd.SetupLogging)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := root.Execute(); err != nil {
		return 1 // it has printed the error
	}
	return 0
}

// run runs helm and returns its output.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	command := exec.Command(self, args...)
	command.Env = []string{
		asHelm + "=1", "HOME=" + dir, "PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + filepath.Join(dir, "none"),
		"HELM_CACHE_HOME=" + dir, "HELM_CONFIG_HOME=" + dir, "HELM_DATA_HOME=" + dir,
	}
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); err != nil {
		return out.String(), errors.New(strings.TrimSpace(problems.String()))
	}
	return out.String(), nil
}

// template renders the chart as release vicinity in namespace vicinity-system, with values in
// YAML and further arguments.
func template(t *testing.T, values string, args ...string) (string, error) {
	t.Helper()
	return templateOf(t, chart, values, args...)
}

// templateOf renders a chart in another directory.
func templateOf(t *testing.T, dir, values string, args ...string) (string, error) {
	t.Helper()
	return run(t, append([]string{"template", "vicinity", dir, "--namespace", "vicinity-system", "--skip-tests", "--kube-version", "v1.37.0", "--values", writeFile(t, values)}, args...)...)
}

// objects are those of a rendered chart, by kind and name.
type objects map[string]*unstructured.Unstructured

// render renders the chart and returns its objects.
func render(t *testing.T, values string, args ...string) objects {
	t.Helper()
	return renderOf(t, chart, values, args...)
}

// renderOf renders a chart in another directory and returns its objects.
func renderOf(t *testing.T, dir, values string, args ...string) objects {
	t.Helper()
	text, err := templateOf(t, dir, values, args...)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

// parse reads a stream of YAML documents.
func parse(t *testing.T, text string) objects {
	t.Helper()
	all := objects{}
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		content := map[string]any{}
		if err := yaml.UnmarshalStrict([]byte(document), &content); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if len(content) == 0 {
			continue
		}
		object := &unstructured.Unstructured{Object: content}
		key := object.GetKind() + " " + object.GetName()
		if all[key] != nil {
			t.Errorf("two objects are %s", key)
		}
		all[key] = object
	}
	return all
}

// decode decodes an object strictly into one of its type.
func (o objects) decode(t *testing.T, key string, into any) {
	t.Helper()
	object := o[key]
	if object == nil {
		t.Fatalf("there is no %s", key)
	}
	text, err := yaml.Marshal(object.Object)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
}

// config returns a file of the ConfigMap.
func (o objects) config(t *testing.T, file string) []byte {
	t.Helper()
	text, _, err := unstructured.NestedString(o["ConfigMap vicinity-config"].Object, "data", file)
	if err != nil || text == "" {
		t.Fatalf("the ConfigMap has no %s: %v", file, err)
	}
	return []byte(text)
}

// telemetry returns the TelemetryConfiguration as the scheduler reads it.
func (o objects) telemetry(t *testing.T) (*configv1.TelemetryConfiguration, error) {
	t.Helper()
	return config.LoadTelemetry(writeFile(t, string(o.config(t, "telemetry.yaml"))))
}
