package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/vicinity-sched/vicinity/internal/show"
)

// columns is a table of text whose columns are as wide as their widest cell.
type columns struct {
	// left is how many of the first columns begin at the left; the others hold
	// numbers and end at the right.
	left int
	rows [][]string
}

// add appends a row. Every row has the same number of cells.
func (c *columns) add(cells ...string) {
	for i, cell := range cells {
		cells[i] = show.Printable(cell)
	}
	c.rows = append(c.rows, cells)
}

// write writes the table with three blanks between the columns and none at the
// end of a line.
func (c *columns) write(w io.Writer) {
	if len(c.rows) == 0 {
		return
	}
	widths := make([]int, len(c.rows[0]))
	for _, row := range c.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range c.rows {
		line := &strings.Builder{}
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < c.left {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
			line.WriteString("   ")
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}
