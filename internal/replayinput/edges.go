package replayinput

import (
	"errors"
	"io"
	"math"
	"strconv"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// ReadEdges reads an edge list: CSV with the columns from, to (both
// namespace/name, or a site as flowgraph.SiteID names it) and bytes_per_second, and if wanted received_bytes_per_second
// and requests_per_second. Without received_bytes_per_second, bytes_per_second
// is both directions together; an Edge holds it as SentBytesPerSecond. Each
// ordered pair of workloads may occur once, a workload with itself too. Errors
// name the file and the line.
func ReadEdges(r io.Reader, file string) ([]flowgraph.Edge, error) {
	t, err := openTable(r, file, [][]string{{"from", "to", "bytes_per_second"}}, "received_bytes_per_second", "requests_per_second")
	if err != nil {
		return nil, err
	}
	type pair struct{ from, to flowgraph.WorkloadID }
	var (
		edges = []flowgraph.Edge{}
		lines = map[pair]int{}
		ids   = edgeIDs{}
	)
	for {
		err := t.next()
		if errors.Is(err, io.EOF) {
			return edges, nil
		}
		if err != nil {
			return nil, err
		}
		e, err := t.edge(ids)
		if err != nil {
			return nil, err
		}
		if line, twice := lines[pair{e.From, e.To}]; twice {
			return nil, t.errorf("edge %s to %s is in line %d already", e.From, e.To, line)
		}
		lines[pair{e.From, e.To}] = t.line
		edges = append(edges, e)
	}
}

// edgeIDs shares the names of workloads, so that an edge does not keep the line
// it was read from in memory.
type edgeIDs map[string]flowgraph.WorkloadID

func (ids edgeIDs) parse(text string) (flowgraph.WorkloadID, error) {
	id, known := ids[text]
	if known {
		return id, nil
	}
	id, err := parseID(text)
	if err == nil {
		ids[text] = id
	}
	return id, err
}

// edge reads the current row.
func (t *table) edge(ids edgeIDs) (e flowgraph.Edge, err error) {
	if e.From, err = ids.parse(t.field("from")); err != nil {
		return e, t.errorf("from: %v", err)
	}
	if e.To, err = ids.parse(t.field("to")); err != nil {
		return e, t.errorf("to: %v", err)
	}
	if e.SentBytesPerSecond, err = t.rate("bytes_per_second"); err != nil {
		return e, err
	}
	if e.ReceivedBytesPerSecond, err = t.rate("received_bytes_per_second"); err != nil {
		return e, err
	}
	e.RequestsPerSecond, err = t.rate("requests_per_second")
	return e, err
}

// rate reads a column of the current row, 0 when there is no such column.
func (t *table) rate(column string) (float64, error) {
	if !t.has(column) {
		return 0, nil
	}
	text := t.field(column)
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, t.errorf("%s: %q is not a number", column, text)
	case math.IsNaN(v):
		return 0, t.errorf("%s: is NaN, must be a finite number", column)
	case math.IsInf(v, 0):
		return 0, t.errorf("%s: %s is infinite, must be a finite number", column, text)
	case v < 0:
		return 0, t.errorf("%s: %s must not be negative", column, text)
	case v > flowgraph.MaxRate:
		return 0, t.errorf("%s: %s must be at most %g", column, text, flowgraph.MaxRate)
	}
	return v + 0, nil // -0 becomes 0
}
