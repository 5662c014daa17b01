package trafficlocality

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// gains returns what one more pod is worth on each node, before it becomes a
// score: without networks and without room that is kept.
func (c *cluster) gains(p *Plugin, pod *v1.Pod) map[string]float64 {
	c.Helper()
	snap := c.store.Load()
	id := kube.WorkloadOf(pod)
	if _, ok := snap.Lookup(id); !ok {
		return nil
	}
	fresh := &Plugin{options: p.options, replicas: p.replicas, services: p.services}
	fresh.forget()
	p.desired.Tell(fresh, func() {})
	fresh.keeper.update(c.nodes(), true)
	desired, _ := p.replicas.Desired(id, pod)
	result := fresh.engine.Evaluate(&score.Request{
		Snapshot: snap, Influence: 1, Workload: id, Revision: kube.RevisionOf(pod), Desired: desired, Group: true,
		Routing: fresh.routes.ofPod(kube.WorkloadOf(pod), pod), Candidates: fresh.keeper.numbersOf(c.nodes()),
	})
	gains := map[string]float64{}
	for name, n := range fresh.keeper.names {
		explained := result.Explain(n)
		if gains[name] = max(explained.Gain, 0); len(explained.Vetoes) > 0 {
			gains[name] = 0
		}
	}
	return gains
}

// peersOf yields the callees and the callers of a workload.
func peersOf(snap *flowgraph.Snapshot, i int) iter.Seq2[int, flowgraph.Rates] {
	return func(yield func(int, flowgraph.Rates) bool) {
		for j, r := range snap.Callees(i) {
			if !yield(j, r) {
				return
			}
		}
		for j, r := range snap.Callers(i) {
			if !yield(j, r) {
				return
			}
		}
	}
}

// randomCluster is a random graph over a random assignment. No workload has all
// the pods that it wants, so that one more is a whole pod more.
func randomCluster(t *testing.T, random *rand.Rand, args string, selfFlow bool) (*cluster, *cuttest.Assignment) {
	c, assignment, _ := randomClusterOf(t, random, args, selfFlow)
	return c, assignment
}

// randomClusterOf returns also how many pods are wanted, as the assignment knows it.
func randomClusterOf(t *testing.T, random *rand.Rand, args string, selfFlow bool) (*cluster, *cuttest.Assignment, map[flowgraph.WorkloadID]int32) {
	const workloadCount, nodeCount = 8, 10
	c := newCluster(t, args)
	var edges []flowgraph.Edge
	desired := map[flowgraph.WorkloadID]int32{}
	placed := map[int]int32{}
	for range 20 {
		from, to := random.IntN(workloadCount), random.IntN(workloadCount)
		if from == to && !selfFlow {
			continue
		}
		edges = append(edges, flowgraph.Edge{
			From: workload(fmt.Sprintf("w%d", from)), To: workload(fmt.Sprintf("w%d", to)), ObservedAt: dataTime,
			Rates: flowgraph.Rates{SentBytesPerSecond: random.ExpFloat64() * 1e6, ReceivedBytesPerSecond: random.ExpFloat64() * 1e3, RequestsPerSecond: 1e6},
		})
	}
	c.store.Publish(flowgraph.NewSnapshot(1, dataTime, edges))

	assignment := cuttest.NewAssignment(desired)
	for i := range nodeCount {
		n := node(fmt.Sprintf("n%d", i), []string{"", "r1", "r2"}[random.IntN(3)], []string{"", "a", "b"}[random.IntN(3)])
		c.label(n, random)
		c.cache.AddNode(klog.Background(), n)
		for range random.IntN(6) {
			w := random.IntN(workloadCount)
			pod := c.pod(fmt.Sprintf("w%d", w))
			if random.IntN(5) == 0 {
				pod.Status.Phase = v1.PodFailed
			} else {
				assignment.Add(kube.WorkloadOf(pod), kube.LocalityOf(n), 1)
				placed[w]++
			}
			c.place(pod, n.Name)
		}
	}
	c.update()
	for w := range workloadCount {
		name := fmt.Sprintf("w%d", w)
		desired[workload(name)] = placed[w] + 1 + int32(random.IntN(3))
		c.desire(fmt.Sprintf("%s=%d", name, desired[workload(name)]))
	}
	return c, assignment, desired
}

