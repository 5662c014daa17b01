package recorder

import (
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/internal/kube/objects"
)

// The ClusterRole in the documentation allows what is asked for, and no more.
func TestDocumentedRole(t *testing.T) {
	text, err := os.ReadFile("../../docs/recording.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, ok := strings.Cut(string(text), "    apiVersion: rbac.authorization.k8s.io/v1\n")
	block, _, end := strings.Cut(block, "\n\n")
	if !ok || !end {
		t.Fatal("docs/recording.md has no ClusterRole")
	}
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict([]byte("apiVersion: rbac.authorization.k8s.io/v1\n"+strings.ReplaceAll("\n"+block, "\n    ", "\n")), &role); err != nil {
		t.Fatal(err)
	}
	var allowed, asked []string
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			allowed = append(allowed, strings.TrimSuffix(resource+"."+rule.APIGroups[0], ".")+" "+strings.Join(rule.Verbs, ","))
		}
	}
	for _, k := range objects.NewTable().Kinds() {
		asked = append(asked, k.ResourceName()+" list,watch")
	}
	slices.Sort(allowed)
	slices.Sort(asked)
	if !slices.Equal(allowed, asked) {
		t.Errorf("docs/recording.md allows\n%s\nbut what is recorded is\n%s", strings.Join(allowed, "\n"), strings.Join(asked, "\n"))
	}
}
