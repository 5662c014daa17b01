package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
)

// nameAnnotation is where containerd, and with it Docker, looks for the whole
// name of an image. It is no part of the OCI's specification.
const nameAnnotation = "io.containerd.image.name"

// archive is a tar file in which every entry has the same owner and time.
type archive struct {
	*tar.Writer
	written map[string]bool
}

// writeArchive writes an OCI image layout as a tar stream and returns the digest
// that name stands for: that of the image, or of the index of several. It also
// writes what "docker save" does, manifest.json, for engines that do not read
// layouts; such a file can name one platform only, and names the first.
func writeArchive(to io.Writer, name string, images []v1.Image) (v1.Hash, error) {
	parsed, err := reference.ParseDockerRef(name)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("name %q: %w", name, err)
	}
	tagged, ok := parsed.(reference.NamedTagged)
	if !ok {
		return v1.Hash{}, fmt.Errorf("name %q: want a tag, not a digest", name)
	}
	w := archive{Writer: tar.NewWriter(to), written: map[string]bool{}}
	if err := w.addFile(imagespec.ImageLayoutFile, []byte(`{"imageLayoutVersion":"`+imagespec.ImageLayoutVersion+`"}`)); err != nil {
		return v1.Hash{}, err
	}
	for _, image := range images {
		if err := w.addImage(image); err != nil {
			return v1.Hash{}, err
		}
	}
	top, err := w.addIndex(images)
	if err != nil {
		return v1.Hash{}, err
	}
	top.Annotations = map[string]string{
		imagespec.AnnotationRefName: tagged.Tag(),
		nameAnnotation:              tagged.String(),
	}
	if err := w.addJSON(imagespec.ImageIndexFile, v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{top},
	}); err != nil {
		return v1.Hash{}, err
	}
	if err := w.addDockerManifest(images[0], reference.FamiliarString(tagged)); err != nil {
		return v1.Hash{}, err
	}
	return top.Digest, w.Close()
}

// addIndex returns the descriptor of the only image, or writes an index of all.
func (a archive) addIndex(images []v1.Image) (v1.Descriptor, error) {
	var descriptors []v1.Descriptor
	for _, image := range images {
		digest, errDigest := image.Digest()
		size, errSize := image.Size()
		config, errConfig := image.ConfigFile()
		if err := errors.Join(errDigest, errSize, errConfig); err != nil {
			return v1.Descriptor{}, err
		}
		descriptors = append(descriptors, v1.Descriptor{
			MediaType: types.OCIManifestSchema1, Digest: digest, Size: size, Platform: config.Platform(),
		})
	}
	if len(images) == 1 {
		return descriptors[0], nil
	}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: descriptors})
	if err != nil {
		return v1.Descriptor{}, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(index))
	if err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest, Size: size}, a.addFile(blob(digest), index)
}

func (a archive) addImage(image v1.Image) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		if err := a.addLayer(layer); err != nil {
			return err
		}
	}
	config, errConfig := image.RawConfigFile()
	configName, errName := image.ConfigName()
	manifest, errManifest := image.RawManifest()
	digest, errDigest := image.Digest()
	if err := errors.Join(errConfig, errName, errManifest, errDigest); err != nil {
		return err
	}
	return errors.Join(a.addFile(blob(configName), config), a.addFile(blob(digest), manifest))
}

func (a archive) addLayer(layer v1.Layer) error {
	digest, err := layer.Digest()
	if err != nil {
		return err
	}
	r, err := layer.Compressed()
	if err != nil {
		return err
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return a.addFile(blob(digest), content)
}

// addDockerManifest writes manifest.json. Its paths are those of the layout's
// blobs.
func (a archive) addDockerManifest(image v1.Image, name string) error {
	config, err := image.ConfigName()
	if err != nil {
		return err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	var layers []string
	for _, l := range manifest.Layers {
		layers = append(layers, blob(l.Digest))
	}
	return a.addJSON("manifest.json", []map[string]any{{
		"Config": blob(config), "Layers": layers, "RepoTags": []string{name},
	}})
}

func (a archive) addJSON(path string, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return a.addFile(path, content)
}

// addFile writes a file once: images share layers.
func (a archive) addFile(path string, content []byte) error {
	if a.written[path] {
		return nil
	}
	a.written[path] = true
	return writeEntry(a.Writer, path, 0o444, content)
}

func writeEntry(w *tar.Writer, path string, mode int64, content []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: mode, Size: int64(len(content)), ModTime: time.Unix(0, 0)}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

// blob returns the path of a digest in a layout.
func blob(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }
