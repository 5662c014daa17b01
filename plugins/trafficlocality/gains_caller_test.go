package trafficlocality

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/internal/kube/routing"
)

// destinationRule is one of a namespace with a spec in YAML.
func destinationRule(t testing.TB, namespace, name, spec string) *routing.DestinationRule {
	t.Helper()
	text, err := yaml.YAMLToJSON(fmt.Appendf(nil, "{metadata: {namespace: %s, name: %s}, spec: %s}", namespace, name, spec))
	if err != nil {
		t.Fatal(err)
	}
	r, err := routing.DecodeRule(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rule gives the cluster one DestinationRule, which plugins know that are made later.
func (c *cluster) rule(namespace, spec string) {
	c.Helper()
	var err error
	if c.rules, err = routing.RulesAmong([]runtime.Object{destinationRule(c, namespace, "rule", spec)}); err != nil {
		c.Fatal(err)
	}
}

// TestGainsFollowTheCaller: calls to db prefer the zone, except those of the namespace
// tenant, by a rule there. What a pod of web gains does not change by it, and a pod of
// db gains by each of its callers as the route of that one says.
func TestGainsFollowTheCaller(t *testing.T) {
	const args = allOfIt + ", reserveRoom: false, closeness: {node: 0.5, zone: 0.5, region: 0}"
	c := newCluster(t, args)
	c.assign("n1@r/a: web; n2@r/b: db")
	job := c.pod("job")
	job.Namespace = "tenant"
	c.place(job, "n1")
	c.update()
	c.desire("web=1 db=2")
	c.route("db", v1.ServiceTrafficDistributionPreferSameZone)
	edge := func(namespace, from string, rate float64) flowgraph.Edge {
		return flowgraph.Edge{From: flowgraph.WorkloadID{Namespace: namespace, Name: from}, To: workload("db"), ObservedAt: dataTime, Rates: flowgraph.Rates{SentBytesPerSecond: rate}}
	}
	c.store.Publish(flowgraph.NewSnapshot(1, dataTime, []flowgraph.Edge{edge(namespace, "web", 100), edge("tenant", "job", 10)}))
	before := c.gains(c.newPlugin(args), c.pod("web"))
	c.rule("tenant", `{host: "*", exportTo: ["."], trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: false}}}}`)
	p := c.newPlugin(args)
	if diff := cmp.Diff(before, c.gains(p, c.pod("web"))); diff != "" {
		t.Errorf("gains of web (-before +with the rule of another namespace):\n%s", diff)
	}
	// The first db in zone a receives all calls of web there, and half of job's.
	want := map[string]float64{"n1": 0.5 * (100 + 5), "n2": 0}
	if diff := cmp.Diff(want, c.gains(p, c.pod("db")), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("gains of db (-want +got):\n%s", diff)
	}
}

// TestGainsOfFairZones: a zone keeps calls up to its endpoints' share of the load, and
// divides them evenly over these.
func TestGainsOfFairZones(t *testing.T) {
	const args = allOfIt + ", reserveRoom: false, closeness: {node: 1, zone: 0.5, region: 0}"
	c := newCluster(t, args)
	c.assign("n1@r/a: db*2; n2@r/a: db; n3@r/b: db; n4@r/c:")
	c.desire("web=2 db=4")
	c.route("db", "")
	c.traffic("web -> db 120B/s")
	rule := func(least int) string {
		return fmt.Sprintf(`{host: db, trafficPolicy: {loadBalancer: {zoneAwareLbSetting: {minClusterSize: %d}}}}`, least)
	}
	for least, want := range map[int]map[string]float64{
		// A pod of web calls with 60 B/s. Zone a, with 3/4 of the endpoints, keeps all of
		// them, each endpoint a third; zone b, with 1/4, keeps half.
		4: {"n1": 0.5*60*2/3 + 0.5*60, "n2": 0.5*60/3 + 0.5*60, "n3": 0.5*30 + 0.5*30, "n4": 0},
		// Too few endpoints: each has 1/4 of all calls.
		5: {"n1": 0.5*30 + 0.5*45, "n2": 0.5*15 + 0.5*45, "n3": 0.5*15 + 0.5*15, "n4": 0},
	} {
		c.rule(namespace, rule(least))
		if diff := cmp.Diff(want, c.gains(c.newPlugin(args), c.pod("web")), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("with at least %d endpoints: gains (-want +got):\n%s", least, diff)
		}
	}
}
