package recording

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Files hands out the files of a recording in order: manifest.json, then for
// each part its objects and its edges. An archive may have a second
// manifest.json at its end, which supersedes the first.
type Files interface {
	// Next returns the next file; it may be read until the next call. io.EOF is
	// the end; io.ErrUnexpectedEOF, also of the file, that of an archive that is
	// cut off.
	Next() (name string, r io.Reader, err error)
}

// Reader reads a recording step by step. It holds one part at a time.
type Reader struct {
	files    Files
	manifest Manifest
	notes    notes

	name string // of the file that comes next, "" at the end
	file io.Reader

	part    string    // the last one begun
	last    time.Time // the end of the last step
	end     time.Time // of the last part
	pending []Change  // not yet in a step
	steps   []Step    // of the part under way, without their changes
	err     error     // what Next returns once the steps are used up
}

// NewReader reads the manifest. The error of a file that is no recording names
// it and says what is wrong.
func NewReader(f Files) (*Reader, error) {
	r := &Reader{files: f}
	name, file, err := f.Next()
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("no %s; a recording begins with it", ManifestName)
	case err != nil:
		return nil, err
	case name != ManifestName:
		return nil, fmt.Errorf("begins with %q; a recording begins with %s: unpack an archive that is in another order and read the directory", name, ManifestName)
	}
	if r.manifest, err = readManifest(name, file); err != nil {
		return nil, err
	}
	r.end = milli(r.manifest.From)
	r.last = r.end
	return r, r.advance()
}

// Manifest returns what the recording is. That of an archive may change when
// the end is reached.
func (r *Reader) Manifest() Manifest { return r.manifest }

// Warnings returns what has been found so far.
func (r *Reader) Warnings() []Warning { return r.notes.list }

// Next returns the next step, io.EOF after the last. A recording that is cut
// off ends, with a Warning, before the first part that is not whole. Any other
// error is of a file that is no part of a recording; it says the line.
func (r *Reader) Next() (*Step, error) {
	for len(r.steps) == 0 {
		if r.err != nil {
			return nil, r.err
		}
		if err := r.readPart(); err != nil {
			if errors.Is(err, errCutOff) {
				err = io.EOF
			}
			r.err, r.pending = err, nil
		}
	}
	s := r.steps[0]
	r.steps = r.steps[1:]
	n := 0
	for n < len(r.pending) && !r.pending[n].At.After(s.At) {
		n++
	}
	s.Changes, r.pending = r.pending[:n:n], r.pending[n:]
	s.Length, r.last = s.At.Sub(r.last), s.At
	return &s, nil
}

// advance makes the next file the current one. Manifests and files that belong
// to something else are passed over.
func (r *Reader) advance() error {
	for {
		name, file, err := r.files.Next()
		switch {
		case errors.Is(err, io.EOF):
			r.name = ""
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			r.notes.add("the archive is cut off; what comes before is read", afterPart(r.part))
			r.name = ""
			return nil
		case err != nil:
			return err
		}
		switch kind, _ := kindOf(name); kind {
		case manifestKind:
			m, err := readManifest(name, file)
			if errors.Is(err, io.ErrUnexpectedEOF) {
				continue // the archive is cut off, as the next call finds
			}
			if err != nil {
				return err
			}
			r.manifest = m
		case otherFile:
			r.notes.add("a file that belongs to no recording is passed over", name)
		default:
			r.name, r.file = name, file
			return nil
		}
	}
}

func afterPart(part string) string {
	if part == "" {
		return "at its beginning"
	}
	return "after " + part
}

// readPart reads the objects and the edges of the next part. io.EOF is the end
// of the recording.
func (r *Reader) readPart() error {
	if r.name == "" {
		return r.finish()
	}
	kind, part := kindOf(r.name)
	switch {
	case part <= r.part:
		return fmt.Errorf("%s: comes after the part %s; must be in order of time", r.name, r.part)
	case kind == edgesKind:
		return r.cutOff("the objects file of an edges file is missing", r.name)
	}
	objects, err := r.readObjects(r.name, r.file)
	if err != nil {
		return err
	}
	if !objects.start.Equal(r.end) {
		return r.cutOff("files before it are missing", fmt.Sprintf("%s begins at %s, but what came before ends at %s",
			r.name, objects.start.Format(time.RFC3339Nano), r.end.Format(time.RFC3339Nano)))
	}
	r.part = part
	if err := r.advance(); err != nil {
		return err
	}
	var steps []Step
	kind, next := kindOf(r.name)
	switch {
	case kind == edgesKind && next == part:
		if steps, err = r.readEdges(r.name, r.file, objects); err != nil {
			return err
		}
		if err := r.advance(); err != nil {
			return err
		}
	case objects.steps > 0:
		return r.cutOff("an edges file is missing", edgesPrefix+part+edgesSuffix)
	}
	last := objects.start
	if len(steps) > 0 {
		last = steps[len(steps)-1].At
	}
	if objects.end.After(last) {
		steps = append(steps, Step{At: objects.end, Gap: true})
	}
	r.steps, r.end, r.pending = steps, objects.end, append(r.pending, objects.changes...)
	return nil
}

// cutOff ends the recording with a warning.
func (r *Reader) cutOff(text, example string) error {
	r.notes.add(text+"; the recording is read up to "+r.end.UTC().Format(time.RFC3339), example)
	return errCutOff
}

// finish says what is odd about the end.
func (r *Reader) finish() error {
	m := r.manifest
	switch {
	case m.To.IsZero():
		r.notes.add("the recording has no end: the recorder is still running, was killed, or its disk was full", "up to "+r.end.UTC().Format(time.RFC3339))
	case milli(m.To).After(milli(r.end)):
		r.notes.add("files are missing at the end", fmt.Sprintf("%s says up to %s, the files go to %s",
			ManifestName, m.To.UTC().Format(time.RFC3339), r.end.UTC().Format(time.RFC3339)))
	}
	return io.EOF
}

// notes gathers warnings; equal ones are counted.
type notes struct {
	list []Warning
	at   map[string]int // by text, in list
}

func (n *notes) add(text, example string) {
	i, known := n.at[text]
	if !known {
		if n.at == nil {
			n.at = map[string]int{}
		}
		i = len(n.list)
		n.at[text] = i
		n.list = append(n.list, Warning{Text: text, Example: example})
	}
	n.list[i].Count++
}
