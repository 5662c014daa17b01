package recordingfile

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/vicinity-sched/vicinity/internal/filekind"
)

// What is taken from an archive at most: it may be made to fill a disk or
// memory.
const (
	// maxFile bounds one file in bytes, uncompressed: ten minutes of the largest
	// clusters are a few hundred MiB.
	maxFile = 8 << 30
	// maxEntries bounds the entries; a year has 105,120.
	maxEntries = 1 << 20
	// maxWindow bounds what the decoder holds: what zstd takes without --long.
	maxWindow = 128 << 20
)

// archive reads a recording's files one after the other.
type archive struct {
	path    string
	file    *os.File
	decoder *zstd.Decoder
	tar     *tar.Reader
	entries int
	folder  string // that all entries are in
}

// IsArchive reports whether a file is compressed as archives are, whatever its name
// is. What cannot be read is none.
func IsArchive(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	is := isCompressed(bufio.NewReader(f))
	return f.Close() == nil && is
}

func isCompressed(in *bufio.Reader) bool {
	head, _ := in.Peek(4) // a shorter file is none
	return bytes.Equal(head, []byte("\x28\xb5\x2f\xfd"))
}

func openArchive(name string) (*archive, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(f)
	if !isCompressed(in) {
		err := filekind.At(name).Refuse(name, "a recording (a directory or a .tar.zst)")
		if err == nil {
			err = fmt.Errorf("%s: the file is no recording, which is a directory or a .tar.zst", name)
		}
		return nil, errors.Join(err, f.Close())
	}
	decoder, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return &archive{path: name, file: f, decoder: decoder, tar: tar.NewReader(decoder)}, nil
}

// Next implements recording.Files. The entries may be in one folder, as tar
// puts them there.
func (a *archive) Next() (string, io.Reader, error) {
	for {
		h, err := a.tar.Next()
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return "", nil, err
		case errors.Is(err, tar.ErrHeader) && a.entries == 0:
			return "", nil, fmt.Errorf("%s: the file is compressed with zstd, but there is no tar archive in it as in a recording; decompress anything else first: unzstd %s", a.path, a.path)
		case err != nil:
			return "", nil, fmt.Errorf("%s: the archive is damaged after %d entries: %w", a.path, a.entries, err)
		}
		if a.entries++; a.entries > maxEntries {
			return "", nil, fmt.Errorf("%s: more than %d entries", a.path, maxEntries)
		}
		switch h.Typeflag {
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		case tar.TypeReg:
		default:
			return "", nil, fmt.Errorf("%s: %q is no regular file; a recording has nothing else", a.path, h.Name)
		}
		name, err := a.nameOf(h.Name)
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", a.path, err)
		}
		return name, limited(a.tar, a.path+": "+name), nil
	}
}

// nameOf returns the name of an entry without the folder.
func (a *archive) nameOf(entry string) (string, error) {
	clean := path.Clean(entry)
	folder, name := path.Split(clean)
	switch {
	case !filepath.IsLocal(clean) || strings.Contains(clean, `\`):
		return "", fmt.Errorf("%q leads out of the archive", entry)
	case strings.Count(folder, "/") > 1:
		return "", fmt.Errorf("%q: the files of a recording are in one folder", entry)
	case a.folder != "" && a.folder != folder:
		return "", fmt.Errorf("%q and the files before it are in different folders: it is more than one recording", entry)
	}
	a.folder = folder
	return name, nil
}

// Close implements Source.
func (a *archive) Close() error {
	a.decoder.Close()
	return a.file.Close()
}

// limited bounds a file in bytes.
func limited(r io.Reader, name string) io.Reader { return &limit{r, name, maxFile} }

type limit struct {
	reader io.Reader
	name   string
	left   int64
}

// Read implements io.Reader.
func (l *limit) Read(p []byte) (int, error) {
	n, err := l.reader.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("%s: larger than %d GiB", l.name, maxFile>>30)
	}
	return n, err
}
