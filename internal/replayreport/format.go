package replayreport

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/show"
)

// columns is a table of text whose columns are as wide as their widest cell: the
// first begins at the left, the others hold numbers and end at the right.
type columns [][]string

func (c *columns) add(cells ...string) { *c = append(*c, cells) }

// write writes the table with two blanks between the columns and none at the end
// of a line.
func (c columns) write(w io.Writer) {
	widths := make([]int, len(c[0]))
	for _, row := range c {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range c {
		line := &strings.Builder{}
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line.WriteString(cell + pad)
			} else {
				line.WriteString("  " + pad + cell)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// share formats the estimate of a share, in percent.
func share(e sim.Estimate) string {
	e.Mean *= 100
	e.Interval *= 100
	return number(e, 1)
}

// number formats an estimate with its interval, where it has one.
func number(e sim.Estimate, digits int) string {
	if !e.HasInterval() {
		return strconv.FormatFloat(e.Mean, 'f', digits, 64)
	}
	return fmt.Sprintf("%.*f ±%.*f", digits, e.Mean, digits, e.Interval)
}

// trimmed formats a mean of counts: without decimals when it is whole.
func trimmed(v float64) string {
	if v == float64(int64(v)) {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// countOf formats the estimate of a count.
func countOf(e sim.Estimate) string {
	if !e.HasInterval() || e.Interval == 0 {
		return trimmed(e.Mean)
	}
	return fmt.Sprintf("%.1f ±%.1f", e.Mean, e.Interval)
}

// milliseconds formats a duration in seconds.
func milliseconds(seconds float64) string {
	if seconds < 0.0001 {
		return fmt.Sprintf("%.0f µs", seconds*float64(time.Second/time.Microsecond))
	}
	return fmt.Sprintf("%.2f ms", seconds*float64(time.Second/time.Millisecond))
}

// upper is the name of a level at the head of a table: the key of its label, or NODE,
// ZONE or REGION.
func (r *Report) upper(l locality.Level) string {
	if slices.Contains(locality.Levels(), l) {
		return strings.ToUpper(l.String())
	}
	return show.Printable(r.Runs[0].Summary.scale().Name(l))
}
