package trafficlocality

import (
	"context"

	v1 "k8s.io/api/core/v1"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/score"
	"github.com/vicinity-sched/vicinity/internal/metricdef"
)

// ColdStarts puts into the Store what is declared of workloads that have no past.
type ColdStarts interface {
	// Meet does so for the workload of a pod that is about to be looked at. It must be
	// quick where there is nothing new.
	Meet(pod *v1.Pod)
	// HasNews reports whether there is something that is not in the Store yet, for who may
	// not wait for it.
	HasNews(pod *v1.Pod) bool
}

// meet has what is declared of the pod's workload in the Store. A panic is one of the
// plugin's own, and costs the pod no more than what is declared of it.
func (p *Plugin) meet(ctx context.Context, pod *v1.Pod) {
	if p.starts == nil {
		return
	}
	defer func() {
		if cause := recover(); cause != nil {
			p.recovered(ctx, "Meet", cause)
		}
	}()
	p.starts.Meet(pod)
}

// hasNews reports whether something is declared of the pod's workload that does not count yet.
func (p *Plugin) hasNews(pod *v1.Pod) bool { return p.starts != nil && p.starts.HasNews(pod) }

// defineInformed defines the metric of what is declared.
func (m *Metrics) defineInformed() {
	var kinds []metricdef.Value
	for _, o := range flowgraph.DeclaredOrigins() {
		kinds = append(kinds, metricdef.Value{Name: o.String(), Meaning: meaningOfOrigin(o)})
	}
	m.informed = m.set.Counters(metricdef.Metric{
		Name:   "vicinity_cycles_informed_total",
		Help:   "Scheduling cycles in which a declared edge with a peer that is there, or will be, was part of the score, by the kind of the declaration. A cycle counts once for each kind.",
		Labels: []metricdef.Label{{Name: "kind", Values: kinds}},
	})
}

// informedBy counts what a cycle has rested on beside the telemetry.
func (m *Metrics) informedBy(result *score.Result) {
	if result.Basis != score.ByGain {
		return
	}
	for _, origin := range flowgraph.DeclaredOrigins() {
		if result.Origins.Has(origin) {
			m.informed.With(origin.String()).Inc()
		}
	}
}

// meaningOfOrigin is what the manual says of an origin.
func meaningOfOrigin(o flowgraph.Origin) string {
	switch o {
	case flowgraph.FromAnnotation:
		return "The annotation `vicinity.dev/peers`."
	case flowgraph.FromAppGroup:
		return "A dependency in an AppGroup of scheduler-plugins."
	case flowgraph.FromSidecar:
		return "An egress host of an Istio Sidecar."
	case flowgraph.Inherited:
		return "An edge of the workload's predecessor."
	}
	return ""
}
