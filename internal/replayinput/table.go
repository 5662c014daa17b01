package replayinput

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/filekind"
)

// What is read of one input at most. The largest cluster that the design aims
// at, 10,000 workloads with 200,000 edges, is a table of about 20 MiB.
const (
	maxTableBytes = 256 << 20
	// maxLineBytes is beyond any row: two names of maxNameBytes for each end and
	// a few numbers are less than 2 KiB.
	maxLineBytes = 64 << 10
	// maxNameBytes is Kubernetes' limit for the name of an object.
	maxNameBytes = 253
)

// Warning is something that an input has and that its reader leaves out or
// changes.
type Warning struct {
	// Text says what, in the plural: "services with ...".
	Text string
	// Count is how often.
	Count int
}

// String returns the warning as a line of a report.
func (w Warning) String() string { return fmt.Sprintf("%d %s", w.Count, w.Text) }

// table is a CSV file with a header. A row is one line: a quoted field cannot go
// on in the next one. Empty lines count as lines only.
type table struct {
	file    string
	input   *io.LimitedReader
	lines   *bufio.Scanner
	columns []string // as in the file
	line    int
	row     []string
}

// openTable reads the header. It must have all columns of one of the headers; the
// optional columns may stand beside them. The order of columns is free.
func openTable(r io.Reader, file string, headers [][]string, optional ...string) (*table, error) {
	input := &io.LimitedReader{R: r, N: maxTableBytes + 1}
	whole := bufio.NewReaderSize(input, filekind.HeadBytes)
	head, err := whole.Peek(filekind.HeadBytes)
	if len(head) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := refuse(head, file, headers); err != nil {
		return nil, err
	}
	t := &table{file: file, input: input, lines: bufio.NewScanner(whole)}
	t.lines.Buffer(nil, maxLineBytes)
	if err := t.next(); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: the file is empty; the first line must be %s", file, wanted(headers))
		}
		return nil, err
	}
	t.columns = t.row
	for i, name := range t.columns {
		if slices.Contains(t.columns[:i], name) {
			return nil, t.errorf("column %q is there twice", name)
		}
	}
	header, ok := t.matching(headers)
	if !ok {
		return nil, t.errorf("the first line must be the header %s (found %.100q)", wanted(headers), strings.Join(t.columns, ","))
	}
	for _, name := range t.columns {
		if !slices.Contains(header, name) && !slices.Contains(optional, name) {
			return nil, t.errorf("unknown column %q: must be one of %s", name, strings.Join(slices.Concat(header, optional), ", "))
		}
	}
	return t, nil
}

// refuse says what a file is that is no table of the headers, or how its fields are
// separated instead of by commas.
func refuse(head []byte, file string, headers [][]string) error {
	kind, what := filekind.EdgeList, "an edge list (CSV)"
	if !slices.Contains(headers[0], "from") {
		kind, what = filekind.Assignment, "an assignment (CSV)"
	}
	if err := filekind.Of(head).Refuse(file, what, kind, filekind.Empty); err != nil {
		return err
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	first, _, _ := strings.Cut(string(text), "\n")
	line := 1 + bytes.Count(head[:len(head)-len(text)], []byte("\n"))
	for by, name := range map[string]string{";": "semicolons", "\t": "tabs"} {
		if slices.ContainsFunc(headers, func(header []string) bool { return isHeader(strings.Split(first, by), header) }) {
			return fmt.Errorf("%s:%d: fields are separated by %s instead of commas; save the file as comma-separated CSV, with a point in decimal numbers", file, line, name)
		}
	}
	if strings.Contains(strings.TrimRight(first, "\r"), "\r") {
		return fmt.Errorf("%s:%d: lines end in carriage returns instead of line feeds; save the file with line feeds", file, line)
	}
	return nil
}

// isHeader reports whether all columns of a header are among fields.
func isHeader(fields, header []string) bool {
	named := map[string]bool{}
	for _, field := range fields {
		named[strings.Trim(field, "\" \r")] = true
	}
	return !slices.ContainsFunc(header, func(name string) bool { return !named[name] })
}

// matching returns the first header of which the table has all columns.
func (t *table) matching(headers [][]string) (header []string, ok bool) {
	for _, header := range headers {
		if !slices.ContainsFunc(header, func(name string) bool { return !t.has(name) }) {
			return header, true
		}
	}
	return nil, false
}

func wanted(headers [][]string) string {
	lines := make([]string, len(headers))
	for i, header := range headers {
		lines[i] = strings.Join(header, ",")
	}
	return strings.Join(lines, " or ")
}

// has reports whether the table has a column.
func (t *table) has(column string) bool { return slices.Contains(t.columns, column) }

// field returns the current row's field in a column, "" when there is no such
// column.
func (t *table) field(column string) string {
	if i := slices.Index(t.columns, column); i >= 0 {
		return t.row[i]
	}
	return ""
}

// next reads a row; io.EOF ends the table.
func (t *table) next() error {
	for t.lines.Scan() {
		t.line++
		text := t.lines.Text()
		if t.line == 1 {
			text = strings.TrimPrefix(text, "\ufeff") // spreadsheets write a byte order mark
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		if !utf8.ValidString(text) {
			return t.errorf("the line is not UTF-8 (byte %d is 0x%02x); convert the file, such as with iconv -f WINDOWS-1252 -t UTF-8", notUTF8(text)+1, text[notUTF8(text)])
		}
		row, err := fields(text)
		if err != nil {
			return t.errorf("%v", err)
		}
		if t.columns != nil && len(row) != len(t.columns) {
			return t.errorf("the line has %d fields, the header has %d%s", len(row), len(t.columns), otherSeparator(row))
		}
		t.row = row
		return t.size()
	}
	switch err := t.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		t.line++
		return t.errorf("the line is longer than %d bytes", maxLineBytes)
	case err != nil:
		return fmt.Errorf("%s: reading after line %d: %w", t.file, t.line, err)
	}
	if err := t.size(); err != nil {
		return err
	}
	return io.EOF
}

// notUTF8 returns the position of the first byte that is not UTF-8.
func notUTF8(text string) int {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return i
			}
		}
	}
	return 0
}

