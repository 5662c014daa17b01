package promql

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// FuzzClaims reads whatever a target of the namespace "evil" may report: ten bytes are a few
// choices and a value, and labels are words of the text. Nothing that the target is no end
// of may come of it, and whatever it names, flows are between possible workloads.
func FuzzClaims(f *testing.F) {
	f.Add([]byte("0123456789abcdefghij"), "evil shop web pod Service shop/api|80")
	f.Add([]byte(strings.Repeat("\x00\x01\x02\x03\x04\x05\x06\x07\x7f\xf0", 20)), "evil unknown  Pod job evil/x|1 external 10.0.0.1 east")
	f.Add([]byte(strings.Repeat("\x01\x09\x00\x00\x00\x00\x00\x00\xf8\x7f", 3)), "|/ _svc_ ReplicaSet node x")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		words := append(strings.Split(text, " "), "evil", "web", "Pod")
		for _, by := range Bys() {
			s, err := New(Options{
				Name: "mine", Window: time.Minute, Resolver: sameNamespace{},
				Definition: Definition{
					Queries: []Query{query("sent", Sent), query("back", Received)},
					Client: []End{
						{KindLabel: "a", NamespaceLabel: "b", NameLabel: "c", ClusterLabel: "d"},
						{Kind: "address", NameLabel: "e"}, {Kind: "app", NamespaceLabel: "b", NameLabel: "f"},
					},
					Server: []End{
						{Kind: "service", Label: "g", Pattern: `(?P<namespace>[^/]*)/(?P<name>[^|]*)\|\d+`},
						{Kind: "service", NameLabel: "h"}, {NamespaceLabel: "i", NameLabel: "j"}, {Kind: External},
					},
					Reporters: reporters(by),
				},
				Trust: telemetry.Trust{
					ReporterLabel: "namespace", TrustedReporters: []string{"agents"}, Agreed: by == ByBoth,
					Limits: flowgraph.Limits{Edges: 5, NamespaceEdges: 4, Workloads: 6, NamespaceWorkloads: 5},
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			a := s.newAnswers()
			for i := 0; i+10 <= len(data); i += 10 {
				a.add(int(data[i]%2), telemetry.Series{
					Labels: claim{data[i : i+10], words}, Value: math.Float64frombits(binary.LittleEndian.Uint64(data[i+2:])),
				})
			}
			o := a.Observation(time.Unix(1, 0))
			s.findings(a, o)
			if by == ByAgents && len(o.Flows) > 0 {
				t.Fatalf("a target that is no agent is believed: %v", o.Flows)
			}
			for _, flow := range o.Flows {
				own := flow.From.Namespace == "evil" && by != ByServer || flow.To.Namespace == "evil" && by != ByClient
				if !own || by == ByBoth && flow.From.Namespace != flow.To.Namespace || !flow.Valid() || !flow.From.IsValid() || !flow.To.IsValid() {
					t.Fatalf("by %s: %q -> %q: %v", by, flow.From, flow.To, flow.Rates)
				}
			}
		}
	})
}

func reporters(by By) Reporters {
	if by == ByBoth {
		return Reporters{By: by, Label: "k", ClientValue: "web", ServerValue: "evil"}
	}
	return Reporters{By: by}
}

// sameNamespace finds a workload for every endpoint that has a namespace.
type sameNamespace struct{}

func (sameNamespace) Resolve(endpoints []telemetry.Endpoint) []telemetry.Resolution {
	var all []telemetry.Resolution
	for _, e := range endpoints {
		r := telemetry.Resolution{Reason: telemetry.UnknownObject}
		if e.Namespace != "" {
			r = telemetry.Resolution{Shares: []telemetry.Share{{Workload: flowgraph.WorkloadID{Namespace: e.Namespace, Name: "w"}, Part: 1}}}
		}
		all = append(all, r)
	}
	return all
}

// claim has labels that depend on the bytes.
type claim struct {
	bytes []byte
	words []string
}

func (c claim) Get(name string) string {
	sum := uint(c.bytes[1])
	for _, b := range []byte(name) {
		sum = sum*31 + uint(b)
	}
	if name == "namespace" {
		return "evil"
	}
	return c.words[sum%uint(len(c.words))]
}
