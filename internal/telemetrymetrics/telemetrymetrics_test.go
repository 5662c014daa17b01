package telemetrymetrics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// values returns what is served under a metric's name: the value of each
// series, and of a histogram its count and sum.
func values(t *testing.T, registry metrics.KubeRegistry, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, series := range family.GetMetric() {
			var labels []string
			for _, label := range series.GetLabel() {
				labels = append(labels, label.GetValue())
			}
			key := strings.Join(labels, " ")
			if h := series.GetHistogram(); h != nil {
				served["count "+key], served["sum "+key] = float64(h.GetSampleCount()), h.GetSampleSum()
				continue
			}
			if v := series.GetCounter().GetValue() + series.GetGauge().GetValue(); v != 0 {
				served[key] = v
			}
		}
	}
	return served
}

func TestGraphIsLookedAtWhenScraped(t *testing.T) {
	registry, store, now := metrics.NewKubeRegistry(), flowgraph.NewStore(), start
	o := New(klog.Logger{}, store, func() time.Time { return now }, nil)
	o.Register(registry.MustRegister)
	graph := func() string {
		var all []string
		for _, name := range []string{"age_seconds", "generation", "edges", "workloads"} {
			all = append(all, fmt.Sprintf("%s %v", name, values(t, registry, "vicinity_graph_"+name)[""]))
		}
		return strings.Join(all, ", ")
	}
	if got, want := graph(), "age_seconds +Inf, generation 0, edges 0, workloads 0"; got != want {
		t.Errorf("before the first refresh: %s, want %s", got, want)
	}
	edge := func(from, to string) flowgraph.Edge {
		return flowgraph.Edge{From: flowgraph.WorkloadID{Name: from}, To: flowgraph.WorkloadID{Name: to}, ObservedAt: start, Rates: flowgraph.Rates{SentBytesPerSecond: 1}}
	}
	store.Publish(flowgraph.NewSnapshot(7, start, []flowgraph.Edge{edge("a", "b"), edge("b", "c")}))
	now = start.Add(90 * time.Second)
	if got, want := graph(), "age_seconds 90, generation 7, edges 2, workloads 3"; got != want {
		t.Errorf("a snapshot: %s, want %s", got, want)
	}
	now = start.Add(time.Hour)
	if got, want := graph(), "age_seconds 3600, generation 7, edges 2, workloads 3"; got != want {
		t.Errorf("the same one later: %s, want %s", got, want)
	}
}

