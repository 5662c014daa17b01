package meshes

import (
	"math/rand/v2"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// The chain of goods of Wojciechowski et al., "NetMARKS: Network Metrics-AwaRe
// Kubernetes Scheduler Powered by Service Mesh" (INFOCOM 2021), as public
// reimplementations of its evaluation have it: 4 raw materials, and 15 products
// that call once what they are made of.
const (
	// chainRate is the requests per second to each of the 15 products: the
	// evaluation measures them all.
	chainRate = 10
	// chainResponse is the middle one of the sizes that were evaluated (16 B,
	// 256 B, 4 kB, 64 kB, 1 MB).
	chainResponse = 4096
	// chainRequest is a GET with the headers that a mesh adds. The size was not
	// published.
	chainRequest = 256
	// chainNodes, of 4 cores and 16 GiB, is what a reimplementation ran on.
	chainNodes        = 5
	chainNodeMilliCPU = 4000
	// chainMilliCPU is what makes 19 pods ask for 65 % of 5 nodes. The pods of
	// the variant with replicas, twice as many, ask for half of it each.
	chainMilliCPU = 680
	chainMebibyte = 1024
)

// Chain is the chain with one replica of each service. Size counts copies of it,
// each in a namespace of its own and with 5 more nodes.
func Chain(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	a := chain()
	for i := range a.services {
		a.services[i].replicas, a.services[i].milliCPU, a.services[i].mebibyte = 1, chainMilliCPU, chainMebibyte
	}
	return chainCluster(a, rng, size)
}

// ChainReplicas is the chain in the evaluation's layout "multiple pods": 3
// replicas of each raw material, 1 of coin, iron, tools and sword, 2 of the other
// products; 38 pods in all.
func ChainReplicas(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	a := chain()
	for i, s := range a.services {
		replicas := int32(2)
		switch s.name {
		case "fish", "grain", "tree", "water":
			replicas = 3
		case "coin", "iron", "tools", "sword":
			replicas = 1
		}
		a.services[i].replicas, a.services[i].milliCPU, a.services[i].mebibyte = replicas, chainMilliCPU/2, chainMebibyte/2
	}
	return chainCluster(a, rng, size)
}

func chainCluster(a *app, rng *rand.Rand, size int) (*cluster.Cluster, error) {
	c, err := copiesOf(a, rng, size)
	if err != nil {
		return nil, err
	}
	addNodes(c, chainNodes*size, chainNodeMilliCPU)
	return c, nil
}

func chain() *app {
	a := &app{name: "chain", entry: map[string]float64{}}
	for _, product := range []struct {
		name      string
		materials []string
	}{
		{"sword", []string{"coal", "iron"}},
		{"tools", []string{"board", "iron"}},
		{"coin", []string{"coal", "gold"}},
		{"iron", []string{"coal", "ironore"}},
		{"coal", []string{"bread", "fish", "meat"}},
		{"gold", []string{"bread", "fish", "meat"}},
		{"ironore", []string{"bread", "fish", "meat"}},
		{"bread", []string{"flour", "water"}},
		{"meat", []string{"pig"}},
		{"pig", []string{"grain", "water"}},
		{"beer", []string{"grain", "water"}},
		{"boat", []string{"board"}},
		{"board", []string{"log"}},
		{"log", []string{"tree"}},
		{"flour", []string{"grain"}},
	} {
		a.services = append(a.services, service{name: product.name})
		a.entry[product.name] = chainRate
		for _, material := range product.materials {
			a.calls = append(a.calls, call{from: product.name, to: material, times: 1, request: chainRequest, response: chainResponse})
		}
	}
	for _, name := range []string{"fish", "grain", "tree", "water"} {
		a.services = append(a.services, service{name: name})
	}
	return a
}
