package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/elf"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// program writes an ELF file without code into a directory of its own.
func program(t *testing.T, machine elf.Machine, segments ...elf.ProgType) string {
	t.Helper()
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Ehsize: 64, Phoff: 64, Phentsize: 56, Phnum: uint16(len(segments)),
	}
	b := &bytes.Buffer{}
	err := binary.Write(b, binary.LittleEndian, header)
	for _, s := range segments {
		err = errors.Join(err, binary.Write(b, binary.LittleEndian, elf.Prog64{Type: uint32(s)}))
	}
	path := filepath.Join(t.TempDir(), "vicinity-scheduler")
	if err := errors.Join(err, os.WriteFile(path, b.Bytes(), 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// pack runs the command and returns the archive.
func pack(t *testing.T, binaries ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	args := append([]string{"-name", "vicinity-scheduler:v1", "-licences", "image_test.go", "-version", "v1", "-revision", "abc", "-created", "86400", "-o", path}, binaries...)
	if err := run(args); err != nil {
		t.Fatal(err)
	}
	return path
}

// untar returns the layout in an archive.
func untar(t *testing.T, path string) layout.Path {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		to := filepath.Join(dir, h.Name)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, content, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return layout.Path(dir)
}

func TestOnePlatform(t *testing.T) {
	path := pack(t, "linux/amd64="+program(t, elf.EM_X86_64))
	index, err := untar(t, path).ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("%d descriptors, want the image's", len(manifest.Manifests))
	}
	if got := manifest.Manifests[0].Annotations[nameAnnotation]; !strings.HasSuffix(got, "/library/vicinity-scheduler:v1") {
		t.Errorf("name = %q", got)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	checkImage(t, image, "amd64")
	loaded, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkImage(t, loaded, "amd64")
}

func TestTwoPlatforms(t *testing.T) {
	path := pack(t, "linux/amd64="+program(t, elf.EM_X86_64), "linux/arm64="+program(t, elf.EM_AARCH64))
	top, err := untar(t, path).ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(top); err != nil {
		t.Error(err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	index, err := top.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if manifest, err = index.IndexManifest(); err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, d := range manifest.Manifests {
		platforms = append(platforms, d.Platform.String())
		image, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkImage(t, image, d.Platform.Architecture)
	}
	if got := strings.Join(platforms, " "); got != "linux/amd64 linux/arm64" {
		t.Errorf("platforms = %s", got)
	}
}

func checkImage(t *testing.T, image v1.Image, architecture string) {
	t.Helper()
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != architecture || config.Created.Unix() != 86400 {
		t.Errorf("image is of %s/%s at %v", config.OS, config.Architecture, config.Created)
	}
	c := config.Config
	if c.User != "65532:65532" || strings.Join(c.Entrypoint, " ") != "/vicinity-scheduler" {
		t.Errorf("user %s runs %v", c.User, c.Entrypoint)
	}
	for label, want := range map[string]string{
		"org.opencontainers.image.created": "1970-01-02T00:00:00Z", "org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.revision": "abc", "org.opencontainers.image.version": "v1",
	} {
		if got := c.Labels[label]; got != want {
			t.Errorf("label %s = %q, want %q", label, got, want)
		}
	}
	files := map[string]*tar.Header{}
	content := mutate.Extract(image)
	defer content.Close()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = h
		if h.Name == rootsFile {
			checkRoots(t, r)
		}
	}
	for path, mode := range map[string]int64{"vicinity-scheduler": 0o555, rootsFile: 0o444, licencesFile: 0o444, "etc/ssl": 0o755} {
		h := files[path]
		if h == nil || h.Mode != mode || h.Uid != 0 || h.ModTime.Unix() != 0 {
			t.Errorf("%s: %+v", path, h)
		}
	}
}

// checkRoots parses every certificate.
func checkRoots(t *testing.T, r io.Reader) {
	t.Helper()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Error(err)
		}
		n++
	}
	if n < 50 {
		t.Errorf("%d certificate authorities", n)
	}
}

// TestSameInputSameArchive packs equal binaries from two directories.
func TestSameInputSameArchive(t *testing.T) {
	var archives [][]byte
	for range 2 {
		content, err := os.ReadFile(pack(t, "linux/amd64="+program(t, elf.EM_X86_64), "linux/arm64="+program(t, elf.EM_AARCH64)))
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, content)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("the archives differ")
	}
}

func TestRefuses(t *testing.T) {
	text := filepath.Join(t.TempDir(), "vicinity-scheduler")
	if err := os.WriteFile(text, []byte("#!/bin/sh\nexec vicinity-scheduler\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	amd64 := "linux/amd64=" + program(t, elf.EM_X86_64)
	cases := map[string]struct {
		name, arg string
		want      string
	}{
		"a dynamic binary":             {"a:b", "linux/amd64=" + program(t, elf.EM_X86_64, elf.PT_LOAD, elf.PT_INTERP), "CGO_ENABLED=0"},
		"a binary of another platform": {"a:b", "linux/arm64=" + program(t, elf.EM_X86_64), "built for EM_X86_64, not for linux/arm64"},
		"an unknown platform":          {"a:b", "linux/riscv64=" + program(t, elf.EM_RISCV), "want linux/amd64 or linux/arm64"},
		"a script":                     {"a:b", "linux/amd64=" + text, "reading the binary: bad magic number"},
		"no platform":                  {"a:b", text, "want OS/ARCH=BINARY"},
		"a digest for a name":          {"a@sha256:" + strings.Repeat("0", 64), amd64, "want a tag"},
		"a broken name":                {"A B", amd64, `name "A B"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			err := run([]string{"-name", tc.name, "-licences", "image_test.go", "-o", filepath.Join(dir, "image.tar"), tc.arg})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want it to say %q", err, tc.want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
