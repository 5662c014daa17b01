package recordingfile

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// newArchive is an archive to write to. What has been added is on disk at once:
// of an archive without its end all of that can be read.
type newArchive struct {
	path    string
	file    *output
	encoder *zstd.Encoder
	tar     *tar.Writer
}

func createArchive(path string) (*newArchive, error) {
	f, err := create(path)
	if err != nil {
		return nil, err
	}
	encoder, err := zstd.NewWriter(f, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &newArchive{path, f, encoder, tar.NewWriter(encoder)}, nil
}

// Create implements recording.Creator: a file is beside the archive until it is
// closed, for an archive wants to know its size first.
func (a *newArchive) Create(name string) (io.WriteCloser, error) {
	f, err := create(filepath.Join(filepath.Dir(a.path), "."+filepath.Base(a.path)+"."+name+".partial"))
	if err != nil {
		return nil, err
	}
	return &entry{f, a, name}, nil
}

// Bytes implements Target.
func (a *newArchive) Bytes() int64 { return a.file.size }

// Close implements Target.
func (a *newArchive) Close() error {
	return errors.Join(a.tar.Close(), a.encoder.Close(), a.file.Close())
}

type entry struct {
	*output
	archive *newArchive
	name    string
}

// Close adds the file to the archive.
func (e *entry) Close() error {
	if e.err == nil {
		e.err = e.archive.add(e.name, e.size, e.File)
	}
	e.err = errors.Join(e.err, e.File.Close())
	os.Remove(e.Name())
	return e.err
}

func (a *newArchive) add(name string, size int64, content io.ReadSeeker) error {
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: fileMode}); err != nil {
		return err
	}
	if _, err := io.Copy(a.tar, content); err != nil {
		return err
	}
	return errors.Join(a.tar.Flush(), a.encoder.Flush(), a.file.Sync())
}
