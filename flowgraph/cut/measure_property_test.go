package cut

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
)

// eachRandom runs f on small random clusters.
func eachRandom(t *testing.T, f func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment)) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 7))
		c := cuttest.RandomCluster(rng, 1+rng.IntN(6), 1+rng.IntN(6), 12, 6)
		f(t, rng, c, cuttest.RandomAssignment(rng, c))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

// TestMeasureAgreesWithCut compares with the oracle of the live scores, which divides
// by what it is told is desired: here the pods that there are.
func TestMeasureAgreesWithCut(t *testing.T) {
	eachRandom(t, func(t *testing.T, _ *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		c.Edges = slices.DeleteFunc(c.Edges, func(e flowgraph.Edge) bool {
			return e.IsSelf() || e.From.IsSite() || e.To.IsSite() // which it divides otherwise, or finds by other names of zones
		})
		for i := range c.Nodes {
			if n := &c.Nodes[i]; n.Zone == "" || n.Region == "" { // it does not nest them
				n.Zone, n.Region = "z9"+n.Node, "r9"+n.Node
			}
		}
		pods := &cuttest.Pods{C: c}
		desired := map[flowgraph.WorkloadID]int32{}
		at := cuttest.NewAssignment(desired)
		for w, nodes := range assigned {
			desired[c.Workloads[w].ID] = int32(len(nodes))
			for _, n := range nodes {
				// Zones are told apart within halls.
				at.Add(c.Workloads[w].ID, locality.Locality{Node: c.Nodes[n].Node, Zone: pods.Domain(n, locality.Zone), Region: c.Nodes[n].Region}, 1)
			}
		}
		snapshot := flowgraph.NewSnapshot(1, time.Unix(0, 0), c.Edges)
		for _, routing := range []affinity.Routing{affinity.SameZone, affinity.SameNodeOrAny, affinity.ZoneShare(80), affinity.ZoneShare(0)} {
			for w := range c.Workloads {
				c.Workloads[w].Route, c.Workloads[w].Exceptions = cluster.Route{Routing: routing}, nil
			}
			o := Measure(c, assigned, nil)
			for m, routing := range map[Model]affinity.Routing{Uniform: affinity.Uniform, FairLoad: affinity.FairLoad, SameNode: affinity.SameNode, Configured: routing} {
				for _, level := range locality.Levels() {
					l, _ := o.Level(level)
					if want := cuttest.Measure(snapshot, at, routing, level); !near(l.Local[m], want.Local) || !near(o.Total, want.Total) {
						t.Errorf("%v, %v: %v of %v stay, want %+v", level, routing, l.Local[m], o.Total, want)
					}
				}
			}
		}
	})
}

// TestMeasureAgreesWithSingleCalls follows every call of every pod to the endpoint
// that takes it.
func TestMeasureAgreesWithSingleCalls(t *testing.T) {
	eachRandom(t, func(t *testing.T, _ *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		o := Measure(c, assigned, nil)
		pods := &cuttest.Pods{C: c, Serving: assigned}
		var total, external, withSites, unserved float64
		for _, e := range c.Edges {
			total += e.BytesPerSecond()
			from, to := pods.Position(e.From), pods.Position(e.To)
			isIn := func(id flowgraph.WorkloadID, at int) bool { return at >= 0 || id.IsSite() }
			switch {
			case !isIn(e.From, from) || !isIn(e.To, to) || from < 0 && to < 0:
				external += e.BytesPerSecond()
			case from >= 0 && len(assigned[from]) == 0 || to >= 0 && len(assigned[to]) == 0:
				unserved += e.BytesPerSecond()
			case from < 0 || to < 0:
				withSites += e.BytesPerSecond()
			}
		}
		if !near(o.Total, total) || !near(o.External, external) || !near(o.Unserved, unserved) || !near(o.WithSites, withSites) {
			t.Errorf("%v in all, %v external, %v unserved, %v with sites, want %v, %v, %v, %v",
				o.Total, o.External, o.Unserved, o.WithSites, total, external, unserved, withSites)
		}
		for _, l := range o.Levels {
			for _, m := range Models() {
				local, unknown := singleCalls(pods, m, l.Level)
				if !near(l.Local[m], local) {
					t.Errorf("%v, %v: %v stay, want %v", l.Level, m, l.Local[m], local)
				}
				if m == Configured && !near(l.Unknown, unknown) {
					t.Errorf("%v: of %v it is not known, want %v", l.Level, l.Unknown, unknown)
				}
			}
		}
	})
}

