package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// rackAndHall has a level between node and zone, and one between zone and region.
func rackAndHall() locality.Scale {
	return locality.Scale{{Level: locality.Node.Labelled(0), Key: "rack"}, {Level: locality.Zone.Labelled(0), Key: "hall"}}
}

// randomCluster has nodes in zones of regions that nest, some of them unknown,
// in every other cluster racks and halls, and edges of which some are self-flows
// and some lead outside.
func randomCluster(rng *rand.Rand, nodes, workloads, edges, maxReplicas int) *cluster.Cluster {
	c := &cluster.Cluster{}
	if rng.IntN(2) == 0 {
		c.Scale = rackAndHall()
	}
	zones := 1 + rng.IntN(4)
	for n := range nodes {
		zone := rng.IntN(zones)
		at := locality.Locality{Node: fmt.Sprintf("n%d", n), Zone: fmt.Sprintf("z%d", zone), Region: fmt.Sprintf("r%d", zone/2)}
		if rng.IntN(10) == 0 {
			at.Zone = ""
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
			ID:       flowgraph.WorkloadID{Namespace: "x", Name: fmt.Sprintf("w%d", w)},
			Replicas: int32(1 + rng.IntN(maxReplicas)), Fixed: rng.IntN(8) == 0,
			Requests: cluster.Resources{MilliCPU: int64(rng.IntN(400)), Memory: int64(rng.IntN(400))},
			Route:    cluster.Route{Routing: randomRouting(rng), Shares: randomShares(rng, zones)},
		})
	}
	seen := map[[2]int]bool{}
	for len(c.Edges) < edges {
		ends := [2]int{rng.IntN(workloads + 1), rng.IntN(workloads + 1)}
		if seen[ends] {
			edges-- // small clusters have few pairs
			continue
		}
		seen[ends] = true
		id := func(i int) flowgraph.WorkloadID {
			if i == workloads {
				return flowgraph.WorkloadID{Namespace: "outside", Name: "all"}
			}
			return c.Workloads[i].ID
		}
		// Whole numbers, which the snapshot's single precision keeps.
		c.Edges = append(c.Edges, flowgraph.Edge{From: id(ends[0]), To: id(ends[1]), Rates: flowgraph.Rates{
			SentBytesPerSecond: float64(rng.IntN(1000)), ReceivedBytesPerSecond: float64(rng.IntN(1000)),
		}})
	}
	return c
}

func randomRouting(rng *rand.Rand) affinity.Routing {
	all := []affinity.Routing{
		affinity.Uniform, affinity.FairLoad, affinity.SameNode, affinity.SameZone, affinity.SameNodeOrAny, affinity.ZoneShare(rng.IntN(101)),
		affinity.FairZone(rng.IntN(4)),
	}
	return all[rng.IntN(len(all))]
}

// randomShares leaves out some zones, as callers and as their endpoints.
func randomShares(rng *rand.Rand, zones int) cluster.Shares {
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

// randomAssignment leaves some pods without a node. It prefers few nodes, so
// that many pods meet.
func randomAssignment(rng *rand.Rand, c *cluster.Cluster) cluster.Assignment {
	assigned := make(cluster.Assignment, len(c.Workloads))
	for w := range c.Workloads {
		home := rng.IntN(len(c.Nodes))
		for range c.Workloads[w].Replicas {
			switch rng.IntN(8) {
			case 0:
			case 1, 2, 3:
				assigned[w] = append(assigned[w], int32(home))
			default:
				assigned[w] = append(assigned[w], int32(rng.IntN(len(c.Nodes))))
			}
		}
	}
	return assigned
}

// eachRandom runs f on small random clusters.
func eachRandom(t *testing.T, f func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment)) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 7))
		c := randomCluster(rng, 1+rng.IntN(6), 1+rng.IntN(6), 12, 6)
		f(t, rng, c, randomAssignment(rng, c))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

