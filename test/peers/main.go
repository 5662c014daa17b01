// Command peers places the pods of a cluster with the NetworkOverhead and
// TopologicalSort plugins of sigs.k8s.io/scheduler-plugins, in the framework of
// the kube-scheduler that they are for. It reads what "vicinity replay --write"
// wrote, and writes what "vicinity replay --assignment" scores.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	agv1alpha1 "github.com/diktyo-io/appgroup-api/pkg/apis/appgroup/v1alpha1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// options says how pods are placed.
type options struct {
	order     string
	seed      uint64
	weight    int32
	both      bool
	algorithm string
}

// Orders of arrival.
const (
	random      = "random"
	byWorkload  = "by-workload"
	topological = "topological"
)

func run(ctx context.Context, args []string, notes io.Writer) error {
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	var o options
	objects := flags.String("cluster", "cluster.json", "the cluster's objects")
	edges := flags.String("edges", "edges.csv", "the traffic")
	out := flags.String("o", "assignment.csv", "where to write the assignment")
	flags.StringVar(&o.order, "order", random, "random, by-workload, or topological: by TopologicalSort, all pods waiting")
	flags.Uint64Var(&o.seed, "seed", 1, "of the order; for topological, of the order in which pods come into the queue")
	weight := flags.Int("weight", 5, "of NetworkOverhead, beside the default plugins; 0 leaves it out")
	flags.BoolVar(&o.both, "both", false, "declare each dependency at both ends, not at the caller's only")
	flags.StringVar(&o.algorithm, "sorting", agv1alpha1.AppGroupReverseKahn, "KahnSort, ReverseKahn or AlternateKahn")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.order != random && o.order != byWorkload && o.order != topological {
		return fmt.Errorf("-order %q: must be %s, %s or %s", o.order, random, byWorkload, topological)
	}
	if *weight < 0 || *weight > 100 {
		return fmt.Errorf("-weight %d: must be between 0 and 100", *weight)
	}
	o.weight = int32(*weight)
	c, err := readCluster(*objects, *edges)
	if err != nil {
		return err
	}
	placed, unschedulable, err := place(ctx, c, o)
	if err != nil {
		return err
	}
	if unschedulable > 0 {
		fmt.Fprintf(notes, "peers: %d pods fitted nowhere\n", unschedulable)
	}
	file, err := os.Create(*out)
	if err != nil {
		return err
	}
	if err := errors.Join(writeAssignment(file, c, placed), file.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", *out, err)
	}
	return nil
}

// place returns the nodes of each workload's pods, and how many fitted nowhere.
func place(ctx context.Context, c *cluster, o options) (placed map[*workload][]string, unschedulable int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends what the framework and the plugins have started
	label(c)
	zoned(c)
	group, err := appGroup(c, o.algorithm, o.both)
	if err != nil {
		return nil, 0, err
	}
	s, err := newScheduler(ctx, c, group, o.weight)
	if err != nil {
		return nil, 0, err
	}
	placed = map[*workload][]string{}
	for _, w := range c.workloads {
		for i, node := range w.at {
			if err := s.assume(newPod(arrival{w, i}), node); err != nil {
				return nil, 0, err
			}
			placed[w] = append(placed[w], node)
		}
	}
	pods := arrivals(c, o.order == byWorkload, o.seed)
	if o.order == topological {
		pods = s.queued(pods)
	}
	for _, a := range pods {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		node, err := s.place(ctx, a)
		switch {
		case err != nil:
			return nil, 0, err
		case node == "":
			unschedulable++
		default:
			placed[a.workload] = append(placed[a.workload], node)
		}
	}
	return placed, unschedulable, nil
}