// closeness is what a byte is worth that stays at a level.
type closeness struct{ Node, Zone, Region float64 }

// step is what one is worth more there than at the next wider level.
func (c closeness) step(level locality.Level) float64 {
	return map[locality.Level]float64{locality.Node: c.Node - c.Zone, locality.Zone: c.Zone - c.Region, locality.Region: c.Region}[level]
}

// TestGainsAreWhatTheCutGains: the gain of a node is the traffic that stays
// closer once the pod is there, as package cut measures it, each level by the
// step of its closeness.
func TestGainsAreWhatTheCutGains(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	positive := 0
	for _, routing := range []affinity.Routing{affinity.Uniform, affinity.FairLoad} {
		for range 60 {
			zone := random.Float64()
			closeness := closeness{Node: 1, Zone: zone, Region: zone * float64(random.IntN(3)) / 2}
			args := fmt.Sprintf("%s, reserveRoom: false, routing: %s, closeness: {zone: %g, region: %g}", allOfIt, routing, closeness.Zone, closeness.Region)
			c, assignment := randomCluster(t, random, args, true)
			snap := c.store.Load()
			for i := range snap.Len() {
				id := snap.ID(i)
				got := c.gains(c.plugin, c.pod(id.Name))
				for _, info := range c.nodes() {
					move := cuttest.Move{Workload: id, To: kube.LocalityOf(info.Node())}
					var want float64
					for _, level := range locality.Levels() {
						want += closeness.step(level) * cuttest.Delta(snap, assignment, move, routing, level)
					}
					// The cut is a difference of sums over the whole graph.
					if math.Abs(got[move.To.Node]-want) > 1e-6*want+1e-3 {
						t.Fatalf("%v, %+v: %v gains %v, the cut %v", routing, closeness, move, got[move.To.Node], want)
					}
					if want > 1 {
						positive++
					}
				}
			}
		}
	}
	if positive < 1000 {
		t.Errorf("only %d gains were positive", positive)
	}
}

// TestGainsBesideASurplusAreWhatTheCutGains: where peers have more pods than they want,
// their calls are divided over all of them.
func TestGainsBesideASurplusAreWhatTheCutGains(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	positive := 0
	for _, routing := range []affinity.Routing{affinity.Uniform, affinity.FairLoad} {
		for range 60 {
			args := fmt.Sprintf("%s, reserveRoom: false, routing: %s, closeness: {zone: 0, region: 0}", allOfIt, routing)
			c, assignment, desired := randomClusterOf(t, random, args, true)
			surplus := map[flowgraph.WorkloadID]bool{}
			for id := range desired {
				serving := int32(0)
				for _, info := range c.nodes() {
					serving += int32(podsOf(info, id))
				}
				if wanted := int32(random.IntN(int(serving) + 2)); wanted < serving {
					surplus[id] = true
					c.desire(fmt.Sprintf("%s=%d", id.Name, wanted))
					desired[id] = serving // what the calls are divided over
				}
			}
			snap := c.store.Load()
			for i := range snap.Len() {
				id := snap.ID(i)
				if surplus[id] {
					continue // it gets no more pods
				}
				got := c.gains(c.plugin, c.pod(id.Name))
				for _, info := range c.nodes() {
					move := cuttest.Move{Workload: id, To: kube.LocalityOf(info.Node())}
					want := cuttest.Delta(snap, assignment, move, routing, locality.Node)
					if math.Abs(got[move.To.Node]-want) > 1e-6*want+1e-3 {
						t.Fatalf("%v: %v gains %v, the cut %v", routing, move, got[move.To.Node], want)
					}
					if want > 1 {
						positive++
					}
				}
			}
		}
	}
	if positive < 500 {
		t.Errorf("only %d gains were positive", positive)
	}
}

