package recording

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// Creator makes the files of a recording.
type Creator interface {
	// Create begins a file. It appears, whole, when it is closed without an
	// error; if any Write failed, Close fails too and there is no file. A second
	// file of the same name takes the place of the first. One file is open at
	// a time, and manifest.json beside it.
	Create(name string) (io.WriteCloser, error)
}

// Writer writes a recording. After an error it writes nothing more: what
// Written says is what there is.
type Writer struct {
	create   Creator
	manifest Manifest
	written  time.Time // the end of the last part that is there
	err      error

	start   time.Time // of the part under way
	ends    time.Time // when it does, unless it grows too large before
	last    time.Time // the end of the last step
	changed time.Time // the time of the last change

	objects io.WriteCloser // nil before the first change of the part
	lines   *bufio.Writer
	edges   edgesBuffer
}

// NewWriter begins a recording at m.From by writing its manifest. Format, To,
// Complete and Ended are the Writer's.
func NewWriter(create Creator, m Manifest) (*Writer, error) {
	m.Format, m.To, m.Complete, m.Ended = Format, time.Time{}, false, ""
	m.From = milli(m.From)
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	w := &Writer{create: create, manifest: m, written: m.From, last: m.From, changed: m.From}
	w.begin()
	return w, w.writeManifest()
}

// milli returns a time as sample timestamps have it.
func milli(at time.Time) time.Time { return time.UnixMilli(at.UnixMilli()).UTC() }

// Written is up to when the files that are there say everything.
func (w *Writer) Written() time.Time { return w.written }

// Note adds a note to the manifest that Close will write.
func (w *Writer) Note(text string) { w.manifest.Notes = append(w.manifest.Notes, text) }

// LeaveOut adds traffic that was left out to the manifest that Close will write.
func (w *Writer) LeaveOut(l LeftOut) { w.manifest.LeftOut = append(w.manifest.LeftOut, l) }

// Change takes a change of an object; File and Line do not matter. A time before
// that of the change or step before is taken as that one.
func (w *Writer) Change(c Change) error {
	if w.err != nil {
		return w.err
	}
	if c.Type != Added && c.Type != Modified && c.Type != Deleted {
		return fmt.Errorf("recording: a change of type %q", c.Type)
	}
	if !inRange(c.At) {
		return fmt.Errorf("recording: a change at %s", c.At)
	}
	if c.At.Before(w.changed) {
		c.At = w.changed
	}
	w.changed = c.At
	return w.event(event{Type: c.Type, Time: c.At, Object: c.Object})
}

// event is one line of an objects file.
type event struct {
	Type   ChangeType      `json:"type"`
	Time   time.Time       `json:"time"`
	Object json.RawMessage `json:"object,omitempty"`
	// Steps is, in the BOOKMARK at the end, how many there are in the edges file.
	Steps int `json:"steps,omitempty"`
}

func (w *Writer) event(e event) error {
	e.Time = e.Time.UTC()
	line, err := json.Marshal(e)
	switch {
	case err != nil:
		return fmt.Errorf("recording: an object that is no JSON: %w", err)
	case len(line) >= maxLine:
		return fmt.Errorf("recording: an object of more than %d MiB", maxLine>>20)
	}
	if w.objects == nil {
		if err := w.openObjects(); err != nil {
			return err
		}
	}
	return w.fail(w.line(line))
}

func (w *Writer) line(text []byte) error {
	if _, err := w.lines.Write(text); err != nil {
		return err
	}
	return w.lines.WriteByte('\n')
}

func (w *Writer) openObjects() error {
	f, err := w.create.Create(objectsPrefix + w.start.Format(partLayout) + objectsSuffix)
	if err != nil {
		return w.fail(err)
	}
	w.objects, w.lines = f, bufio.NewWriterSize(f, 64<<10)
	return w.event(event{Type: bookmark, Time: w.start})
}

// Step ends a step: edges has the mean rates since the step before. Without any
// edges it is a gap. Edges of the same two workloads are added up.
func (w *Writer) Step(at time.Time, edges []flowgraph.Edge) error {
	at = milli(at)
	switch {
	case w.err != nil:
		return w.err
	case !at.After(w.last) || !inRange(at):
		return fmt.Errorf("recording: a step that ends at %s; must be after %s", at, w.last)
	case len(edges) > MaxEdges:
		return fmt.Errorf("recording: %d edges in one step; must be at most %d", len(edges), MaxEdges)
	}
	for _, e := range edges {
		if e.From.IsZero() || e.To.IsZero() || !e.Valid() {
			return fmt.Errorf("recording: the edge from %s to %s has no name or a rate that is none", e.From, e.To)
		}
	}
	w.edges.add(at, at.Sub(w.last), edges)
	w.last = at
	if at.After(w.changed) {
		w.changed = at
	}
	if !at.Before(w.ends) || w.edges.points >= partPoints || len(w.edges.times) > maxStepsOfPart {
		return w.endPart(at)
	}
	return nil
}

// begin begins a part where the last step ended.
func (w *Writer) begin() {
	w.start = w.last
	w.ends = w.start.Truncate(partLength).Add(partLength)
	w.edges.begin(w.start)
}

// endPart writes what is left of the part under way and begins the next.
func (w *Writer) endPart(end time.Time) error {
	if err := w.event(event{Type: bookmark, Time: end, Steps: len(w.edges.times) - 1}); err != nil {
		return err
	}
	err := errors.Join(w.lines.Flush(), w.objects.Close())
	w.objects = nil
	if err != nil {
		return w.fail(err)
	}
	if len(w.edges.times) > 1 {
		if err := w.writeFile(edgesPrefix+w.start.Format(partLayout)+edgesSuffix, w.edges.write); err != nil {
			return err
		}
	}
	w.written = end
	w.begin()
	return nil
}

func (w *Writer) writeFile(name string, write func(*bufio.Writer) error) error {
	f, err := w.create.Create(name)
	if err != nil {
		return w.fail(err)
	}
	b := bufio.NewWriterSize(f, 64<<10)
	err = write(b)
	if err == nil {
		err = b.Flush()
	}
	return w.fail(errors.Join(err, f.Close()))
}

func (w *Writer) writeManifest() error {
	return w.writeFile(ManifestName, func(b *bufio.Writer) error {
		text, err := json.MarshalIndent(w.manifest, "", "  ")
		if err != nil {
			return err
		}
		_, err = b.Write(append(text, '\n'))
		return err
	})
}

// fail keeps the first error.
func (w *Writer) fail(err error) error {
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("writing the recording: %w", err)
	}
	return w.err
}

// Close writes the part under way and the manifest. why says why a recording
// that is not complete ended. After an error of the Writer it only returns that
// error: the files that are there are as Written says.
func (w *Writer) Close(complete bool, why string) error {
	if w.err != nil {
		if w.objects != nil {
			// The file has failed or is of no use without its end.
			_ = w.objects.Close()
			w.objects = nil
		}
		return w.err
	}
	end := w.last
	if w.changed.After(end) {
		end = w.changed
	}
	if end.After(w.start) || w.objects != nil {
		if err := w.endPart(end); err != nil {
			return err
		}
	}
	w.manifest.To, w.manifest.Complete, w.manifest.Ended = end, complete, why
	w.manifest.Notes, w.manifest.LeftOut = slices.Clip(w.manifest.Notes), slices.Clip(w.manifest.LeftOut)
	if err := w.writeManifest(); err != nil {
		return err
	}
	w.err = errors.New("recording: closed")
	return nil
}
