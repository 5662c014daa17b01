package tally

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// several has some workloads behind each Service, each with a pod.
type several map[string][]string

func (b several) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	var all []telemetry.Resolution
	for _, e := range endpoints {
		var r telemetry.Resolution
		for _, name := range b[e.Name] {
			r.Shares = append(r.Shares, telemetry.Share{Workload: flowgraph.WorkloadID{Namespace: e.Namespace, Name: name}, Part: 1 / float64(len(b[e.Name]))})
		}
		all = append(all, r)
	}
	return all
}

// TestDividedTrafficIsAllOfIt: however divisions are, the sum over the workloads behind a
// Service is what the client exchanges with it, parts are as the divisions, and other clients
// are not affected.
func TestDividedTrafficIsAllOfIt(t *testing.T) {
	id := func(name string) flowgraph.WorkloadID { return flowgraph.WorkloadID{Namespace: "my-shop", Name: name} }
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		var names []string
		for i := range 1 + r.IntN(5) {
			names = append(names, fmt.Sprint("w-", i))
		}
		tl := New(Options{Metrics: bytesOnly, Reporters: OneEnd, Trust: &telemetry.Trust{}, Resolver: several{"db": names}})
		rates := map[string]float64{}
		all := 0.0
		for range r.IntN(8) {
			name, rate := fmt.Sprint("w-", r.IntN(7)), float64(r.IntN(100))
			spelled := name
			if r.IntN(2) == 0 {
				spelled = strings.ReplaceAll(name, "-", "_")
			}
			tl.Divide(flowgraph.WorkloadID{Namespace: "my_shop", Name: "the_web"}, flowgraph.WorkloadID{Namespace: "my_shop", Name: spelled}, "", rate)
			rates[name] += rate
		}
		for _, name := range names {
			all += rates[name]
		}
		for _, client := range []string{"the-web", "other"} {
			tl.Add(&Report{From: telemetry.EndpointOf(id(client)), To: telemetry.Endpoint{Kind: telemetry.ServiceEndpoint, Namespace: "my-shop", Name: "db"}, Value: 1000})
		}
		sums := map[string]float64{}
		for _, f := range tl.Observation(time.Unix(1, 0)).Flows {
			sums[f.From.Name] += f.SentBytesPerSecond
			want := 1000 / float64(len(names))
			if f.From.Name == "the-web" && all > 0 {
				want = 1000 * rates[f.To.Name] / all
			}
			if math.Abs(f.SentBytesPerSecond-want) > 1e-6 {
				t.Errorf("seed %d: %v -> %v %v, want %v", seed, f.From, f.To, f.SentBytesPerSecond, want)
			}
		}
		if math.Abs(sums["the-web"]-1000) > 1e-6 || math.Abs(sums["other"]-1000) > 1e-6 {
			t.Errorf("seed %d: sums %v", seed, sums)
		}
	}
}

// TestDivisionsAreBounded: what is no rate, and what is beyond the limit, is counted.
func TestDivisionsAreBounded(t *testing.T) {
	tl := New(Options{Metrics: bytesOnly, Trust: &telemetry.Trust{Limits: flowgraph.Limits{Edges: 5}}})
	web := flowgraph.WorkloadID{Namespace: "shop", Name: "web"}
	tl.Divide(web, web, "", math.NaN())
	tl.Divide(web, web, "", -1)
	tl.Divide(web, flowgraph.WorkloadID{Namespace: "shop", Name: strings.Repeat("x", 2000)}, "", 1)
	for i := range 100 {
		tl.Divide(web, flowgraph.WorkloadID{Namespace: "shop", Name: fmt.Sprint(i % 20)}, "", 1)
	}
	o := tl.Observation(time.Unix(1, 0))
	if len(tl.divisions) != 10 || o.Series != 103 || o.LeftOut[telemetry.Invalid].Series != 3 || o.LeftOut[telemetry.Surplus].Series != 50 {
		t.Errorf("%d divisions, %d series, left out %v", len(tl.divisions), o.Series, o.LeftOut)
	}
}
