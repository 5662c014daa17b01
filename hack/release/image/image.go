package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// user is the unprivileged user and group that images without a base have by
// custom; manifests/base asks for the same.
const user = "65532:65532"

// rootsFile is where Go looks for the system's certificate authorities first.
const rootsFile = "etc/ssl/certs/ca-certificates.crt"

// licencesFile holds the licences of what the binary links.
const licencesFile = "licenses/vicinity-scheduler.txt"

// newImage returns the image of one platform. Its layers are, from what changes
// rarely to what always does: the certificate authorities, the licences, the
// binary.
func newImage(platform, binary string, licences []byte, labels map[string]string, created time.Time) (v1.Image, error) {
	p, err := v1.ParsePlatform(platform)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	if err := checkBinary(content, *p); err != nil {
		return nil, err
	}
	rootsLayer, err := newLayer(rootsFile, 0o444, roots())
	if err != nil {
		return nil, err
	}
	licencesLayer, err := newLayer(licencesFile, 0o444, licences)
	if err != nil {
		return nil, err
	}
	program := filepath.Base(binary)
	binaryLayer, err := newLayer(program, 0o555, content)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image,
		addendum(rootsLayer, "certificate authorities of Mozilla, from golang.org/x/crypto/x509roots/fallback", created),
		addendum(licencesLayer, "licences", created),
		addendum(binaryLayer, program, created))
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = p.OS, p.Architecture, p.Variant
	config.Created = v1.Time{Time: created}
	config.Config = v1.Config{Entrypoint: []string{"/" + program}, User: user, WorkingDir: "/", Labels: labels}
	return mutate.ConfigFile(image, config)
}

func addendum(layer v1.Layer, what string, created time.Time) mutate.Addendum {
	return mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: what, Created: v1.Time{Time: created}}}
}

// checkBinary reports what could not run on an empty base.
func checkBinary(content []byte, p v1.Platform) error {
	machines := map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64}
	want, known := machines[p.String()]
	if !known {
		return fmt.Errorf("platform %s: want linux/amd64 or linux/arm64", p)
	}
	f, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("reading the binary: %w", err)
	}
	if f.Machine != want {
		return fmt.Errorf("built for %v, not for %s", f.Machine, p)
	}
	for _, s := range f.Progs {
		if s.Type == elf.PT_INTERP {
			return errors.New("linked dynamically, but there are no libraries in the image: build with CGO_ENABLED=0")
		}
	}
	return nil
}

// newLayer returns a layer with one file of root's and the directories above it.
// Times are zero, so that a layer depends on its content only.
func newLayer(path string, mode int64, content []byte) (v1.Layer, error) {
	b := &bytes.Buffer{}
	w := tar.NewWriter(b)
	var dirs []string
	for dir := filepath.Dir(path); dir != "."; dir = filepath.Dir(dir) {
		dirs = append([]string{dir + "/"}, dirs...)
	}
	for _, dir := range dirs {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: time.Unix(0, 0)}); err != nil {
			return nil, err
		}
	}
	if err := writeEntry(w, path, mode, content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

// roots returns the certificate authorities of a released module, not those of
// the machine that builds. Roots that are trusted for a part of their
// certificates only are left out: a PEM file cannot say which part.
func roots() []byte {
	b := &bytes.Buffer{}
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// Writes to a Buffer do not fail, and the block has no headers.
			_ = pem.Encode(b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return b.Bytes()
}
