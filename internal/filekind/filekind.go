// Package filekind recognises a file by its beginning, so that a reader that is given
// the wrong file can say what it is and which command takes it. It knows the files that
// people mix up; it validates none of them.
package filekind

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// HeadBytes is how much of a file is looked at. Where the kind of an object stands
// behind its content, this is enough to find the fields before it.
const HeadBytes = 64 << 10

// Kind is what a file is.
type Kind int

// The kinds that are recognised.
const (
	Unknown Kind = iota
	Empty
	UTF16
	Binary
	Compressed
	Archive
	HTML
	LogLines
	KubectlTable
	KubernetesObjects
	Kubeconfig
	SchedulerConfiguration
	TelemetryConfiguration
	GraphJSON
	ReplayJSON
	RecordingPart
	PrometheusAnswer
	MetricsText
	EdgeList
	Assignment
	ByteDance
)

// File is what is known of a file.
type File struct {
	Kind Kind
	// What completes "the file is".
	What string
	// Next is what to do with the file, a clause in the imperative.
	Next string
}

// Of recognises a file by its first bytes, at most HeadBytes of which are looked at.
func Of(head []byte) File {
	head = head[:min(len(head), HeadBytes)]
	if f := encoded(head); f.Kind != Unknown {
		return f
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return File{Binary, "binary data", "check that it is the right file"}
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	if len(text) == 0 {
		return File{Empty, "empty", "check the command that wrote it"}
	}
	for _, recognise := range []func([]byte) File{ofHTML, ofLog, ofJSON, ofTable, ofText, ofYAML} {
		if f := recognise(text); f.Kind != Unknown {
			return f
		}
	}
	return File{}
}

// At recognises the file at a path. A directory, and a file that cannot be read, is
// Unknown.
func At(path string) File {
	f, err := os.Open(path)
	if err != nil {
		return File{}
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, HeadBytes))
	if err != nil {
		return File{}
	}
	return Of(head)
}

// maxWritten bounds a file that people write: one of the largest objects that Kubernetes stores
// has a tenth of it.
const maxWritten = 16 << 20

// Read reads a file that should be what is wanted, and that people or kubectl write. A larger
// one is refused before it fills the memory, with what it is when that is known.
func Read(path, wanted string, accepted ...Kind) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // names the path
	}
	defer f.Close()
	return ReadFrom(f, path, wanted, accepted...)
}

// ReadFrom does the same with a reader, of which errors say the name.
func ReadFrom(r io.Reader, name, wanted string, accepted ...Kind) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxWritten+1))
	if err != nil || len(data) <= maxWritten {
		return data, err
	}
	if err := Of(data).Refuse(name, wanted, accepted...); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%s: is larger than %d MiB, want %s", name, maxWritten>>20, wanted)
}

// Refuse returns an error that says what the file at a path is instead of what was
// wanted; nil when its kind is accepted or unknown.
func (f File) Refuse(path, wanted string, accepted ...Kind) error {
	if f.Kind == Unknown || slices.Contains(accepted, f.Kind) {
		return nil
	}
	next := strings.ReplaceAll(f.Next, "FILE", path)
	switch f.Kind {
	case Empty:
		return fmt.Errorf("%s: the file is empty, want %s; %s", path, wanted, next)
	case LogLines, UTF16:
		return fmt.Errorf("%s:1: the file %s; %s", path, f.What, next)
	}
	return fmt.Errorf("%s: the file is %s, not %s; %s", path, f.What, wanted, next)
}

// Describe returns the path, followed by what the file there is and what to do with it
// when that is known.
func Describe(path string) string {
	f := At(path)
	if f.Kind == Unknown {
		return path
	}
	return fmt.Sprintf("%s (%s; %s)", path, f.What, strings.ReplaceAll(f.Next, "FILE", path))
}

// firstLine returns the first line of a text, without its end.
func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return strings.TrimRight(string(line), "\r")
}

// quote quotes a line, shortened to what fits into a message.
func quote(line string) string {
	const most = 120
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most], "") + "..."
	}
	return strconv.Quote(line)
}
