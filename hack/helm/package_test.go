package helm

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pack packs the chart as a release does.
func pack(t *testing.T, version string) string {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "vicinity.tgz")
	if out, err := exec.Command("go", "-C", "../release", "run", "./chart", "-version", version, "-o", archive).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return archive
}

// TestReleasedArchive has helm read the archive of a release.
func TestReleasedArchive(t *testing.T) {
	released, err := run(t, "show", "chart", chart)
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(released, "\nversion: ")
	version, _, _ = strings.Cut(version, "\n")
	archive := pack(t, version)
	want, err := template(t, "{}")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := templateOf(t, archive, "{}"); err != nil || got != want {
		t.Errorf("error %v; the archive renders as another chart (-directory +archive):\n%s", err, cmp.Diff(want, got))
	}
	if got, err := run(t, "show", "chart", archive); err != nil || got != released {
		t.Errorf("error %v; the archive is of another chart (-directory +archive):\n%s", err, cmp.Diff(released, got))
	}
}

// TestArchiveOfACommit checks that the chart of a commit installs its image.
func TestArchiveOfACommit(t *testing.T) {
	const version = "0.1.0-3-gdf95cf0a1b2c"
	out, err := templateOf(t, pack(t, version), "{}")
	if err != nil {
		t.Fatal(err)
	}
	if want := "vicinity-sched/vicinity-scheduler:v" + version; !strings.Contains(out, want) {
		t.Errorf("no image %s in:\n%s", want, out)
	}
}
