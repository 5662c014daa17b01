package trafficlocality

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
)

// TestGainsWithSitesAreWhatTheCutGains adds traffic with sites to a random cluster, among them
// such as say only their zone or their region, or one that no node has.
func TestGainsWithSitesAreWhatTheCutGains(t *testing.T) {
	random := rand.New(rand.NewPCG(23, 24))
	positive := 0
	for range 60 {
		args := allOfIt + ", reserveRoom: false, routing: Uniform, closeness: {zone: 0.6, region: 0.2}"
		closeness := closeness{Node: 1, Zone: 0.6, Region: 0.2}
		c, assignment := randomCluster(t, random, args, true)
		for _, info := range c.nodes() {
			assignment.Nodes = append(assignment.Nodes, kube.LocalityOf(info.Node()))
		}
		edges := slices.Collect(c.store.Load().Edges())
		for i := range 6 {
			site := flowgraph.SiteID(fmt.Sprintf("db%d", i), []string{"", "r1", "r2", "r9"}[random.IntN(4)], []string{"", "a", "b", "z"}[random.IntN(4)])
			e := flowgraph.Edge{From: workload(fmt.Sprintf("w%d", random.IntN(8))), To: site, ObservedAt: dataTime}
			e.SentBytesPerSecond, e.ReceivedBytesPerSecond = random.ExpFloat64()*1e6, random.ExpFloat64()*1e6
			if random.IntN(3) == 0 {
				e.From, e.To = e.To, e.From
			}
			if _, ok := site.Site(); ok {
				edges = append(edges, e)
			}
		}
		c.store.Publish(flowgraph.NewSnapshot(2, dataTime, edges))
		snap := c.store.Load()
		for i := range snap.Len() {
			id := snap.ID(i)
			if id.IsSite() {
				continue
			}
			got := c.gains(c.plugin, c.pod(id.Name))
			for _, info := range c.nodes() {
				move := cuttest.Move{Workload: id, To: kube.LocalityOf(info.Node())}
				var want float64
				for _, level := range locality.Levels() {
					want += closeness.step(level) * cuttest.Delta(snap, assignment, move, affinity.Uniform, level)
				}
				if math.Abs(got[move.To.Node]-want) > 1e-6*want+1e-3 {
					t.Fatalf("%v gains %v, the cut %v", move, got[move.To.Node], want)
				}
				if want > 1 {
					positive++
				}
			}
		}
	}
	if positive < 1000 {
		t.Errorf("only %d gains were positive", positive)
	}
}

// TestSitesApartAreCounted has a site in a zone without nodes, which then gets one.
func TestSitesApartAreCounted(t *testing.T) {
	c := newCluster(t, allOfIt)
	c.cache.AddNode(klog.Background(), node("n1", "r1", "a"))
	publish := func() {
		c.store.Publish(flowgraph.NewSnapshot(c.store.Load().Generation()+1, dataTime, []flowgraph.Edge{
			{From: workload("web"), To: flowgraph.SiteID("db", "r1", "b"), ObservedAt: dataTime, Rates: flowgraph.Rates{SentBytesPerSecond: 1e6}},
			{From: workload("web"), To: flowgraph.SiteID("store", "r1", ""), ObservedAt: dataTime, Rates: flowgraph.Rates{SentBytesPerSecond: 1}},
		}))
	}
	check := func(want int64) {
		t.Helper()
		publish()
		c.update()
		c.scores(c.pod("web"), c.nodes())
		if got := c.metrics.sitesApart.Load(); got != want {
			t.Errorf("%d sites are apart, want %d", got, want)
		}
	}
	check(1)
	c.cache.AddNode(klog.Background(), node("n2", "r1", "b"))
	check(0)
}
