package telemetrysetup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// forgery says what a forger does beside claiming traffic.
type forgery struct {
	breaks   bool // report what is no rate
	clusters bool // name other clusters
	floods   bool // claim more than the limits allow
}

// forge returns what targets of the tenant report: whatever they like, in series to which
// the scrape attaches their namespaces.
func (w *town) forge(f forgery) (all []series) {
	pick := func(from ...string) string { return from[w.rng.IntN(len(from))] }
	end := func() flowgraph.WorkloadID {
		if w.rng.IntN(3) == 0 {
			return flowgraph.WorkloadID{
				Namespace: pick("evil", "evil-2", "shop", "fake", "unknown", "", "Not-A-Name", strings.Repeat("x", 70)),
				Name:      pick("w0", "fake", "unknown", "", "A_B", strings.Repeat("x", 300)),
			}
		}
		return w.workloads[w.rng.IntN(len(w.workloads))]
	}
	samples := []string{"0+300x20", "0+3e13x20", "0+1e300x20", "7x20", "0x20"}
	metrics := []string{"istio_request_bytes_sum", "istio_response_bytes_sum", "istio_tcp_received_bytes_total", "istio_tcp_sent_bytes_total", "istio_requests_total"}
	clusters := []string{"Kubernetes"}
	if f.breaks {
		samples = append(samples, "0"+strings.Repeat(" NaN", 20), "0x15 Inf Inf Inf Inf Inf", "0x15 1e308x5", "0-100x20",
			"{{schema:0 sum:0 count:0}}+{{schema:0 sum:100 count:4 buckets:[1 2 1]}}x20", "0+1x10 {{schema:0 sum:0 count:0}}x9")
		metrics = append(metrics, "istio_request_bytes", "istio_response_bytes")
	}
	if f.clusters {
		clusters = append(clusters, "east", "", "unknown")
	}
	claim := func(s series) {
		s.labels["pod"] = fmt.Sprint("forged-", len(all))
		all = append(all, s)
	}
	for range 1 + w.rng.IntN(60) {
		s := observed(pick("source", "destination", "destination", "waypoint"), end(), end(), pick(metrics...), 0)
		s.samples, s.labels["namespace"] = pick(samples...), pick("evil", "evil-2")
		s.labels["destination_service_name"] = pick("forged", "BlackHoleCluster", "PassthroughCluster", "w0")
		s.labels["source_cluster"], s.labels["destination_cluster"] = pick(clusters...), pick(clusters...)
		if f.clusters && w.rng.IntN(4) == 0 {
			s.labels["cluster"] = pick("a", "b")
		}
		claim(s)
	}
	for range 1 + w.rng.IntN(5) { // in the sums of a true edge
		first := seriesPerEdge * w.rng.IntN(len(w.series)/seriesPerEdge)
		for _, s := range w.series[first : first+seriesPerEdge] {
			s.samples, s.labels = pick(samples...), maps.Clone(s.labels)
			s.labels["namespace"] = pick("evil", "evil-2")
			claim(s)
		}
	}
	w.collude(claim)
	if f.floods && w.rng.IntN(4) == 0 { // at the cost of what is true of the tenant's own, too
		for i := range 300 {
			id := func(name string) flowgraph.WorkloadID {
				return flowgraph.WorkloadID{Namespace: []string{"evil", "evil-2"}[i/2%2], Name: fmt.Sprint(name, i)}
			}
			peer := [...]flowgraph.WorkloadID{id("b"), w.workloads[i%len(w.workloads)]}[i%2]
			claim(observed("source", id("a"), peer, "istio_request_bytes_sum", 3e13))
		}
	}
	return all
}

// collude has both ends of edges among the tenant's own workloads claim the same.
func (w *town) collude(claim func(series)) {
	var own []flowgraph.WorkloadID
	for _, id := range w.workloads {
		if isEvil(id.Namespace) {
			own = append(own, id)
		}
	}
	for range w.rng.IntN(6) {
		from, to, rate := own[w.rng.IntN(len(own))], own[w.rng.IntN(len(own))], 1<<w.rng.IntN(40)
		for _, reporter := range []string{"source", "destination"} {
			claim(observed(reporter, from, to, "istio_request_bytes_sum", rate))
		}
	}
}

