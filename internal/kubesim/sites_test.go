package kubesim

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/sim"
	"github.com/vicinity-sched/vicinity/flowgraph/sim/meshes"
	"github.com/vicinity-sched/vicinity/internal/schedulerconfig"
)

// managedDatabases is services with a database outside the cluster in each zone.
func managedDatabases(t *testing.T) *cluster.Cluster {
	t.Helper()
	families := meshes.Families()
	i := slices.IndexFunc(families, func(f meshes.Family) bool { return f.Name == "managed-databases" })
	c, err := families[i].Generate(rand.New(rand.NewPCG(1, 0)), 0)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// withoutSites is the cluster as it is seen where nobody says what is outside.
func withoutSites(c *cluster.Cluster) *cluster.Cluster {
	without := *c
	without.Edges = slices.Clone(c.Edges)
	for i := range without.Edges {
		if e := &without.Edges[i]; e.To.IsSite() {
			e.To = flowgraph.WorkloadID{Namespace: "external", Name: e.To.Namespace}
		}
	}
	return &without
}

// nearDatabases is the part of the clients' traffic with sites that stays in their zones.
func nearDatabases(c *cluster.Cluster, assigned cluster.Assignment) float64 {
	with := *c
	with.Edges = slices.DeleteFunc(slices.Clone(c.Edges), func(e flowgraph.Edge) bool { return !e.To.IsSite() })
	return cut.Measure(&with, assigned, nil).LocalShare(locality.Zone, cut.Configured)
}

// TestDatabasesDrawTheirClients places the pods of services by the shipped profiles, with and
// without the sites of their databases. Each zone has room for a third of the pods and more.
func TestDatabasesDrawTheirClients(t *testing.T) {
	cases := map[string]struct {
		profile  string
		replicas int32
		least    float64
		most     float64
	}{
		"without a bound on zones":             {profile: "cost", replicas: 3, least: 0.9, most: 1},
		"one pod each":                         {profile: "latency", replicas: 1, least: 0.9, most: 1},
		"no more than two thirds, by maxShare": {profile: "latency", replicas: 3, least: 0.6, most: 2. / 3},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := managedDatabases(t)
			for i := range c.Workloads { // as much is asked for as before
				w := &c.Workloads[i]
				w.Requests.MilliCPU, w.Requests.Memory = w.Requests.MilliCPU*3/int64(tc.replicas), w.Requests.Memory*3/int64(tc.replicas)
				w.Replicas = tc.replicas
			}
			config, err := schedulerconfig.Load("../../manifests/profiles/" + tc.profile + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			for _, order := range []sim.Order{sim.Random, sim.ByWorkload, sim.Rollout} {
				lowest, highest := 1.0, 0.0
				for seed := range uint64(3) {
					near := func(seen *cluster.Cluster) float64 {
						seen.Assigned = scattered(seen)
						return nearDatabases(c, replay(t, seen, order, seed, config).Assigned)
					}
					with, without := near(c), near(withoutSites(c))
					lowest, highest = min(lowest, with), max(highest, without)
					if with < tc.least || with > tc.most {
						t.Errorf("%v, seed %d: %.3f of the traffic with databases stays in their zones, want %.2f to %.2f", order, seed, with, tc.least, tc.most)
					}
					if without > 0.6 {
						t.Errorf("%v, seed %d: %.3f stays without sites: they make no difference", order, seed, without)
					}
				}
				t.Logf("%v: at least %.1f %%, without sites at most %.1f %%", order, 100*lowest, 100*highest)
			}
		})
	}
}

// scattered is an assignment of a pod after the other to a node after the other.
func scattered(c *cluster.Cluster) cluster.Assignment {
	assigned := make(cluster.Assignment, len(c.Workloads))
	next := 0
	for w := range c.Workloads {
		for range c.Workloads[w].Replicas {
			assigned[w] = append(assigned[w], int32(next%len(c.Nodes)))
			next++
		}
	}
	return assigned
}
