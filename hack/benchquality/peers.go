package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/internal/kube/history"
	"github.com/vicinity-sched/vicinity/internal/replayinput"
	"github.com/vicinity-sched/vicinity/internal/report"
)

// peer is a way to run the program of test/peers.
type peer struct {
	run   string // what its row is called
	order string // of arrival, as the program calls it
}

// peersFor returns those that there are for an order of arrival. None begins with
// an assignment. TopologicalSort orders pods that wait all together, whatever the
// order in which they came.
func peersFor(order sim.Order) []peer {
	switch order {
	case sim.Random:
		return []peer{{"networkoverhead", order.String()}, {"networkoverhead-topological", "topological"}}
	case sim.ByWorkload:
		return []peer{{"networkoverhead", order.String()}}
	default:
		return nil
	}
}

// replayPeers has a program place the data set's pods, once for each peer and
// seed.
func replayPeers(ctx context.Context, program string, set dataset, seeds int) ([]report.Run, error) {
	peers := peersFor(set.order)
	if len(peers) == 0 {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "benchquality-")
	if err != nil {
		return nil, fmt.Errorf("a place for the peers' input: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what remains in the temporary directory is in the way of nothing
	if err := writeInput(dir, set.input); err != nil {
		return nil, err
	}
	samples := make([][]report.Sample, len(peers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, peer := range peers {
		samples[i] = make([]report.Sample, seeds)
		for s := range seeds {
			group.Go(func() (err error) {
				samples[i][s], err = peer.place(ctx, program, dir, set.input.Cluster, 1+s)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	runs := make([]report.Run, len(peers))
	for i, peer := range peers {
		runs[i] = report.NewRun(peer.run, program, samples[i], nil, false)
	}
	return runs, nil
}

// writeInput writes what vicinity replay --write does.
func writeInput(dir string, input *history.Replayable) error {
	return writeFiles(map[string]func(io.Writer) error{
		filepath.Join(dir, "cluster.json"): input.Write,
		filepath.Join(dir, "edges.csv"):    func(w io.Writer) error { return replayinput.WriteEdges(w, input.Cluster.Edges) },
	})
}

// writeFiles writes files by their paths.
func writeFiles(files map[string]func(io.Writer) error) error {
	for path, content := range files {
		file, err := os.Create(path)
		if err != nil {
			return err // names the path
		}
		if err := errors.Join(content(file), file.Close()); err != nil {
			return fmt.Errorf("writing %s: %w", path, err)
		}
	}
	return nil
}

// place runs the program with the input in dir and measures where its pods are.
func (p peer) place(ctx context.Context, program, dir string, c *cluster.Cluster, seed int) (report.Sample, error) {
	out := filepath.Join(dir, fmt.Sprintf("%s-%d.csv", p.run, seed))
	command := exec.CommandContext(ctx, program,
		"-cluster", filepath.Join(dir, "cluster.json"), "-edges", filepath.Join(dir, "edges.csv"), "-o", out,
		"-order", p.order, "-seed", strconv.Itoa(seed), "-weight", "5")
	// The processes go side by side; their threads need not.
	command.Env = append(os.Environ(), "GOMAXPROCS=1")
	var said bytes.Buffer
	command.Stderr = &said
	if err := command.Run(); err != nil {
		return report.Sample{}, fmt.Errorf("%s, seed %d: %s: %w: %s", p.run, seed, program, err, bytes.TrimSpace(said.Bytes()))
	}
	file, err := os.Open(out)
	if err != nil {
		return report.Sample{}, err // names the path
	}
	defer file.Close()
	assigned, _, err := replayinput.ReadAssignment(file, out, c)
	if err != nil {
		return report.Sample{}, err
	}
	return report.NewSample(c, &sim.Result{Assigned: assigned, Unschedulable: assigned.Missing(c)}), nil
}
