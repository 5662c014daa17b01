package trafficlocality

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

func TestScale(t *testing.T) {
	type level struct {
		Name      string
		Closeness float64
	}
	cases := map[string]struct {
		args string
		want []level
	}{
		"defaults": {"", []level{{"node", 1}, {"zone", 0.5}, {"region", 0.1}}},
		"labels in any order": {
			"levels: [{label: hall, closeness: 0.25}, {label: block, closeness: 0.625}, {label: rack, closeness: 0.75}, {label: continent, closeness: 0.0625}]",
			[]level{{"node", 1}, {"rack", 0.75}, {"block", 0.625}, {"zone", 0.5}, {"hall", 0.25}, {"region", 0.1}, {"continent", 0.0625}},
		},
		"a zone as near as the node": {
			"closeness: {node: 1, zone: 1, region: 0.25}, levels: [{label: hall, closeness: 0.5}]",
			[]level{{"node", 1}, {"zone", 1}, {"hall", 0.5}, {"region", 0.25}},
		},
		"costs": {
			"cost: {zone: 1, region: 2, remote: 8}, levels: [{label: rack, cost: 0.5}, {label: continent, cost: 4}]",
			[]level{{"node", 1}, {"rack", 0.9375}, {"zone", 0.875}, {"region", 0.75}, {"continent", 0.5}},
		},
		"NetMARKS knows no labels": {"strategy: NetMARKS, " + rackAndHall, []level{{"node", 1}, {"zone", 0}, {"region", 0}}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			s := newCluster(t, test.args).plugin.options
			steps := map[locality.Level]float64{}
			for _, l := range s.Levels() {
				steps[l.Level] = l.Step
			}
			var want []level
			for i, l := range test.want { // from what is known of the steps
				if want = append(want, l); i+1 < len(test.want) {
					want[i].Closeness -= test.want[i+1].Closeness
				}
			}
			var got []level
			for _, l := range s.Scale.Levels() {
				got = append(got, level{s.Scale.Name(l), steps[l]})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("levels and their steps (-want +got):\n%s", diff)
			}
		})
	}
}

// TestGainsAtLabelledLevelsAreWhatTheCutGains is TestGainsAreWhatTheCutGains with
// the domains of each level in the place of zones.
func TestGainsAtLabelledLevelsAreWhatTheCutGains(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	counted := map[locality.Level]int{}
	for _, routing := range []affinity.Routing{affinity.Uniform, affinity.FairLoad} {
		for range 40 {
			c, _ := randomCluster(t, random, fmt.Sprintf("%s, reserveRoom: false, routing: %s, %s", allOfIt, routing, rackAndHall), true)
			snap, levels := c.store.Load(), c.plugin.options.Levels()
			want := map[string]map[string]float64{} // by workload and node
			for i := range snap.Len() {
				want[snap.ID(i).Name] = map[string]float64{}
			}
			for _, level := range levels {
				assignment, at := c.asZones(level.Position)
				for i := range snap.Len() {
					for name, to := range at {
						gain := level.Step * cuttest.Delta(snap, assignment, cuttest.Move{Workload: snap.ID(i), To: to}, routing, locality.Zone)
						if level.Level == locality.Node {
							gain = level.Step * cuttest.Delta(snap, assignment, cuttest.Move{Workload: snap.ID(i), To: to}, routing, locality.Node)
						}
						want[snap.ID(i).Name][name] += gain
						if gain > 1 {
							counted[level.Level]++
						}
					}
				}
			}
			for workload, nodes := range want {
				got := c.gains(c.plugin, c.pod(workload))
				for node, gain := range nodes {
					if math.Abs(got[node]-gain) > 1e-6*gain+1e-3 {
						t.Fatalf("%v: %s gains %v on %s, the cut %v", routing, workload, got[node], node, gain)
					}
				}
			}
		}
	}
	for _, level := range newCluster(t, rackAndHall).plugin.options.Levels() {
		if counted[level.Level] < 500 {
			t.Errorf("only %d gains at %v were positive", counted[level.Level], level.Level)
		}
	}
}

