// Package pack makes archives that depend on the content of their files only, on a time that
// is given, and on the version of Go, whose compression it is.
package pack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"time"
)

// Entry is a file of an archive.
type Entry struct {
	Path    string
	Mode    int64
	Content []byte
}

// TarGz returns a compressed archive of files in the order given, which are root's.
func TarGz(entries []Entry, at time.Time) ([]byte, error) {
	b := &bytes.Buffer{}
	z := gzip.NewWriter(b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: e.Path, Mode: e.Mode, Size: int64(len(e.Content)), ModTime: at, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.Content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	err := z.Close()
	return b.Bytes(), err
}
