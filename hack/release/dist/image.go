package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// addImage takes over the archive of the image, and its digest.
func (r *release) addImage() error {
	content, err := os.ReadFile(r.image)
	if err != nil {
		return err
	}
	if r.imageDigest, err = digestIn(content); err != nil {
		return err
	}
	return r.write("vicinity-scheduler-"+r.version+".oci.tar", content)
}

// digestIn returns the digest that the index of an OCI layout names.
func digestIn(archive []byte) (string, error) {
	for in := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return "", errors.New("it has no index.json")
		}
		if err != nil {
			return "", err
		}
		if header.Name != "index.json" {
			continue
		}
		var index struct{ Manifests []struct{ Digest string } }
		if err := json.NewDecoder(in).Decode(&index); err != nil {
			return "", fmt.Errorf("index.json: %w", err)
		}
		if len(index.Manifests) != 1 {
			return "", fmt.Errorf("index.json names %d images, want one", len(index.Manifests))
		}
		return index.Manifests[0].Digest, nil
	}
}
