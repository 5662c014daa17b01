package promapi

import (
	"errors"
	"fmt"
	"io"
)

const (
	// bufferBytes is what is read at once; nothing of an answer is kept longer
	// than the series it belongs to.
	bufferBytes = 64 << 10
	// maxDepth limits the nesting of what is skipped.
	maxDepth = 32
	// maxEmptyReads is how often a reader may return nothing before it counts as
	// broken.
	maxEmptyReads = 100
)

// errCutOff is the error of an answer that ends before its JSON does.
var errCutOff = errors.New("the answer ends in the middle")

// lexer splits a stream of JSON into tokens. It checks the whole of RFC 8259,
// also in what is skipped, and holds one buffer whatever the size of a token.
type lexer struct {
	in       io.Reader
	buf      []byte
	pos, end int    // what is left of buf
	before   int64  // bytes of the stream before buf[0]
	err      error  // the first of in, io.EOF included: it is not read again
	scratch  []byte // keys and short texts, valid until the next one
}

func newLexer(in io.Reader) *lexer {
	return &lexer{in: in, buf: make([]byte, bufferBytes), scratch: make([]byte, 0, maxTextBytes)}
}

// fill reads the next part of the stream; it may be called only when nothing of
// the last one is left.
func (l *lexer) fill() error {
	for range maxEmptyReads {
		if l.err != nil {
			return l.err
		}
		l.before += int64(l.end)
		l.pos, l.end = 0, 0
		n, err := l.in.Read(l.buf)
		l.end, l.err = n, err
		if n > 0 {
			return nil
		}
	}
	if l.err == nil {
		l.err = io.ErrNoProgress
	}
	return l.err
}

// raw returns the next byte, white space included, without taking it. An end of
// the stream is errCutOff.
func (l *lexer) raw() (byte, error) {
	if l.pos == l.end {
		if err := l.fill(); err != nil {
			return 0, cutOff(err)
		}
	}
	return l.buf[l.pos], nil
}

// peek returns the next byte that is not white space, without taking it. An end
// of the stream is errCutOff.
func (l *lexer) peek() (byte, error) {
	for {
		for ; l.pos < l.end; l.pos++ {
			switch c := l.buf[l.pos]; c {
			case ' ', '\t', '\n', '\r':
			default:
				return c, nil
			}
		}
		if err := l.fill(); err != nil {
			return 0, cutOff(err)
		}
	}
}

// finish makes sure that nothing but white space is left.
func (l *lexer) finish() error {
	_, err := l.peek()
	switch {
	case err == nil:
		return l.unexpected("the end of the answer")
	case errors.Is(l.err, io.EOF):
		return nil
	}
	return err
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return errCutOff
	}
	return err
}

// syntaxError says what is wrong with an answer, and where.
type syntaxError struct {
	offset int64
	text   string
}

// Error implements error.
func (e *syntaxError) Error() string { return fmt.Sprintf("%s, at byte %d", e.text, e.offset) }

// fail returns a syntaxError at the current position.
func (l *lexer) fail(format string, args ...any) error {
	return &syntaxError{offset: l.before + int64(l.pos), text: fmt.Sprintf(format, args...)}
}

// unexpected returns a syntaxError that shows what is there instead.
func (l *lexer) unexpected(want string) error {
	const shown = 20
	return l.fail("want %s instead of %q", want, l.buf[l.pos:min(l.end, l.pos+shown)])
}

// expect takes the byte c after white space.
func (l *lexer) expect(c byte) error {
	if l.pos < l.end && l.buf[l.pos] == c { // nearly always
		l.pos++
		return nil
	}
	got, err := l.peek()
	if err != nil {
		return err
	}
	if got != c {
		return l.unexpected(fmt.Sprintf("%q", c))
	}
	l.pos++
	return nil
}

// more reports whether an object or array has another element, and takes the
// comma before it or else the closing brace. first is whether it is the first.
func (l *lexer) more(first bool, closing byte) (bool, error) {
	c, err := l.peek()
	switch {
	case err != nil:
		return false, err
	case c == closing:
		l.pos++
		return false, nil
	case first:
		return true, nil
	case c != ',':
		return false, l.unexpected(fmt.Sprintf(`"," or %q`, closing))
	}
	l.pos++
	return true, nil
}

// key takes the key of an object and the colon. It is valid until the next call
// of the lexer; one that is too long for a key we know is cut.
func (l *lexer) key() ([]byte, error) {
	const maxKeyBytes = 32
	key, _, err := l.string(l.scratch, maxKeyBytes)
	if err != nil {
		return nil, err
	}
	return key, l.expect(':')
}

// null reports whether the next value is null, and takes it if so.
func (l *lexer) null() (bool, error) {
	c, err := l.peek()
	if err != nil || c != 'n' {
		return false, err
	}
	return true, l.literal("null")
}

// flag takes a value and reports whether it is anything but false and null.
func (l *lexer) flag() (bool, error) {
	c, err := l.peek()
	if err != nil {
		return false, err
	}
	return c != 'f' && c != 'n', l.skip(1)
}

func (l *lexer) literal(text string) error {
	for i := range len(text) {
		c, err := l.raw()
		if err != nil {
			return err
		}
		if c != text[i] {
			return l.unexpected(fmt.Sprintf("the rest of %q", text))
		}
		l.pos++
	}
	return nil
}

// number takes a number and checks its form only: nothing here uses one.
func (l *lexer) number() error {
	c, err := l.peek()
	if err == nil && c == '-' {
		l.pos++
		c, err = l.raw()
	}
	if err != nil {
		return err
	}
	if c == '0' {
		l.pos++
	} else if err := l.digits(); err != nil {
		return err
	}
	if c, err = l.raw(); err == nil && c == '.' {
		l.pos++
		if err := l.digits(); err != nil {
			return err
		}
		c, err = l.raw()
	}
	if err == nil && (c == 'e' || c == 'E') {
		l.pos++
		if c, err = l.raw(); err == nil && (c == '+' || c == '-') {
			l.pos++
		}
		return l.digits()
	}
	return err
}

// digits takes one digit or more.
func (l *lexer) digits() error {
	for n := 0; ; n++ {
		if l.pos == l.end {
			if err := l.fill(); err != nil {
				return cutOff(err)
			}
		}
		if c := l.buf[l.pos]; c < '0' || c > '9' {
			if n == 0 {
				return l.unexpected("a digit")
			}
			return nil
		}
		l.pos++
	}
}

// skip takes one value of any kind. depth is how many levels it is nested in.
func (l *lexer) skip(depth int) error {
	if depth > maxDepth {
		return l.fail("nested deeper than %d levels", maxDepth)
	}
	c, err := l.peek()
	if err != nil {
		return err
	}
	switch c {
	case '{':
		return l.skipElements('}', depth)
	case '[':
		return l.skipElements(']', depth)
	case '"':
		_, _, err := l.string(nil, 0)
		return err
	case 't':
		return l.literal("true")
	case 'f':
		return l.literal("false")
	case 'n':
		return l.literal("null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return l.number()
	}
	return l.unexpected("a value")
}

func (l *lexer) skipElements(closing byte, depth int) error {
	l.pos++
	for first := true; ; first = false {
		more, err := l.more(first, closing)
		if err != nil || !more {
			return err
		}
		if closing == '}' {
			if _, err := l.key(); err != nil {
				return err
			}
		}
		if err := l.skip(depth + 1); err != nil {
			return err
		}
	}
}
