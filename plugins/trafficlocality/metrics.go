package trafficlocality

import (
	"sync"
	"sync/atomic"

	"k8s.io/component-base/metrics"

	"github.com/vicinity-sched/vicinity/internal/metricdef"
)

// skipReason says why a cycle went on without the plugin.
type skipReason int

const (
	notSkipped skipReason = iota
	skipNoData
	skipExpired
	skipNoTraffic
	skipNoNodes
	skipNoPeers
	skipPanic
	skipPreparing
	skipOff
)

// skipReasons returns every reason, notSkipped excepted.
func skipReasons() []skipReason {
	return []skipReason{skipNoData, skipExpired, skipNoTraffic, skipNoNodes, skipNoPeers, skipPanic, skipPreparing, skipOff}
}

// String returns the reason as the metric's label has it.
func (r skipReason) String() string {
	switch r {
	case skipNoData:
		return "no-data"
	case skipExpired:
		return "expired"
	case skipNoTraffic:
		return "no-traffic"
	case skipNoNodes:
		return "no-nodes"
	case skipNoPeers:
		return "no-peers"
	case skipPanic:
		return "panic"
	case skipPreparing:
		return "preparing"
	case skipOff:
		return "off"
	default:
		return "none"
	}
}

// meaning is what the manual says of the reason.
func (r skipReason) meaning() string {
	switch r {
	case skipNoData:
		return "No telemetry has been read yet."
	case skipExpired:
		return "The data is older than `expireAfter`."
	case skipNoTraffic:
		return "The graph has no traffic of the pod's workload."
	case skipNoNodes:
		return "The scheduler could not list its nodes."
	case skipNoPeers:
		return "No candidate node is close to a pod or a site that the workload has traffic with."
	case skipPanic:
		return "PreScore panicked."
	case skipPreparing:
		return "The plugin is reading the cluster's nodes and pods again after a panic. At the start, the first pod waits up to ten seconds for that."
	case skipOff:
		return "The pod has opted out by the annotation `vicinity.dev/locality`, or has not opted in although `optIn` is set."
	default:
		return ""
	}
}

// Metrics counts what the plugins of a process do.
type Metrics struct {
	set         metricdef.Set
	skips       metricdef.Family[metrics.CounterMetric]
	notAmong    metrics.CounterMetric
	behind      metrics.CounterMetric
	spread      metrics.ObserverMetric
	informed    metricdef.Family[metrics.CounterMetric]
	panicsTotal metrics.CounterMetric
	sitesApart  atomic.Int64

	mustRegister func(...metrics.Registerable)
	shadowOnce   sync.Once
	shadow       *shadowMetrics
}

