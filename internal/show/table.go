package show

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table is a table of text whose columns are as wide as their widest cell.
type Table struct {
	// Left is how many of the first columns begin at the left; the others hold numbers
	// and end at the right.
	Left int
	rows [][]string
}

// Add appends a row. Every row has the same number of cells, which are made Printable.
func (t *Table) Add(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = Printable(cell)
	}
	t.rows = append(t.rows, row)
}

// Write writes the table with three blanks between the columns and none at the end of a
// line. An error of w is lost: programs whose output goes to a file ask it themselves.
func (t *Table) Write(w io.Writer) {
	if len(t.rows) == 0 {
		return
	}
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.rows {
		line := &strings.Builder{}
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < t.Left {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
			line.WriteString("   ")
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}
