package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/replayreport"
)

// replayMETIS has METIS divide the cluster's pods over its nodes, once.
func replayMETIS(ctx context.Context, program string, c *sim.Cluster) (replayreport.Run, error) {
	g := newPodGraph(c)
	wanted := make([]int32, len(g.pods))
	if len(c.Nodes) > 1 && len(g.pods) > 0 { // else there is nothing to divide
		var err error
		if wanted, err = g.partition(ctx, program); err != nil {
			return replayreport.Run{}, err
		}
	}
	assigned := g.repair(wanted)
	sample := replayreport.NewSample(c, &sim.Result{Assigned: assigned, Unschedulable: missing(c, assigned)})
	return replayreport.NewRun("metis", program, []replayreport.Sample{sample}, 0, false), nil
}

// partition returns the node of each vertex as METIS would have it.
func (g *podGraph) partition(ctx context.Context, program string) ([]int32, error) {
	dir, err := os.MkdirTemp("", "benchquality-")
	if err != nil {
		return nil, fmt.Errorf("a place for METIS' input: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what remains in the temporary directory is in the way of nothing
	graph, sizes := filepath.Join(dir, "graph"), filepath.Join(dir, "sizes")
	for path, content := range map[string]func(io.Writer) error{graph: g.write, sizes: g.writeSizes} {
		file, err := os.Create(path)
		if err != nil {
			return nil, err // names the path
		}
		if err := errors.Join(content(file), file.Close()); err != nil {
			return nil, fmt.Errorf("writing METIS' input: %w", err)
		}
	}
	k := len(g.cluster.Nodes)
	command := exec.CommandContext(ctx, program, "-seed=1", "-ptype=rb", "-ncuts=10", "-tpwgts="+sizes, graph, strconv.Itoa(k))
	if said, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", program, err, bytes.TrimSpace(said))
	}
	file, err := os.Open(fmt.Sprintf("%s.part.%d", graph, k))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readPartition(file, len(g.pods), k)
}

// writeSizes writes the parts that METIS is to make: part i is for node i, and as
// large as the node's share of all CPU and of all memory.
func (g *podGraph) writeSizes(w io.Writer) error {
	var all sim.Resources
	for _, n := range g.cluster.Nodes {
		all.MilliCPU += n.Allocatable.MilliCPU
		all.Memory += n.Allocatable.Memory
	}
	out := bufio.NewWriter(w)
	for i, n := range g.cluster.Nodes {
		fmt.Fprintf(out, "%d : 0 = %.9f\n%d : 1 = %.9f\n", i, share(n.Allocatable.MilliCPU, all.MilliCPU), i, share(n.Allocatable.Memory, all.Memory))
	}
	return out.Flush()
}

func share(part, all int64) float64 {
	if all == 0 {
		return 0
	}
	return float64(part) / float64(all)
}

// readPartition reads the part of each vertex, a line each.
func readPartition(r io.Reader, vertices, parts int) ([]int32, error) {
	var out []int32
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		part, err := strconv.ParseInt(lines.Text(), 10, 32)
		if err != nil || part < 0 || part >= int64(parts) {
			return nil, fmt.Errorf("METIS' partition, line %d: %q is not a part from 0 to %d", len(out)+1, lines.Text(), parts-1)
		}
		out = append(out, int32(part))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("METIS' partition: %w", err)
	}
	if len(out) != vertices {
		return nil, fmt.Errorf("METIS' partition is of %d pods, not of %d", len(out), vertices)
	}
	return out, nil
}

// repair assigns each pod to the node that is wanted for it while there is room,
// the largest first, and then those without room to the first node that has some.
// What fits nowhere is left out. Fixed pods have their place.
func (g *podGraph) repair(wanted []int32) [][]int32 {
	c := g.cluster
	assigned := make([][]int32, len(c.Workloads))
	room := newRooms(c)
	for w, nodes := range c.Assigned {
		if c.Workloads[w].Fixed {
			assigned[w] = slices.Clone(nodes)
			for _, n := range nodes {
				room.take(n, c.Workloads[w].Requests)
			}
		}
	}
	var left []int
	for _, v := range g.largestFirst() {
		if !room.fits(wanted[v], g.requests(v)) {
			left = append(left, v)
			continue
		}
		room.take(wanted[v], g.requests(v))
		assigned[g.pods[v]] = append(assigned[g.pods[v]], wanted[v])
	}
	for _, v := range left {
		for n := range int32(len(c.Nodes)) {
			if room.fits(n, g.requests(v)) {
				room.take(n, g.requests(v))
				assigned[g.pods[v]] = append(assigned[g.pods[v]], n)
				break
			}
		}
	}
	return assigned
}

// largestFirst returns the vertices by the larger of their shares of all
// requested CPU and memory.
func (g *podGraph) largestFirst() []int {
	var all sim.Resources
	order := make([]int, len(g.pods))
	for v := range g.pods {
		order[v] = v
		all.MilliCPU += g.requests(v).MilliCPU
		all.Memory += g.requests(v).Memory
	}
	size := func(v int) float64 {
		return max(share(g.requests(v).MilliCPU, all.MilliCPU), share(g.requests(v).Memory, all.Memory))
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(size(b), size(a)) })
	return order
}

// rooms is what is left of the nodes.
type rooms []sim.Node

func newRooms(c *sim.Cluster) rooms { return slices.Clone(c.Nodes) }

func (r rooms) fits(node int32, requests sim.Resources) bool {
	n := &r[node]
	return n.MaxPods > 0 && requests.MilliCPU <= n.Allocatable.MilliCPU && requests.Memory <= n.Allocatable.Memory
}

func (r rooms) take(node int32, requests sim.Resources) {
	n := &r[node]
	n.MaxPods--
	n.Allocatable.MilliCPU -= requests.MilliCPU
	n.Allocatable.Memory -= requests.Memory
}
