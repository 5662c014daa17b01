package recording

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// errCutOff means that a file ends before its end.
var errCutOff = errors.New("the file is cut off")

// lines reads a file line by line.
type lines struct {
	name string
	in   *bufio.Reader
	line int
	long []byte // a line that the buffer of in does not hold
}

func newLines(name string, r io.Reader) *lines {
	return &lines{name: name, in: bufio.NewReaderSize(r, 16<<10)}
}

// next returns a line without its end, valid until the next call. At the end of
// the file it returns io.EOF; a last line without end is errCutOff.
func (l *lines) next() ([]byte, error) {
	l.line++
	l.long = l.long[:0]
	for {
		text, err := l.in.ReadSlice('\n')
		if len(l.long)+len(text) > maxLine {
			return nil, l.errorf("a line of more than %d MiB", maxLine>>20)
		}
		switch {
		case err == nil && len(l.long) == 0:
			return text[:len(text)-1], nil
		case err == nil:
			l.long = append(l.long, text...)
			return l.long[:len(l.long)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
			l.long = append(l.long, text...)
		case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF) && len(text)+len(l.long) > 0:
			return nil, errCutOff
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		default:
			return nil, l.errorf("%w", err)
		}
	}
}

// at is where the last line is.
func (l *lines) at() string { return fmt.Sprintf("%s:%d", l.name, l.line) }

func (l *lines) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", l.at(), fmt.Errorf(format, args...))
}