// TestGainsFollowTheRouting: where the Services of all callees prefer the node, the
// gains are those of SameNode; where none says anything, those of Uniform.
func TestGainsFollowTheRouting(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for distribution, routing := range map[string]string{
		v1.ServiceTrafficDistributionPreferSameNode: "SameNode", v1.ServiceTrafficDistributionPreferSameZone: "SameZone", "": "Uniform",
	} {
		for range 30 {
			c, _ := randomCluster(t, random, allOfIt, true)
			for i := range 8 {
				c.route(fmt.Sprintf("w%d", i), distribution)
			}
			as := c.newPlugin(allOfIt + ", routing: " + routing)
			snap := c.store.Load()
			for i := range snap.Len() {
				pod := c.pod(snap.ID(i).Name)
				if diff := cmp.Diff(c.gains(as, pod), c.gains(c.plugin, pod)); diff != "" {
					t.Fatalf("%s: gains (-%s +Auto):\n%s", distribution, routing, diff)
				}
			}
		}
	}
}

// TestGainsWithinTheZone: calls that stay in the zone are divided over the
// endpoints there.
func TestGainsWithinTheZone(t *testing.T) {
	const args = allOfIt + ", closeness: {zone: 0.5, region: 0}"
	c := newCluster(t, args)
	c.assign("n1@r/a: db*2; n2@r/a: db; n3@r/b: db")
	c.desire("web=2 db=4")
	c.route("db", v1.ServiceTrafficDistributionPreferSameZone)
	c.traffic("web -> db 120B/s")
	got := c.gains(c.plugin, c.pod("web"))
	// A pod of web calls with 60 B/s. In zone a it finds three endpoints, of which
	// n1 has two; in zone b one. Of the zone's traffic no more than the fair share
	// of its endpoints counts: min(1/2, 3/4) and min(1/2, 1/4) of 120 B/s.
	want := map[string]float64{"n1": 0.5*60*2/3 + 0.5*60, "n2": 0.5*60/3 + 0.5*60, "n3": 0.5*60 + 0.5*30}
	for node, w := range want {
		if math.Abs(got[node]-w) > 1e-9 {
			t.Errorf("%s gains %v B/s, want %v", node, got[node], w)
		}
	}

	c.route("web", v1.ServiceTrafficDistributionPreferSameZone)
	c.traffic("db -> web 120B/s")
	got = c.gains(c.plugin, c.pod("web"))
	// The first endpoint in a zone takes the calls of all db there, and is the only
	// one to divide them over.
	want = map[string]float64{"n1": 0.5*60 + 0.5*90, "n2": 0.5*30 + 0.5*90, "n3": 0.5*30 + 0.5*30}
	for node, w := range want {
		if math.Abs(got[node]-w) > 1e-9 {
			t.Errorf("called, %s gains %v B/s, want %v", node, got[node], w)
		}
	}
}

// TestGainsOfAnEndpoint adds an endpoint of web, which is called by db. Where calls
// prefer the node the first one there takes all that is called on it, and another takes
// as much off the first as that has more than its fair share of 30 B/s.
func TestGainsOfAnEndpoint(t *testing.T) {
	cases := map[string]struct {
		routing, assign string
		want            map[string]float64
	}{
		"the first":            {"SameNode", "n1: db*3; n2: db; n3:", map[string]float64{"n1": 90, "n2": 30}},
		"a second":             {"SameNode", "n1: db*3 web; n2: db; n3:", map[string]float64{"n1": 30, "n2": 30}},
		"one too many":         {"SameNode", "n1: db*2 web*2; n2: db*2; n3:", map[string]float64{"n2": 60}},
		"the first, fair load": {"FairLoad", "n1: db*3; n2: db; n3:", map[string]float64{"n1": 30, "n2": 30}},
		"the first, uniform":   {"Uniform", "n1: db*3; n2: db; n3:", map[string]float64{"n1": 22.5, "n2": 7.5}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, allOfIt+", reserveRoom: false, closeness: {zone: 0, region: 0}, routing: "+test.routing)
			c.assign(test.assign)
			c.desire("web=4 db=4")
			c.traffic("db -> web 120B/s")
			got := c.gains(c.plugin, c.pod("web"))
			for _, node := range []string{"n1", "n2", "n3"} {
				if math.Abs(got[node]-test.want[node]) > 1e-9 {
					t.Errorf("%s gains %v B/s, want %v", node, got[node], test.want[node])
				}
			}
		})
	}
}

