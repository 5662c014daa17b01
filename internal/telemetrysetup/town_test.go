package telemetrysetup

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/affinity"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// dataTime is when the series of a town have lasted for ten minutes.
var dataTime = time.Unix(600, 0)

// labels are those of a series.
type labels map[string]string

// Get implements telemetry.Labels.
func (l labels) Get(name string) string { return l[name] }

// series is what a target exposes, with the labels that the scrape attaches.
type series struct {
	metric  string
	labels  labels
	samples string  // every 30 seconds, as promqltest has them
	rate    float64 // that they are
}

// String is how promqltest loads the series.
func (s series) String() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.labels)) {
		all = append(all, fmt.Sprintf("%s=%q", name, s.labels[name]))
	}
	return s.metric + "{" + strings.Join(all, ",") + "} " + s.samples
}

// observed is a series of the target at the end that reports it.
func observed(reporter string, from, to flowgraph.WorkloadID, metric string, perSample int) series {
	namespace := from.Namespace
	if reporter == "destination" {
		namespace = to.Namespace
	}
	return series{metric, labels{
		"reporter": reporter, "namespace": namespace, "pod": "p", "destination_service_name": to.Name,
		"source_workload_namespace": from.Namespace, "source_workload": from.Name, "source_cluster": "Kubernetes",
		"destination_workload_namespace": to.Namespace, "destination_workload": to.Name, "destination_cluster": "Kubernetes",
	}, fmt.Sprintf("0+%dx20", perSample), float64(perSample) / 30}
}

// town is a random cluster of three tenants. One of them forges, and has two namespaces.
type town struct {
	seed      uint64
	rng       *rand.Rand
	workloads []flowgraph.WorkloadID
	series    []series // that are true, seriesPerEdge of each edge
}

const seriesPerEdge = 4

// isEvil reports whether a namespace is of the tenant who forges.
func isEvil(namespace string) bool { return namespace == "evil" || namespace == "evil-2" }

// newTown returns a town in which the tenant who forges truly exchanges traffic with others
// if there are ties.
func newTown(seed uint64, ties bool) *town {
	w := &town{seed: seed, rng: rand.New(rand.NewPCG(seed, 1))}
	for _, namespace := range []string{"shop", "pay", "evil", "evil-2"} {
		for i := range 3 {
			w.workloads = append(w.workloads, flowgraph.WorkloadID{Namespace: namespace, Name: fmt.Sprint("w", i)})
		}
	}
	for _, from := range w.workloads {
		for _, to := range w.workloads {
			if w.rng.IntN(3) > 0 || isEvil(from.Namespace) != isEvil(to.Namespace) && !ties {
				continue
			}
			rate := 1 + w.rng.IntN(1_000_000)
			for _, reporter := range []string{"source", "destination"} {
				w.series = append(w.series,
					observed(reporter, from, to, "istio_request_bytes_sum", rate),
					observed(reporter, from, to, "istio_requests_total", 1+rate/1000))
			}
		}
	}
	return w
}

// read reads traffic through the source, the manager and the graph of a configuration.
func read(t testing.TB, cfg v1.TelemetryConfiguration, q telemetry.Querier) (*flowgraph.Snapshot, telemetry.Status) {
	t.Helper()
	cfg.SetDefaults()
	sources, err := Sources(&cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	store := flowgraph.NewStore()
	m, err := telemetry.NewManager(telemetry.Options{
		Sources: sources, Querier: q, Graph: flowgraph.NewGraph(GraphOptions(&cfg)), Limits: limits(&cfg), Store: store,
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

// points scores all nodes for a pod of each workload that is not of the tenant who forges,
// while pods of all of them wait.
func (w *town) points(o score.Options, snap *flowgraph.Snapshot) map[string][]int {
	rng := rand.New(rand.NewPCG(w.seed, 2))
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
		board.SetDesired(id, score.Desired{Pods: int32(pods + rng.IntN(3)), Template: &score.Template{Requests: request}})
	}
	all := map[string][]int{}
	for _, id := range w.workloads {
		if isEvil(id.Namespace) {
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

// ratesOf are the rates of all edges of a snapshot.
func ratesOf(snap *flowgraph.Snapshot) map[[2]flowgraph.WorkloadID]flowgraph.Rates {
	rates := map[[2]flowgraph.WorkloadID]flowgraph.Rates{}
	for e := range snap.Edges() {
		rates[[2]flowgraph.WorkloadID{e.From, e.To}] = e.Rates
	}
	return rates
}

// fewAreKept are limits that a forger soon reaches, and others do not.
func fewAreKept() v1.Limits {
	return v1.Limits{Edges: new(int32(240)), NamespaceEdges: new(int32(200)), Workloads: new(int32(120)), NamespaceWorkloads: new(int32(80))}
}
