package tally

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// shares are what is behind the endpoints of the tests.
type shares map[telemetry.Endpoint]telemetry.Resolution

func (s shares) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	all := make([]telemetry.Resolution, len(endpoints))
	for i, e := range endpoints {
		if e.Kind == telemetry.WorkloadEndpoint {
			panic("workloads stand for themselves")
		}
		all[i] = s[e]
	}
	return all
}

// pair is an edge of a test.
type pair struct{ from, to flowgraph.WorkloadID }

// oracle works out what comes of reports, one pair of endpoints after the other.
func oracle(o Options, all []Report) (edges map[pair]flowgraph.Rates, leftOut map[telemetry.Reason]float64) {
	type said struct {
		from, to telemetry.Endpoint
		end      End
		instance string
	}
	sums := map[said]flowgraph.Rates{}
	for _, r := range all {
		k := said{r.From, r.To, r.End, ""}
		if o.Largest {
			k.instance = r.Instance
		}
		rates := sums[k]
		*[]*float64{&rates.SentBytesPerSecond, &rates.ReceivedBytesPerSecond, &rates.RequestsPerSecond}[o.Metrics[r.Metric].Quantity] += r.Value
		sums[k] = rates
	}
	largest := map[said]flowgraph.Rates{}
	for k, rates := range sums {
		k.instance = ""
		largest[k] = largest[k].Max(rates)
	}
	byEnd := map[pair]map[End]flowgraph.Rates{}
	claimed := map[pair]bool{}
	for _, r := range all {
		for _, f := range behind(o, r.From).Shares {
			for _, t := range behind(o, r.To).Shares {
				p := pair{f.Workload, t.Workload}
				claimed[p] = claimed[p] || !slices.Contains(o.Trust.TrustedReporters, r.Namespace)
			}
		}
	}
	lost := map[[2]telemetry.Endpoint]flowgraph.Rates{} // the larger of both ends
	why := map[[2]telemetry.Endpoint]telemetry.Reason{}
	for k, rates := range largest {
		from, to := behind(o, k.from), behind(o, k.to)
		if from.Reason != telemetry.Included || to.Reason != telemetry.Included {
			ends := [2]telemetry.Endpoint{k.from, k.to}
			lost[ends] = lost[ends].Max(rates)
			if why[ends] = from.Reason; from.Reason == telemetry.Included {
				why[ends] = to.Reason
			}
			continue
		}
		for _, f := range from.Shares {
			for _, t := range to.Shares {
				p := pair{f.Workload, t.Workload}
				if byEnd[p] == nil {
					byEnd[p] = map[End]flowgraph.Rates{}
				}
				byEnd[p][k.end] = plus(byEnd[p][k.end], times(rates, f.Part*t.Part))
			}
		}
	}
	edges, leftOut = map[pair]flowgraph.Rates{}, map[telemetry.Reason]float64{}
	for ends, rates := range lost {
		leftOut[why[ends]] += rates.BytesPerSecond()
	}
	for p, by := range byEnd {
		foreign := p.from.Namespace != p.to.Namespace && o.Trust.Agreed && o.Reporters != Agents
		client, byClient := by[Client]
		server, byServer := by[Server]
		switch {
		case foreign && byClient && byServer:
			edges[p] = client.Min(server)
		case foreign && claimed[p]:
			leftOut[telemetry.OneSided] += client.Max(server).BytesPerSecond()
		default:
			edges[p] = client.Max(server)
		}
	}
	return edges, leftOut
}

func behind(o Options, e telemetry.Endpoint) telemetry.Resolution {
	if e.Kind == telemetry.WorkloadEndpoint {
		return telemetry.Resolution{Shares: []telemetry.Share{{Workload: e.Workload(), Part: 1}}}
	}
	if o.Resolver == nil {
		return telemetry.Resolution{Reason: telemetry.NoObjects}
	}
	return o.Resolver.Resolve([]telemetry.Endpoint{e})[0]
}