func TestMeasureAgreesWithCut(t *testing.T) {
	eachRandom(t, func(t *testing.T, _ *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		desired := map[flowgraph.WorkloadID]int32{}
		for _, w := range c.Workloads {
			desired[w.ID] = w.Replicas
		}
		at := cuttest.NewAssignment(desired)
		for w, nodes := range assigned {
			for _, n := range nodes {
				// Zones are told apart within halls.
				node := &c.Nodes[n]
				at.Add(c.Workloads[w].ID, locality.Locality{Node: node.Node, Zone: domainOf(c, n, locality.Zone), Region: node.Region}, 1)
			}
		}
		o := Measure(c, assigned)
		for _, level := range locality.Levels() {
			for m, routing := range map[Model]affinity.Routing{Uniform: affinity.Uniform, FairLoad: affinity.FairLoad, SameNode: affinity.SameNode} {
				want := cuttest.Measure(traffic(c), at, routing, level)
				got, _ := o.Level(level)
				if !near(got.Local[m], want.Local) || !near(o.Total, want.Total) || !near(o.Crossing(level, m), want.Crossing()) {
					t.Errorf("%v, %v: %v of %v stay, want %+v", level, m, got.Local[m], o.Total, want)
				}
			}
		}
		for _, routing := range []affinity.Routing{affinity.SameZone, affinity.SameNodeOrAny, affinity.ZoneShare(80), affinity.ZoneShare(0), affinity.FairZone(3)} {
			for w := range c.Workloads {
				c.Workloads[w].Routing, c.Workloads[w].Shares = routing, nil // the cut knows none
			}
			o = Measure(c, assigned)
			for _, level := range locality.Levels() {
				l, _ := o.Level(level)
				if want := cuttest.Measure(traffic(c), at, routing, l.Level); !near(l.Local[Configured], want.Local) {
					t.Errorf("%v, %v: %v stay, want %+v", l.Level, routing, l.Local[Configured], want)
				}
			}
		}
	})
}

// TestMeasureAgreesWithPods compares with a count of single pods.
func TestMeasureAgreesWithPods(t *testing.T) {
	eachRandom(t, func(t *testing.T, _ *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		o := Measure(c, assigned)
		for _, level := range c.Scale.Levels() {
			var sameNode, configured float64
			for _, e := range c.Edges {
				sameNode += podsLocal(c, assigned, e, level, affinity.SameNode)
				if w := position(c, e.To); w >= 0 {
					configured += podsLocal(c, assigned, e, level, c.Workloads[w].Routing)
				}
			}
			l, _ := o.Level(level)
			if !near(l.Local[SameNode], sameNode) || !near(l.Local[Configured], configured) {
				t.Errorf("%v: %v and %v stay by same node and as configured, want %v and %v", level, l.Local[SameNode], l.Local[Configured], sameNode, configured)
			}
		}
		var want float64
		for w := range c.Workloads {
			want = max(want, busiestPod(c, assigned, w, affinity.SameNode))
		}
		if !near(o.Hotspot.Load, want) {
			t.Errorf("the busiest pod has %v, want %v", o.Hotspot.Load, want)
		}
		if h := o.Hotspot; h.Workload != Anywhere && !slices.Contains(assigned[h.Workload], h.Node) {
			t.Errorf("the busiest pod is where it has none: %+v", h)
		}
	})
}

func position(c *cluster.Cluster, id flowgraph.WorkloadID) int {
	return slices.IndexFunc(c.Workloads, func(w cluster.Workload) bool { return w.ID == id })
}

// podsLocal follows the calls of each pod of the caller, one by one.
func podsLocal(c *cluster.Cluster, assigned cluster.Assignment, e flowgraph.Edge, level locality.Level, routing affinity.Routing) float64 {
	from, to, w := position(c, e.From), position(c, e.To), e.BytesPerSecond()
	if from < 0 || to < 0 {
		return 0
	}
	together := func(a, b int32) bool { return share(c, level, a, b) }
	dFrom, dTo := float64(c.Workloads[from].Replicas), float64(c.Workloads[to].Replicas)
	room := map[string]float64{} // what callees of a domain still take, for fair load
	for _, n := range assigned[to] {
		room[domainOf(c, n, level)] += w / dTo
	}
	var sum float64
	for i, a := range assigned[from] {
		var endpoints float64
		for j, b := range assigned[to] {
			if together(a, b) && (from != to || i != j) {
				endpoints++
			}
		}
		switch {
		case from == to && dFrom > 1:
			sum += w / dFrom * endpoints / (dFrom - 1)
		case from == to:
		case routing == affinity.FairLoad:
			if endpoints == 0 {
				continue
			}
			taken := min(w/dFrom, room[domainOf(c, a, level)])
			room[domainOf(c, a, level)] -= taken
			sum += taken
		case routing == affinity.Uniform:
			sum += w / dFrom * endpoints / dTo
		default:
			for _, chosen := range chosenBy(c, routing, a, assigned[to], to, c.Workloads[to].Replicas, inZone(c, a, assigned[from])/max(dFrom, float64(len(assigned[from])))) {
				for _, b := range chosen.nodes {
					if together(a, b) {
						sum += w / max(dFrom, float64(len(assigned[from]))) * chosen.part / chosen.of
					}
				}
			}
		}
	}
	return sum
}

