package telemetrysetup

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/promtest"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// dataTime is when the series of a forgery have lasted for ten minutes.
var dataTime = time.Unix(600, 0)

// town is a random cluster of three tenants, of which "evil" forges.
type town struct {
	rng       *rand.Rand
	workloads []flowgraph.WorkloadID
	series    []string // that are true
}

func newTown(seed uint64, ties bool) *town {
	w := &town{rng: rand.New(rand.NewPCG(seed, 1))}
	for _, namespace := range []string{"shop", "pay", "evil"} {
		for i := range 3 {
			w.workloads = append(w.workloads, flowgraph.WorkloadID{Namespace: namespace, Name: fmt.Sprint("w", i)})
		}
	}
	for _, from := range w.workloads {
		for _, to := range w.workloads {
			isEvil := from.Namespace == "evil" || to.Namespace == "evil"
			if w.rng.IntN(3) > 0 || isEvil && from.Namespace != to.Namespace && !ties {
				continue
			}
			rate := 1 + w.rng.IntN(100_000)
			for _, reporter := range []string{"source", "destination"} {
				w.series = append(w.series,
					observed(reporter, from, to, "istio_request_bytes_sum", fmt.Sprintf("0+%dx20", rate)),
					observed(reporter, from, to, "istio_requests_total", fmt.Sprintf("0+%dx20", 1+rate/1000)))
			}
		}
	}
	return w
}

// observed is a series of the target at the end that reports it.
func observed(reporter string, from, to flowgraph.WorkloadID, metric, samples string) string {
	namespace := from.Namespace
	if reporter == "destination" {
		namespace = to.Namespace
	}
	return fmt.Sprintf(`%s{reporter=%q,source_workload_namespace=%q,source_workload=%q,source_cluster="Kubernetes",`+
		`destination_workload_namespace=%q,destination_workload=%q,destination_cluster="Kubernetes",destination_service_name=%q,namespace=%q} %s`,
		metric, reporter, from.Namespace, from.Name, to.Namespace, to.Name, to.Name, namespace, samples)
}

// forge returns what targets of the tenant "evil" report: whatever they like, in series
// to which the scrape attaches their namespace. wild claims also break what the tenant
// truly reports of itself.
func (w *town) forge(wild bool) []string {
	pick := func(from ...string) string { return from[w.rng.IntN(len(from))] }
	end := func() (namespace, name string) {
		if w.rng.IntN(3) == 0 {
			return pick("evil", "shop", "fake", "unknown", "", "Not-A-Name", strings.Repeat("x", 70)), pick("w0", "fake", "unknown", "", "A_B", strings.Repeat("x", 300))
		}
		id := w.workloads[w.rng.IntN(len(w.workloads))]
		return id.Namespace, id.Name
	}
	samples := []string{"0+300x20", "0+3e13x20", "0+1e300x20", "7x20", "0x20"}
	metrics := []string{"istio_request_bytes_sum", "istio_response_bytes_sum", "istio_tcp_received_bytes_total", "istio_tcp_sent_bytes_total", "istio_requests_total"}
	clusters := []string{"Kubernetes"}
	if wild {
		samples = append(samples, "0"+strings.Repeat(" NaN", 20), "0"+strings.Repeat(" Inf", 20), "0-100x20", "{{schema:0 sum:0 count:0}}+{{schema:0 sum:100 count:4 buckets:[1 2 1]}}x20")
		metrics = append(metrics, "istio_request_bytes", "istio_response_bytes")
		clusters = append(clusters, "east", "", "unknown")
	}
	forged := map[string]string{} // samples by the series
	for range 1 + w.rng.IntN(30) {
		fromNamespace, from := end()
		toNamespace, to := end()
		cluster := ""
		if wild && w.rng.IntN(4) == 0 {
			cluster = `,cluster="` + pick("a", "b") + `"`
		}
		forged[fmt.Sprintf(`%s{reporter=%q,source_workload_namespace=%q,source_workload=%q,source_cluster=%q,`+
			`destination_workload_namespace=%q,destination_workload=%q,destination_cluster=%q,destination_service_name=%q,namespace="evil",pod=%q%s}`,
			pick(metrics...), pick("source", "destination", "destination", "waypoint"), fromNamespace, from, pick(clusters...),
			toNamespace, to, pick(clusters...), pick("forged", "BlackHoleCluster", "PassthroughCluster", "w0"), pick("a", "b"), cluster)] = pick(samples...)
	}
	if wild && w.rng.IntN(4) == 0 { // beyond the limits, at the cost of what is true too
		for i := range 150 {
			id := func(name string) flowgraph.WorkloadID {
				return flowgraph.WorkloadID{Namespace: "evil", Name: fmt.Sprint(name, i)}
			}
			peer := [...]flowgraph.WorkloadID{id("b"), w.workloads[i%len(w.workloads)]}[i%2]
			forged[strings.TrimSuffix(observed("source", id("a"), peer, "istio_request_bytes_sum", ""), " ")] = "0+3e13x20"
		}
	}
	var all []string
	for _, series := range slices.Sorted(maps.Keys(forged)) {
		all = append(all, series+" "+forged[series])
	}
	return all
}