// asZones returns the assignment, and where each node is, with the domains of a
// level in the place of zones.
func (c *cluster) asZones(position int) (*cuttest.Assignment, map[string]locality.Locality) {
	desired, at := map[flowgraph.WorkloadID]int32{}, map[string]locality.Locality{}
	a := cuttest.NewAssignment(desired)
	for _, info := range c.nodes() {
		node, topology := info.Node(), c.plugin.options.Scale
		domain := topology.Domains(kube.LocalityOf(node), kube.ValuesOf(node, topology))[position]
		at[node.Name] = locality.Locality{Node: node.Name, Zone: domain}
		for _, p := range info.GetPods() {
			if id := kube.WorkloadOf(p.GetPod()); kube.IsPeer(p.GetPod()) {
				a.Add(id, at[node.Name], 1)
			}
		}
	}
	for i := range 8 { // of randomCluster
		id := workload(fmt.Sprintf("w%d", i))
		desired[id], _ = c.plugin.replicas.Desired(id, c.pod(id.Name))
	}
	return a, at
}

// TestZonesInTwoSteps gives nodes a label with the value of their zone: a closeness
// in two steps of the same domains scores as one step.
func TestZonesInTwoSteps(t *testing.T) {
	cases := map[string]struct {
		zone, label float64 // closeness of the two
		routings    []string
	}{
		// Calls that prefer zones do not prefer what is nearer than them.
		"nearer than the zone": {zone: 0.31, label: 0.53, routings: []string{"Uniform", "FairLoad"}},
		"wider than the zone":  {zone: 0.53, label: 0.31, routings: []string{"Uniform", "FairLoad", "Auto"}},
	}
	random := rand.New(rand.NewPCG(11, 12))
	for name, test := range cases {
		for _, routing := range test.routings {
			t.Run(name+"/"+routing, func(t *testing.T) {
				compared := 0
				for range 20 {
					args := allOfIt + ", routing: " + routing + ", closeness: {zone: %g, region: 0.17}"
					c, _ := randomCluster(t, random, fmt.Sprintf(args, max(test.zone, test.label)), true)
					two := c.newPlugin(fmt.Sprintf(args+", levels: [{label: "+rackLabel+", closeness: %g}]", test.zone, test.label))
					c.labelZones(random)
					compared += c.compareScores(c.plugin, two)
				}
				if compared < 500 {
					t.Errorf("only %d scores were compared", compared)
				}
			})
		}
	}
}

// labelZones gives the nodes of randomCluster their zone as rack, and the workloads
// any routing.
func (c *cluster) labelZones(random *rand.Rand) {
	for _, info := range c.nodes() {
		if n := info.Node(); n.Labels[v1.LabelTopologyZone] != "" {
			metav1.SetMetaDataLabel(&n.ObjectMeta, rackLabel, n.Labels[v1.LabelTopologyZone])
		}
	}
	distributions := []string{"", v1.ServiceTrafficDistributionPreferSameNode, v1.ServiceTrafficDistributionPreferSameZone}
	for i := range 8 {
		c.route(fmt.Sprintf("w%d", i), distributions[random.IntN(len(distributions))])
	}
}

// compareScores fails where the scores of two plugins differ for the workloads of
// the graph, and returns how many it has compared.
func (c *cluster) compareScores(one, two *Plugin) (compared int) {
	c.Helper()
	snap := c.store.Load()
	for i := range snap.Len() {
		pod := c.pod(snap.ID(i).Name)
		c.plugin = one
		want := c.scores(pod, c.nodes())
		c.plugin = two
		if diff := cmp.Diff(want, c.scores(pod, c.nodes())); diff != "" {
			c.Fatalf("scores (-one, +two):\n%s", diff)
		}
		compared += len(want)
	}
	return compared
}

