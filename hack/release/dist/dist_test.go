package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// source is a repository with a program that is a release.
type source struct {
	root, commit, binaries, image string
}

// host is the platform that the tests build for.
const host = runtime.GOOS + "/" + runtime.GOARCH

// base is the first part of the names of its files.
const base = "vicinity-v0.1.0-" + runtime.GOOS + "-" + runtime.GOARCH

func write(t *testing.T, root, path, text string) {
	t.Helper()
	to := filepath.Join(root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// newSource commits a repository, tags it and builds its program.
func newSource(t *testing.T) source {
	t.Helper()
	root := t.TempDir()
	s := source{root: root, binaries: filepath.Join(root, "bin/release"), image: filepath.Join(root, "bin/image.tar")}
	for path, text := range map[string]string{
		"go.mod": "module example.com/vicinity\n\ngo 1.26.0\n", "go.sum": "", "hack/release/go.sum": "", ".gitignore": "/bin/\n",
		"LICENSE":                       "Ours.\n",
		"CHANGELOG.md":                  "# Changelog\n\n## Unreleased\n\n## 0.1.0 / 2026-11-30\n",
		"cmd/vicinity/main.go":          "package main\n\nvar stamp string\n\nfunc main() { println(stamp) }\n",
		"charts/vicinity/Chart.yaml":    "name: vicinity\nversion: 0.1.0\nappVersion: v0.1.0\n",
		"charts/vicinity/values.yaml":   "{}\n",
		"charts/vicinity/templates/a":   "a\n",
		"charts/vicinity/.helmignore":   "*\n",
		"charts/vicinity/.hidden/value": "x\n",
	} {
		write(t, root, path, text)
	}
	command(t, root, "git", "init", "--quiet")
	command(t, root, "git", "add", ".")
	command(t, root, "git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "a")
	command(t, root, "git", "tag", "v0.1.0")
	s.commit = command(t, root, "git", "rev-parse", "HEAD")
	s.build(t, host, "v0.1.0")
	index := fmt.Sprintf(`{"manifests": [{"digest": "sha256:%s"}]}`, strings.Repeat("ab", 32))
	b := &bytes.Buffer{}
	w := tar.NewWriter(b)
	err := w.WriteHeader(&tar.Header{Name: "index.json", Mode: 0o444, Size: int64(len(index))})
	_, errWrite := w.Write([]byte(index))
	if err := errors.Join(err, errWrite, w.Close()); err != nil {
		t.Fatal(err)
	}
	write(t, root, "bin/image.tar", b.String())
	return s
}

// build builds the program for a platform as a version.
func (s source) build(t *testing.T, platform, version string) {
	t.Helper()
	system, arch := osArch(platform)
	command(t, s.root, "env", "GOOS="+system, "GOARCH="+arch, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.stamp="+version+","+s.commit, "-o", filepath.Join(s.binaries, platform, "vicinity"), "./cmd/vicinity")
}

// release runs the command and returns what it printed, and where the files are. More
// arguments come last, and count instead of the ones before.
func (s source) release(t *testing.T, args ...string) (out, dir string, err error) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "dist")
	b := &bytes.Buffer{}
	err = run(t.Context(), append([]string{
		"-C", s.root, "-binaries", s.binaries, "-o", dir, "-version", "v0.1.0", "-revision", s.commit, "-created", "1764536160",
		"-platforms", host, "-programs", "vicinity", "-image", s.image, "-image-name", "an/image:v0.1.0",
	}, args...), b)
	return b.String(), dir, err
}

// files returns the content of every file in a directory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(content)
	}
	return all
}

// untar returns the files of a compressed archive, each with its mode, owner and time.
func untar(t *testing.T, archive string) (names []string, contents map[string]string) {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	contents = map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, contents
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprintf("%s %o %d:%d %d", h.Name, h.Mode, h.Uid, h.Gid, h.ModTime.Unix()))
		contents[h.Name] = string(content)
	}
}