// singleCalls is what stays within a level, and what is not known, by single calls.
// Under fair load the parts say what is not known.
func singleCalls(pods *cuttest.Pods, m Model, level locality.Level) (local, unknown float64) {
	for i, e := range pods.C.Edges {
		to := pods.Position(e.To)
		if to < 0 {
			stays, not := pods.Stays(e, cluster.Route{}, level) // at a site
			local += e.BytesPerSecond() * stays
			unknown += e.BytesPerSecond() * not
			continue
		}
		route := m.route(pods.C.Workloads[to].RouteFrom(e.From.Namespace))
		stays, not := pods.Stays(e, route, level)
		local += e.BytesPerSecond() * stays
		unknown += e.BytesPerSecond() * not
		if route.Routing != affinity.FairLoad || e.IsSelf() && pods.C.Workloads[to].Headless {
			continue
		}
		for k, part := range Parts(pods.C, pods.Serving, m) {
			if k == i && part.From >= 0 && part.To >= 0 && pods.Unknown(level, part.From, part.To) {
				unknown += part.BytesPerSecond
			}
		}
	}
	return local, unknown
}

// TestHotspotAgreesWithSingleCalls adds up what each pod has to do.
func TestHotspotAgreesWithSingleCalls(t *testing.T) {
	eachRandom(t, func(t *testing.T, _ *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		pods := &cuttest.Pods{C: c, Serving: assigned}
		busiest := func(w int, route func(e flowgraph.Edge) cluster.Route) float64 {
			load, total := make([]float64, len(assigned[w])), 0.0
			for _, e := range c.Edges {
				from, bytes := pods.Position(e.From), e.BytesPerSecond()
				switch {
				case pods.Position(e.To) != w || len(load) == 0:
				case from < 0:
					total += bytes
					for j := range load {
						load[j] += bytes / float64(len(load))
					}
				case len(assigned[from]) > 0:
					total += bytes
					for _, call := range pods.Calls(e, route(e)) {
						load[call.To] += bytes * call.Part
					}
				}
			}
			if total == 0 {
				return 0
			}
			return slices.Max(load) / total * float64(len(load))
		}
		want := 0.0
		for w, called := range Calls(c, assigned, nil) {
			want = max(want, busiest(w, func(flowgraph.Edge) cluster.Route { return cluster.Route{Routing: affinity.SameNode} }))
			fair := false // no single calls
			configured := busiest(w, func(e flowgraph.Edge) cluster.Route {
				route := c.Workloads[w].RouteFrom(e.From.Namespace)
				fair = fair || route.Routing == affinity.FairLoad
				return route
			})
			if !fair && !near(called.Busiest, configured) {
				t.Errorf("the busiest pod of %s has %v as configured, want %v", c.Workloads[w].ID, called.Busiest, configured)
			}
		}
		o := Measure(c, assigned, nil)
		if !near(o.Hotspot.Load, want) {
			t.Errorf("the busiest pod has %v, want %v", o.Hotspot.Load, want)
		}
		if h := o.Hotspot; h.Workload != Outside && !slices.Contains(assigned[h.Workload], h.Node) {
			t.Errorf("the busiest pod is where it has none: %+v", h)
		}
	})
}

// TestSurvivalAgreesWithSingleCalls follows each call through all that its callee
// calls, after the loss of every node and zone.
func TestSurvivalAgreesWithSingleCalls(t *testing.T) {
	compared := 0
	eachRandom(t, func(t *testing.T, _ *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		s := Measure(c, assigned, nil).Survival
		pods := &cuttest.Pods{C: c, Serving: assigned}
		if before := pods.Completes(func(int32) bool { return false }); !near(s.Before, before) && before == before {
			t.Errorf("%v complete, want %v", s.Before, before)
		}
		for _, level := range []locality.Level{locality.Node, locality.Zone} {
			got, worst := s.Node, Loss{}
			if level == locality.Zone {
				got = s.Zone
			}
			for n := range c.Nodes {
				domain := pods.Domain(int32(n), level)
				if domain == "" {
					continue
				}
				lost := func(node int32) bool { return pods.Domain(node, level) == domain }
				loss := Loss{Domain: domain, Complete: pods.Completes(lost), Load: 1}
				for w, nodes := range assigned {
					called := slices.ContainsFunc(c.Edges, func(e flowgraph.Edge) bool {
						from := pods.Position(e.From)
						return pods.Position(e.To) == w && (e.BytesPerSecond() > 0 || e.RequestsPerSecond > 0) && (from < 0 || len(assigned[from]) > 0)
					})
					left := len(nodes)
					if !called {
						continue
					}
					for _, node := range nodes {
						if lost(node) {
							left--
						}
					}
					if left > 0 {
						loss.Load = max(loss.Load, float64(len(nodes))/float64(left))
					}
				}
				if worst.Domain == "" || loss.Complete < worst.Complete-1e-12 || near(loss.Complete, worst.Complete) && loss.Load > worst.Load {
					worst = loss
				}
			}
			if got.Domain == "" {
				continue // no traffic, or no zone
			}
			if compared++; !near(got.Complete, worst.Complete) || !near(got.Load, worst.Load) {
				t.Errorf("%v: the worst loss is %+v, want %+v", level, got, worst)
			}
		}
	})
	if compared < 400 {
		t.Errorf("only %d losses were compared", compared)
	}
}

