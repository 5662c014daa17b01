package trafficlocality

import (
	"sync"

	"k8s.io/component-base/metrics"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/metricdef"
)

// shadowOutcome says what a decision in shadow mode was compared with the one that
// TrafficLocality would have made.
type shadowOutcome string

const (
	shadowSame        shadowOutcome = "same"
	shadowOther       shadowOutcome = "other"
	shadowNoSay       shadowOutcome = "no-say"
	shadowNotLookedAt shadowOutcome = "not-looked-at"
	shadowUnclear     shadowOutcome = "unclear"
)

const (
	// MostShadowWorkloads is how many workloads the metrics of shadow mode tell apart, the first
	// that come.
	MostShadowWorkloads = 500
	// OtherWorkloads is what the metrics call all others.
	OtherWorkloads = "(others)"
)

// Names of the metrics of shadow mode, which `vicinity locality --shadow` reads.
const (
	ShadowDecisionsMetric = "vicinity_shadow_decisions_total"
	ShadowWorkloadsMetric = "vicinity_shadow_workload_decisions_total"
	ShadowBytesMetric     = "vicinity_shadow_workload_bytes_per_second_total"
)

// shadowMetrics counts what the plugins in shadow mode would have done.
type shadowMetrics struct {
	set        metricdef.Set
	decisions  metricdef.Family[metrics.CounterMetric]
	byWorkload metricdef.Family[metrics.CounterMetric]
	bytes      metricdef.Family[metrics.CounterMetric]

	mu    sync.Mutex
	names map[flowgraph.WorkloadID]string
}

func newShadowMetrics() *shadowMetrics {
	m := &shadowMetrics{names: map[flowgraph.WorkloadID]string{}}
	same := metricdef.Value{Name: string(shadowSame), Meaning: "The chosen node is among the best by all scores, including TrafficLocality's at its weight."}
	other := metricdef.Value{Name: string(shadowOther), Meaning: "It is not among the best: another node would have been chosen."}
	workload := metricdef.Label{Name: "workload", Open: true,
		From: "namespace/name of the first 500 workloads that there was a decision about since the start, and `(others)`"}
	m.decisions = m.set.Counters(metricdef.Metric{
		Name: ShadowDecisionsMetric,
		Help: "Decisions of profiles in shadow mode, by whether another node would have been chosen with TrafficLocality.",
		Labels: []metricdef.Label{{Name: "outcome", Values: []metricdef.Value{
			same, other,
			{Name: string(shadowNoSay), Meaning: "TrafficLocality had no say (vicinity_cycles_skipped_total): the node would be the same."},
			{Name: string(shadowNotLookedAt), Meaning: "No node was scored: only one was feasible, the pod was batched with the one before, or it was placed with a pod group."},
			{Name: string(shadowUnclear), Meaning: "It cannot be told: computed again, the scores do not make the chosen node the best, because an extender or something else has a say in them; or Reserve panicked."},
		}}},
	})
	m.byWorkload = m.set.Counters(metricdef.Metric{
		Name:   ShadowWorkloadsMetric,
		Help:   "The decisions of vicinity_shadow_decisions_total in which TrafficLocality had a say, by workload.",
		Labels: []metricdef.Label{workload, {Name: "outcome", Values: []metricdef.Value{same, other}}},
	})
	m.bytes = m.set.Counters(metricdef.Metric{
		Name: ShadowBytesMetric,
		Help: "Sum over the decisions with outcome `other`, in bytes per second: how much more traffic stays within a level with the pod on a node than without it. It depends on the pods that existed at that moment, and is at most what a pod of the workload exchanges on average. " +
			"It grows with decisions, not with time. Requests add nothing; edges that are only declared count. A level with the closeness of the next wider level is ignored. " +
			"If several nodes are equally good, the preferred one is that with the fewest points of TrafficLocality.",
		Labels: []metricdef.Label{workload,
			{Name: "node", Values: []metricdef.Value{
				{Name: "chosen", Meaning: "The node that was chosen."},
				{Name: "preferred", Meaning: "The node that would have been chosen."},
			}},
			{Name: "within", Values: []metricdef.Value{
				{Name: "node", Meaning: "It stays on the node."},
				{Name: "zone", Meaning: "It stays in the zone, on the node included."},
				{Name: "cluster", Meaning: "All that a pod of the workload exchanges on average, the same for both nodes."},
			}},
		},
	})
	return m
}

// decided counts a decision.
func (m *shadowMetrics) decided(outcome shadowOutcome, id flowgraph.WorkloadID) {
	m.decisions.With(string(outcome)).Inc()
	if outcome == shadowSame || outcome == shadowOther {
		m.byWorkload.With(m.nameOf(id), string(outcome)).Inc()
	}
}

// differs adds what stays local of a pod that would have another node.
func (m *shadowMetrics) differs(id flowgraph.WorkloadID, chosen, preferred score.Local) {
	name := m.nameOf(id)
	for node, local := range map[string]score.Local{"chosen": chosen, "preferred": preferred} {
		for within, bytes := range map[string]float64{"node": local.Node, "zone": local.Zone, "cluster": local.Rate} {
			m.bytes.With(name, node, within).Add(max(bytes, 0))
		}
	}
}

// nameOf is what the metrics call a workload.
func (m *shadowMetrics) nameOf(id flowgraph.WorkloadID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	name, known := m.names[id]
	switch {
	case known:
		return name
	case len(m.names) >= MostShadowWorkloads:
		return OtherWorkloads
	}
	name = id.String()
	m.names[id] = name
	return name
}

// inShadow returns the metrics of shadow mode, which are registered when they are first
// asked for: without it there are none.
func (m *Metrics) inShadow() *shadowMetrics {
	m.shadowOnce.Do(func() {
		m.shadow = newShadowMetrics()
		m.shadow.set.Register(m.mustRegister)
	})
	return m.shadow
}

// ShadowDefinitions returns what the metrics of shadow mode are.
func ShadowDefinitions() []metricdef.Metric { return newShadowMetrics().set.Metrics() }
