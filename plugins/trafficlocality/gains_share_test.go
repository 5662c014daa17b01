package trafficlocality

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/cut/cuttest"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/kube"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// distribute gives workloads Services of which calls stay in their zone by so many
// percent, and returns a plugin that knows it.
func (c *cluster) distribute(args string, percent int, names ...string) *Plugin {
	c.Helper()
	var rules []runtime.Object
	for _, name := range names {
		c.route(name, "")
		spec := fmt.Sprintf(`{host: %s, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r/a, to: {r/a: %d, r/b: %d}}]}}}}`, name, percent, 100-percent)
		rules = append(rules, destinationRule(c, namespace, name, spec))
	}
	var err error
	if c.rules, err = routing.RulesAmong(rules); err != nil {
		c.Fatal(err)
	}
	return c.newPlugin(args)
}

// TestGainsOfTheShareThatStays: of calls a zone keeps 80 %, over the endpoints there;
// what it sends away stays in the region by the endpoints' share there.
func TestGainsOfTheShareThatStays(t *testing.T) {
	const args = allOfIt + ", closeness: {zone: 0.5, region: 0.2}"
	c := newCluster(t, args)
	c.assign("n1@r/a: db*2; n2@r/a: db; n3@r/b: db; n4@s/c:")
	c.desire("web=2 db=4")
	p := c.distribute(args, 80, "db")
	c.traffic("web -> db 120B/s")
	// A pod of web calls with 60 B/s, of which 48 stay. The fair share of the endpoints
	// in zone b is 1/4 of the 96 that stay of all calls.
	want := map[string]float64{
		"n1": 0.5*48*2/3 + 0.3*48 + 0.2*(48+12),
		"n2": 0.5*48/3 + 0.3*48 + 0.2*(48+12),
		"n3": 0.5*48 + 0.3*24 + 0.2*(48+12),
		"n4": 0,
	}
	if diff := cmp.Diff(want, c.gains(p, c.pod("web")), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("gains (-want +got):\n%s", diff)
	}
}

// TestGainsOfTheShareAreWhatTheCutGains: where the endpoints of a zone have less to do
// than their fair share, a caller there gains what package cut measures.
func TestGainsOfTheShareAreWhatTheCutGains(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	positive := 0
	for range 200 {
		closeness := closeness{Node: 1, Zone: random.Float64()}
		args := fmt.Sprintf("%s, reserveRoom: false, closeness: {zone: %g, region: 0}", allOfIt, closeness.Zone)
		c, assignment := randomCluster(t, random, args, false)
		percent := 1 + random.IntN(99)
		var names []string
		for i := range 8 {
			names = append(names, fmt.Sprintf("w%d", i))
		}
		p := c.distribute(args, percent, names...)
		snap := c.store.Load()
		for i := range snap.Len() {
			if called(snap, i) {
				continue
			}
			pod := c.pod(snap.ID(i).Name)
			got := c.gains(p, pod)
			for _, info := range c.nodes() {
				at := kube.LocalityOf(info.Node())
				if at.Zone == "" || !c.servesOneMore(p, snap, i, pod, at) {
					continue
				}
				move := cuttest.Move{Workload: snap.ID(i), To: at}
				var want float64
				for _, level := range locality.Levels() {
					want += closeness.step(level) * cuttest.Delta(snap, assignment, move, affinity.ZoneShare(percent), level)
				}
				if math.Abs(got[at.Node]-want) > 1e-6*want+1e-3 {
					t.Fatalf("%d %%, %+v: %v gains %v, the cut %v", percent, closeness, move, got[at.Node], want)
				}
				if want > 1 {
					positive++
				}
			}
		}
	}
	if positive < 100 {
		t.Errorf("only %d gains were positive", positive)
	}
}

// called reports whether a workload is called by any other.
func called(snap *flowgraph.Snapshot, i int) bool {
	for range snap.Callers(i) {
		return true
	}
	return false
}

// servesOneMore reports whether the fair shares of all callees in a zone reach for one
// more pod of a workload there.
func (c *cluster) servesOneMore(p *Plugin, snap *flowgraph.Snapshot, i int, pod *v1.Pod, at locality.Locality) bool {
	share := func(id flowgraph.WorkloadID, pod *v1.Pod, more float64) float64 {
		for _, info := range c.nodes() {
			if kube.LocalityOf(info.Node()).Domain(locality.Zone) == at.Domain(locality.Zone) {
				more += podsOf(info, id)
			}
		}
		desired, _ := p.replicas.Desired(id, pod)
		return more / float64(desired)
	}
	for j := range snap.Callees(i) {
		peer := share(snap.ID(j), c.pod(snap.ID(j).Name), 0)
		if peer > 0 && peer < share(snap.ID(i), pod, 1) {
			return false
		}
	}
	return true
}