// TestGainsFollowTheRoutingPolicies has the Service of db prefer the node, and a
// DestinationRule, which comes first, prefer nothing: what is honoured counts.
func TestGainsFollowTheRoutingPolicies(t *testing.T) {
	const args = allOfIt + ", closeness: {zone: 0, region: 0}"
	c := newCluster(t, args)
	c.assign("n1@r/a: db; n2@r/b: db*3")
	c.desire("web=2 db=4")
	c.route("db", v1.ServiceTrafficDistributionPreferSameNode)
	c.traffic("web -> db 120B/s")
	c.rule(namespace, `{host: db, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: false}}}}`)
	// A pod of web calls with 60 B/s: to the node's db as far as their fair share
	// reaches, or by their part of all db.
	for settings, want := range map[string]map[string]float64{
		"":                                      {"n1": 15, "n2": 45},
		", routingPolicies: [DestinationRules]": {"n1": 15, "n2": 45},
		", routingPolicies: [TrafficDistribution]":   {"n1": 30, "n2": 60},
		", routingPolicies: [InternalTrafficPolicy]": {"n1": 15, "n2": 45},
	} {
		if diff := cmp.Diff(want, c.gains(c.newPlugin(args+settings), c.pod("web"))); diff != "" {
			t.Errorf("%q: gains (-want +got):\n%s", settings, diff)
		}
	}
}

// podsOf counts a workload's live pods on a node.
func podsOf(info fwk.NodeInfo, id flowgraph.WorkloadID) float64 {
	n := 0.0
	for _, p := range info.GetPods() {
		if pod := p.GetPod(); pod.Status.Phase != v1.PodFailed && kube.WorkloadOf(pod) == id {
			n++
		}
	}
	return n
}

// TestNetMARKSOrdersNodesAsUniformGain: at the level of nodes and without
// self-flow the two differ by the number of replicas alone. The sum is spelt
// out, so that NetMARKS stays what was published.
func TestNetMARKSOrdersNodesAsUniformGain(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	positive := 0
	for range 60 {
		c, _ := randomCluster(t, random, allOfIt+", reserveRoom: false, closeness: {zone: 0, region: 0}", false)
		netmarks := c.newPlugin("strategy: NetMARKS, routing: FairLoad")
		snap := c.store.Load()
		for i := range snap.Len() {
			id := snap.ID(i)
			pod := c.pod(id.Name)
			desired, ok := c.plugin.replicas.Desired(id, pod)
			if !ok {
				t.Fatalf("%v: nothing is desired", id)
			}
			gain, published := c.gains(c.plugin, pod), c.gains(netmarks, pod)
			for _, info := range c.nodes() {
				var want float64
				for j, rates := range peersOf(snap, i) {
					peer := snap.ID(j)
					peerDesired, _ := c.plugin.replicas.Desired(peer, c.pod(peer.Name))
					want += rates.BytesPerSecond() * podsOf(info, peer) / float64(peerDesired)
				}
				name := info.Node().Name
				if math.Abs(published[name]-want) > 1e-9*want || math.Abs(gain[name]*float64(desired)-want) > 1e-9*want {
					t.Fatalf("%v on %s: NetMARKS %v, gain %v x %d pods; want %v", id, name, published[name], gain[name], desired, want)
				}
				if want > 0 {
					positive++
				}
			}
		}
	}
	if positive < 500 {
		t.Errorf("only %d scores were positive", positive)
	}
}

// TestTrafficWithItselfFollowsTheRouting: a pod is an endpoint of its own workload. Where
// calls prefer the node it takes its own, wherever it is; else others nearby take some.
func TestTrafficWithItselfFollowsTheRouting(t *testing.T) {
	for routing, want := range map[string]map[string]float64{
		"Uniform":  {"n1": 100 * 2 * 1 / (3.0 * 2), "n2": 0},
		"SameZone": {"n1": 100 * 2 * 1 / (3.0 * 2), "n2": 0},
		"SameNode": {"n1": 0, "n2": 0},
		"FairLoad": {"n1": 0, "n2": 0},
	} {
		args := allOfIt + ", reserveRoom: false, closeness: {node: 1, zone: 0, region: 0}, routing: " + routing
		c := newCluster(t, args)
		c.assign("n1@r/a: db; n2@r/b: web")
		c.desire("db=3")
		c.traffic("db -> db 100B/s")
		if diff := cmp.Diff(want, c.gains(c.newPlugin(args), c.pod("db")), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", routing, diff)
		}
	}
}
