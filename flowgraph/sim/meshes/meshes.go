// Package meshes generates clusters for a replay: known applications with their
// call graphs, and shapes that are hard in one way each. Nothing here was
// measured; where a constant comes from, or why it was chosen, stands beside it.
//
// The same family, size and random source give the same cluster. Traffic of
// users from outside is left out, as no assignment can keep it local, and so are
// assignments, but for scale-out: the pods are still to be placed. One family has
// sites outside the cluster.
package meshes

import (
	"fmt"
	"math/rand/v2"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// Family is a way to generate clusters.
type Family struct {
	// Name is short, without spaces.
	Name string
	// Description is one line.
	Description string
	// DefaultSize, MinSize and MaxSize are the sizes that Generate takes.
	DefaultSize, MinSize, MaxSize int
	generate                      func(rng *rand.Rand, size int) (*cluster.Cluster, error)
}

// Generate returns a cluster that passes Validate. What the size counts is in the
// description; 0 is the default size.
func (f Family) Generate(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	if size == 0 {
		size = f.DefaultSize
	}
	if size < f.MinSize || size > f.MaxSize {
		return nil, fmt.Errorf("size %d of the mesh %s: must be from %d to %d", size, f.Name, f.MinSize, f.MaxSize)
	}
	return f.generate(rng, size)
}

// The largest cluster of every family has about 10,000 workloads.
const (
	maxWorkloads = 10_000
	maxCopies    = 400
)

// Families lists all families.
func Families() []Family {
	return []Family{
		{
			Name: "chain", DefaultSize: 1, MinSize: 1, MaxSize: maxCopies, generate: Chain,
			Description: "the 19-service production chain of the NetMARKS evaluation, one replica each; size counts copies",
		},
		{
			Name: "chain-replicas", DefaultSize: 1, MinSize: 1, MaxSize: maxCopies, generate: ChainReplicas,
			Description: "the same chain with one to three replicas of each service; size counts copies",
		},
		{
			Name: "online-boutique", DefaultSize: 1, MinSize: 1, MaxSize: maxCopies, generate: OnlineBoutique,
			Description: "a web shop as Google's Online Boutique, with its load generator; size counts copies",
		},
		{
			Name: "social-network", DefaultSize: 1, MinSize: 1, MaxSize: maxCopies, generate: SocialNetwork,
			Description: "a social network as DeathStarBench's, with caches and databases; size counts copies",
		},
		{
			Name: "star", DefaultSize: 50, MinSize: 8, MaxSize: maxWorkloads - 1, generate: Star,
			Description: "one shared service that all others call; size counts the others",
		},
		{
			Name: "deep-tree", DefaultSize: 60, MinSize: 16, MaxSize: maxWorkloads, generate: DeepTree,
			Description: "calls that go many levels down; size counts workloads",
		},
		{
			Name: "heavy-tailed", DefaultSize: 1000, MinSize: 20, MaxSize: maxWorkloads, generate: HeavyTailed,
			Description: "a random mesh with few large and many small edges and workloads; size counts workloads",
		},
		{
			Name: "even", DefaultSize: 10, MinSize: 3, MaxSize: maxWorkloads, generate: Even,
			Description: "services of ten replicas whose pods all have the same traffic; size counts workloads",
		},
		{
			Name: "even-tree", DefaultSize: 15, MinSize: 3, MaxSize: maxWorkloads, generate: EvenTree,
			Description: "a tree of services of six replicas whose edges all carry the same; size counts workloads",
		},
		{
			Name: "hub", DefaultSize: 31, MinSize: 3, MaxSize: maxWorkloads, generate: Hub,
			Description: "pairs of services that call each other and one hub; size counts workloads",
		},
		{
			Name: "dedicated", DefaultSize: 24, MinSize: 4, MaxSize: maxWorkloads, generate: Dedicated,
			Description: "unequal nodes, a third of which only some workloads may use; size counts workloads",
		},
		{
			Name: "spread-sets", DefaultSize: 24, MinSize: 3, MaxSize: maxWorkloads, generate: SpreadSets,
			Description: "databases that are spread over zones as a rule, and their clients; size counts workloads",
		},
		{
			Name: "low-rates", DefaultSize: 24, MinSize: 3, MaxSize: maxWorkloads, generate: LowRates,
			Description: "small services with some hundred bytes per second; size counts workloads",
		},
		{
			Name: "scale-out", DefaultSize: 10, MinSize: 3, MaxSize: maxWorkloads, generate: ScaleOut,
			Description: "services of ten replicas, two of which run already (for --order scale-out); size counts workloads",
		},
		{
			Name: "full", DefaultSize: 24, MinSize: 12, MaxSize: maxWorkloads, generate: Full,
			Description: "pods that ask for nearly all of the CPU there is; size counts workloads",
		},
		{
			Name: "managed-databases", DefaultSize: 24, MinSize: 6, MaxSize: maxWorkloads, generate: ManagedDatabases,
			Description: "services and one database outside the cluster in each zone; size counts services",
		},
	}
}