// snapshot reads series through the source, the manager and the graph of a configuration.
func snapshot(t *testing.T, trust v1.Trust, series []string) (*flowgraph.Snapshot, telemetry.Status) {
	t.Helper()
	cfg := &v1.TelemetryConfiguration{Trust: trust}
	cfg.SetDefaults()
	sources, err := Sources(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	q := promtest.New(t, "load 30s\n  "+strings.Join(series, "\n  ")+"\n")
	q.ToleratesWarnings = trust.ReporterNamespaceLabel != ""
	store := flowgraph.NewStore()
	m, err := telemetry.NewManager(telemetry.Options{
		Sources: sources, Querier: q, Graph: flowgraph.NewGraph(GraphOptions(cfg)), Store: store,
		Interval: time.Minute, Now: func() time.Time { return dataTime }, Random: func() float64 { return 0.5 },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store.Load(), m.Status()
}

// uniform is a score.Router.
type uniform struct{}

func (uniform) Routing(int32, string) affinity.Routing { return affinity.Uniform }

// points scores all nodes for a pod of each workload that is not the tenant's.
func (w *town) points(seed uint64, o score.Options, snap *flowgraph.Snapshot) map[string][]int {
	rng := rand.New(rand.NewPCG(seed, 2))
	o.Closeness, o.MaxNodeShare, o.MaxZoneShare = []float64{1, 0.5, 0.1}, 0.66, 0.66
	board := score.NewBoard(o.Scale)
	engine := score.NewEngine(o, board, uniform{})
	room := score.Room{MilliCPU: 8000, Memory: 16 << 30, Pods: 20}
	for i := range 6 {
		n := board.AddNode(score.Node{Locality: locality.Locality{Node: fmt.Sprint("n", i), Zone: fmt.Sprint("z", i%3), Region: "r"}})
		board.SetRoom(n, room, room)
	}
	request := score.Room{MilliCPU: 3000, Pods: 1}
	for _, id := range w.workloads {
		pods := 1 + rng.IntN(3)
		for range pods {
			board.AddPod(int32(rng.IntN(board.Len())), score.Pod{Workload: id, Serves: true})
		}
		more := rng.IntN(3)
		if id.Namespace == "evil" { // it has no pods that wait
			more = 0
		}
		board.SetDesired(id, score.Desired{Pods: int32(pods + more), Template: &score.Template{Requests: request}})
	}
	all := map[string][]int{}
	for _, id := range w.workloads {
		if id.Namespace == "evil" {
			continue
		}
		r := &score.Request{
			Snapshot: snap, Influence: 1, Workload: id, Desired: board.Desired(board.Workload(id)).Pods, Requests: request,
			Routing: func(string) affinity.Routing { return affinity.Uniform },
		}
		for n := range int32(board.Len()) {
			r.Candidates = append(r.Candidates, n)
		}
		result := engine.Evaluate(r)
		for n := range int32(board.Len()) {
			points := -1
			if result.Points != nil {
				points = int(result.Points.Of(n))
			}
			all[id.String()] = append(all[id.String()], points)
		}
	}
	return all
}

// tenantsPoints is the tenant's part of all workloads, in points, rounded up twice.
func (w *town) tenantsPoints() float64 {
	tenants := 0.0
	for _, id := range w.workloads {
		if id.Namespace == "evil" {
			tenants++
		}
	}
	return 100*tenants/float64(len(w.workloads)) + 1
}

// TestForgeriesChangeNoForeignScore: with reporterNamespaceLabel and agreed, whatever the
// targets of a tenant report, the scores of other tenants' pods stay what they are.
func TestForgeriesChangeNoForeignScore(t *testing.T) {
	few := v1.Limits{Edges: pointer[int32](120), NamespaceEdges: pointer[int32](100), Workloads: pointer[int32](60), NamespaceWorkloads: pointer[int32](40)}
	strict := v1.Trust{ReporterNamespaceLabel: "namespace", Agreement: v1.AgreementAgreed, Limits: few}
	cases := map[string]struct {
		options score.Options
		ties    bool // the tenant truly exchanges traffic with others
		byShare bool // scores may move by the tenant's part of all workloads
	}{
		"whatever is claimed":             {options: score.Options{SignificantRate: 10_000}},
		"beside true traffic":             {options: score.Options{SignificantRate: 10_000}, ties: true},
		"with room kept for waiting pods": {options: score.Options{SignificantRate: 10_000, Anticipate: true, ReserveRoom: true}},
		"compared with all workloads":     {options: score.Options{SignificantRate: -1}, byShare: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(25) {
				w := newTown(seed, tc.ties)
				forged := w.forge(!tc.ties)
				before, _ := snapshot(t, strict, w.series)
				after, status := snapshot(t, strict, append(slices.Clone(w.series), forged...))
				most := 0.0
				if tc.byShare {
					most = w.tenantsPoints()
				}
				near := cmp.Comparer(func(a, b int) bool { return math.Abs(float64(a-b)) <= most })
				if diff := cmp.Diff(w.points(seed, tc.options, before), w.points(seed, tc.options, after), near); diff != "" {
					t.Fatalf("seed %d: scores (-without +with forgeries):\n%s\nleft out: %v\n%s", seed, diff, status.Sources[0].LeftOut, strings.Join(forged[:min(len(forged), 20)], "\n"))
				}
			}
		})
	}
}

// TestForgeriesWeakenNoForeignEdge with the defaults, as long as they are numbers: what
// Prometheus adds up is at least what is true.
func TestForgeriesWeakenNoForeignEdge(t *testing.T) {
	for seed := range uint64(25) {
		w := newTown(seed, true)
		forged := w.forge(false)
		before, _ := snapshot(t, v1.Trust{}, w.series)
		after, _ := snapshot(t, v1.Trust{}, append(slices.Clone(w.series), forged...))
		rates := map[[2]flowgraph.WorkloadID]flowgraph.Rates{}
		for e := range after.Edges() {
			rates[[2]flowgraph.WorkloadID{e.From, e.To}] = e.Rates
		}
		for e := range before.Edges() {
			if got := rates[[2]flowgraph.WorkloadID{e.From, e.To}]; got.Min(e.Rates) != e.Rates {
				t.Fatalf("seed %d: %v -> %v has %v, less than %v:\n%s", seed, e.From, e.To, got, e.Rates, strings.Join(forged, "\n"))
			}
		}
	}
}

func pointer[T any](v T) *T { return &v }
