package recordingfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/vicinity-sched/vicinity/flowgraph/recording"
)

// directory reads a recording's files one after the other.
type directory struct {
	path  string
	names []string // still to come
	open  *os.File
}

func openDirectory(path string) (*directory, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return &directory{path: path, names: recording.InOrder(names)}, nil
}

// Next implements recording.Files.
func (d *directory) Next() (string, io.Reader, error) {
	if err := d.Close(); err != nil {
		return "", nil, err
	}
	if len(d.names) == 0 {
		return "", nil, io.EOF
	}
	name := d.names[0]
	d.names = d.names[1:]
	path := filepath.Join(d.path, name)
	// A link may lead to a device that never ends, or out of a directory that
	// somebody else has packed.
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return "", nil, err
	case !info.Mode().IsRegular():
		return "", nil, fmt.Errorf("%s: is no regular file (%s); a recording has nothing else", path, info.Mode().Type())
	}
	f, err := os.Open(path)
	if err != nil {
		return "", nil, err
	}
	d.open = f
	return name, limited(f, path), nil
}

// Close closes the file that is open.
func (d *directory) Close() error {
	if d.open == nil {
		return nil
	}
	err := d.open.Close()
	d.open = nil
	return err
}

// newDirectory is a directory to write to.
type newDirectory struct {
	path string
	size map[string]int64
}

func createDirectory(path string) (*newDirectory, error) {
	if err := os.Mkdir(path, directoryMode); err != nil {
		return nil, err
	}
	return &newDirectory{path, map[string]int64{}}, nil
}

// Create implements recording.Creator: a file has another name until it is
// closed.
func (d *newDirectory) Create(name string) (io.WriteCloser, error) {
	f, err := create(filepath.Join(d.path, "."+name+".partial"))
	if err != nil {
		return nil, err
	}
	return &newFile{output: f, directory: d, name: name}, nil
}

// Bytes implements Target.
func (d *newDirectory) Bytes() int64 {
	var sum int64
	for _, size := range d.size {
		sum += size
	}
	return sum
}

// Close implements Target.
func (d *newDirectory) Close() error { return nil }

type newFile struct {
	*output
	directory *newDirectory
	name      string
}

// Close gives the file its name. What is written when the machine fails is
// whole: the name comes after the content.
func (f *newFile) Close() error {
	if f.err == nil {
		f.err = f.Sync()
	}
	f.err = errors.Join(f.err, f.File.Close())
	if f.err == nil {
		f.err = os.Rename(f.Name(), filepath.Join(f.directory.path, f.name))
	}
	if f.err != nil {
		os.Remove(f.Name())
		return f.err
	}
	f.directory.size[f.name] = f.size
	return nil
}