// prometheus has series in Prometheus' engine.
func prometheus(t testing.TB, all []series) telemetry.Querier {
	lines := make([]string, len(all))
	for i, s := range all {
		lines[i] = s.String()
	}
	q := promtest.New(t, "load 30s\n  "+strings.Join(lines, "\n  ")+"\n")
	q.ToleratesWarnings = true
	return q
}

// some are a few of many series, for messages.
func some(all []series) string { return fmt.Sprint(all[:min(len(all), 20)]) }

// TestForgeriesChangeNoForeignScore: with reporterNamespaceLabel and agreed, whatever the
// targets of a tenant report, the scores of other tenants' pods stay what they are.
func TestForgeriesChangeNoForeignScore(t *testing.T) {
	everything := forgery{breaks: true, clusters: true, floods: true}
	cases := map[string]struct {
		options   score.Options
		share     float64 // maxForeignShare
		ties      bool    // the tenant truly exchanges traffic with others
		forgeries forgery
	}{
		"whatever is claimed":             {options: score.Options{SignificantRate: -1}, forgeries: everything},
		"with room kept for waiting pods": {options: score.Options{SignificantRate: -1, Anticipate: true, ReserveRoom: true}, forgeries: everything},
		"with a significant rate":         {options: score.Options{SignificantRate: 1000, Anticipate: true, ReserveRoom: true}, forgeries: everything},
		// To name several clusters, or to claim too much, would cost the tenant what is true.
		"beside true traffic": {options: score.Options{SignificantRate: -1, Anticipate: true, ReserveRoom: true}, ties: true, forgeries: forgery{breaks: true}},
		"with a bounded part": {options: score.Options{SignificantRate: -1, Anticipate: true, ReserveRoom: true}, ties: true, share: 0.5, forgeries: forgery{breaks: true}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			strict := v1.TelemetryConfiguration{Trust: v1.Trust{ReporterNamespaceLabel: "namespace", Agreement: v1.AgreementAgreed, Limits: fewAreKept()}}
			if tc.share > 0 {
				strict.Trust.MaxForeignShare = &tc.share
			}
			for seed := range uint64(25) {
				w := newTown(seed, tc.ties)
				forged := w.forge(tc.forgeries)
				before, _ := read(t, strict, prometheus(t, w.series))
				after, status := read(t, strict, prometheus(t, append(slices.Clone(w.series), forged...)))
				if diff := cmp.Diff(w.points(tc.options, before), w.points(tc.options, after)); diff != "" {
					t.Fatalf("seed %d: scores (-without +with forgeries):\n%s\nleft out: %v\n%s", seed, diff, status.Sources[0].LeftOut, some(forged))
				}
			}
		})
	}
}

// TestForgeriesWeakenNoForeignEdge without any identity: what is read is at least what is
// true.
func TestForgeriesWeakenNoForeignEdge(t *testing.T) {
	cases := map[string]struct {
		cfg       v1.TelemetryConfiguration
		forgeries forgery
	}{
		"with the defaults": {forgeries: forgery{breaks: true}},
		"where the cluster is named": {
			cfg:       v1.TelemetryConfiguration{Sources: []v1.TelemetrySource{{Type: v1.SourceIstioSidecar, Cluster: "Kubernetes", Selector: `cluster=""`}}},
			forgeries: forgery{breaks: true, clusters: true},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(25) {
				w := newTown(seed, true)
				forged := w.forge(tc.forgeries)
				before, _ := read(t, tc.cfg, prometheus(t, w.series))
				after, _ := read(t, tc.cfg, prometheus(t, append(slices.Clone(w.series), forged...)))
				rates := ratesOf(after)
				for e := range before.Edges() {
					if got := rates[[2]flowgraph.WorkloadID{e.From, e.To}]; got.Min(e.Rates) != e.Rates {
						t.Fatalf("seed %d: %v -> %v has %v, less than %v:\n%s", seed, e.From, e.To, got, e.Rates, some(forged))
					}
				}
			}
		})
	}
}
