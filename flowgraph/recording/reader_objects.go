package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// objectsFile is what an objects file has.
type objectsFile struct {
	start, end time.Time // by its BOOKMARKs
	steps      int       // in the edges file of the part; 0 when there is none
	changes    []Change
}

func (r *Reader) readObjects(name string, file io.Reader) (objectsFile, error) {
	var o objectsFile
	l := newLines(name, file)
	size := 0
	for ended := false; ; {
		text, err := l.next()
		switch {
		case errors.Is(err, io.EOF) && ended:
			return o, nil
		case errors.Is(err, io.EOF) || errors.Is(err, errCutOff):
			return o, r.cutOff("an objects file is cut off: it has no BOOKMARK at its end", l.at())
		case err != nil:
			return o, err
		case ended:
			return o, l.errorf("a line after the BOOKMARK that ends the file")
		}
		e, err := readEvent(text)
		if err != nil {
			return o, l.errorf("%w", err)
		}
		switch {
		case o.start.IsZero():
			if e.Type != bookmark {
				return o, l.errorf("an event of type %q; the first must be a BOOKMARK", e.Type)
			}
			o.start = e.Time
			continue
		case e.Type == bookmark:
			if o.end, o.steps, ended = e.Time, e.Steps, true; o.end.Before(o.start) {
				return o, l.errorf("ends at %s, before it begins", o.end)
			}
			continue
		}
		if n := len(o.changes); n > 0 && e.Time.Before(o.changes[n-1].At) || e.Time.Before(o.start) {
			r.notes.add("an event is older than the one before; it is taken at the time of that one", l.at())
			e.Time = o.start
			if n > 0 {
				e.Time = o.changes[n-1].At
			}
		}
		size += len(e.Object)
		if len(o.changes) == maxChanges || size > maxChangeBytes {
			return o, l.errorf("more than %d events or %d GiB in one file", maxChanges, maxChangeBytes>>30)
		}
		o.changes = append(o.changes, Change{Type: e.Type, At: e.Time, Object: bytes.Clone(e.Object), File: name, Line: l.line})
	}
}

// readEvent reads one line. The times are UTC.
func readEvent(text []byte) (event, error) {
	var e event
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("no event: %w", worded(err))
	}
	e.Time = e.Time.UTC()
	if !inRange(e.Time) {
		return e, fmt.Errorf("time %s: must be from 1970 to 9999", e.Time)
	}
	switch e.Type {
	case Added, Modified, Deleted:
		if len(e.Object) == 0 || e.Object[0] != '{' {
			return e, fmt.Errorf("an event of type %s without an object", e.Type)
		}
	case bookmark:
	default:
		return e, fmt.Errorf("an event of type %q; must be ADDED, MODIFIED, DELETED or BOOKMARK", e.Type)
	}
	return e, nil
}
