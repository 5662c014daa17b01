package replayinput

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/vicinity-sched/vicinity/flowgraph"
)

// WriteEdges writes what ReadEdges reads, every column, in the order given.
func WriteEdges(w io.Writer, edges []flowgraph.Edge) error {
	out := csv.NewWriter(w)
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	rows := [][]string{{"from", "to", "bytes_per_second", "received_bytes_per_second", "requests_per_second"}}
	for _, e := range edges {
		rows = append(rows, []string{
			e.From.String(), e.To.String(),
			number(e.SentBytesPerSecond), number(e.ReceivedBytesPerSecond), number(e.RequestsPerSecond),
		})
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("writing the edge list: %w", err)
	}
	return nil
}