// share reports whether two nodes share a domain of a level.
func share(c *cluster.Cluster, level locality.Level, a, b int32) bool {
	d := domainOf(c, a, level)
	return d != "" && d == domainOf(c, b, level)
}

// domainOf returns the values of a level and of all wider ones, "" when that of the
// level is unknown.
func domainOf(c *cluster.Cluster, n int32, level locality.Level) string {
	node := &c.Nodes[n]
	if level == locality.Node {
		return node.Node
	}
	values := map[locality.Level]string{locality.Zone: node.Zone, locality.Region: node.Region}
	for i, label := range c.Scale {
		values[label.Level] = node.Labels[i]
	}
	if values[level] == "" {
		return ""
	}
	var domain string
	for wider := level; wider <= locality.Region; wider++ {
		domain += values[wider] + "|"
	}
	return domain
}

// chosen is endpoints that a part of a caller's calls is divided over.
type chosen struct {
	nodes []int32
	of    float64 // how many they are divided by
	part  float64
}

// inZone counts the nodes, with repeats, in the zone of another one.
func inZone(c *cluster.Cluster, with int32, nodes []int32) (n float64) {
	for _, node := range nodes {
		if share(c, locality.Zone, with, node) {
			n++
		}
	}
	return n
}

// chosenBy returns the endpoints that a caller's calls go to, where the routing
// prefers a level. callers is the part of all callers that is in its zone.
func chosenBy(c *cluster.Cluster, routing affinity.Routing, caller int32, endpoints []int32, callee int, wanted int32, callers float64) []chosen {
	all := float64(max(int(wanted), len(endpoints)))
	preferred := map[affinity.Routing][]locality.Level{
		affinity.SameNode: {locality.Node, locality.Zone}, affinity.SameZone: {locality.Zone}, affinity.SameNodeOrAny: {locality.Node},
	}
	percent := 100.0
	if _, err := fmt.Sscanf(routing.String(), "ZoneShare(%f)", &percent); err == nil {
		preferred[routing] = []locality.Level{locality.Zone}
		if shares := c.Workloads[callee].Shares; shares != nil {
			percent = percentOf(c, shares[c.Nodes[caller].Domain(locality.Zone)], caller, endpoints)
		}
	}
	least := 0.0
	if _, err := fmt.Sscanf(routing.String(), "FairZone(%f)", &least); err == nil && all >= least {
		preferred[routing] = []locality.Level{locality.Zone}
		percent = min(100, 100*inZone(c, caller, endpoints)/all/callers)
	}
	for _, level := range preferred[routing] {
		var here, elsewhere []int32
		for _, b := range endpoints {
			if share(c, level, caller, b) {
				here = append(here, b)
			} else {
				elsewhere = append(elsewhere, b)
			}
		}
		n := float64(len(here))
		switch {
		case n == 0:
		case percent < 0:
			return []chosen{{endpoints, all, 1}}
		case percent == 100 || n == all:
			return []chosen{{here, n, 1}}
		default:
			return []chosen{{here, n, percent / 100}, {elsewhere, all - n, 1 - percent/100}}
		}
	}
	return []chosen{{endpoints, all, 1}}
}

// percentOf is what a caller's zone keeps of its calls by these shares, when only the
// zones of the endpoints count; negative when none of them does.
func percentOf(c *cluster.Cluster, to map[string]uint32, caller int32, endpoints []int32) float64 {
	of := map[string]float64{}
	for _, b := range endpoints {
		if zone := c.Nodes[b].Domain(locality.Zone); zone != "" {
			of[zone] = float64(to[zone])
		}
	}
	var sum float64
	for _, share := range of {
		sum += share
	}
	if sum == 0 {
		return -1
	}
	return 100 * of[c.Nodes[caller].Domain(locality.Zone)] / sum
}