// NewMetrics returns the plugin's metrics and registers them with the given
// function, e.g. legacyregistry.MustRegister.
func NewMetrics(mustRegister func(...metrics.Registerable)) *Metrics {
	var reasons []metricdef.Value
	for _, r := range skipReasons() {
		reasons = append(reasons, metricdef.Value{Name: r.String(), Meaning: r.meaning()})
	}
	m := &Metrics{mustRegister: mustRegister}
	m.skips = m.set.Counters(metricdef.Metric{
		Name:   "vicinity_cycles_skipped_total",
		Help:   "Scheduling cycles in which TrafficLocality had no say, by reason.",
		Labels: []metricdef.Label{{Name: "reason", Values: reasons}},
		Alerts: []metricdef.Alert{{
			Name: "VicinityWithoutData",
			PromQL: `sum without (reason) (rate(vicinity_cycles_skipped_total{reason=~"no-data|expired"}[15m]))
  / (sum without (reason) (rate(vicinity_cycles_skipped_total[15m])) + rate(vicinity_score_spread_points_count[15m])) > 0.5`,
			Meaning: "More than half of the pods are scheduled as by kube-scheduler, because the traffic was never read or was last read too long ago. See VicinityTelemetryFails. Without `--telemetry-config` the alert always fires.",
		}},
	})
	m.spread = m.set.Histogram(metricdef.Metric{
		Name: "vicinity_score_spread_points",
		Help: "Difference between the scores of the best and the worst candidate node, in points of 0 to 100 before the plugin's weight; one observation for each cycle that was not skipped. " +
			"Only a difference between nodes can move a pod: if all candidates have the same score, however high, TrafficLocality has no say.",
		Buckets: []float64{0, 1, 2, 5, 10, 20, 40, 60, 80, 100},
		Alerts: []metricdef.Alert{{
			Name: "VicinityHasNoSay",
			PromQL: `sum without (le) (rate(vicinity_score_spread_points_bucket{le="1"}[1h]))
  / rate(vicinity_score_spread_points_count[1h]) > 0.9`,
			Meaning: "In more than nine of ten cycles that were scored, the best and the worst node differ by one point or less. Either the pods have little traffic (`significantRate`), or the data is stale, or peers run equally on every node.",
		}},
	})
	m.defineInformed()
	m.notAmong = m.set.Counter(metricdef.Metric{
		Name: "vicinity_peer_nodes_not_scored_total",
		Help: "Scheduling cycles in which a node was closer to the pod's peers than every candidate, but was not among the candidates: kube-scheduler had not sampled it, or the pod does not fit there.",
		Alerts: []metricdef.Alert{{
			Name: "VicinityMissesPeerNodes",
			PromQL: `rate(vicinity_peer_nodes_not_scored_total[1h])
  / (rate(vicinity_score_spread_points_count[1h]) + sum without (reason) (rate(vicinity_cycles_skipped_total{reason="no-peers"}[1h]))) > 0.5`,
			Meaning: "In more than half of the cycles the best node was not a candidate. Raise `percentageOfNodesToScore`. If it is 100 already, the nodes where the peers run are full or refuse the pods.",
		}},
	})
	m.behind = m.set.Counter(metricdef.Metric{
		Name: "vicinity_cycles_behind_total",
		Help: "Scheduling cycles in which more nodes had changed than TrafficLocality takes over in one cycle. It scored the other nodes by what it last knew of them, and took them over in the next cycles.",
	})
	m.set.GaugeFunc(metricdef.Metric{
		Name: "vicinity_sites_apart",
		Help: "Sites of the TelemetryConfiguration that have traffic, but no node in their zone (or in their region, if no zone is set). Counted when a pod is first scored with a new graph.",
		Alerts: []metricdef.Alert{{
			Name:    "VicinitySiteApart",
			PromQL:  `vicinity_sites_apart > 0`,
			Meaning: "A site draws no pods, because no node is in its zone or region. Compare `zone` and `region` of `sites` with the labels `topology.kubernetes.io/zone` and `topology.kubernetes.io/region` of the nodes.",
		}},
	}, func() float64 { return float64(m.sitesApart.Load()) })
	m.panicsTotal = m.set.Counter(metricdef.Metric{
		Name: "vicinity_panics_recovered_total",
		Help: "Panics of TrafficLocality that were recovered. After a panic in PreScore the pod is scheduled without the plugin; after one in Score the node scores 0; one in Reserve (`shadow`) changes nothing.",
		Alerts: []metricdef.Alert{{
			Name:    "VicinityPanics",
			PromQL:  `increase(vicinity_panics_recovered_total[1h]) > 0`,
			Meaning: "A bug in Vicinity. Pods are still scheduled. Please report the log line that begins with \"TrafficLocality recovered\".",
		}},
	})
	m.set.Register(mustRegister)
	return m
}

// Definitions returns what the metrics are.
func (m *Metrics) Definitions() []metricdef.Metric { return m.set.Metrics() }

func (m *Metrics) skipped(reason skipReason) { m.skips.With(reason.String()).Inc() }
func (m *Metrics) noteSitesApart(n int)      { m.sitesApart.Store(int64(n)) }
func (m *Metrics) fellBehind()               { m.behind.Inc() }
func (m *Metrics) peersNotScored()           { m.notAmong.Inc() }
func (m *Metrics) scored(best, worst uint8)  { m.spread.Observe(float64(best) - float64(worst)) }
func (m *Metrics) panicked()                 { m.panicsTotal.Inc() }
