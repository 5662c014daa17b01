package meshes

import (
	"math"
	"slices"
	"testing"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

func TestAppEdges(t *testing.T) {
	a := &app{
		name: "a", entry: map[string]float64{"web": 10, "api.put": 1},
		calls: []call{
			{from: "web", to: "api.get", times: 2, request: 3, response: 5},
			{from: "web", to: "api.put", times: 0.5, request: 7, response: 11},
			{from: "api.get", to: "db", times: 1, request: 13, response: 17, tcp: true},
			{from: "api.put", to: "db", times: 3, request: 19, response: 23},
		},
	}
	edges, err := a.edges("ns", 2)
	if err != nil {
		t.Fatal(err)
	}
	// With the factor 2: 20 requests/s to web, 40 to api.get, 2+10 to api.put.
	want := []flowgraph.Edge{
		{
			From: flowgraph.WorkloadID{Namespace: "ns", Name: "web"}, To: flowgraph.WorkloadID{Namespace: "ns", Name: "api"},
			Rates: flowgraph.Rates{SentBytesPerSecond: 40*3 + 10*7, ReceivedBytesPerSecond: 40*5 + 10*11, RequestsPerSecond: 50},
		},
		{
			From: flowgraph.WorkloadID{Namespace: "ns", Name: "api"}, To: flowgraph.WorkloadID{Namespace: "ns", Name: "db"},
			Rates: flowgraph.Rates{SentBytesPerSecond: 40*13 + 36*19, ReceivedBytesPerSecond: 40*17 + 36*23, RequestsPerSecond: 36},
		},
	}
	if !slices.Equal(edges, want) {
		t.Errorf("got  %v\nwant %v", edges, want)
	}
	a.calls = append(a.calls, call{from: "db", to: "web", times: 1})
	if _, err := a.edges("ns", 1); err == nil || err.Error() != "mesh a: calls from web stand before one to it" {
		t.Errorf("a cycle gives %v", err)
	}
}

// rates returns a cluster's edges by "from to" of a namespace.
func rates(c *cluster.Cluster, namespace string) map[string]flowgraph.Rates {
	all := map[string]flowgraph.Rates{}
	for _, e := range c.Edges {
		if e.From.Namespace == namespace && e.To.Namespace == namespace {
			all[e.From.Name+" "+e.To.Name] = e.Rates
		}
	}
	return all
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }

// checkEdges compares the pairs of workloads.
func checkEdges(t *testing.T, got map[string]flowgraph.Rates, want []string) {
	t.Helper()
	for _, pair := range want {
		if _, ok := got[pair]; !ok {
			t.Errorf("there is no edge %s", pair)
		}
	}
	for pair := range got {
		if !slices.Contains(want, pair) {
			t.Errorf("there is an edge %s", pair)
		}
	}
}

// checkRequests compares requests per second.
func checkRequests(t *testing.T, got map[string]flowgraph.Rates, want map[string]float64) {
	t.Helper()
	for pair, rate := range want {
		if !near(got[pair].RequestsPerSecond, rate) {
			t.Errorf("%s: %v requests per second, want %v", pair, got[pair].RequestsPerSecond, rate)
		}
	}
}

func TestCopies(t *testing.T) {
	c := generate(t, "online-boutique", 1, 3)
	if len(c.Workloads) != 36 || len(c.Edges) != 48 {
		t.Errorf("%d workloads and %d edges, want three times 12 and 16", len(c.Workloads), len(c.Edges))
	}
	first, third := rates(c, "online-boutique"), rates(c, "online-boutique-3")
	if !near(first["loadgenerator frontend"].RequestsPerSecond, boutiqueRate) {
		t.Errorf("the first copy has %v requests per second", first["loadgenerator frontend"].RequestsPerSecond)
	}
	factor := third["loadgenerator frontend"].BytesPerSecond() / first["loadgenerator frontend"].BytesPerSecond()
	if near(factor, 1) || len(third) != len(first) {
		t.Errorf("the third copy has %v times the traffic of the first, on %d edges", factor, len(third))
	}
	for pair, r := range third {
		if !near(r.BytesPerSecond(), factor*first[pair].BytesPerSecond()) {
			t.Errorf("%s of the third copy: %v", pair, r)
		}
	}
}

func TestChain(t *testing.T) {
	for _, family := range []struct {
		name string
		pods int32
	}{{"chain", 19}, {"chain-replicas", 38}} {
		c := generate(t, family.name, 1, 1)
		var pods int32
		replicas := map[string]int32{}
		for _, w := range c.Workloads {
			pods += w.Replicas
			replicas[w.ID.Name] = w.Replicas
		}
		if len(c.Workloads) != 19 || pods != family.pods || len(c.Nodes) != 5 || len(c.Edges) != 28 {
			t.Errorf("%s: %d workloads, %d pods, %d nodes, %d edges", family.name, len(c.Workloads), pods, len(c.Nodes), len(c.Edges))
		}
		if family.name == "chain-replicas" && (replicas["water"] != 3 || replicas["bread"] != 2 || replicas["sword"] != 1) {
			t.Errorf("%s: replicas %v", family.name, replicas)
		}
	}
}

// TestChainSubRequests compares with the published number of requests that one
// call of each product sets off.
func TestChainSubRequests(t *testing.T) {
	c := generate(t, "chain", 1, 1)
	materials := map[string][]string{}
	var requests float64
	for _, e := range c.Edges {
		materials[e.From.Name] = append(materials[e.From.Name], e.To.Name)
		requests += e.RequestsPerSecond
		if !near(e.SentBytesPerSecond, 256*e.RequestsPerSecond) || !near(e.ReceivedBytesPerSecond, 4096*e.RequestsPerSecond) {
			t.Errorf("%s to %s: %v", e.From, e.To, e.Rates)
		}
	}
	var subRequests func(name string) int
	subRequests = func(name string) int {
		sum := 0
		for _, material := range materials[name] {
			sum += 1 + subRequests(material)
		}
		return sum
	}
	want := map[string]int{
		"log": 1, "flour": 1, "board": 2, "beer": 2, "pig": 2, "boat": 3, "meat": 3, "bread": 3,
		"gold": 9, "ironore": 9, "coal": 9, "iron": 20, "coin": 20, "tools": 24, "sword": 31,
		"fish": 0, "grain": 0, "tree": 0, "water": 0,
	}
	total := 0
	for _, w := range c.Workloads {
		if got := subRequests(w.ID.Name); got != want[w.ID.Name] {
			t.Errorf("%s: %d sub-requests, want %d", w.ID.Name, got, want[w.ID.Name])
		}
		total += want[w.ID.Name]
	}
	if len(want) != len(c.Workloads) || !near(requests, float64(chainRate*total)) {
		t.Errorf("%d workloads with %v requests per second, want %d with %d", len(c.Workloads), requests, len(want), chainRate*total)
	}
	checkRequests(t, rates(c, "chain"), map[string]float64{
		"sword iron": 10, "iron coal": 30, // iron: from outside, sword and tools
		"coal bread": 60, // coal: from outside, sword, coin and three iron
	})
}

func TestOnlineBoutique(t *testing.T) {
	got := rates(generate(t, "online-boutique", 1, 1), "online-boutique")
	checkEdges(t, got, []string{
		"cartservice redis-cart", "checkoutservice cartservice", "checkoutservice currencyservice", "checkoutservice emailservice",
		"checkoutservice paymentservice", "checkoutservice productcatalogservice", "checkoutservice shippingservice",
		"frontend adservice", "frontend cartservice", "frontend checkoutservice", "frontend currencyservice",
		"frontend productcatalogservice", "frontend recommendationservice", "frontend shippingservice",
		"loadgenerator frontend", "recommendationservice productcatalogservice",
	})
	const each = 100.0 / 28 // requests per second of a page that is fetched once in 19 tasks
	checkRequests(t, got, map[string]float64{
		"loadgenerator frontend":                      100,
		"frontend checkoutservice":                    each,
		"frontend adservice":                          (3 + 13) * each,
		"frontend recommendationservice":              (13 + 6 + 1) * each,
		"recommendationservice productcatalogservice": (13 + 6 + 1) * each,
		"frontend currencyservice":                    (3*10 + 13*2 + 6*4 + 1) * each,
		"frontend productcatalogservice":              (3 + 13*6 + 3 + 6*7 + 5) * each,
		"frontend cartservice":                        (3 + 13 + 3 + 6) * each,
		"frontend shippingservice":                    6 * each,
		"checkoutservice productcatalogservice":       2 * each,
		"checkoutservice currencyservice":             3 * each,
		"checkoutservice shippingservice":             2 * each,
		"checkoutservice cartservice":                 2 * each,
		"checkoutservice emailservice":                each,
		"cartservice redis-cart":                      0,
	})
	if r := got["checkoutservice emailservice"]; !near(r.SentBytesPerSecond, 700*each) || !near(r.ReceivedBytesPerSecond, 100*each) {
		t.Errorf("checkoutservice to emailservice: %v", r)
	}
}

func TestSocialNetwork(t *testing.T) {
	c := generate(t, "social-network", 1, 1)
	got := rates(c, "social-network")
	// The edges in published traces of composing a post, and those of reading.
	checkEdges(t, got, []string{
		"nginx-thrift compose-post-service", "compose-post-service home-timeline-service", "compose-post-service media-service",
		"compose-post-service post-storage-service", "compose-post-service text-service", "compose-post-service unique-id-service",
		"compose-post-service user-service", "compose-post-service user-timeline-service", "home-timeline-service social-graph-service",
		"text-service url-shorten-service", "text-service user-mention-service", "home-timeline-service home-timeline-redis",
		"post-storage-service post-storage-mongodb", "social-graph-service social-graph-mongodb", "social-graph-service social-graph-redis",
		"url-shorten-service url-shorten-mongodb", "user-mention-service user-memcached", "user-mention-service user-mongodb",
		"user-timeline-service user-timeline-mongodb", "user-timeline-service user-timeline-redis",
		"nginx-thrift home-timeline-service", "nginx-thrift user-timeline-service", "home-timeline-service post-storage-service",
		"user-timeline-service post-storage-service", "post-storage-service post-storage-memcached",
	})
	checkRequests(t, got, map[string]float64{
		"nginx-thrift home-timeline-service": 600, "nginx-thrift user-timeline-service": 300, "nginx-thrift compose-post-service": 100,
		"home-timeline-service post-storage-service": 600, "home-timeline-service social-graph-service": 100,
		"post-storage-service post-storage-memcached": 0,
	})
	if r := got["post-storage-service post-storage-memcached"]; !near(r.ReceivedBytesPerSecond, 900*(10*1000+100)) {
		t.Errorf("post-storage-memcached sends %v bytes per second", r.ReceivedBytesPerSecond)
	}
	var silent []string
	for _, w := range c.Workloads {
		if !slices.ContainsFunc(c.Edges, func(e flowgraph.Edge) bool { return e.From == w.ID || e.To == w.ID }) {
			silent = append(silent, w.ID.Name)
		}
	}
	if want := []string{"url-shorten-memcached", "media-memcached", "media-mongodb"}; len(c.Workloads) != 25 || !slices.Equal(silent, want) {
		t.Errorf("%d workloads, without traffic %v, want 25 and %v", len(c.Workloads), silent, want)
	}
}
