package telemetrysetup

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

var pastNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// changing is a Prometheus whose rates are functions of the time.
func changing(t *testing.T, rates map[string]func(time.Time) float64) *v1.TelemetryConfiguration {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seconds, err := strconv.ParseFloat(r.FormValue("time"), 64)
		if err != nil {
			t.Errorf("time %q: %v", r.FormValue("time"), err)
		}
		at := time.UnixMilli(int64(math.Round(seconds * 1000)))
		result := []any{}
		if strings.Contains(r.FormValue("query"), "istio_request_bytes_sum") {
			for name, rate := range rates {
				if v := rate(at); v >= 0 {
					result = append(result, map[string]any{"metric": map[string]string{
						"reporter": "source", "source_workload_namespace": "shop", "source_workload": "web",
						"destination_workload_namespace": "shop", "destination_workload": name,
					}, "value": []any{seconds, strconv.FormatFloat(v, 'g', -1, 64)}})
				}
			}
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "vector", "result": result}}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	cfg := &v1.TelemetryConfiguration{Prometheus: v1.Prometheus{URL: server.URL}}
	cfg.SetDefaults()
	return cfg
}

// scheduled is the graph of a Manager that was refreshed at its own times up to now, with jitter,
// for long.
func scheduled(t *testing.T, cfg *v1.TelemetryConfiguration, rng *rand.Rand) *flowgraph.Snapshot {
	t.Helper()
	client, err := Client(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sources, err := Sources(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	store, at := flowgraph.NewStore(), pastNow.Add(-90*time.Minute)
	m, err := telemetry.NewManager(telemetry.Options{
		Sources: sources, Querier: client, Graph: flowgraph.NewGraph(GraphOptions(cfg)), Store: store,
		Interval: cfg.Interval.Duration, Now: func() time.Time { return at }, Random: rng.Float64,
	})
	if err != nil {
		t.Fatal(err)
	}
	for ; !at.After(pastNow); at = at.Add(time.Duration((0.9 + 0.2*rng.Float64()) * float64(cfg.Interval.Duration))) {
		if err := m.Refresh(t.Context()); err != nil && telemetry.FailureOf(err) != telemetry.Empty {
			t.Fatal(err)
		}
	}
	return store.Load()
}

func rateOf(snap *flowgraph.Snapshot, to string) float64 {
	for e := range snap.Edges() {
		if e.To.Name == to {
			return e.SentBytesPerSecond
		}
	}
	return 0
}

// TestPastIsWithinTheTolerance: for rates that change at random, the graph that is made up is as
// near to that of a scheduler as it says.
func TestPastIsWithinTheTolerance(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 0))
		rates, variation := map[string]func(time.Time) float64{}, map[string][2]float64{}
		for i := range 5 {
			name := fmt.Sprint("db-", i)
			change := pastNow.Add(-time.Duration(rng.Float64() * float64(40*time.Minute)))
			before, after := 1e6*rng.Float64(), 1e6*rng.Float64()
			rates[name] = func(at time.Time) float64 {
				if at.Before(change) {
					return before
				}
				return after
			}
			moved := math.Abs(after - before)
			if change.Before(pastNow.Add(-halfLives * 2 * time.Minute)) {
				variation[name] = [2]float64{0, moved}
			} else {
				variation[name] = [2]float64{moved, 0}
			}
		}
		rates["steady"] = func(time.Time) float64 { return 5e5 }
		variation["steady"] = [2]float64{}
		cfg := changing(t, rates)
		want := scheduled(t, cfg, rng)
		past, err := ReadPast(t.Context(), cfg, nil, pastNow, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, moved := range variation {
			allowed := past.Phase*moved[0] + past.Before*(moved[0]+moved[1]) + 1
			if got, is := rateOf(past.Snapshot, name), rateOf(want, name); math.Abs(got-is) > allowed {
				t.Errorf("seed %d: %s has %g B/s, the scheduler's graph %g, further apart than %g", seed, name, got, is, allowed)
			}
		}
		if past.Phase > 0.35 || past.Before > 0.02 {
			t.Errorf("the tolerance is %+v", past.Tolerance)
		}
	}
}

// TestPastFindsRetainedEdges: traffic that has ended within retainFor keeps its rate, as in the
// scheduler's graph, and is seen by no source.
func TestPastFindsRetainedEdges(t *testing.T) {
	ended := pastNow.Add(-40 * time.Minute)
	cfg := changing(t, map[string]func(time.Time) float64{
		"db": func(time.Time) float64 { return 1e5 },
		"gone": func(at time.Time) float64 {
			if at.After(ended) {
				return -1
			}
			return 1e6
		},
	})
	past, err := ReadPast(t.Context(), cfg, nil, pastNow, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := rateOf(past.Snapshot, "gone"); math.Abs(got-1e6) > 1 {
		t.Errorf("the edge that is gone has %g B/s", got)
	}
	web := flowgraph.WorkloadID{Namespace: "shop", Name: "web"}
	for name, want := range map[string]string{"db": "[istio-sidecar]", "gone": "[]"} {
		if got := fmt.Sprint(past.SeenBy(web, flowgraph.WorkloadID{Namespace: "shop", Name: name})); got != want {
			t.Errorf("%s is seen by %s, want %s", name, got, want)
		}
	}
	if past.Refreshes < 20 || past.Refreshes > 40 || past.Failed != 0 || !past.From.Equal(pastNow.Add(-cfg.RetainFor.Duration)) {
		t.Errorf("%d refreshes, %d of them failed, from %s", past.Refreshes, past.Failed, past.From)
	}
}

// TestPastTimes: few refreshes suffice for any configuration.
func TestPastTimes(t *testing.T) {
	for _, c := range []struct{ interval, half, retain time.Duration }{
		{30 * time.Second, 2 * time.Minute, time.Hour}, {time.Second, 10 * time.Second, time.Minute}, {time.Minute, 0, time.Hour},
		{5 * time.Minute, 2 * time.Minute, 24 * time.Hour}, {30 * time.Second, 6 * time.Hour, time.Hour}, {time.Second, 0, 365 * 24 * time.Hour},
	} {
		cfg := &v1.TelemetryConfiguration{
			Interval: &metav1.Duration{Duration: c.interval}, HalfLife: &metav1.Duration{Duration: c.half}, RetainFor: &metav1.Duration{Duration: c.retain},
		}
		times, _ := pastTimes(cfg, pastNow)
		if !times[len(times)-1].Equal(pastNow) || len(times) > 60 {
			t.Errorf("%v: %d refreshes, the last of %s", c, len(times), times[len(times)-1])
		}
		for i := range times[1:] {
			if !times[i].Before(times[i+1]) {
				t.Errorf("%v: refresh %d is of %s, the next of %s", c, i, times[i], times[i+1])
			}
		}
		if first := times[0]; first.After(pastNow.Add(-c.retain)) {
			t.Errorf("%v: the first is of %s", c, first)
		}
	}
}
