package helm

import (
	"os"
	"regexp"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// TestInstallValues renders the chart with each example of docs/install.md.
func TestInstallValues(t *testing.T) {
	text, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	var examples []string
	for _, m := range regexp.MustCompile("(?s)```yaml\n(# (?:in )?values.yaml\n.*?)```").FindAllSubmatch(text, -1) {
		examples = append(examples, string(m[1]))
	}
	if len(examples) != 4 {
		t.Fatalf("%d examples, want the first values, credentials, the operator and other Prometheus", len(examples))
	}
	first := render(t, examples[0])
	if got := deployment(t, first).Spec.Template.Spec.Containers[0].Image; got != "registry.example.com/vicinity-sched/vicinity-scheduler:"+appVersion(t) {
		t.Errorf("the image is %s", got)
	}
	for i, example := range examples[1:] {
		all := render(t, examples[0], "--values", writeFile(t, example))
		if _, err := all.telemetry(t); err != nil {
			t.Errorf("example %d: %v", i+2, err)
		}
		if i == 2 {
			var binding rbacv1.ClusterRoleBinding
			all.decode(t, "ClusterRoleBinding vicinity:metrics-reader", &binding)
			if s := binding.Subjects; len(s) != 1 || s[0].Namespace+"/"+s[0].Name != "monitoring/prometheus" {
				t.Errorf("the metrics may be read by %v", s)
			}
		}
	}
	// The table of further values.
	_, table, _ := strings.Cut(string(text), "\n| you want | set |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	settings := regexp.MustCompile("`([a-zA-Z.]+: [^`]+)`").FindAllStringSubmatch(table, -1)
	if len(settings) < 7 {
		t.Fatalf("the table has %d settings", len(settings))
	}
	for _, m := range settings {
		key, value, _ := strings.Cut(m[1], ": ")
		values := value
		for _, part := range reversed(strings.Split(key, ".")) {
			values = "{" + part + ": " + values + "}"
		}
		render(t, values)
	}
}

func reversed(list []string) []string {
	var turned []string
	for _, s := range list {
		turned = append([]string{s}, turned...)
	}
	return turned
}
