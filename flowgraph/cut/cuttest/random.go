package cuttest

import (
	"fmt"
	"math/rand/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// RackAndHall has a level between node and zone, and one between zone and region.
func RackAndHall() locality.Scale {
	return locality.Scale{{Level: locality.Node.Labelled(0), Key: "rack"}, {Level: locality.Zone.Labelled(0), Key: "hall"}}
}

// RandomCluster has nodes in zones of regions that nest, some of them unknown,
// in every other cluster racks and halls, and edges of which some are self-flows
// and some lead outside, or to sites. Some workloads are headless, some are routed otherwise from
// one of the namespaces, and half of the clusters know of no requests.
func RandomCluster(rng *rand.Rand, nodes, workloads, edges, maxReplicas int) *cluster.Cluster {
	c := &cluster.Cluster{}
	if rng.IntN(2) == 0 {
		c.Scale = RackAndHall()
	}
	zones := 1 + rng.IntN(4)
	for n := range nodes {
		zone := rng.IntN(zones)
		at := locality.Locality{Node: fmt.Sprintf("n%d", n), Zone: fmt.Sprintf("z%d", zone), Region: fmt.Sprintf("r%d", zone/2)}
		switch rng.IntN(20) {
		case 0, 1:
			at.Zone = ""
		case 2:
			at.Region = ""
		case 3:
			at.Zone, at.Region = "", ""
		}
		var labels []string
		for range c.Scale {
			labels = append(labels, []string{"", "1", "1", "2"}[rng.IntN(4)])
		}
		c.Nodes = append(c.Nodes, cluster.Node{
			Locality: at, Labels: labels, MaxPods: int32(5 + rng.IntN(200)),
			Allocatable: cluster.Resources{MilliCPU: int64(1000 + rng.IntN(9000)), Memory: int64(1000 + rng.IntN(9000))},
		})
	}
	for w := range workloads {
		c.Workloads = append(c.Workloads, cluster.Workload{
			ID:       flowgraph.WorkloadID{Namespace: []string{"x", "y"}[rng.IntN(2)], Name: fmt.Sprintf("w%d", w)},
			Replicas: int32(1 + rng.IntN(maxReplicas)), Fixed: rng.IntN(8) == 0,
			Requests: cluster.Resources{MilliCPU: int64(rng.IntN(400)), Memory: int64(rng.IntN(400))},
			Route:    cluster.Route{Routing: RandomRouting(rng), Shares: RandomShares(rng, zones)},
			Headless: rng.IntN(6) == 0,
		})
		if rng.IntN(4) == 0 {
			c.Workloads[w].Exceptions = map[string]cluster.Route{"y": {Routing: RandomRouting(rng)}}
		}
	}
	var sites []flowgraph.WorkloadID
	for range rng.IntN(3) {
		site := RandomSite(rng, zones)
		site.Name = fmt.Sprintf("db%d", len(sites))
		sites = append(sites, site)
	}
	requests := rng.IntN(2)
	seen := map[[2]int]bool{}
	for len(c.Edges) < edges {
		ends := [2]int{rng.IntN(workloads + 1 + len(sites)), rng.IntN(workloads + 1 + len(sites))}
		if seen[ends] {
			edges-- // small clusters have few pairs
			continue
		}
		seen[ends] = true
		id := func(i int) flowgraph.WorkloadID {
			if i > workloads {
				return sites[i-workloads-1]
			}
			if i == workloads {
				return flowgraph.WorkloadID{Namespace: "outside", Name: "all"}
			}
			return c.Workloads[i].ID
		}
		// Whole numbers, which the snapshot's single precision keeps.
		c.Edges = append(c.Edges, flowgraph.Edge{From: id(ends[0]), To: id(ends[1]), Rates: flowgraph.Rates{
			SentBytesPerSecond: float64(rng.IntN(1000)), ReceivedBytesPerSecond: float64(rng.IntN(1000)),
			RequestsPerSecond: float64(requests * rng.IntN(100)),
		}})
	}
	return c
}

// RandomRouting returns any of the routings.
func RandomRouting(rng *rand.Rand) affinity.Routing {
	all := []affinity.Routing{
		affinity.Uniform, affinity.FairLoad, affinity.SameNode, affinity.SameZone, affinity.SameNodeOrAny, affinity.ZoneShare(rng.IntN(101)), affinity.FairZone(rng.IntN(4)),
	}
	return all[rng.IntN(len(all))]
}

// RandomShares leaves out some zones, as callers and as their endpoints.
func RandomShares(rng *rand.Rand, zones int) cluster.Shares {
	if rng.IntN(2) == 0 {
		return nil
	}
	shares := cluster.Shares{}
	for from := range zones {
		if rng.IntN(4) == 0 {
			continue
		}
		to := map[string]uint32{}
		for zone := range zones {
			if rng.IntN(3) > 0 {
				to[fmt.Sprintf("r%d/z%d", zone/2, zone)] = uint32(1 + rng.IntN(99))
			}
		}
		shares[fmt.Sprintf("r%d/z%d", from/2, from)] = to
	}
	return shares
}

// RandomAssignment has as many pods of some workloads as they want, and of others
// fewer, more, or none. It prefers few nodes, so that many pods meet.
func RandomAssignment(rng *rand.Rand, c *cluster.Cluster) cluster.Assignment {
	assigned := make(cluster.Assignment, len(c.Workloads))
	for w := range c.Workloads {
		home, pods := rng.IntN(len(c.Nodes)), int(c.Workloads[w].Replicas)
		switch rng.IntN(6) {
		case 0:
			pods = rng.IntN(pods + 1)
		case 1:
			pods += 1 + rng.IntN(3)
		}
		for range pods {
			node := home
			if rng.IntN(2) == 0 {
				node = rng.IntN(len(c.Nodes))
			}
			assigned[w] = append(assigned[w], int32(node))
		}
	}
	return assigned
}
