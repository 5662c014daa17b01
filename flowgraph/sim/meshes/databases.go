package meshes

import (
	"fmt"
	"math/rand/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// What a service asks of its database, beside each request that it gets: an answer of some
// rows, which is more than what services send each other.
const (
	queriesPerRequest = 3
	queryBytes        = 300
	rowsBytes         = 6000
)

// ManagedDatabases is services with three replicas each that call one another, and one
// database in each zone outside the cluster. Each service keeps its data in one of them.
func ManagedDatabases(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	c := newTrait("managed-databases", size, 3)
	for i := range size {
		rate := logNormal(rng, evenRate, shapeSigma)
		connect(c, i, (i+1+rng.IntN(size-1))%size, rate)
		database := flowgraph.SiteID("database", region, fmt.Sprintf("%s%c", region, 'a'+i%zones))
		c.Edges = append(c.Edges, edge(c.Workloads[i].ID, database, queriesPerRequest*rate, queryBytes, rowsBytes))
	}
	fitNodes(c)
	return c, nil
}