// TestEvaluatorAgreesWithMeasure moves pods to and fro, and from and to nowhere.
func TestEvaluatorAgreesWithMeasure(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		for i := range c.Nodes {
			c.Nodes[i].Bandwidth = float64(rng.IntN(3) * 1000)
		}
		idle := cuttest.RandomAssignment(rng, c)
		v, err := NewEvaluator(c, assigned, idle)
		if err != nil {
			t.Fatal(err)
		}
		check := func(when string) {
			t.Helper()
			want, got := Measure(c, assigned, idle), v.Outcome()
			// Of several that are equal but for rounding either may be named.
			want.Hotspot.Node, want.Hotspot.Workload, got.Hotspot.Node, got.Hotspot.Workload = 0, 0, 0, 0
			if diff := cmp.Diff(want, got, about()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
		check("at first")
		for range 6 {
			m := Move{Workload: int32(rng.IntN(len(c.Workloads))), From: Outside, To: int32(rng.IntN(len(c.Nodes)+1)) - 1}
			nodes := assigned[m.Workload]
			if len(nodes) > 0 && rng.IntN(4) > 0 {
				i := rng.IntN(len(nodes))
				m.From = nodes[i]
				nodes = slices.Delete(slices.Clone(nodes), i, i+1)
			}
			if m.From == Outside && m.To == Outside {
				continue
			}
			if m.To != Outside {
				nodes = append(slices.Clone(nodes), m.To)
			}
			was := Measure(c, assigned, idle)
			gain := v.Move(m)
			if rng.IntN(3) == 0 {
				v.Undo()
				v.Undo() // which does nothing
				check("after a move that was taken back")
				continue
			}
			assigned = slices.Clone(assigned)
			assigned[m.Workload] = nodes
			check("after a move")
			for _, l := range Measure(c, assigned, idle).Levels {
				before, _ := was.Level(l.Level)
				for _, model := range Models() {
					if want := l.Local[model] - before.Local[model]; !near(gain.At(l.Level, model), want) {
						t.Errorf("%+v, %v, %v: %v more stay, want %v", m, l.Level, model, gain.At(l.Level, model), want)
					}
				}
			}
		}
	})
}

func TestWiderLevelsKeepMore(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		for i := range c.Nodes {
			if c.Nodes[i].Zone == "" { // a node without a zone does not nest
				c.Nodes[i].Zone = "z0"
				c.Nodes[i].Region = "r0"
			}
			if c.Nodes[i].Region == "" {
				c.Nodes[i].Region = "r0"
			}
			for k, value := range c.Nodes[i].Labels {
				c.Nodes[i].Labels[k] = value + "x"
			}
		}
		for w := range assigned { // a rollout has more pods than are wanted
			assigned[w] = append(assigned[w], assigned[w][:rng.IntN(len(assigned[w])+1)]...)
		}
		o := Measure(c, assigned, nil)
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

func TestOrderOfNodesDoesNotMatter(t *testing.T) {
	eachRandom(t, func(t *testing.T, rng *rand.Rand, c *cluster.Cluster, assigned cluster.Assignment) {
		was := Measure(c, assigned, nil)
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
		is := Measure(&mixed, moved, nil)
		// Of several pods that are equally busy, the first one is named.
		was.Hotspot.Node, was.Hotspot.Workload, is.Hotspot.Node, is.Hotspot.Workload = 0, 0, 0, 0
		if diff := cmp.Diff(was, is, about()); diff != "" {
			t.Errorf("with the nodes in another order (-was +is):\n%s", diff)
		}
	})
}
