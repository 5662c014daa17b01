package meshes

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Published studies of large meshes agree that the number of a service's callers
// follows a power law, and that rates and sizes are spread over orders of
// magnitude; the exact parameters differ, so these are chosen.
const (
	// maxCallees is how many others a workload calls at most; all numbers from 0
	// on are equally likely.
	maxCallees = 5
	// popular is the probability that a callee is drawn among the callees of the
	// edges so far, and so in proportion to its callers; otherwise all workloads
	// are equally likely. The in-degrees then follow a power law with the exponent
	// 1 + 1/popular = 2.25.
	popular = 0.8
	// tailRate is the median of an edge's requests per second. With these sigmas
	// an edge's bytes per second are log-normal with a sigma of about 1.9: the
	// largest tenth of the edges carries about three quarters of the traffic.
	tailRate      = 5
	tailRateSigma = 1.5
	tailSizeSigma = 1.2
	// tailTCP is the share of the workloads that speak TCP: databases and queues,
	// of which telemetry knows bytes only.
	tailTCP = 0.1
	// tailReplicas is the median of the replicas of a workload without callers;
	// the largest workloads have tailMaxReplicas.
	tailReplicas      = 1.5
	tailReplicasSigma = 0.8
	tailMaxReplicas   = 100
	// perNamespace is how many workloads share a namespace, as those of one team.
	perNamespace = 20
)

// HeavyTailed is a random mesh without cycles: each workload calls some of those
// before it, mostly the popular ones. Workloads that are called by many have more
// replicas. About one in ten has no traffic at all or nearly none.
func HeavyTailed(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	c := &cluster.Cluster{}
	callers := make([]int, size)
	tcp := make([]bool, size)
	var called []int // the callee of each edge
	for i := range size {
		id := flowgraph.WorkloadID{Namespace: fmt.Sprintf("team-%03d", i/perNamespace+1), Name: fmt.Sprintf("workload-%05d", i+1)}
		milliCPU := pick[int64](rng, 100, 250, 250, 500, 500, 1000, 2000)
		c.Workloads = append(c.Workloads, cluster.Workload{ID: id, Requests: cluster.Resources{
			MilliCPU: milliCPU,
			Memory:   milliCPU * pick[int64](rng, 1, 2, 3) << 20, // 1 to 3 GiB for each core
		}})
		tcp[i] = rng.Float64() < tailTCP
		seen := map[int]bool{}
		for range rng.IntN(maxCallees + 1) {
			if i == 0 {
				break
			}
			callee := rng.IntN(i)
			if len(called) > 0 && rng.Float64() < popular {
				callee = pick(rng, called...)
			}
			if seen[callee] {
				continue
			}
			seen[callee] = true
			called = append(called, callee)
			callers[callee]++
			e := edge(id, c.Workloads[callee].ID, logNormal(rng, tailRate, tailRateSigma),
				logNormal(rng, shapeRequest, tailSizeSigma), logNormal(rng, shapeResponse, tailSizeSigma))
			if tcp[callee] {
				e.RequestsPerSecond = 0
			}
			c.Edges = append(c.Edges, e)
		}
	}
	for i := range c.Workloads {
		replicas := math.Round(logNormal(rng, tailReplicas, tailReplicasSigma) * math.Cbrt(float64(1+callers[i])))
		c.Workloads[i].Replicas = int32(min(max(replicas, 1), tailMaxReplicas))
	}
	fitNodes(c)
	return c, nil
}
