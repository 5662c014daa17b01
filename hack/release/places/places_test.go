package places

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../../.."

// TestThisTree checks that every place agrees, and that the kinds of places are there.
func TestThisTree(t *testing.T) {
	places, err := Find(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(places); err != nil {
		t.Error(err)
	}
	all := &strings.Builder{}
	for _, p := range places {
		all.WriteString(p.String() + "\n")
	}
	for _, want := range []string{
		`CHANGELOG.md:\d+: ## \d`, `docs/install.md:\d+: \?ref=`, `docs/install.md:\d+: vicinity-scheduler:v`,
		`manifests/base/deployment.yaml:\d+: vicinity-scheduler:v`, `charts/vicinity/Chart.yaml:\d+: version: `, `charts/vicinity/Chart.yaml:\d+: appVersion: v`,
	} {
		if !regexp.MustCompile(want).MatchString(all.String()) {
			t.Errorf("no %s in:\n%s", want, all)
		}
	}
}

// TestImageName checks that the image has one name wherever it has a tag.
func TestImageName(t *testing.T) {
	const name = "vicinity-sched/vicinity-scheduler"
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "\nIMAGE        ?= " + name + ":$(VERSION)\n"; !strings.Contains(string(makefile), want) {
		t.Errorf("the Makefile has no line %q", want)
	}
	if values, err := os.ReadFile(filepath.Join(root, "charts/vicinity/values.yaml")); err != nil || !strings.Contains(string(values), "repository: "+name+"\n") {
		t.Errorf("charts/vicinity/values.yaml has no repository %s (error %v)", name, err)
	}
	places, err := Find(root)
	if err != nil {
		t.Fatal(err)
	}
	image := regexp.MustCompile(`[\w./-]*vicinity-scheduler:v`)
	seen := map[string]bool{}
	for _, p := range places {
		if seen[p.Path] {
			continue
		}
		seen[p.Path] = true
		text, err := os.ReadFile(filepath.Join(root, p.Path))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range image.FindAllString(string(text), -1) {
			if registry := strings.TrimSuffix(found, name+":v"); registry == found || registry != "" && !strings.HasSuffix(registry, "/") {
				t.Errorf("%s: an image %s, want [REGISTRY/]%s:v...", p.Path, found, name)
			}
		}
	}
}

// TestNoReplace checks what "go install ...@VERSION" needs.
func TestNoReplace(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`(?m)^(replace|exclude)\b.*`).FindString(string(text)); found != "" {
		t.Errorf("go.mod has %q: go install refuses a version with it; docs/releasing.md", found)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for path, text := range files {
		to := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFind(t *testing.T) {
	cases := map[string]struct {
		path, text string
		want       []string
	}{
		"the newest release":         {"CHANGELOG.md", "## Unreleased\n\n## 0.2.0 / 2027-01-01\n\n## 0.1.0 / 2026-11-30\n", []string{"CHANGELOG.md:3: ## 0.2.0"}},
		"a candidate":                {"CHANGELOG.md", "## 0.2.0-rc.1 / 2027-01-01\n", []string{"CHANGELOG.md:1: ## 0.2.0-rc.1"}},
		"the chart":                  {"charts/vicinity/Chart.yaml", "version: 0.1.0\nappVersion: \"v0.1.0\"\nkubeVersion: 1.34.0\n", []string{"charts/vicinity/Chart.yaml:1: version: 0.1.0", "charts/vicinity/Chart.yaml:2: appVersion: \"v0.1.0"}},
		"an image":                   {"manifests/base/d.yaml", "image: vicinity-sched/vicinity-scheduler:v0.1.0\n", []string{"manifests/base/d.yaml:1: vicinity-scheduler:v0.1.0"}},
		"a reference":                {"docs/install.md", "//manifests/base?ref=v0.1.0\n", []string{"docs/install.md:1: ?ref=v0.1.0"}},
		"Argo CD":                    {"docs/install.md", "  targetRevision: v0.1.0\n", []string{"docs/install.md:1: targetRevision: v0.1.0"}},
		"Flux":                       {"docs/install.md", "  ref:\n    tag: v0.1.0\n", []string{"docs/install.md:2: tag: v0.1.0"}},
		"kustomize":                  {"docs/install.md", "  newTag: v0.1.0\n", []string{"docs/install.md:1: newTag: v0.1.0"}},
		"an archive":                 {"docs/install.md", "tar xf vicinity-v0.1.0-linux-amd64.tar.gz\n", []string{"docs/install.md:1: vicinity-v0.1.0-"}},
		"the archive of the chart":   {"docs/install.md", "helm install vicinity vicinity-0.1.0.tgz\n", []string{"docs/install.md:1: vicinity-0.1.0.tgz"}},
		"go install":                 {"README.md", "go install github.com/vicinity-sched/vicinity/cmd/vicinity@v0.1.0\n", []string{"README.md:1: /vicinity/cmd/vicinity@v0.1.0"}},
		"a tag":                      {"docs/install.md", "git checkout v0.1.0\n", []string{"docs/install.md:1: git checkout v0.1.0"}},
		"versions of others":         {"docs/install.md", "Kubernetes v1.37.2, k8s.io/api v0.37.2, istio:v1.32.0, tag: v\n", nil},
		"former versions":            {"docs/upgrading.md", "git checkout v0.0.9\n", nil},
		"neither text nor manifests": {"docs/replay.schema.json", "git checkout v0.1.0\n", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{tc.path: tc.text})
			places, err := Find(dir)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range places {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"docs/install.md": "git checkout v0.1.0\n?ref=v0.1.1\n"})
	places, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(places); err == nil || !strings.Contains(err.Error(), "CHANGELOG.md has no release") {
		t.Errorf("without a changelog: error = %v", err)
	}
	write(t, dir, map[string]string{"CHANGELOG.md": "## 0.1.0 / 2026-11-30\n"})
	if places, err = Find(dir); err != nil {
		t.Fatal(err)
	}
	if err := Check(places); err == nil || err.Error() != "docs/install.md:2: ?ref=v0.1.1: the newest release in CHANGELOG.md is 0.1.0" {
		t.Errorf("error = %v", err)
	}
}

func TestSet(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"CHANGELOG.md":               "# Changelog\n\n## Unreleased\n\n- [FEATURE] CLI: more.\n\n## 0.1.0 / 2026-11-30\n\n- [FEATURE] CLI: all.\n",
		"docs/install.md":            "git checkout v0.1.0\n?ref=v0.1.0, vicinity-0.1.0.tgz\n",
		"charts/vicinity/Chart.yaml": "version: 0.1.0\nappVersion: v0.1.0\n",
	})
	if err := Set(dir, "v0.2.0", "2027-01-31"); err == nil {
		t.Error("a version with a v is taken")
	}
	if err := Set(dir, "0.10.0", "2027-01-31"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"CHANGELOG.md":               "# Changelog\n\n## Unreleased\n\n## 0.10.0 / 2027-01-31\n\n- [FEATURE] CLI: more.\n\n## 0.1.0 / 2026-11-30\n\n- [FEATURE] CLI: all.\n",
		"docs/install.md":            "git checkout v0.10.0\n?ref=v0.10.0, vicinity-0.10.0.tgz\n",
		"charts/vicinity/Chart.yaml": "version: 0.10.0\nappVersion: v0.10.0\n",
	}
	for path, text := range want {
		got, err := os.ReadFile(filepath.Join(dir, path))
		if diff := cmp.Diff(text, string(got)); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", path, err, diff)
		}
	}
}
