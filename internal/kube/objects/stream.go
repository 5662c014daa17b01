package objects

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vicinity-sched/vicinity/internal/filekind"
)

var errTooLarge = fmt.Errorf("an object of more than %d MiB", maxObject>>20)

// stream reads JSON documents; the first begins at the given line.
func (c *collector) stream(r io.Reader, line int) error {
	m := &meter{reader: r, line: line}
	s := &stream{collector: c, meter: m, decoder: json.NewDecoder(m)}
	for {
		switch token, err := s.token(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			if message, ok := filekind.Message(s.rest()); ok {
				return fmt.Errorf("%s: the line is a message of the program that wrote the file, %s; delete it, or write the file again without 2>&1 or &>", s.at(-1), message)
			}
			return s.wrap(err)
		case token != json.Delim('{'):
			return fmt.Errorf("%s: begins with %v; must be a List or an object of Kubernetes", s.at(0), token)
		}
		if err := s.document(); err != nil {
			return err
		}
	}
}

// stream is a sequence of JSON documents.
type stream struct {
	*collector
	meter   *meter
	decoder *json.Decoder
}

// header is what says how the rest of an object is to be read.
type header struct{ apiVersion, kind string }

// document reads one, whose opening brace is read already. The items of a List
// are taken one by one; the fields of a single object are put together again,
// for its kind need not come first.
func (s *stream) document() error {
	begins, size := s.at(0), 0
	var h header
	fields := map[string]json.RawMessage{}
	isList := false
	for s.decoder.More() {
		token, err := s.token()
		if err != nil {
			return s.wrap(err)
		}
		key, _ := token.(string) // what else stands here is an error of token
		if key == "items" && (h.kind == "" || strings.HasSuffix(h.kind, "List")) {
			isList = true
			if err := s.items(&h); err != nil {
				return err
			}
			continue
		}
		raw, err := s.value(nil)
		if err != nil {
			return err
		}
		if size += len(raw); size > maxObject {
			return fmt.Errorf("%s: %w", begins, errTooLarge)
		}
		fields[key] = raw
		if err := h.set(key, raw); err != nil {
			return fmt.Errorf("%s: %w", begins, err)
		}
	}
	if _, err := s.token(); err != nil {
		return s.wrap(err)
	}
	switch {
	case !isList:
		raw, err := json.Marshal(fields)
		if err != nil {
			return fmt.Errorf("%s: %w", begins, err)
		}
		return s.located(begins, s.add(h, raw))
	case !strings.HasSuffix(h.kind, "List"):
		return fmt.Errorf("%s: has items, but its kind is %q; must be a List", begins, h.kind)
	}
	return s.located(begins, isWhole(fields["metadata"]))
}

// items reads the items of a List. In the answer of an API server they have no
// kind of their own, but the kind of the List comes before them.
func (s *stream) items(list *header) error {
	token, err := s.token()
	switch {
	case err != nil:
		return s.wrap(err)
	case token == nil:
		return nil
	case token != json.Delim('['):
		return fmt.Errorf("%s: items are no array", s.at(0))
	}
	var raw []byte // one buffer for all
	for s.decoder.More() {
		if raw, err = s.value(raw); err != nil {
			return err
		}
		h := header{list.apiVersion, strings.TrimSuffix(list.kind, "List")}
		where := s.at(len(raw))
		own, err := headerOf(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		if own.kind != "" {
			h = own
		}
		if err := s.located(where, s.add(h, raw)); err != nil {
			return err
		}
	}
	if _, err := s.token(); err != nil {
		return s.wrap(err)
	}
	return nil
}

// isWhole returns an error when a List has a continuation.
func isWhole(metadata []byte) error {
	var list struct {
		Continue string `json:"continue"`
	}
	if len(metadata) > 0 {
		if err := json.Unmarshal(metadata, &list); err != nil {
			return fmt.Errorf("the List's metadata: %w", err)
		}
	}
	if list.Continue != "" {
		return errors.New("the List is one page of several (metadata.continue is set); all of them are needed")
	}
	return nil
}

// headerOf reads an object as far as it has to: kubectl writes both fields at
// the beginning.
func headerOf(raw []byte) (header, error) {
	var h header
	d := json.NewDecoder(bytes.NewReader(raw))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return h, errors.New("an item that is no object")
	}
	for d.More() && (h.kind == "" || h.apiVersion == "") {
		token, err := d.Token()
		if err != nil {
			return h, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return h, err
		}
		key, _ := token.(string)
		if err := h.set(key, value); err != nil {
			return h, err
		}
	}
	return h, nil
}

