package telemetrysetup

import (
	"context"
	"encoding/binary"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// FuzzClaims reads whatever the targets of a tenant may report, through the source, the
// manager, the graph and the scoring engine. Where targets speak for themselves, what the
// tenant is no end of stays what it is. Where both ends must agree, so do the scores of
// other tenants' pods.
func FuzzClaims(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuv"), "evil shop web api")
	f.Add([]byte(strings.Repeat("\x00\x00\x00\x00\x04\x01\x04\x00\x00\x00\x00\x00\x00\x00\xf0\x7f", 20)), "x")
	f.Add([]byte(strings.Repeat("\x04\x01\x01\x02\x05\x00\x04\x0d\x00\x00\x00\x00\x00\x00\xf8\x7f", 3)), "BlackHoleCluster")
	// Both ends agree.
	f.Add([]byte("\x00\x00\x00\x00\x04\x01\x04\x00\x00\x00\x00\x00\x00\x00\xf0\x42"+"\x00\x01\x01\x00\x04\x01\x04\x00\x00\x00\x00\x00\x00\x00\xf0\x42"), "")
	// Infinitely many requests.
	f.Add([]byte("\x04\x00\x00\x00\x04\x00\x05\x00\x00\x00\x00\x00\x00\x00\xf0\x7f"), "")
	towns := []expectation{expect(f, 1), expect(f, 2), expect(f, 3)}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		x := &towns[len(data)/claimBytes%len(towns)]
		all := append(answers{}, x.town.series...)
		for ; len(data) >= claimBytes; data = data[claimBytes:] {
			all = append(all, claimOf([claimBytes]byte(data), strings.Fields(text)))
		}
		believed, _ := read(t, trusting(v1.AgreementLarger), all)
		rates := ratesOf(believed)
		maps.DeleteFunc(rates, func(edge [2]flowgraph.WorkloadID, r flowgraph.Rates) bool {
			if !r.Valid() || !edge[0].IsValid() || !edge[1].IsValid() {
				t.Errorf("%q has the rates %v", edge, r)
			}
			return isEvil(edge[0].Namespace) || isEvil(edge[1].Namespace)
		})
		if diff := cmp.Diff(x.rates, rates); diff != "" {
			t.Errorf("edges of others (-without +with claims):\n%s", diff)
		}
		agreed, _ := read(t, trusting(v1.AgreementAgreed), all)
		for i, o := range profiles() {
			if diff := cmp.Diff(x.points[i], x.town.points(o, agreed)); diff != "" {
				t.Errorf("scores of others (-without +with claims):\n%s", diff)
			}
		}
	})
}

// trusting is a configuration under which targets speak for themselves.
func trusting(a v1.Agreement) v1.TelemetryConfiguration {
	return v1.TelemetryConfiguration{Trust: v1.Trust{ReporterNamespaceLabel: "namespace", Agreement: a, Limits: fewAreKept()}}
}

// profiles say how is scored.
func profiles() []score.Options {
	return []score.Options{
		{SignificantRate: -1, Anticipate: true, ReserveRoom: true},
		{SignificantRate: 1000},
	}
}

// expectation is what there is without claims.
type expectation struct {
	town   *town
	rates  map[[2]flowgraph.WorkloadID]flowgraph.Rates // of edges of others
	points []map[string][]int                          // by profile
}

func expect(f *testing.F, seed uint64) expectation {
	x := expectation{town: newTown(seed, false)}
	believed, _ := read(f, trusting(v1.AgreementLarger), answers(x.town.series))
	x.rates = ratesOf(believed)
	maps.DeleteFunc(x.rates, func(edge [2]flowgraph.WorkloadID, _ flowgraph.Rates) bool { return isEvil(edge[0].Namespace) })
	agreed, _ := read(f, trusting(v1.AgreementAgreed), answers(x.town.series))
	for _, o := range profiles() {
		x.points = append(x.points, x.town.points(o, agreed))
	}
	return x
}

// answers is a telemetry.Querier that returns each series of a metric with its rate, also
// what Prometheus would not.
type answers []series

func (a answers) Query(_ context.Context, query string, _ time.Time, yield func(telemetry.Series) error) error {
	for _, s := range a {
		if !strings.Contains(query, s.metric+"{") {
			continue
		}
		if err := yield(telemetry.Series{Labels: s.labels, Value: s.rate}); err != nil {
			return err
		}
	}
	return nil
}

// claimBytes make a claim: its metric, reporter and target, two namespaces and names, a
// service and clusters, and a value.
const claimBytes = 16

func claimOf(b [claimBytes]byte, more []string) series {
	pick := func(i byte, from ...string) string { return from[int(i)%len(from)] }
	words := append([]string{"evil", "evil-2", "shop", "pay", "w0", "w1", "w2", "fake", "unknown", ""}, more...)
	s := observed(pick(b[1], "source", "destination", "waypoint"),
		flowgraph.WorkloadID{Namespace: pick(b[3], words...), Name: pick(b[4], words...)},
		flowgraph.WorkloadID{Namespace: pick(b[5], words...), Name: pick(b[6], words...)},
		pick(b[0], "istio_request_bytes_sum", "istio_response_bytes_sum", "istio_tcp_received_bytes_total",
			"istio_tcp_sent_bytes_total", "istio_requests_total", "istio_request_bytes", "istio_response_bytes"), 0)
	s.rate = math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))
	s.labels["namespace"] = pick(b[2], "evil", "evil-2")
	s.labels["source_cluster"] = pick(b[7], "Kubernetes", "east", "", "unknown")
	s.labels["destination_cluster"] = pick(b[7]>>2, "Kubernetes", "east", "", "unknown")
	s.labels["cluster"] = pick(b[7]>>4, "", "a")
	s.labels["destination_service_name"] = pick(b[7]>>5, append([]string{"w0", "BlackHoleCluster", "PassthroughCluster"}, more...)...)
	return s
}
