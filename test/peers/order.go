package main

import (
	"fmt"
	"math/rand/v2"
)

// arrival is one pod that is to be placed.
type arrival struct {
	workload *workload
	ordinal  int
}

func (a arrival) String() string { return fmt.Sprintf("%s %d", a.workload.name, a.ordinal) }

// arrivals returns the pods that are to be placed, in the order in which
// "vicinity replay" brings them with the same seed: all mixed, or one workload
// after the other.
func arrivals(c *cluster, byWorkload bool, seed uint64) []arrival {
	rng := rand.New(rand.NewPCG(seed, 0))
	var workloads []*workload
	for _, w := range c.workloads {
		if !w.fixed {
			workloads = append(workloads, w)
		}
	}
	if byWorkload {
		rng.Shuffle(len(workloads), func(i, j int) { workloads[i], workloads[j] = workloads[j], workloads[i] })
	}
	var pods []arrival
	for _, w := range workloads {
		for i := range w.replicas {
			pods = append(pods, arrival{w, i})
		}
	}
	if !byWorkload {
		rng.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
	}
	return pods
}
