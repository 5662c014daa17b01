package istio

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// FuzzClaims reads whatever a target of the namespace "evil" may report: ten bytes are a
// metric, a few choices and a value, and names are words of the text. Nothing that the
// target is no end of may come of it, and of traffic between namespaces nothing at all
// where both ends must agree.
func FuzzClaims(f *testing.F) {
	f.Add([]byte("0123456789abcdefghij"), "evil shop web api")
	f.Add([]byte(strings.Repeat("\x00\x01\x02\x03\x04\x05\x06\x07\x7f\xf0", 20)), "evil unknown  evil Kubernetes east")
	f.Add([]byte(strings.Repeat("\x01\x09\x00\x00\x00\x00\x00\x00\xf8\x7f", 3)), "shop evil BlackHoleCluster x")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		words := append(strings.Split(text, " "), "evil")
		for _, agreed := range []bool{false, true} {
			limits := flowgraph.Limits{Edges: 5, NamespaceEdges: 4, Workloads: 6, NamespaceWorkloads: 5}
			tl := newTally("istio", "", &telemetry.Trust{ReporterLabel: "namespace", Agreed: agreed, Limits: limits})
			for i := 0; i+10 <= len(data); i += 10 {
				tl.add(int(data[i])%int(numMetrics), telemetry.Series{
					Labels: claim{data[i : i+10], words}, Value: math.Float64frombits(binary.LittleEndian.Uint64(data[i+2:])),
				})
			}
			o := tl.Observation(time.Unix(1, 0))
			if len(o.Flows) > limits.Edges {
				t.Fatalf("%d flows", len(o.Flows))
			}
			for _, flow := range o.Flows {
				from, to := flow.From.Namespace == "evil", flow.To.Namespace == "evil"
				if !from && !to || agreed && (!from || !to) || !flow.Valid() || !flow.From.IsValid() || !flow.To.IsValid() {
					t.Fatalf("agreed %v: %q -> %q: %v", agreed, flow.From, flow.To, flow.Rates)
				}
			}
		}
	})
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
	switch name {
	case "namespace":
		return "evil"
	case "reporter":
		return [...]string{"source", "destination", "waypoint"}[sum%3]
	}
	return c.words[sum%uint(len(c.words))]
}