func TestRounds(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	o := New(klog.Logger{}, flowgraph.NewStore(), time.Now, []string{"a", "b"})
	o.Register(registry.MustRegister)
	status := func(minute int, sources ...telemetry.SourceStatus) telemetry.Status {
		at := start.Add(time.Duration(minute) * time.Minute)
		for i := range sources {
			sources[i].LastAttempt = at
		}
		return telemetry.Status{At: at, InvalidFlows: 2, Sources: sources}
	}
	denied := &telemetry.QueryError{Failure: telemetry.Denied, Err: errors.New("401")}
	o.Refreshed(status(0,
		telemetry.SourceStatus{Name: "a", Duration: time.Second, Series: 10, LeftOut: map[telemetry.Reason]telemetry.LeftOut{
			telemetry.External: {Series: 3, BytesPerSecond: 300}, telemetry.BlackHole: {Series: 1, BytesPerSecond: 100},
		}},
		telemetry.SourceStatus{Name: "b", Duration: 2 * time.Second, Err: denied},
	))
	o.Refreshed(status(1,
		telemetry.SourceStatus{Name: "a", Duration: 3 * time.Second, Err: fmt.Errorf("query x: %w", context.DeadlineExceeded), Series: 10},
		telemetry.SourceStatus{Name: "b", Duration: 2 * time.Second, Series: 5, Err: &telemetry.QueryError{Failure: telemetry.Empty, Err: errors.New("no traffic")},
			LeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.Invalid: {Series: 5}}},
	))
	o.Refreshed(status(2,
		telemetry.SourceStatus{Name: "a", Duration: time.Second, Series: 20, LeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.External: {Series: 4, BytesPerSecond: 400}}},
	))
	for name, want := range map[string]map[string]float64{
		"vicinity_telemetry_refreshes_total":           {"success a": 2, "timeout a": 1, "denied b": 1, "empty b": 1},
		"vicinity_telemetry_refresh_duration_seconds":  {"count a": 3, "sum a": 5, "count b": 2, "sum b": 4},
		"vicinity_telemetry_series":                    {"a": 20, "b": 5},
		"vicinity_telemetry_left_out_series":           {"external a": 4, "invalid b": 5},
		"vicinity_telemetry_left_out_bytes_per_second": {"external a": 400},
		"vicinity_graph_refused_flows_total":           {"": 6},
	} {
		if diff := cmp.Diff(want, values(t, registry, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestUnknownFailuresAreOther(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	o := New(klog.Logger{}, flowgraph.NewStore(), time.Now, []string{"a"})
	o.Register(registry.MustRegister)
	for _, failure := range []telemetry.Failure{math.MaxInt, telemetry.NoFailure} {
		o.Refreshed(telemetry.Status{Sources: []telemetry.SourceStatus{{Name: "a", Err: &telemetry.QueryError{Failure: failure, Err: errors.New("x")}}}})
	}
	got, err := testutil.GetCounterMetricValue(o.refreshes.With("a", telemetry.OtherFailure.String()))
	if err != nil || got != 2 {
		t.Errorf("%v refreshes are counted as failed for another reason, want 2 (%v)", got, err)
	}
}

func TestALineForEachChange(t *testing.T) {
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
	o := New(logger, flowgraph.NewStore(), time.Now, []string{"a"})
	failed := func(f telemetry.Failure) error { return &telemetry.QueryError{Failure: f, Err: errors.New("x")} }
	for _, err := range []error{
		nil, failed(telemetry.Timeout), failed(telemetry.Timeout), failed(telemetry.Denied), failed(telemetry.Denied), nil, nil,
	} {
		o.Refreshed(telemetry.Status{Sources: []telemetry.SourceStatus{{Name: "a", Err: err}}})
	}
	for _, invalid := range []int{0, 3, 4, 0} {
		o.Refreshed(telemetry.Status{Sources: []telemetry.SourceStatus{{Name: "a", LeftOut: map[telemetry.Reason]telemetry.LeftOut{telemetry.Invalid: {Series: invalid}}}}})
	}
	var got []string
	for _, line := range logger.GetSink().(ktesting.Underlier).GetBuffer().Data() {
		got = append(got, fmt.Sprint(line.Message, " ", line.ParameterKVList))
	}
	want := []string{
		"Reading telemetry fails [source a reason timeout pods pods are scheduled as kube-scheduler would]",
		"Reading telemetry fails [source a reason denied pods pods are scheduled as kube-scheduler would]",
		"Reading telemetry works again [source a]",
		"A source sends invalid series, which are left out [source a series 3]",
		"A source sends no invalid series any more [source a]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// lines returns what an observer has logged.
func lines(logger klog.Logger) []string {
	var all []string
	for _, line := range logger.GetSink().(ktesting.Underlier).GetBuffer().Data() {
		all = append(all, fmt.Sprint(line.Message, " ", line.ParameterKVList))
	}
	return all
}

// TestFailuresSayWhatTheyMeanForPods: it depends on what else there is.
func TestFailuresSayWhatTheyMeanForPods(t *testing.T) {
	down := errors.New("connection refused")
	cases := map[string]struct {
		status telemetry.Status
		want   string
	}{
		"no data yet":          {telemetry.Status{Sources: []telemetry.SourceStatus{{Name: "a", Err: down}}}, "pods are scheduled as kube-scheduler would"},
		"data of before":       {telemetry.Status{Generation: 3, Sources: []telemetry.SourceStatus{{Name: "a", Err: down}}}, "from expireAfter on pods are scheduled as kube-scheduler would"},
		"another source works": {telemetry.Status{Generation: 3, Sources: []telemetry.SourceStatus{{Name: "a", Err: down}, {Name: "b"}}}, "traffic that only this source sees is kept for retainFor"},
		"networks alone work":  {telemetry.Status{Sources: []telemetry.SourceStatus{{Name: "a", Err: down}, {Name: "n", Companion: true}}}, "[source a reason other pods pods are scheduled as kube-scheduler would]"},
		"networks fail":        {telemetry.Status{Sources: []telemetry.SourceStatus{{Name: "n", Companion: true, Err: down}}}, "the last known capacities of nodes' networks count on"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
			New(logger, flowgraph.NewStore(), time.Now, []string{"a", "b", "n"}).Refreshed(tc.status)
			if got := lines(logger); len(got) == 0 || !strings.Contains(got[0], tc.want) {
				t.Errorf("lines %q, want %q", got, tc.want)
			}
		})
	}
}

// TestTheFirstRefreshSaysWhatWasRead, once.
func TestTheFirstRefreshSaysWhatWasRead(t *testing.T) {
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
	store := flowgraph.NewStore()
	o := New(logger, store, time.Now, []string{"mesh", "other"})
	sources := []telemetry.SourceStatus{{Name: "mesh", Flows: 2}, {Name: "other", Err: errors.New("down")}}
	o.Refreshed(telemetry.Status{Sources: sources[1:]})
	edge := func(to string, bytes float64) flowgraph.Edge {
		return flowgraph.Edge{From: flowgraph.WorkloadID{Name: "web"}, To: flowgraph.WorkloadID{Name: to}, Rates: flowgraph.Rates{SentBytesPerSecond: bytes}}
	}
	store.Publish(flowgraph.NewSnapshot(1, start, []flowgraph.Edge{edge("db", 20<<20), edge("cart", 3<<20)}))
	for range 2 {
		o.Refreshed(telemetry.Status{Generation: store.Load().Generation(), Sources: sources})
	}
	if got := lines(logger); len(got) != 2 || got[1] != "Telemetry is read [graph 3 workloads, 2 edges, 23.0 MiB/s from mesh]" {
		t.Errorf("lines %q", got)
	}
}

// TestConditions: a line and a value for each change of a condition, whatever its
// counts do; a failed answer changes nothing.
func TestConditions(t *testing.T) {
	registry := metrics.NewKubeRegistry()
	logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
	o := New(logger, flowgraph.NewStore(), time.Now, []string{"a"})
	o.Register(registry.MustRegister)
	finding := func(what string) []telemetry.Finding {
		return []telemetry.Finding{{Condition: telemetry.MissingBytes, What: what, Why: "they show as 0", Do: "look there"}}
	}
	mixed := &telemetry.QueryError{Failure: telemetry.Mixed, Err: errors.New("x")}
	for i, step := range []struct {
		source telemetry.SourceStatus
		want   map[string]float64
	}{
		{telemetry.SourceStatus{}, map[string]float64{}},
		{telemetry.SourceStatus{Findings: finding("2 pairs")}, map[string]float64{"missing-bytes a": 1}},
		{telemetry.SourceStatus{Findings: finding("3 pairs")}, map[string]float64{"missing-bytes a": 1}},
		{telemetry.SourceStatus{Err: errors.New("down")}, map[string]float64{"missing-bytes a": 1}},
		{telemetry.SourceStatus{Err: mixed, Findings: []telemetry.Finding{{Condition: telemetry.SeveralClusters, What: "2 clusters", Names: []string{"east", "west"}, Setting: "cluster", Value: "east"}}}, map[string]float64{"several-clusters a": 1}},
		{telemetry.SourceStatus{}, map[string]float64{}},
	} {
		step.source.Name = "a"
		o.Refreshed(telemetry.Status{Sources: []telemetry.SourceStatus{step.source}})
		if diff := cmp.Diff(step.want, values(t, registry, "vicinity_telemetry_condition")); diff != "" {
			t.Errorf("round %d (-want +got):\n%s", i, diff)
		}
	}
	var got []string
	for _, line := range lines(logger) {
		if strings.Contains(line, "ondition") || strings.Contains(line, "looks like") {
			got = append(got, line)
		}
	}
	want := []string{
		"The telemetry is not what it looks like [source a condition missing-bytes what 2 pairs why they show as 0 next look there]",
		"A condition of the telemetry has passed [source a condition missing-bytes]",
		"The telemetry is not what it looks like [source a condition several-clusters what 2 clusters (east, west) why  next set cluster: 'east' for the source a in the TelemetryConfiguration]",
		"A condition of the telemetry has passed [source a condition several-clusters]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
