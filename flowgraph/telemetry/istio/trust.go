package istio

import (
	"math/bits"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// isFull reports whether there are so many keys of which no flow comes that no more are
// told apart.
func (t *tally) isFull() bool {
	limit := t.trust.Limits.Workloads
	return limit > 0 && t.open >= limit
}

// isCrowded reports whether there are so many pairs or workloads that the surplus must go
// before the answers have been read.
func (t *tally) isCrowded() bool {
	l := t.trust.Limits
	// thin leaves as many workloads as the limit, and unresolved keys may have as many others.
	return l.Edges > 0 && len(t.sums)-t.open > 2*l.Edges || l.Workloads > 0 && len(t.workloads) > 3*l.Workloads
}

// thin leaves out the pairs that are beyond the limits.
func (t *tally) thin() {
	l := t.trust.Limits
	if l == (flowgraph.Limits{}) {
		return
	}
	keys := make([]key, 0, len(t.sums)-t.open)
	for k := range t.sums {
		if k.reason() == telemetry.Included {
			keys = append(keys, k)
		}
	}
	surplus := l.Surplus(len(keys), func(i int) flowgraph.Bounded {
		from, to := t.workloads[keys[i].from], t.workloads[keys[i].to]
		r := t.reports.at(t.sums[keys[i]])
		rates := r.bySource.Max(r.byDestination)
		return flowgraph.Bounded{
			From: from, To: to, Size: rates.BytesPerSecond() + rates.RequestsPerSecond,
			Known: t.trust.Known != nil && t.trust.Known(from, to),
		}
	})
	for _, i := range surplus {
		r := t.reports.at(t.sums[keys[i]])
		t.leaveOut(telemetry.Surplus, r.series(), r.bySource.Max(r.byDestination).BytesPerSecond())
		delete(t.sums, keys[i])
	}
}

// rebuild forgets the workloads and reports that no key has any more.
func (t *tally) rebuild() {
	was := *t
	t.indices, t.workloads = map[flowgraph.WorkloadID]uint32{{}: 0}, []flowgraph.WorkloadID{{}}
	t.sums, t.reports = make(map[key]uint32, len(was.sums)), reports{}
	for k, i := range was.sums {
		k.from, _ = t.index(was.workloads[k.from])
		k.to, _ = t.index(was.workloads[k.to])
		n := t.reports.add()
		*t.reports.at(n) = *was.reports.at(i)
		t.sums[k] = n
	}
}

// series is how many series there are of a pair, those of one metric and end as one.
func (r *report) series() int { return bits.OnesCount8(r.has[0]) + bits.OnesCount8(r.has[1]) }

// disbelieveMixed drops what an end reports of a pair under several clusters, where it
// can have come from its own targets only.
func (t *tally) disbelieveMixed() {
	if !t.trust.Identifies() {
		return
	}
	for k, i := range t.sums {
		r := t.reports.at(i)
		for end := range 2 {
			if k.reason() == telemetry.Included && (r.cluster[end] == severalClusters || r.mesh[end] == severalClusters) {
				t.leaveOut(telemetry.OtherCluster, bits.OnesCount8(r.has[end]), r.of(end).BytesPerSecond())
				*r.of(end), r.has[end] = flowgraph.Rates{}, 0
			}
		}
	}
}

// agree reduces what is reported of pairs in different namespaces to what both ends
// report, where both must. Nothing is left of a pair that one end alone reports.
func (t *tally) agree(keys []key) {
	if !t.trust.Agreed {
		return
	}
	for _, k := range keys {
		if k.reason() != telemetry.Included || t.workloads[k.from].Namespace == t.workloads[k.to].Namespace {
			continue
		}
		r := t.reports.at(t.sums[k])
		if r.has[0] == 0 || r.has[1] == 0 {
			t.leaveOut(telemetry.OneSided, r.series(), r.bySource.Max(r.byDestination).BytesPerSecond())
			delete(t.sums, k)
			continue
		}
		r.bySource = r.bySource.Min(r.byDestination)
		r.byDestination = r.bySource
	}
}
