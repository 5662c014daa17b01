// Package recordingfile opens and creates the directories and the .tar.zst
// archives that recordings are kept in. What is in the files is the business of
// package recording.
package recordingfile

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph/recording"
)

// ArchiveSuffix is how the name of an archive ends.
const ArchiveSuffix = ".tar.zst"

// Source is a recording to read.
type Source interface {
	recording.Files
	io.Closer
}

// Target is a recording to write.
type Target interface {
	recording.Creator
	// Close ends the recording. A directory is whole without it.
	io.Closer
	// Bytes is how much there is by now, of an archive compressed.
	Bytes() int64
}

// Open opens a directory, or an archive whatever its name is.
func Open(path string) (Source, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return openDirectory(path)
	case info.Mode().IsRegular():
		return openArchive(path)
	}
	return nil, fmt.Errorf("%s: is neither a directory nor a file", path)
}

// Create makes a directory, or an archive when the name ends as one's does. It
// never overwrites: it is an error, of the kind os.ErrExist, when path exists. Only its
// owner may read what is made, what is left of a recording that was interrupted too.
func Create(path string) (Target, error) {
	path = filepath.Clean(path)
	if strings.HasSuffix(path, ArchiveSuffix) {
		return createArchive(path)
	}
	return createDirectory(path)
}

// output is a file that remembers whether it is as it should be.
type output struct {
	*os.File
	size int64
	err  error
}

// fileMode has nobody else read what names a cluster's workloads.
const fileMode, directoryMode = 0o600, 0o700

// create makes a file that must not exist yet.
func create(path string) (*output, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	return &output{File: f}, nil
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.File.Write(p)
	o.size += int64(n)
	o.err = err
	return n, err
}
