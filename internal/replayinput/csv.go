package replayinput

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
)

// maxCSV limits what is read of one file.
const maxCSV = 1 << 30

// table is a CSV file with a header.
type table struct {
	file    string
	reader  *csv.Reader
	columns map[string]int
	line    int
}

// openTable reads the header. Every required column must be there, and no other
// than the required and the optional ones.
func openTable(r io.Reader, file string, required, optional []string) (*table, error) {
	t := &table{file: file, reader: csv.NewReader(io.LimitReader(r, maxCSV)), columns: map[string]int{}}
	t.reader.ReuseRecord = true
	t.reader.TrimLeadingSpace = true
	header, err := t.reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: is empty; its first line must be %s", file, strings.Join(required, ","))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for i, name := range header {
		name = strings.TrimSpace(name)
		if !slices.Contains(required, name) && !slices.Contains(optional, name) {
			return nil, fmt.Errorf("%s:1: unknown column %q; known are %s", file, name, strings.Join(slices.Concat(required, optional), ", "))
		}
		if _, twice := t.columns[name]; twice {
			return nil, fmt.Errorf("%s:1: column %q is there twice", file, name)
		}
		t.columns[name] = i
	}
	for _, name := range required {
		if _, ok := t.columns[name]; !ok {
			return nil, fmt.Errorf("%s:1: column %q is missing; the first line must be %s", file, name, strings.Join(required, ","))
		}
	}
	return t, nil
}

// next reads a row; io.EOF ends the table.
func (t *table) next() ([]string, error) {
	row, err := t.reader.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("%s: %w", t.file, err) // names the line
	}
	t.line, _ = t.reader.FieldPos(0)
	return row, nil
}

func (t *table) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", t.file, t.line, fmt.Sprintf(format, args...))
}

// workload reads "namespace/name".
func (t *table) workload(row []string, column string) (flowgraph.WorkloadID, error) {
	text := strings.TrimSpace(row[t.columns[column]])
	namespace, name, ok := strings.Cut(text, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return flowgraph.WorkloadID{}, t.errorf("%s: %q is not namespace/name", column, text)
	}
	return flowgraph.WorkloadID{Namespace: strings.Clone(namespace), Name: strings.Clone(name)}, nil
}

// rate reads a number that is finite and not negative, 0 where the column is
// missing.
func (t *table) rate(row []string, column string) (float64, error) {
	i, ok := t.columns[column]
	if !ok {
		return 0, nil
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(row[i]), 64)
	switch {
	case err != nil:
		return 0, t.errorf("%s: %q is not a number", column, row[i])
	case !(v >= 0) || math.IsInf(v, 0):
		return 0, t.errorf("%s: %v must be finite and not negative", column, v)
	}
	return v, nil
}

// ReadEdges reads an edge list: CSV with the columns from, to (namespace/name)
// and bytes_per_second, and if wanted received_bytes_per_second and
// requests_per_second. Without the former, bytes_per_second is both directions
// together.
func ReadEdges(r io.Reader, file string) ([]flowgraph.Edge, error) {
	t, err := openTable(r, file, []string{"from", "to", "bytes_per_second"}, []string{"received_bytes_per_second", "requests_per_second"})
	if err != nil {
		return nil, err
	}
	type pair struct{ from, to flowgraph.WorkloadID }
	seen := map[pair]int{}
	var edges []flowgraph.Edge
	for {
		row, err := t.next()
		if errors.Is(err, io.EOF) {
			return edges, nil
		}
		if err != nil {
			return nil, err
		}
		e, err := t.edge(row)
		if err != nil {
			return nil, err
		}
		if line, twice := seen[pair{e.From, e.To}]; twice {
			return nil, t.errorf("edge %s to %s is in line %d already", e.From, e.To, line)
		}
		seen[pair{e.From, e.To}] = t.line
		edges = append(edges, e)
	}
}

func (t *table) edge(row []string) (e flowgraph.Edge, err error) {
	if e.From, err = t.workload(row, "from"); err != nil {
		return e, err
	}
	if e.To, err = t.workload(row, "to"); err != nil {
		return e, err
	}
	if e.SentBytesPerSecond, err = t.rate(row, "bytes_per_second"); err != nil {
		return e, err
	}
	if e.ReceivedBytesPerSecond, err = t.rate(row, "received_bytes_per_second"); err != nil {
		return e, err
	}
	e.RequestsPerSecond, err = t.rate(row, "requests_per_second")
	return e, err
}

// ReadAssignment reads where a cluster's pods run: CSV with the columns
// workload, node, pods. A workload without a slash is the one workload of that
// name. No workload may have more pods than it wants.
func ReadAssignment(r io.Reader, file string, c *sim.Cluster) ([][]int32, error) {
	t, err := openTable(r, file, []string{"workload", "node", "pods"}, nil)
	if err != nil {
		return nil, err
	}
	workloads := map[string]int{}
	for i, w := range c.Workloads {
		workloads[w.ID.String()] = i
		if _, twice := workloads[w.ID.Name]; twice {
			workloads[w.ID.Name] = -1
			continue
		}
		workloads[w.ID.Name] = i
	}
	nodes := map[string]int32{}
	for i, n := range c.Nodes {
		nodes[n.Node] = int32(i)
	}
	assigned := make([][]int32, len(c.Workloads))
	for {
		row, err := t.next()
		if errors.Is(err, io.EOF) {
			return assigned, nil
		}
		if err != nil {
			return nil, err
		}
		name := row[t.columns["workload"]]
		w, known := workloads[name]
		switch {
		case !known:
			return nil, t.errorf("workload %q is not in the cluster", name)
		case w < 0:
			return nil, t.errorf("workload %q is in several namespaces: write namespace/name", name)
		}
		n, known := nodes[row[t.columns["node"]]]
		if !known {
			return nil, t.errorf("node %q is not in the cluster", row[t.columns["node"]])
		}
		pods, err := strconv.ParseInt(row[t.columns["pods"]], 10, 32)
		if err != nil || pods < 1 {
			return nil, t.errorf("pods: %q is not a positive number", row[t.columns["pods"]])
		}
		if want := int64(c.Workloads[w].Replicas); int64(len(assigned[w]))+pods > want {
			return nil, t.errorf("workload %s has more than the %d pods that it wants", c.Workloads[w].ID, want)
		}
		for range pods {
			assigned[w] = append(assigned[w], n)
		}
	}
}

// WriteAssignment writes what ReadAssignment reads, ordered by workload and
// node.
func WriteAssignment(w io.Writer, c *sim.Cluster, assigned [][]int32) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"workload", "node", "pods"}}
	for i, nodes := range assigned {
		counts := map[int32]int{}
		for _, n := range nodes {
			counts[n]++
		}
		for n := range c.Nodes {
			if count := counts[int32(n)]; count > 0 {
				rows = append(rows, []string{c.Workloads[i].ID.String(), c.Nodes[n].Node, strconv.Itoa(count)})
			}
		}
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("writing the assignment: %w", err)
	}
	return nil
}