func (h *header) set(key string, value []byte) error {
	var into *string
	switch key {
	case "kind":
		into = &h.kind
	case "apiVersion":
		into = &h.apiVersion
	default:
		return nil
	}
	if err := json.Unmarshal(value, into); err != nil {
		return fmt.Errorf("%s is no text", key)
	}
	return nil
}

func (s *stream) token() (json.Token, error) {
	s.meter.mark(s.decoder.InputOffset())
	return s.decoder.Token()
}

// value reads a value into a buffer that is used anew.
func (s *stream) value(buffer []byte) ([]byte, error) {
	s.meter.mark(s.decoder.InputOffset())
	raw := json.RawMessage(buffer)
	err := s.decoder.Decode(&raw)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return nil, s.wrong(err, s.decoder.InputOffset()+s.wrongAt())
	}
	if err == nil && len(raw) > maxObject {
		err = errTooLarge // the decoder had it before the meter could tell
	}
	if err != nil {
		return nil, s.wrap(err)
	}
	return raw, nil
}

// at is the file and the line so many bytes before what is read next.
func (s *stream) at(back int) string {
	return fmt.Sprintf("%s:%d", s.file, s.meter.lineAt(s.decoder.InputOffset()-int64(back)))
}

// wrap says where the decoder stopped.
func (s *stream) wrap(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s:%d: the file ends in the middle of an object: it is cut off", s.file, s.meter.lineAt(s.meter.read))
	}
	return s.wrong(err, s.decoder.InputOffset())
}

func (s *stream) wrong(err error, offset int64) error {
	return fmt.Errorf("%s:%d: byte %d: %w", s.file, s.meter.lineAt(offset), offset, err)
}

// rest is what has been read of the file and not been decoded.
func (s *stream) rest() []byte {
	rest, err := io.ReadAll(s.decoder.Buffered())
	if err != nil {
		return nil
	}
	return rest
}

// wrongAt is how far what is wrong in a value is from the end of what has been
// read well: the decoder itself does not tell.
func (s *stream) wrongAt() int64 {
	rest := s.rest()
	value := bytes.TrimLeft(rest, " \t\r\n,:")
	at := int64(len(rest) - len(value))
	var ignored json.RawMessage
	if syntax := (*json.SyntaxError)(nil); errors.As(json.Unmarshal(value, &ignored), &syntax) {
		at += max(0, syntax.Offset-1)
	}
	return at
}

// located puts file and line before an error, if there is one.
func (s *stream) located(where string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	return nil
}

// meter counts lines, and bounds how far the decoder may read ahead: it would
// hold any one value, however large.
type meter struct {
	reader io.Reader
	read   int64   // in all
	from   int64   // what was read before is done with
	line   int     // at from
	ends   []int64 // of the lines since then
}

func (m *meter) Read(p []byte) (int, error) {
	if m.read-m.from > maxObject {
		return 0, errTooLarge
	}
	n, err := m.reader.Read(p)
	for i := 0; i < n; i++ {
		next := bytes.IndexByte(p[i:n], '\n')
		if next < 0 {
			break
		}
		i += next
		m.ends = append(m.ends, m.read+int64(i))
	}
	m.read += int64(n)
	return n, err
}

func (m *meter) lineAt(offset int64) int {
	line := m.line
	for _, end := range m.ends {
		if end >= offset {
			break
		}
		line++
	}
	return line
}

// mark says that all before an offset is done with.
func (m *meter) mark(offset int64) {
	done := m.lineAt(offset) - m.line
	m.line += done
	m.ends = m.ends[done:]
	m.from = offset
}
