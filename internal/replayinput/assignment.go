package replayinput

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// maxAssignedPods is twenty times what Kubernetes supports in one cluster.
const maxAssignedPods = 3_000_000

// ReadAssignment reads where a cluster's pods run, as [sim.Cluster] has it in
// Assigned: CSV with the columns workload (namespace/name), node and pods, or
// service, machine and pods, where a service is the one workload of that name in
// any namespace. A workload may have fewer pods than it wants, as some may have
// fitted nowhere; that is a warning. It may not have more, nor two rows for one
// node. Errors name the file and the line.
func ReadAssignment(r io.Reader, file string, c *cluster.Cluster) (cluster.Assignment, []Warning, error) {
	t, err := openTable(r, file, [][]string{{"workload", "node", "pods"}, {"service", "machine", "pods"}})
	if err != nil {
		return nil, nil, err
	}
	a := newAssignment(t, c)
	for {
		err := t.next()
		if errors.Is(err, io.EOF) {
			return a.assigned, a.warnings(), nil
		}
		if err != nil {
			return nil, nil, err
		}
		if err := a.add(); err != nil {
			return nil, nil, err
		}
	}
}

// assignment is what has been read of an assignment.
type assignment struct {
	*table
	cluster  *cluster.Cluster
	ids      map[flowgraph.WorkloadID]int32
	names    map[string]int32 // ambiguous where the name is in two namespaces
	nodes    map[string]int32
	lines    map[[2]int32]int // of workload and node
	pods     int64
	assigned cluster.Assignment
}

const ambiguous = -1

func newAssignment(t *table, c *cluster.Cluster) *assignment {
	a := &assignment{
		table: t, cluster: c, assigned: make(cluster.Assignment, len(c.Workloads)),
		ids: map[flowgraph.WorkloadID]int32{}, names: map[string]int32{},
		nodes: map[string]int32{}, lines: map[[2]int32]int{},
	}
	for i, w := range c.Workloads {
		a.ids[w.ID] = int32(i)
		if _, twice := a.names[w.ID.Name]; twice {
			a.names[w.ID.Name] = ambiguous
			continue
		}
		a.names[w.ID.Name] = int32(i)
	}
	for i, n := range c.Nodes {
		a.nodes[n.Node] = int32(i)
	}
	return a
}

// add takes the current row.
func (a *assignment) add() error {
	workload, nodeColumn, err := a.workload()
	if err != nil {
		return err
	}
	node, known := a.nodes[a.field(nodeColumn)]
	if !known {
		return a.errorf("%s: %q is not in the cluster", nodeColumn, a.field(nodeColumn))
	}
	pods, err := strconv.ParseInt(a.field("pods"), 10, 32)
	if err != nil || pods < 1 {
		return a.errorf("pods: %q must be a whole number from 1 on", a.field("pods"))
	}
	w := a.cluster.Workloads[workload]
	if line, twice := a.lines[[2]int32{workload, node}]; twice {
		return a.errorf("%s on %s is in line %d already", w.ID, a.field(nodeColumn), line)
	}
	a.lines[[2]int32{workload, node}] = a.line
	if sum := int64(len(a.assigned[workload])) + pods; sum > int64(w.Replicas) {
		return a.errorf("pods: %s has %d up to here, but wants %d", w.ID, sum, w.Replicas)
	}
	if a.pods += pods; a.pods > maxAssignedPods {
		return a.errorf("pods: more than %d in all", maxAssignedPods)
	}
	for range pods {
		a.assigned[workload] = append(a.assigned[workload], node)
	}
	return nil
}

// workload returns the position of the current row's workload, and the column
// that its node is in.
func (a *assignment) workload() (position int32, nodeColumn string, err error) {
	column, nodeColumn := "workload", "node"
	if a.has("service") {
		column, nodeColumn = "service", "machine"
	}
	text := a.field(column)
	var known bool
	if column == "service" && !strings.Contains(text, "/") {
		position, known = a.names[text]
		if position == ambiguous {
			return 0, "", a.errorf("%s: %q is in several namespaces: write namespace/name", column, text)
		}
	} else {
		id, err := parseID(text)
		if err != nil {
			return 0, "", a.errorf("%s: %v", column, err)
		}
		position, known = a.ids[id]
	}
	if !known {
		return 0, "", a.errorf("%s: %q is not in the cluster", column, text)
	}
	return position, nodeColumn, nil
}

func (a *assignment) warnings() []Warning {
	missing := Warning{Text: "workloads have fewer pods in the assignment than they want"}
	for i, w := range a.cluster.Workloads {
		if len(a.assigned[i]) < int(w.Replicas) {
			missing.Count++
		}
	}
	return counted(missing)
}

// counted returns the warnings that have something to say.
func counted(all ...Warning) []Warning {
	var some []Warning
	for _, w := range all {
		if w.Count > 0 {
			some = append(some, w)
		}
	}
	return some
}

// WriteAssignment writes what ReadAssignment reads, with the columns workload,
// node and pods, in the cluster's order of workloads and nodes. The order of a
// workload's pods is not kept.
func WriteAssignment(w io.Writer, c *cluster.Cluster, assigned cluster.Assignment) error {
	if len(assigned) != len(c.Workloads) {
		return fmt.Errorf("writing the assignment: it is of %d workloads, the cluster has %d", len(assigned), len(c.Workloads))
	}
	out := csv.NewWriter(w)
	rows := [][]string{{"workload", "node", "pods"}}
	pods := make([]int, len(c.Nodes))
	for i, nodes := range assigned {
		clear(pods)
		for _, n := range nodes {
			if n < 0 || int(n) >= len(pods) {
				return fmt.Errorf("writing the assignment: a pod of %s is on node %d of %d", c.Workloads[i].ID, n, len(pods))
			}
			pods[n]++
		}
		for n, count := range pods {
			if count > 0 {
				rows = append(rows, []string{c.Workloads[i].ID.String(), c.Nodes[n].Node, strconv.Itoa(count)})
			}
		}
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("writing the assignment: %w", err)
	}
	return nil
}