// TestSumsAreRight compares what comes of random reports with the oracle.
func TestSumsAreRight(t *testing.T) {
	service := func(name string) telemetry.Endpoint {
		return telemetry.Endpoint{Kind: telemetry.ServiceEndpoint, Namespace: "shop", Name: name}
	}
	id := func(namespace, name string) flowgraph.WorkloadID {
		return flowgraph.WorkloadID{Namespace: namespace, Name: name}
	}
	resolver := shares{
		service("one"):  {Shares: []telemetry.Share{{Workload: id("shop", "web"), Part: 1}}},
		service("two"):  {Shares: []telemetry.Share{{Workload: id("data", "db"), Part: 0.25}, {Workload: id("shop", "web"), Part: 0.75}}},
		service("down"): {Reason: telemetry.NotServing},
		service("gone"): {Reason: telemetry.UnknownObject},
	}
	endpoints := []telemetry.Endpoint{
		named("shop", "web"), named("shop", "api"), named("data", "db"), service("one"), service("two"), service("down"), service("gone"),
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		o := Options{
			Source: "test", Metrics: []Metric{{"sent", Sent}, {"received", Received}, {"requests", Requests}, {"more", Sent}},
			Reporters: []Reporters{BothEnds, OneEnd, Agents}[r.IntN(3)], Largest: r.IntN(2) == 0, Trust: &telemetry.Trust{Agreed: r.IntN(2) == 0},
		}
		if r.IntN(2) == 0 {
			o.Trust.ReporterLabel, o.Trust.TrustedReporters = "namespace", []string{"agents"}
		}
		if r.IntN(5) > 0 {
			o.Resolver = resolver
		}
		tl := New(o)
		var all []Report
		for range r.IntN(40) {
			report := Report{
				From: endpoints[r.IntN(len(endpoints))], To: endpoints[r.IntN(len(endpoints))], Metric: r.IntN(len(o.Metrics)),
				Instance: fmt.Sprint(r.IntN(3)), Value: float64(r.IntN(100)),
			}
			report.Namespace = report.From.Namespace
			if o.Reporters == BothEnds && r.IntN(2) == 0 {
				report.End, report.Namespace = Server, report.To.Namespace
			}
			if o.Reporters == Agents || r.IntN(2) == 0 {
				report.Namespace = "agents"
			}
			all = append(all, report)
			if !tl.Add(&report) {
				t.Fatal("a report is not believed")
			}
		}
		want, wantLeftOut := oracle(o, all)
		got, gotLeftOut := map[pair]flowgraph.Rates{}, map[telemetry.Reason]float64{}
		seen := tl.Observation(time.Unix(1, 0))
		for _, f := range seen.Flows {
			got[pair{f.From, f.To}] = f.Rates
		}
		for reason, l := range seen.LeftOut {
			gotLeftOut[reason] = l.BytesPerSecond
		}
		near := cmpopts.EquateApprox(1e-12, 1e-9)
		if diff := cmp.Diff(want, got, near, cmpopts.EquateEmpty(), cmp.AllowUnexported(pair{})); diff != "" {
			t.Fatalf("seed %d: edges (-want +got):\n%s", seed, diff)
		}
		if diff := cmp.Diff(wantLeftOut, gotLeftOut, near, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: left out (-want +got):\n%s", seed, diff)
		}
		if seen.Series != len(all) || !slices.IsSortedFunc(seen.Flows, func(a, b flowgraph.Flow) int {
			if c := a.From.Compare(b.From); c != 0 {
				return c
			}
			return a.To.Compare(b.To)
		}) {
			t.Fatalf("seed %d: %d series, flows %v", seed, seen.Series, seen.Flows)
		}
	}
}

// TestEachEndpointIsAskedOnce: what a source costs is one question for each refresh.
func TestEachEndpointIsAskedOnce(t *testing.T) {
	asked := &counting{}
	tl := New(Options{Metrics: bytesOnly, Trust: &telemetry.Trust{}, Resolver: asked})
	for i := range 100 {
		pod := telemetry.Endpoint{Kind: telemetry.PodEndpoint, Namespace: "shop", Name: fmt.Sprint("web-", i%10)}
		tl.Add(&Report{From: pod, To: named("shop", fmt.Sprint("w-", i)), Value: 1})
		tl.Add(&Report{From: telemetry.Endpoint{}, To: pod, Reason: telemetry.External, Value: 1})
	}
	tl.Observation(time.Unix(1, 0))
	if asked.questions != 1 || len(asked.endpoints) != 10 || slices.Max(slices.Collect(maps.Values(asked.endpoints))) != 1 {
		t.Errorf("%d questions for %v", asked.questions, asked.endpoints)
	}
	none := &counting{}
	tl = New(Options{Metrics: bytesOnly, Trust: &telemetry.Trust{}, Resolver: none})
	tl.Add(&Report{From: named("shop", "web"), To: named("shop", "api"), Value: 1})
	tl.Observation(time.Unix(1, 0))
	if none.questions != 0 {
		t.Errorf("%d questions where all ends are workloads", none.questions)
	}
}

type counting struct {
	questions int
	endpoints map[telemetry.Endpoint]int
}

func (c *counting) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	c.questions++
	c.endpoints = map[telemetry.Endpoint]int{}
	all := make([]telemetry.Resolution, len(endpoints))
	for i, e := range endpoints {
		c.endpoints[e]++
		all[i] = telemetry.Resolution{Shares: []telemetry.Share{{Workload: flowgraph.WorkloadID{Namespace: "shop", Name: "web"}, Part: 1}}}
	}
	return all
}

// TestNothingIsLostUnseen: an end without a name, and an answer of the Resolver without
// workloads, are counted.
func TestNothingIsLostUnseen(t *testing.T) {
	empty := telemetry.Endpoint{Kind: telemetry.PodEndpoint, Namespace: "shop", Name: "web-1"}
	odd := telemetry.Endpoint{Kind: telemetry.PodEndpoint, Namespace: "shop", Name: "web-2"}
	tl := New(Options{Metrics: bytesOnly, Reporters: OneEnd, Trust: &telemetry.Trust{}, Resolver: shares{
		empty: {}, odd: {Shares: []telemetry.Share{{Workload: flowgraph.WorkloadID{Namespace: "shop", Name: "no_name"}, Part: 1}}},
	}})
	tl.Add(&Report{From: empty, To: named("shop", "api"), Value: 1})
	tl.Add(&Report{From: odd, To: named("shop", "api"), Value: 2})
	tl.Add(&Report{To: named("shop", "api"), Value: 4})
	tl.Add(&Report{From: named("shop", "api"), Value: 8})
	tl.Add(&Report{From: named("Shop", "api"), To: named("shop", "api"), Value: 16})
	o := tl.Observation(time.Unix(1, 0))
	want := map[telemetry.Reason]telemetry.LeftOut{
		telemetry.UnknownObject: {Series: 1, BytesPerSecond: 1}, telemetry.UnknownWorkload: {Series: 2, BytesPerSecond: 12}, telemetry.Invalid: {Series: 2},
	}
	if diff := cmp.Diff(want, o.LeftOut); diff != "" || len(o.Flows) > 0 {
		t.Errorf("flows %v, left out (-want +got):\n%s", o.Flows, diff)
	}
}
