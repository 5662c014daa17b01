package helm

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// application is the part of Argo CD's Application that the example uses; its own module
// requires all of Argo CD.
type application struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Project     string `json:"project"`
		Destination struct {
			Server    string `json:"server"`
			Namespace string `json:"namespace"`
		} `json:"destination"`
		Source struct {
			RepoURL        string `json:"repoURL"`
			TargetRevision string `json:"targetRevision"`
			Path           string `json:"path"`
			Helm           struct {
				ReleaseName  string         `json:"releaseName"`
				SkipTests    bool           `json:"skipTests"`
				ValuesObject map[string]any `json:"valuesObject"`
			} `json:"helm"`
		} `json:"source"`
		SyncPolicy struct {
			Automated struct {
				Prune    bool `json:"prune"`
				SelfHeal bool `json:"selfHeal"`
			} `json:"automated"`
			SyncOptions              []string `json:"syncOptions"`
			ManagedNamespaceMetadata struct {
				Labels map[string]string `json:"labels"`
			} `json:"managedNamespaceMetadata"`
		} `json:"syncPolicy"`
	} `json:"spec"`
}

const repository = "https://github.com/vicinity-sched/vicinity"

// example reads a file of manifests/examples.
func example(t *testing.T, name string) objects {
	t.Helper()
	text, err := os.ReadFile("../../manifests/examples/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

// appVersion returns the chart's, which is the git tag of its release.
func appVersion(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(chart + "/Chart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c struct{ Version, AppVersion string }
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if c.AppVersion != "v"+c.Version {
		t.Errorf("appVersion is %s, version %s: they belong together", c.AppVersion, c.Version)
	}
	return c.AppVersion
}

// checkValues renders the chart with an example's values.
func checkValues(t *testing.T, values any) {
	t.Helper()
	text, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	all := render(t, string(text))
	if _, err := all.telemetry(t); err != nil {
		t.Error(err)
	}
	want := "registry.example.com/vicinity-sched/vicinity-scheduler:" + appVersion(t)
	if got := deployment(t, all).Spec.Template.Spec.Containers[0].Image; got != want {
		t.Errorf("the image is %s, want %s", got, want)
	}
}

func TestArgoCD(t *testing.T) {
	var app application
	example(t, "argocd.yaml").decode(t, "Application vicinity", &app)
	source := app.Spec.Source
	if app.APIVersion != "argoproj.io/v1alpha1" || source.RepoURL != repository || source.TargetRevision != appVersion(t) || "../../"+source.Path != chart {
		t.Errorf("the source is %+v", source)
	}
	checkValues(t, source.Helm.ValuesObject)
}

func TestFlux(t *testing.T) {
	all := example(t, "flux.yaml")
	var git sourcev1.GitRepository
	all.decode(t, "GitRepository vicinity", &git)
	var release helmv2.HelmRelease
	all.decode(t, "HelmRelease vicinity", &release)
	if git.APIVersion != sourcev1.GroupVersion.String() || git.Spec.URL != repository || git.Spec.Reference.Tag != appVersion(t) {
		t.Errorf("the repository is %+v", git)
	}
	if chartOf := release.Spec.Chart.Spec; release.APIVersion != helmv2.GroupVersion.String() || chartOf.SourceRef.Kind != git.Kind || chartOf.SourceRef.Name != git.Name ||
		"../../"+strings.TrimPrefix(chartOf.Chart, "./") != chart {
		t.Errorf("the release is %+v", release)
	}
	checkValues(t, release.GetValues())
}

// TestKubeVersion: the chart may be installed where docs/install.md says, on API servers from
// three minors before the one that the scheduler is built from, up to it.
func TestKubeVersion(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`k8s.io/kubernetes v1\.(\d+)\.`).FindSubmatch(text)
	if m == nil {
		t.Fatal("go.mod names no version of Kubernetes")
	}
	minor, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]bool{
		fmt.Sprintf("v1.%d.9", minor-4): false, fmt.Sprintf("v1.%d.0", minor-3): true, fmt.Sprintf("v1.%d.1-gke.100", minor-3): true,
		fmt.Sprintf("v1.%d.9-eks-0123abc", minor): true, fmt.Sprintf("v1.%d.0", minor+1): false,
	} {
		_, err := run(t, "template", "vicinity", chart, "--kube-version", version)
		if got := err == nil; got != want {
			t.Errorf("on %s it is installed: %v, want %v: %v", version, got, want, err)
		}
	}
	manual, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("Kubernetes 1.%d to 1.%d,", minor-3, minor); !strings.Contains(string(manual), want) {
		t.Errorf("docs/install.md does not say %q", want)
	}
}

// TestVersions: base, chart and tag are of one version.
func TestVersions(t *testing.T) {
	want := "vicinity-sched/vicinity-scheduler:" + appVersion(t)
	for what, all := range map[string]objects{"manifests/base": kustomize(t, "base"), "the chart": render(t, "")} {
		if got := deployment(t, all).Spec.Template.Spec.Containers[0].Image; got != want {
			t.Errorf("the image of %s is %s, want %s", what, got, want)
		}
	}
}
