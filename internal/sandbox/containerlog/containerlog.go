// Package containerlog keeps the last part of what a container prints, and writes it as
// kubectl logs asks for it. It knows neither pods nor HTTP.
package containerlog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// longest is the length in bytes from which a line that has no end yet is kept as if it had
// one, as container runtimes do.
const longest = 16 << 10

// Log is the output of one run of a container: an io.WriteCloser, to be closed when the run
// has ended.
type Log struct {
	limit int
	now   func() time.Time

	mu      sync.Mutex
	lines   []line
	size    int    // of the text of all lines, in bytes
	dropped int    // how many lines there were before the first
	partial []byte // the line that has no end yet
	closed  bool
	changed chan struct{} // closed when there are more lines, or no more will come
}

// line is a line with its newline, if it has one.
type line struct {
	at   time.Time
	text []byte
}

// New returns an empty log of at most limit bytes. Of a longer output, the first lines are
// dropped; the last line is always kept. now is the time at which a line is printed.
func New(limit int, now func() time.Time) *Log {
	return &Log{limit: limit, now: now, changed: make(chan struct{})}
}

// Write implements io.Writer. It fails only after Close.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, io.ErrClosedPipe
	}
	for part := range bytes.Lines(p) {
		l.partial = append(l.partial, part...)
		if bytes.HasSuffix(part, []byte("\n")) || len(l.partial) >= longest {
			l.add()
		}
	}
	return len(p), nil
}

// Close ends the log, and with it whoever follows it. It always returns nil.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	if len(l.partial) > 0 {
		l.add()
	}
	l.closed = true
	close(l.changed)
	return nil
}

// add makes the partial line a line. The caller holds the lock.
func (l *Log) add() {
	l.lines = append(l.lines, line{l.now(), l.partial})
	l.size += len(l.partial)
	l.partial = nil
	for l.size > l.limit && len(l.lines) > 1 {
		l.size -= len(l.lines[0].text)
		l.lines[0] = line{}
		l.lines = l.lines[1:]
		l.dropped++
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// Last returns the last n lines, without newlines.
func (l *Log) Last(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var last []string
	for _, of := range l.lines[max(0, len(l.lines)-n):] {
		last = append(last, strings.TrimSuffix(string(of.text), "\n"))
	}
	return last
}

// Copy writes the lines that the options ask for; it ignores the container's name and
// Previous, which choose a log. With Follow it returns when the log is closed or ctx ends.
// It calls w once for all lines that have come in the meantime.
func (l *Log) Copy(ctx context.Context, w io.Writer, o corev1.PodLogOptions) error {
	since := time.Time{}
	switch {
	case o.SinceTime != nil:
		since = o.SinceTime.Time
	case o.SinceSeconds != nil:
		since = l.now().Add(-time.Duration(*o.SinceSeconds) * time.Second)
	}
	next := l.begin(o.TailLines)
	for left := o.LimitBytes; ; {
		lines, after, more := l.from(next)
		text := render(lines, since, o.Timestamps)
		if left != nil {
			text = text[:min(int64(len(text)), *left)]
			left = new(*left - int64(len(text)))
		}
		if len(text) > 0 {
			if _, err := w.Write(text); err != nil {
				return fmt.Errorf("writing a log: %w", err)
			}
		}
		next = after
		if !o.Follow || more == nil || left != nil && *left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-more:
		}
	}
}

// begin returns the number of the first line to show.
func (l *Log) begin(tail *int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if tail == nil || *tail >= int64(len(l.lines)) {
		return l.dropped
	}
	return l.dropped + len(l.lines) - int(*tail)
}

// from returns the lines from a number on that are still there, the number of the next one,
// and what is closed when there are more; nil: no more will come.
func (l *Log) from(number int) (lines []line, next int, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		more = l.changed
	}
	return slices.Clone(l.lines[max(0, number-l.dropped):]), l.dropped + len(l.lines), more
}

// render is the text of the lines that were printed at a time or after it.
func render(lines []line, since time.Time, timestamps bool) []byte {
	var text []byte
	for _, of := range lines {
		if of.at.Before(since) {
			continue
		}
		if timestamps {
			text = of.at.UTC().AppendFormat(text, "2006-01-02T15:04:05.000000000Z ")
		}
		text = append(text, of.text...)
	}
	return text
}
