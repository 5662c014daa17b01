// Package telemetrymetrics shows what the telemetry manager does and the graph
// that comes of it: as metrics, and as a log line when a source begins or ceases
// to fail. It queries nothing itself.
package telemetrymetrics

import (
	"math"
	"slices"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/metricdef"
)

// success is the result of a refresh that did not fail.
const success = "success"

var _ telemetry.Observer = (*Observer)(nil)

// Observer turns the rounds of the telemetry into metrics, and into a log line
// when a source's state changes: a Prometheus that is down for a day is one
// line, not thousands.
type Observer struct {
	logger  klog.Logger
	store   *flowgraph.Store
	failing map[string]telemetry.Failure // by source
	invalid map[string]bool              // by source: whether some of its series are
	found   map[foundKey]bool            // conditions by source
	began   bool                         // whether there has been a snapshot

	set          metricdef.Set
	refreshes    metricdef.Family[metrics.CounterMetric]
	duration     metricdef.Family[metrics.ObserverMetric]
	series       metricdef.Family[metrics.GaugeMetric]
	leftOut      metricdef.Family[metrics.GaugeMetric]
	leftOutBytes metricdef.Family[metrics.GaugeMetric]
	sitesBytes   metricdef.Family[metrics.GaugeMetric]
	condition    metricdef.Family[metrics.GaugeMetric]
	refused      metrics.CounterMetric
	surplus      metrics.CounterMetric
	cutting      bool // whether the last round had surplus edges
}

// New returns an Observer of the sources with the given names and of the graph
// in store, whose age it measures by now. Its metrics measure nothing before
// Register.
func New(logger klog.Logger, store *flowgraph.Store, now func() time.Time, sources []string) *Observer {
	o := &Observer{
		logger: logger, store: store,
		failing: map[string]telemetry.Failure{}, invalid: map[string]bool{}, found: map[foundKey]bool{},
	}
	o.defineGraph(store, now)
	o.defineSources(sources)
	return o
}

// Register registers the metrics with the given function, e.g.
// legacyregistry.MustRegister.
func (o *Observer) Register(mustRegister func(...metrics.Registerable)) { o.set.Register(mustRegister) }

// Definitions returns what the metrics are.
func (o *Observer) Definitions() []metricdef.Metric { return o.set.Metrics() }

func (o *Observer) defineGraph(store *flowgraph.Store, now func() time.Time) {
	o.set.GaugeFunc(metricdef.Metric{
		Name: "vicinity_graph_age_seconds",
		Help: "Age of the traffic graph's data at the moment of the scrape; +Inf before the first refresh.",
		Alerts: []metricdef.Alert{{
			Name:    "VicinityDataStale",
			PromQL:  `vicinity_graph_age_seconds > 300`,
			Meaning: "The data is older than `staleAfter` (here the default, 5 minutes): the plugin loses influence, and has none left at `expireAfter`. +Inf means that no refresh has succeeded yet, or that there is no `--telemetry-config`.",
		}},
	}, func() float64 {
		snap := store.Load()
		if snap.Generation() == 0 {
			return math.Inf(1)
		}
		return now().Sub(snap.At()).Seconds()
	})
	o.set.GaugeFunc(metricdef.Metric{
		Name: "vicinity_graph_generation",
		Help: "Number of snapshots of the traffic graph that were published since the start, or since the task `telemetry` last began again.",
	}, func() float64 { return float64(store.Load().Generation()) })
	o.set.GaugeFunc(metricdef.Metric{
		Name: "vicinity_graph_edges",
		Help: "Edges in the traffic graph.",
	}, func() float64 { return float64(store.Load().EdgeCount()) })
	o.set.GaugeFunc(metricdef.Metric{
		Name: "vicinity_graph_workloads",
		Help: "Workloads in the traffic graph.",
	}, func() float64 {
		snap := store.Load()
		return float64(snap.Len() - len(snap.Sites()))
	})
	o.refused = o.set.Counter(metricdef.Metric{
		Name: "vicinity_graph_refused_flows_total",
		Help: "Flows that the traffic graph refused, because they name no workload or their rate is invalid.",
	})
	o.surplus = o.set.Counter(metricdef.Metric{
		Name: "vicinity_graph_surplus_edges_total",
		Help: "Edges that were dropped because the traffic graph has more edges or workloads than `trust.limits` allow: new ones before known ones, then the smallest. What a refresh cuts off before the graph is in `vicinity_telemetry_left_out_series`, reason `surplus`.",
		Alerts: []metricdef.Alert{{
			Name: "VicinityGraphFull",
			PromQL: `increase(vicinity_graph_surplus_edges_total[15m]) > 0
  or sum without (source, reason) (vicinity_telemetry_left_out_series{reason="surplus"}) > 0`,
			Meaning: "There are more edges or workloads than `trust.limits` allow. Find the namespace with the most edges (`vicinity graph`): it may flood the telemetry ([security.md](security.md)). If its traffic is real, raise the limits and the memory of the scheduler's pods.",
		}},
	})
}

