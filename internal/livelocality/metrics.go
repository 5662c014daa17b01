package livelocality

import (
	"context"
	"time"

	"k8s.io/component-base/metrics"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/cut"
	"github.com/vicinity-sched/vicinity/flowgraph/locality"
	"github.com/vicinity-sched/vicinity/internal/metricdef"
)

// Part is a part of the traffic: where it stays, or why that is not known.
type Part struct {
	// Name is the part in metrics and in JSON.
	Name string
	// Title is the same for people, and Meaning says it in a sentence.
	Title, Meaning string
	of             func(*cut.Distance) float64
}

// Parts are those of all traffic: they have nothing in common.
func Parts() []Part {
	within := func(level locality.Level) func(*cut.Distance) float64 {
		for k, l := range locality.Levels() {
			if l == level {
				return func(d *cut.Distance) float64 { return d.Within[k] }
			}
		}
		return func(*cut.Distance) float64 { return 0 }
	}
	return []Part{
		{"node", "on one node", "It stays on one node.", within(locality.Node)},
		{"zone", "between nodes of one zone", "It stays in one zone, and goes from one node to another, or to or from a site outside the cluster.", within(locality.Zone)},
		{"region", "between zones of one region", "It stays in one region and, as far as the nodes' labels say, in no zone.", within(locality.Region)},
		{"beyond", "farther", "It goes from one region to another; from one zone to another where no node has a region, and from one node to another where none has a zone.",
			func(d *cut.Distance) float64 { return d.Beyond }},
		{"unknown", "where to is not known", "One end is on a node whose labels do not say where it is, though those of other nodes do.",
			func(d *cut.Distance) float64 { return d.Unknown }},
		{"unserved", "to or from no serving pod", "One end has pods, none of which serves: the traffic is of the past.",
			func(d *cut.Distance) float64 { return d.Unserved }},
		{"outside", "with no pod of the cluster", "One end has no pod in the cluster.",
			func(d *cut.Distance) float64 { return d.External }},
	}
}

// Of returns the part of some traffic, in bytes per second in both directions.
func (p Part) Of(d *cut.Distance) float64 { return p.of(d) }

// pods says whose traffic is meant, in metrics.
func pods() metricdef.Label {
	return metricdef.Label{Name: "pods", Values: []metricdef.Value{
		{Name: "all", Meaning: "All pods."},
		{Name: "vicinity", Meaning: "Pods of workloads whose serving pods were all placed by a profile with TrafficLocality; traffic with such a workload at either end."},
	}}
}

// Metrics shows how far traffic goes.
type Metrics struct {
	set     metricdef.Set
	traffic metricdef.Family[metrics.GaugeMetric]
	serving metricdef.Family[metrics.GaugeMetric]
}

// NewMetrics returns Metrics that measure nothing before Register.
func NewMetrics() *Metrics {
	m := &Metrics{}
	var parts []metricdef.Value
	for _, p := range Parts() {
		parts = append(parts, metricdef.Value{Name: p.Name, Meaning: p.Meaning})
	}
	m.traffic = m.set.Gauges(metricdef.Metric{
		Name: "vicinity_traffic_bytes_per_second",
		Help: "Traffic of the graph in both directions, by how far it goes: as pods are placed and as calls are divided now, once a minute. The levels have nothing in common, so that their sum is all of it. " +
			"What telemetry could not tell apart by workload is not in the graph: see vicinity_telemetry_left_out_bytes_per_second. A standby says the same as the leader: take the maximum over instances, not the sum. 0 before there is a graph.",
		Labels: []metricdef.Label{{Name: "level", Values: parts}, pods()},
	})
	m.serving = m.set.Gauges(metricdef.Metric{
		Name: "vicinity_serving_pods",
		Help: "Pods that serve, by whether the graph has any traffic of their workload. What the others exchange is not seen.",
		Labels: []metricdef.Label{{Name: "traffic", Values: []metricdef.Value{
			{Name: "seen", Meaning: "The graph has traffic of the pod's workload."},
			{Name: "none", Meaning: "It has none: the pod is not in the mesh, or exchanges no traffic."},
		}}, pods()},
	})
	return m
}

// Register registers the metrics with the given function, such as
// legacyregistry.MustRegister.
func (m *Metrics) Register(mustRegister func(...metrics.Registerable)) { m.set.Register(mustRegister) }

// Definitions returns what the metrics are.
func (m *Metrics) Definitions() []metricdef.Metric { return m.set.Metrics() }

// Show shows a measurement.
func (m *Metrics) Show(of *Measurement) {
	for whose, label := range pods().Values {
		for _, p := range Parts() {
			m.traffic.With(p.Name, label.Name).Set(p.Of(&of.Distances[whose]))
		}
		m.serving.With("seen", label.Name).Set(float64(of.Serving[whose] - of.Silent[whose]))
		m.serving.With("none", label.Name).Set(float64(of.Silent[whose]))
	}
}

// How often it is measured, and looked whether that can begin.
const (
	measureEvery = time.Minute
	lookEvery    = time.Second
)

// Run measures and shows the traffic of a store's snapshots until ctx ends. It may be called
// again after a panic: what was kept is made anew.
func Run(ctx context.Context, f *Follower, store *flowgraph.Store, m *Metrics) {
	f.measured = measured{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		pause := lookEvery
		if snap := store.Load(); snap.Generation() > 0 && f.HasSynced() {
			m.Show(f.Measure(snap))
			pause = measureEvery
		}
		timer.Reset(pause)
	}
}