// busiestPod hands out the calls of each pod that there should be, and returns
// what the busiest endpoint of a workload gets, relative to its fair share.
func busiestPod(c *cluster.Cluster, assigned cluster.Assignment, to int, routing affinity.Routing) float64 {
	nodes := assigned[to]
	load, total := make([]float64, len(nodes)), 0.0
	// give hands w to the endpoints on those nodes, nil: to all.
	give := func(w float64, chosen []int32) {
		var endpoints []int
		for i, n := range nodes {
			if chosen == nil || slices.Contains(chosen, n) {
				endpoints = append(endpoints, i)
			}
		}
		for _, i := range endpoints {
			load[i] += w / float64(len(endpoints))
		}
	}
	for _, e := range c.Edges {
		from, w := position(c, e.From), e.BytesPerSecond()
		if position(c, e.To) != to {
			continue
		}
		total += w
		if from < 0 || from == to {
			give(w, nil)
			continue
		}
		callers := max(int(c.Workloads[from].Replicas), len(assigned[from]))
		for i := range callers {
			if i >= len(assigned[from]) {
				give(w/float64(callers), nil)
				continue
			}
			for _, chosen := range chosenBy(c, routing, assigned[from][i], nodes, to, 0, 1) {
				give(w/float64(callers)*chosen.part, chosen.nodes)
			}
		}
	}
	if total == 0 || len(nodes) == 0 {
		return 0
	}
	return slices.Max(load) / (total / float64(c.Workloads[to].Replicas))
}

func TestWiderLevelsKeepMore(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		for i := range c.Nodes {
			if c.Nodes[i].Zone == "" { // a node without a zone does not nest
				c.Nodes[i].Zone = "z0"
				c.Nodes[i].Region = "r0"
			}
			for k, value := range c.Nodes[i].Labels {
				c.Nodes[i].Labels[k] = value + "x"
			}
		}
		for w := range assigned { // a rollout has more pods than are wanted
			assigned[w] = append(assigned[w], assigned[w][:rng.IntN(len(assigned[w])+1)]...)
		}
		o := Measure(c, assigned)
		for _, m := range Models() {
			narrower := 0.0
			for _, l := range o.Levels {
				local := l.Local[m]
				if local < narrower-1e-9 || local > o.Total-o.External+1e-9 || !near(local+o.Crossing(l.Level, m), o.Total) {
					t.Errorf("%v, %v: %v stay of %v, %v at the level within", l.Level, m, local, o.Total, narrower)
				}
				narrower = local
			}
		}
	})
}

func TestRemovingAPodKeepsNoMoreUniform(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		w := rng.IntN(len(assigned))
		if len(assigned[w]) == 0 {
			return
		}
		before := Measure(c, assigned)
		i := rng.IntN(len(assigned[w]))
		assigned[w] = slices.Delete(slices.Clone(assigned[w]), i, i+1)
		after := Measure(c, assigned)
		for k := range before.Levels {
			if was, is := before.Levels[k].Local[Uniform], after.Levels[k].Local[Uniform]; is > was+1e-9 {
				t.Errorf("%v: %v stay without a pod of %s, %v with it", before.Levels[k].Level, is, c.Workloads[w].ID, was)
			}
		}
		if after.Missing != before.Missing+1 || after.Placed != before.Placed-1 {
			t.Errorf("%d placed and %d missing became %d and %d", before.Placed, before.Missing, after.Placed, after.Missing)
		}
	})
}

func TestOrderOfNodesDoesNotMatter(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		was := Measure(c, assigned)
		to := rng.Perm(len(c.Nodes))
		mixed := *c
		mixed.Nodes = make([]cluster.Node, len(c.Nodes))
		for i, n := range c.Nodes {
			mixed.Nodes[to[i]] = n
		}
		moved := make(cluster.Assignment, len(assigned))
		for w, nodes := range assigned {
			for _, n := range nodes {
				moved[w] = append(moved[w], int32(to[n]))
			}
		}
		is := Measure(&mixed, moved)
		// Of several pods that are equally busy, the first one is named.
		was.Hotspot.Node, was.Hotspot.Workload, is.Hotspot.Node, is.Hotspot.Workload = 0, 0, 0, 0
		if diff := cmp.Diff(was, is, about()); diff != "" {
			t.Errorf("with the nodes in another order (-was +is):\n%s", diff)
		}
	})
}
