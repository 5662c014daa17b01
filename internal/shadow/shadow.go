// Package shadow reads from Prometheus what schedulers in shadow mode have recorded, and makes
// a Report of it, which is written as tables or JSON. It asks for nothing but their metrics.
package shadow

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/plugins/trafficlocality"
)

// Report is how often TrafficLocality would have had another node chosen, and what that would
// have kept local.
type Report struct {
	// At is the end of the time that it is about, and Since how long that is.
	At    time.Time
	Since time.Duration
	// Decisions are their numbers by outcome, as vicinity_shadow_decisions_total has it.
	Decisions map[string]float64
	// Other is what the pods exchange that would have another node, all together.
	Other Traffic
	// Workloads are those about which TrafficLocality had something to say: first those of
	// which the most would stay in the zone that does not, then on the node.
	Workloads []Workload
}

// Workload is the part of one workload.
type Workload struct {
	// Name is namespace/name, or trafficlocality.OtherWorkloads.
	Name string
	// Same and Differs are the numbers of decisions by whether the node would be the same.
	Same, Differs float64
	// Other is what its pods exchange that would have another node.
	Other Traffic
}

// Traffic is that of pods that would have another node, in bytes per second, summed up over the
// decisions, and what of it stays close on the node that they have and on the other one.
type Traffic struct {
	Rate              float64
	Chosen, Preferred Kept
}

// Kept is what stays on the node, and in the zone with what stays on the node included.
type Kept struct{ Node, Zone float64 }

// NothingError says that Prometheus knows of no scheduler in shadow mode.
type NothingError struct{ Since time.Duration }

// Error says what is missing and what to do.
func (e *NothingError) Error() string {
	return fmt.Sprintf("Prometheus has no %s of the last %s: set shadow: true in the TrafficLocalityArgs of a profile, have Prometheus scrape the scheduler's /metrics, and wait until pods are placed by it",
		trafficlocality.ShadowDecisionsMetric, show.Duration(e.Since))
}

// Read asks for what was recorded within a time before at.
func Read(ctx context.Context, q telemetry.Querier, at time.Time, since time.Duration) (*Report, error) {
	r := &Report{At: at, Since: since, Decisions: map[string]float64{}}
	workloads := map[string]*Workload{}
	of := func(s telemetry.Series) *Workload {
		name := s.Labels.Get("workload")
		if workloads[name] == nil {
			workloads[name] = &Workload{Name: name}
		}
		return workloads[name]
	}
	for _, question := range []struct {
		metric string
		by     string
		take   func(telemetry.Series)
	}{
		{trafficlocality.ShadowDecisionsMetric, "outcome", func(s telemetry.Series) { r.Decisions[s.Labels.Get("outcome")] += s.Value }},
		{trafficlocality.ShadowWorkloadsMetric, "workload, outcome", func(s telemetry.Series) {
			if w := of(s); s.Labels.Get("outcome") == "other" {
				w.Differs += s.Value
			} else {
				w.Same += s.Value
			}
		}},
		{trafficlocality.ShadowBytesMetric, "workload, node, within", func(s telemetry.Series) { of(s).Other.add(s) }},
	} {
		err := q.Query(ctx, increase(question.metric, question.by, since), at, func(s telemetry.Series) error {
			if !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0) {
				question.take(s)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("asking for %s: %w", question.metric, err)
		}
		if len(r.Decisions) == 0 {
			return nil, &NothingError{since}
		}
	}
	for _, w := range workloads {
		r.Workloads = append(r.Workloads, *w)
	}
	slices.SortFunc(r.Workloads, func(a, b Workload) int {
		return cmp.Or(cmp.Compare(b.Other.more().Zone, a.Other.more().Zone), cmp.Compare(b.Other.more().Node, a.Other.more().Node),
			cmp.Compare(b.Differs, a.Differs), cmp.Compare(a.Name, b.Name))
	})
	for _, w := range r.Workloads { // in order, for the same sum each time
		r.Other.Rate += w.Other.Rate
		for sum, kept := range map[*Kept]Kept{&r.Other.Chosen: w.Other.Chosen, &r.Other.Preferred: w.Other.Preferred} {
			sum.Node, sum.Zone = sum.Node+kept.Node, sum.Zone+kept.Zone
		}
	}
	return r, nil
}

// increase is the PromQL for how much a counter has grown within a time. A series that begins
// within it has begun at 0, which no scrape has seen: Prometheus' increase leaves its first
// value out, which for workloads with few pods is most of what there is.
func increase(metric, by string, within time.Duration) string {
	return fmt.Sprintf(`sum by (%[2]s) (label_replace(increase(%[1]s[%[3]ds]), "part", "later", "", "") or label_replace(min_over_time(%[1]s[%[3]ds]) unless %[1]s offset %[3]ds, "part", "first", "", ""))`,
		metric, by, int64(within/time.Second))
}

// add adds a series of the bytes.
func (t *Traffic) add(s telemetry.Series) {
	within := s.Labels.Get("within")
	kept := &t.Preferred
	if s.Labels.Get("node") == "chosen" {
		kept = &t.Chosen
		if within == "cluster" { // the same for both
			t.Rate += s.Value
		}
	}
	switch within {
	case "node":
		kept.Node += s.Value
	case "zone":
		kept.Zone += s.Value
	}
}

// more is what the other node would keep beyond the one that was chosen.
func (t *Traffic) more() Kept {
	return Kept{Node: t.Preferred.Node - t.Chosen.Node, Zone: t.Preferred.Zone - t.Chosen.Zone}
}