// otherSeparator says when a row that is one field looks separated otherwise.
func otherSeparator(row []string) string {
	switch {
	case len(row) > 1:
		return ""
	case strings.Contains(row[0], ";"):
		return "; it is separated by semicolons instead of commas"
	case strings.Contains(row[0], "\t"):
		return "; it is separated by tabs instead of commas"
	}
	return ""
}

// size fails when more was read than a table may have. The last line before the
// limit may be cut, so no row is believed from there on.
func (t *table) size() error {
	if t.input.N <= 0 {
		return fmt.Errorf("%s: the file is larger than %d bytes", t.file, maxTableBytes)
	}
	return nil
}

// fields splits a line and trims the fields.
func fields(text string) ([]string, error) {
	var row []string
	if strings.Contains(text, `"`) {
		r := csv.NewReader(strings.NewReader(text))
		r.TrimLeadingSpace = true
		var err error
		if row, err = r.Read(); err != nil {
			if parse := new(csv.ParseError); errors.As(err, &parse) {
				return nil, quoting(parse.Err) // its line number is that of the one line it saw
			}
			return nil, err
		}
	} else {
		row = strings.Split(text, ",")
	}
	for i := range row {
		row[i] = strings.TrimSpace(row[i])
	}
	return row, nil
}

// quoting words what encoding/csv says of quotes.
func quoting(err error) error {
	switch {
	case errors.Is(err, csv.ErrQuote):
		return errors.New("a quoted field is not closed, or has a quote in it that is not doubled")
	case errors.Is(err, csv.ErrBareQuote):
		return errors.New("a field has a quote in it but does not begin with one; quote the field and double the quote")
	}
	return err
}

// errorf returns an error about the current line.
func (t *table) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", t.file, t.line, fmt.Sprintf(format, args...))
}

// parseID reads "namespace/name".
func parseID(text string) (flowgraph.WorkloadID, error) {
	namespace, name, ok := strings.Cut(text, "/")
	if !ok {
		return flowgraph.WorkloadID{}, fmt.Errorf("%q is not namespace/name", text)
	}
	for _, part := range []string{namespace, name} {
		if err := checkName(part); err != nil {
			return flowgraph.WorkloadID{}, fmt.Errorf("%q is not namespace/name: %w", text, err)
		}
	}
	id := flowgraph.WorkloadID{Namespace: namespace, Name: name}
	if _, isPlaced := id.Site(); id.IsSite() && !isPlaced {
		return flowgraph.WorkloadID{}, fmt.Errorf("%q is no site outside the cluster: must be @region/name, @region:zone/name or @:zone/name, where name is a DNS name", text)
	}
	return id, nil
}

// checkName allows more than Kubernetes does, as telemetry has names of its own,
// but nothing that would be torn apart when it is written to a table and read
// again.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("a name is empty")
	case len(name) > maxNameBytes:
		return fmt.Errorf("a name is longer than %d bytes", maxNameBytes)
	case !utf8.ValidString(name):
		return errors.New("a name is not UTF-8")
	case strings.ContainsFunc(name, func(r rune) bool { return r == '/' || unicode.IsSpace(r) || !unicode.IsPrint(r) }):
		return errors.New("a name has a slash, a space or an unprintable character")
	}
	return nil
}
