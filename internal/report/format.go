package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/show"
)

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
