package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// TestKrew checks the manifest of two platforms.
func TestKrew(t *testing.T) {
	r := release{
		out: t.TempDir(), version: "v0.1.0", platforms: []string{"linux/amd64", "darwin/arm64"},
		archiveSums: map[string]string{
			"vicinity-v0.1.0-linux-amd64.tar.gz": "12", "vicinity-v0.1.0-darwin-arm64.tar.gz": "34",
			"vicinity-scheduler-v0.1.0-linux-amd64.tar.gz": "56",
		},
	}
	if err := r.addKrew(); err != nil {
		t.Fatal(err)
	}
	var got krewPlugin
	if err := yaml.Unmarshal([]byte(files(t, r.out)["vicinity.krew.yaml"]), &got); err != nil {
		t.Fatal(err)
	}
	const uri = "https://github.com/vicinity-sched/vicinity/releases/download/v0.1.0/"
	want := []krewPlatform{
		{krewSelector{map[string]string{"os": "linux", "arch": "amd64"}}, uri + "vicinity-v0.1.0-linux-amd64.tar.gz", "12", "vicinity"},
		{krewSelector{map[string]string{"os": "darwin", "arch": "arm64"}}, uri + "vicinity-v0.1.0-darwin-arm64.tar.gz", "34", "vicinity"},
	}
	if diff := cmp.Diff(want, got.Spec.Platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	// Longer ones are cut off in the list of plugins.
	if len(got.Spec.ShortDescription) > 50 {
		t.Errorf("the short description has %d characters, want 50 at most", len(got.Spec.ShortDescription))
	}
	r = release{out: t.TempDir(), version: "v0.1.0", platforms: r.platforms}
	if err := r.addKrew(); err != nil || len(r.files) > 0 {
		t.Errorf("without the plugin: error %v, files %v", err, r.files)
	}
}

// TestKrewInstalls has the real krew install a release, and runs the plugin.
func TestKrewInstalls(t *testing.T) {
	krew := filepath.Join(t.TempDir(), "krew")
	command(t, "../../../test/krew", "go", "build", "-o", krew, "sigs.k8s.io/krew/cmd/krew")
	s := newSource(t)
	_, dir, err := s.release(t)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "KREW_ROOT="+root, "KREW_NO_UPGRADE_CHECK=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	out := run(krew, "install", "--manifest="+filepath.Join(dir, "vicinity.krew.yaml"), "--archive="+filepath.Join(dir, base+".tar.gz"))
	_, caveat, _ := strings.Cut(strings.ReplaceAll(out, " | ", ""), "ln -s ")
	link := strings.Fields(caveat)
	if len(link) < 2 || !strings.Contains(out, "Installed plugin: vicinity") {
		t.Fatalf("krew says:\n%s", out)
	}
	if got := run(filepath.Join(root, "bin/kubectl-vicinity")); got != "v0.1.0,"+s.commit+"\n" {
		t.Errorf("the plugin is %q", got)
	}
	run("bash", "-c", "cd "+filepath.Join(root, "bin")+" && ln -s "+link[0]+" "+link[1])
	if got := run(filepath.Join(root, "bin/kubectl_complete-vicinity")); got != "v0.1.0,"+s.commit+"\n" {
		t.Errorf("what completes it is %q", got)
	}
	if licences, err := filepath.Glob(filepath.Join(root, "store/vicinity/v0.1.0/*")); err != nil || !slices.ContainsFunc(licences, func(s string) bool { return strings.HasSuffix(s, "/licences.txt") }) {
		t.Errorf("installed: %v, error %v", licences, err)
	}
}
