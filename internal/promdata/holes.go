package promdata

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// errHole is that a query looks at a time of which there is no data: the rates that it
// gives would be too low.
var errHole = errors.New("there is no data for a part of the time that the query looks at")

// Warnings says which blocks cannot be read, and of which time within the data there is
// nothing.
func (d *Data) Warnings() []string {
	var all []string
	for _, b := range d.damaged {
		all = append(all, b.String()+"; copy it again from Prometheus, or take a snapshot")
	}
	for _, h := range d.holes {
		all = append(all, fmt.Sprintf("there is no data %s (%s): steps whose rates look at that time are gaps, and no mean counts them",
			h, time.Duration(h.to-h.from)*time.Millisecond))
	}
	return all
}

// looksIntoHole reports whether an expression that is evaluated at a time reads samples
// of a time without data.
func (d *Data) looksIntoHole(expr parser.Expr, at time.Time) bool {
	if len(d.holes) == 0 {
		return false
	}
	looked := span{at.Add(-reach(expr)).UnixMilli(), at.UnixMilli()}
	for _, h := range d.holes {
		if h.overlaps(looked) {
			return true
		}
	}
	return false
}

// reach is how far before its time an expression looks.
func reach(expr parser.Expr) time.Duration {
	var furthest time.Duration
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		back, ranged := selector.OriginalOffset, false
		for _, above := range path {
			switch above := above.(type) {
			case *parser.MatrixSelector:
				back, ranged = back+above.Range, true
			case *parser.SubqueryExpr:
				back += above.Range + above.OriginalOffset
			}
		}
		if !ranged {
			back += lookback
		}
		furthest = max(furthest, back)
		return nil
	})
	return furthest
}
