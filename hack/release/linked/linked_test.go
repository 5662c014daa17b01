package linked

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestModules looks at what the command licences links.
func TestModules(t *testing.T) {
	modules, err := Modules(".", "darwin/arm64", "../licences")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, m := range modules {
		got[m.Path] = m.Imports
		if (m.Version == "") != (m.Main || m.Path == Std) {
			t.Errorf("%s has version %q", m.Path, m.Version)
		}
	}
	want := map[string][]string{
		"github.com/vicinity-sched/vicinity/hack/release": {"github.com/google/licensecheck", Std},
		"github.com/google/licensecheck":                  {Std},
		Std:                                               nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("imports (-want +got):\n%s", diff)
	}
	if texts := string(Texts(modules)); !strings.HasPrefix(texts, textsHeader) || !strings.Contains(texts, "\ngithub.com/google/licensecheck v") {
		t.Errorf("texts:\n%.500s", texts)
	}
}

func TestPlatform(t *testing.T) {
	if _, err := Modules(".", "linux", "../licences"); err == nil || !strings.Contains(err.Error(), `platform "linux": want OS/ARCH`) {
		t.Errorf("error = %v", err)
	}
}

// TestMachineDoesNotShow: the settings of Go on a machine change nothing.
func TestMachineDoesNotShow(t *testing.T) {
	dir := t.TempDir()
	write := func(path, text string) {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.com/program\n\ngo 1.26.0\n")
	write("main.go", "package main\n\nfunc main() {}\n")
	write("other.go", "//go:build other\n\npackage main\n\nimport _ \"example.com/other\"\n")
	write("env", "GOFLAGS=-tags=other\n")
	write("go.work", "go 1.26.0\n")
	t.Setenv("GOENV", filepath.Join(dir, "env"))
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", filepath.Join(dir, "go.work"))
	modules, err := Modules(dir, "linux/amd64", ".")
	if err != nil || len(modules) != 2 {
		t.Errorf("error %v, modules %v, want the program's and the standard library", err, modules)
	}
}
