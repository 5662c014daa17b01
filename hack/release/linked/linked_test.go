package linked

import (
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
