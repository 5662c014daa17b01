package trafficlocality

import "k8s.io/component-base/metrics"

// skipReason says why a cycle went on without the plugin.
type skipReason int

const (
	notSkipped skipReason = iota
	skipNoData
	skipExpired
	skipNoTraffic
	skipNoNodes
	skipNoPeers
)

// String returns the reason as the metric's label has it.
func (r skipReason) String() string {
	switch r {
	case skipNoData:
		return "no_data"
	case skipExpired:
		return "expired"
	case skipNoTraffic:
		return "no_traffic"
	case skipNoNodes:
		return "no_nodes"
	case skipNoPeers:
		return "no_peers"
	default:
		return "none"
	}
}

// Metrics counts what the plugins of a process do.
type Metrics struct {
	skips       *metrics.CounterVec
	byReason    [skipNoPeers + 1]metrics.CounterMetric
	notAmong    *metrics.Counter
	panicsTotal *metrics.Counter
}

// NewMetrics returns the plugin's metrics and registers them with the given
// function, e.g. legacyregistry.MustRegister.
func NewMetrics(mustRegister func(...metrics.Registerable)) *Metrics {
	m := &Metrics{
		skips: metrics.NewCounterVec(&metrics.CounterOpts{
			Namespace: "vicinity", Name: "cycles_skipped_total", StabilityLevel: metrics.ALPHA,
			Help: "Scheduling cycles in which TrafficLocality had nothing to say, by reason.",
		}, []string{"reason"}),
		notAmong: metrics.NewCounter(&metrics.CounterOpts{
			Namespace: "vicinity", Name: "peer_nodes_not_scored_total", StabilityLevel: metrics.ALPHA,
			Help: "Scheduling cycles in which no candidate node was close to a peer, although a node outside the candidates was.",
		}),
		panicsTotal: metrics.NewCounter(&metrics.CounterOpts{
			Namespace: "vicinity", Name: "panics_recovered_total", StabilityLevel: metrics.ALPHA,
			Help: "Panics of TrafficLocality that were recovered; the pod was scheduled without it.",
		}),
	}
	mustRegister(m.skips, m.notAmong, m.panicsTotal)
	for reason := skipNoData; reason <= skipNoPeers; reason++ {
		m.byReason[reason] = m.skips.WithLabelValues(reason.String())
	}
	return m
}

func (m *Metrics) skipped(reason skipReason) { m.byReason[reason].Inc() }
func (m *Metrics) peersNotScored()           { m.notAmong.Inc() }
func (m *Metrics) panicked()                 { m.panicsTotal.Inc() }
