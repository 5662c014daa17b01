package tally

import (
	"maps"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// Observation makes flows of what has been added, once. They are ordered by From and To.
// Pairs whose rates are all zero stay: zero was observed.
func (t *Tally) Observation(at time.Time) telemetry.Observation {
	t.foldInstances()
	t.resolve()
	t.disbelieveMixed()
	o := telemetry.Observation{Series: t.series, LeftOut: t.leftOut, Answered: map[string]int{}}
	for i, m := range t.o.Metrics {
		o.Answered[m.Query] = t.answered[i]
	}
	keys := t.keys(func(key) bool { return true })
	known := t.reportedByOneEnd(keys)
	t.agree(keys)
	t.thin()
	if len(keys) > len(t.sums) {
		keys = slices.DeleteFunc(keys, func(k key) bool {
			_, kept := t.sums[k]
			return !kept
		})
	}
	if flows := len(keys) - t.open; flows > 0 {
		o.Flows = make([]flowgraph.Flow, 0, flows)
	}
	for _, k := range keys {
		r := t.reports.at(t.sums[k])
		rates, _ := r.max().Clamp() // sums of rates
		switch {
		case !k.isOpen():
			if r.has == [2]uint8{} { // nothing is believed
				continue
			}
			o.Flows = append(o.Flows, flowgraph.Flow{
				From: t.endpoints[k.from].Workload(), To: t.endpoints[k.to].Workload(), Rates: rates, Source: t.o.Source, ObservedAt: at,
			})
		case k.group == 0:
			t.leaveOut(k.reason(), 0, rates.BytesPerSecond())
		default:
			if t.halves[k.group] == nil {
				t.halves[k.group] = &unresolved{}
			}
			t.halves[k.group].add(k, known.take(k, rates))
		}
	}
	for _, group := range slices.Sorted(maps.Keys(t.halves)) {
		for reason, bytes := range t.halves[group].bytes() {
			t.leaveOut(reason, 0, bytes)
		}
	}
	return o
}