func (o *Observer) defineSources(sources []string) {
	source := metricdef.Label{Name: "source", From: "the names in the TelemetryConfiguration"}
	for _, name := range sources {
		source.Values = append(source.Values, metricdef.Value{Name: name})
	}
	result := metricdef.Label{Name: "result", Values: []metricdef.Value{{Name: success, Meaning: "The graph has the source's new flows."}}}
	for _, f := range telemetry.Failures() {
		result.Values = append(result.Values, metricdef.Value{Name: f.String(), Meaning: meaningOfFailure(f)})
	}
	reason := metricdef.Label{Name: "reason"}
	for _, r := range telemetry.Reasons() {
		reason.Values = append(reason.Values, metricdef.Value{Name: r.String(), Meaning: meaningOfReason(r)})
	}
	o.refreshes = o.set.Counters(metricdef.Metric{
		Name:   "vicinity_telemetry_refreshes_total",
		Help:   "Refreshes of a source by result: success, or the reason of the failure.",
		Labels: []metricdef.Label{source, result},
		Alerts: []metricdef.Alert{{
			Name:    "VicinityTelemetryFails",
			PromQL:  `sum without (result) (increase(vicinity_telemetry_refreshes_total{result="success"}[15m])) == 0`,
			Meaning: "A source was not read for a quarter of an hour. The other values of `result` say why, and the scheduler's log has the error. If `interval` is longer than 30 s, lengthen the range to 30 intervals.",
		}, {
			Name:    "VicinityTelemetryEmpty",
			PromQL:  `sum without (result) (increase(vicinity_telemetry_refreshes_total{result="empty"}[15m])) > 0`,
			Meaning: "Prometheus answers, but its answers name no pair of workloads; the graph keeps what it had. If this lasts, check `selector`, `cluster` and `window` of the source, and what was left out; `vicinity graph` explains it.",
		}},
	})
	o.duration = o.set.Histograms(metricdef.Metric{
		Name:    "vicinity_telemetry_refresh_duration_seconds",
		Help:    "Time that a refresh of a source took, whatever its result, with all its queries one after the other.",
		Labels:  []metricdef.Label{source},
		Buckets: []float64{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120},
		Alerts: []metricdef.Alert{{
			Name: "VicinityTelemetrySlow",
			PromQL: `histogram_quantile(0.9, sum by (source, le) (
  rate(vicinity_telemetry_refresh_duration_seconds_bucket[30m]))) > 15`,
			Meaning: "A refresh takes more than half of `interval` (here the default, 30 s): the data grows old, and Prometheus spends much of its time on these queries. Use recording rules, or a longer `interval`.",
		}},
	})
	o.defineAnswers(source, reason)
	o.defineConditions(source)
}

// defineAnswers defines what is known of the last answers to a source.
func (o *Observer) defineAnswers(source, reason metricdef.Label) {
	o.series = o.set.Gauges(metricdef.Metric{
		Name:   "vicinity_telemetry_series",
		Help:   "Series in the last answers to all queries of a source.",
		Labels: []metricdef.Label{source},
	})
	o.leftOut = o.set.Gauges(metricdef.Metric{
		Name:   "vicinity_telemetry_left_out_series",
		Help:   "Series of the last answers that belong to no pair of workloads, by source and reason.",
		Labels: []metricdef.Label{source, reason},
		Alerts: []metricdef.Alert{{
			Name: "VicinityTrafficUnresolved",
			PromQL: `sum without (reason) (vicinity_telemetry_left_out_series{reason=~"missing-label|unknown-workload|no-objects|unknown-object|not-serving|ambiguous|invalid"})
  / (vicinity_telemetry_series > 0) > 0.2`,
			Meaning: "A fifth of the series within the cluster cannot be attributed to workloads, and does not count. Find out which proxies lack the workload's name, what removes labels (reason `missing-label`), or whether the metrics are of another cluster (`unknown-object`).",
		}, {
			Name:    "VicinityForeignReports",
			PromQL:  `sum without (reason) (vicinity_telemetry_left_out_series{reason=~"foreign-reporter|unknown-reporter"}) > 0`,
			Meaning: "Targets report for other namespaces, or the scrape does not say which namespace a target is in. Find them in Prometheus by the label that `trust.reporterNamespaceLabel` names.",
		}},
	})
	o.leftOutBytes = o.set.Gauges(metricdef.Metric{
		Name:   "vicinity_telemetry_left_out_bytes_per_second",
		Help:   "Traffic of the last answers, in both directions, that belongs to no pair of workloads, by source and reason; always 0 for invalid, unknown-reporter and foreign-reporter, whose values are not believed.",
		Labels: []metricdef.Label{source, reason},
	})
	o.sitesBytes = o.set.Gauges(metricdef.Metric{
		Name:   "vicinity_telemetry_sites_bytes_per_second",
		Help:   "Traffic of the last answers, in both directions, between workloads and the `sites` of the TelemetryConfiguration, by source. What else is outside the cluster is in `vicinity_telemetry_left_out_bytes_per_second`, reasons `external`, `passthrough` and `unknown-address`.",
		Labels: []metricdef.Label{source},
	})
}

// Refreshed notes one round.
func (o *Observer) Refreshed(status telemetry.Status) {
	working := slices.ContainsFunc(status.Sources, func(s telemetry.SourceStatus) bool { return s.Err == nil && !s.Companion })
	for _, source := range status.Sources {
		o.note(source, meaningForPods(source.Companion, working, status.Generation > 0))
	}
	o.refused.Add(float64(status.InvalidFlows))
	o.surplus.Add(float64(status.SurplusEdges))
	o.noteSurplus(status)
	o.noteBeginning(status)
}

func (o *Observer) note(source telemetry.SourceStatus, pods string) {
	o.duration.With(source.Name).Observe(source.Duration.Seconds())
	result := success
	failure := knownFailure(source.Err)
	if source.Err != nil {
		result = failure.String()
	}
	o.refreshes.With(source.Name, result).Inc()
	o.noteFailure(source, failure, pods)
	switch failure {
	case telemetry.NoFailure, telemetry.Empty, telemetry.Mixed:
		o.noteAnswer(source)
		o.noteConditions(source)
	}
}

// knownFailure is the kind of an error: one of telemetry.Failures, or
// NoFailure.
func knownFailure(err error) telemetry.Failure {
	failure := telemetry.FailureOf(err)
	if err != nil && !slices.Contains(telemetry.Failures(), failure) {
		return telemetry.OtherFailure
	}
	return failure
}