func TestRelease(t *testing.T) {
	s := newSource(t)
	out, dir, err := s.release(t)
	if err != nil {
		t.Fatal(err)
	}
	got := files(t, dir)
	want := []string{
		"SHA256SUMS", "provenance.intoto.json", "vicinity-0.1.0.tgz", "vicinity-scheduler-v0.1.0.oci.tar",
		base + ".cdx.json", base + ".tar.gz", "vicinity.krew.yaml",
	}
	slices.Sort(want)
	var names []string
	for name := range got {
		names = append(names, name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if strings.Contains(out, "not a release") || !strings.Contains(out, "image an/image:v0.1.0 sha256:"+strings.Repeat("ab", 32)) {
		t.Errorf("output:\n%s", out)
	}
	if lines := strings.Count(got["SHA256SUMS"], "\n"); lines != len(want)-2 {
		t.Errorf("%d checksums, want those of all files but itself and the provenance:\n%s", lines, got["SHA256SUMS"])
	}
	for _, line := range strings.Split(strings.TrimSpace(got["SHA256SUMS"]), "\n") {
		digest, name, _ := strings.Cut(line, "  ")
		if sum([]byte(got[name])) != digest || !strings.Contains(got["provenance.intoto.json"], digest) {
			t.Errorf("%s has another checksum, or is not in the provenance", name)
		}
	}
	archived, contents := untar(t, got[base+".tar.gz"])
	if diff := cmp.Diff([]string{"LICENSE 644 0:0 1764536160", "licences.txt 644 0:0 1764536160", "vicinity 755 0:0 1764536160"}, archived); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
	if !strings.Contains(contents["licences.txt"], "The Go Authors") {
		t.Errorf("licences:\n%.200s", contents["licences.txt"])
	}
	archived, _ = untar(t, got["vicinity-0.1.0.tgz"])
	if diff := cmp.Diff([]string{"vicinity/Chart.yaml 644 0:0 1764536160", "vicinity/templates/a 644 0:0 1764536160", "vicinity/values.yaml 644 0:0 1764536160"}, archived); diff != "" {
		t.Errorf("chart (-want +got):\n%s", diff)
	}
	if _, again, err := s.release(t); err != nil {
		t.Error(err)
	} else if diff := cmp.Diff(got, files(t, again)); diff != "" {
		t.Errorf("the second time it is another release:\n%.2000s", diff)
	}
}

// TestModes: whoever makes a release, everybody may read it.
func TestModes(t *testing.T) {
	s := newSource(t)
	defer syscall.Umask(syscall.Umask(0o077))
	_, dir, err := s.release(t)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatalf("error %v, files %v", err, entries)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode() != 0o644 {
			t.Errorf("%s: error %v, mode %v", e.Name(), err, info.Mode())
		}
	}
}

// TestOtherPlatform packs what was built for another system.
func TestOtherPlatform(t *testing.T) {
	s := newSource(t)
	s.build(t, "darwin/arm64", "v0.1.0")
	_, dir, err := s.release(t, "-platforms", host+",darwin/arm64")
	if err != nil {
		t.Fatal(err)
	}
	got := files(t, dir)
	if names, _ := untar(t, got["vicinity-v0.1.0-darwin-arm64.tar.gz"]); len(names) != 3 {
		t.Errorf("the archive has %v", names)
	}
	for name, want := range map[string]string{
		"vicinity-v0.1.0-darwin-arm64.cdx.json": `"value": "darwin"`, "vicinity.krew.yaml": "os: darwin", "provenance.intoto.json": `"darwin/arm64"`,
	} {
		if !strings.Contains(got[name], want) {
			t.Errorf("%s has no %s", name, want)
		}
	}
}

// TestNotReleased checks builds of commits without a tag.
func TestNotReleased(t *testing.T) {
	s := newSource(t)
	const version = "v0.1.0-3-gdf95cf0a1b2c"
	if _, _, err := s.release(t, "-version", version); err == nil || !strings.Contains(err.Error(), "was not built as version and commit") {
		t.Errorf("of a program of another version: error = %v", err)
	}
	s.build(t, host, version)
	out, dir, err := s.release(t, "-version", version)
	if err != nil || !strings.Contains(out, "this is not a release: version "+version) {
		t.Fatalf("error %v, output:\n%s", err, out)
	}
	_, chart := untar(t, files(t, dir)["vicinity-0.1.0-3-gdf95cf0a1b2c.tgz"])
	if want := "name: vicinity\nversion: 0.1.0-3-gdf95cf0a1b2c\nappVersion: " + version + "\n"; chart["vicinity/Chart.yaml"] != want {
		t.Errorf("Chart.yaml:\n%swant\n%s", chart["vicinity/Chart.yaml"], want)
	}
	dirty := version + "-dirty"
	s.build(t, host, dirty)
	if _, dir, err = s.release(t, "-version", dirty); err != nil || files(t, dir)["provenance.intoto.json"] != "" {
		t.Errorf("error %v, or a provenance of what no commit has", err)
	}

	s.build(t, host, "v0.1.0")
	command(t, s.root, "git", "tag", "--delete", "v0.1.0")
	if out, _, err := s.release(t); err != nil || !strings.Contains(out, "this is not a release: there is no tag v0.1.0 of commit "+s.commit) {
		t.Errorf("without a tag: error %v, output:\n%s", err, out)
	}
	key := filepath.Join(t.TempDir(), "key")
	write(t, filepath.Dir(key), "key", testKey)
	if _, _, err := s.release(t, "-key", key); err == nil || !strings.Contains(err.Error(), "only a release is signed") {
		t.Errorf("signing it: error = %v", err)
	}
}

func TestReleaseRefuses(t *testing.T) {
	s := newSource(t)
	cases := map[string]struct {
		args []string
		want string
	}{
		"another platform":        {[]string{"-platforms", "plan9/386", "-binaries", filepath.Join(s.root, "renamed")}, "it was built for " + host},
		"a program that is not":   {[]string{"-programs", "vicinity,vicinity-sandbox"}, "vicinity-sandbox for " + host},
		"an unannounced version":  {[]string{"-version", "v0.2.0"}, "version v0.2.0, but the newest release in CHANGELOG.md is 0.1.0"},
		"a commit cut short":      {[]string{"-revision", s.commit[:12]}, "gitCommit"},
		"no commit":               {[]string{"-revision", ""}, "give VERSION and REVISION to make"},
		"an image that is not":    {[]string{"-image", filepath.Join(s.root, "LICENSE")}, "LICENSE: "},
		"a key that is not there": {[]string{"-key", filepath.Join(s.root, "none")}, "RELEASE_KEY: "},
	}
	binary, err := os.ReadFile(filepath.Join(s.binaries, host, "vicinity"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.root, "renamed/plan9/386/vicinity", string(binary))
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, dir, err := s.release(t, tc.args...); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want %q", err, tc.want)
			} else if left, err := filepath.Glob(dir + "*"); err != nil || len(left) > 0 {
				t.Errorf("it has left %v (error %v)", left, err)
			}
		})
	}
}

// TestOtherFiles: what is not in the commit, or not as it is there, is not released, and least
// of all signed. git describe says nothing of files that it does not know.
func TestOtherFiles(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	write(t, filepath.Dir(key), "key", testKey)
	for name, change := range map[string]func(t *testing.T, s source){
		"a file of nobody's": func(t *testing.T, s source) { write(t, s.root, "charts/vicinity/templates/b", "b\n") },
		"a changed file":     func(t *testing.T, s source) { write(t, s.root, "charts/vicinity/values.yaml", "a: 1\n") },
		"another commit": func(t *testing.T, s source) {
			command(t, s.root, "git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--allow-empty", "-m", "b")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t)
			change(t, s)
			out, dir, err := s.release(t)
			if err != nil || !strings.Contains(out, "this is not a release: the work tree is not commit "+s.commit) {
				t.Fatalf("error %v, output:\n%s", err, out)
			}
			if files(t, dir)["provenance.intoto.json"] != "" {
				t.Error("the provenance names a commit that it was not made from")
			}
			if _, _, err := s.release(t, "-key", key); err == nil || !strings.Contains(err.Error(), "only a release is signed") {
				t.Errorf("signing it: error = %v", err)
			}
		})
	}
}