// TestGainsWithinTheRack: calls that prefer the zone do not stay in the rack but for
// its part of the zone's endpoints. In a hall, which is wider than the zone, they do.
func TestGainsWithinTheRack(t *testing.T) {
	type gains [4]float64 // at node, rack, zone and hall, in bytes per second
	// A pod of web calls with 60 B/s. The fair share of each of the five endpoints
	// is 24 B/s, and more than those of a preferred domain together does not count.
	// Zone a has four endpoints, three of them in rack 1. Zone b has one, which is in
	// no hall, though its zone's name is that of one in a hall.
	want := map[string]map[string]gains{
		v1.ServiceTrafficDistributionPreferSameZone: {
			"n1": {30, 45, 60, 60}, "n2": {15, 45, 60, 60}, "n3": {15, 15, 60, 60}, "n4": {60, 60, 24, 0}, "n5": {0, 0, 0, 60},
		},
		v1.ServiceTrafficDistributionPreferSameNode: {
			"n1": {48, 45, 60, 60}, "n2": {24, 45, 60, 60}, "n3": {24, 15, 60, 60}, "n4": {24, 60, 24, 0}, "n5": {0, 0, 0, 60},
		},
		"": { // to all alike
			"n1": {24, 36, 48, 48}, "n2": {12, 36, 48, 48}, "n3": {12, 12, 48, 48}, "n4": {12, 12, 12, 0}, "n5": {0, 0, 0, 48},
		},
	}
	for distribution, nodes := range want {
		c := newCluster(t, allOfIt+", closeness: {zone: 0.5, region: 0}, "+rackAndHall)
		c.assign("n1@r/a/1: db*2; n2@r/a/1: db; n3@r/a/2: db; n4@r/b/1: db; n5@r/c: ")
		for _, info := range c.nodes("n1", "n2", "n3", "n5") {
			info.Node().Labels[hallLabel] = "x"
		}
		c.desire("web=2 db=5")
		c.route("db", distribution)
		c.traffic("web -> db 120B/s")
		got := c.gains(c.plugin, c.pod("web"))
		for name, levels := range nodes {
			sum := 0.0
			for _, gain := range levels {
				sum += 0.25 * gain // each level is a quarter closer than the next
			}
			if math.Abs(got[name]-sum) > 1e-9 {
				t.Errorf("%q: %s gains %v B/s, want %v", distribution, name, got[name], sum)
			}
		}
	}
}

// TestRackOfTheCallee fills the callee's node: the callers land in its rack where
// racks are a level, and elsewhere in the zone, where more is free, without.
func TestRackOfTheCallee(t *testing.T) {
	for name, test := range map[string]struct {
		args string
		want string // rack
	}{
		"racks are a level":    {", levels: [{label: " + rackLabel + ", closeness: 0.8}]", "1"},
		"racks are no level":   {"", "2"},
		"another label is one": {", levels: [{label: " + hallLabel + ", closeness: 0.8}]", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "")
			c.assign("n1@r/a/1: db; n2@r/a/1:; n3@r/a/1:; n4@r/a/2:; n5@r/a/2:; n6@r/b/1:")
			c.place(c.sized("filler", "63900m"), "n1")
			c.place(c.sized("filler", "40"), "n2")
			c.place(c.sized("filler", "40"), "n3")
			c.update()
			c.desire("web=4 db=1 filler=3")
			c.traffic("web -> db 100MiB/s")
			fw := c.profileWith(c.dependencies(), "maxShare: {zone: 1}"+test.args)
			for range 4 {
				pod := c.sized("web", "500m")
				best := bestNode(c.totals(fw, pod))
				c.place(pod, best)
				c.update()
				if got := c.nodes(best)[0].Node().Labels; got[rackLabel] != test.want || got[v1.LabelTopologyZone] != "a" {
					t.Errorf("a pod lands on %s in rack %s of zone %s, want rack %s of zone a", best, got[rackLabel], got[v1.LabelTopologyZone], test.want)
				}
			}
		})
	}
}

// TestLabelsThatChange gives a node another rack: scores follow.
func TestLabelsThatChange(t *testing.T) {
	c := newCluster(t, allOfIt+", closeness: {zone: 0, region: 0}, levels: [{label: "+rackLabel+", closeness: 0.5}]")
	c.assign("n1@r/a/1: db; n2@r/a/2:; n3@r/b/1:")
	c.desire("web=1 db=1")
	c.traffic("web -> db 1MiB/s")
	if got, want := c.scoreText(c.pod("web")), "n1=100 n2=0 n3=0"; got != want {
		t.Errorf("the scores are %s, want %s", got, want)
	}
	before := c.nodes("n2")[0].Node()
	after := before.DeepCopy()
	after.Labels[rackLabel] = "1"
	c.cache.UpdateNode(klog.Background(), before, after)
	c.update()
	if got, want := c.scoreText(c.pod("web")), "n1=100 n2=50 n3=0"; got != want {
		t.Errorf("after n2 moved the scores are %s, want %s", got, want)
	}
}
