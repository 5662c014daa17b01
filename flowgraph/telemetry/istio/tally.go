package istio

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry/condition"
)

// unknown is what a proxy writes for a workload, namespace or cluster it does
// not know.
const unknown = "unknown"

// tally adds up series until all queries have been answered. It keeps a
// workload once and a pair as two numbers, because there are a million series;
// one that it has seen before costs it no memory.
type tally struct {
	cluster   string
	trust     *telemetry.Trust
	metrics   [numMetrics]metric
	indices   map[flowgraph.WorkloadID]uint32 // in workloads
	workloads []flowgraph.WorkloadID          // the zero id is the first
	services  map[string]uint32               // numbers of services, from 1 on
	sums      map[key]uint32                  // in reports
	open      int                             // of these, such as become no flow
	reports   reports
	leftOut   map[telemetry.Reason]telemetry.LeftOut
	series    int
	answered  [numMetrics]int   // series by metric
	absent    [numEnds]int      // series that lack a label
	named     map[string]bool   // clusters that included pairs name
	nameless  [2]int            // series that lack the name of a cluster, by end
	labelled  map[string]uint16 // values of the label cluster in included pairs
	meshes    map[string]uint16 // where targets are told apart: what they call their own cluster

	// toUnknown and fromUnknown are services that only clients or only servers report, of
	// those with an end that is not known.
	toUnknown, fromUnknown condition.Unmatched
}

// report holds what the client's and the server's proxy say of one key.
type report struct {
	bySource, byDestination flowgraph.Rates
	has                     [2]uint8  // by reporter: the metrics with a series, as bits
	cluster                 [2]uint16 // by reporter: the number of the label's value, 0 before
	mesh                    [2]uint16 // likewise, of the reporter's own name of its cluster
}

// reports is a list that grows without being copied.
type reports struct {
	chunks [][]report
	n      uint32
}

const reportsPerChunk = 1 << 12

// add appends an empty report and returns its index.
func (r *reports) add() uint32 {
	if r.n%reportsPerChunk == 0 {
		r.chunks = append(r.chunks, make([]report, reportsPerChunk))
	}
	r.n++
	return r.n - 1
}

func (r *reports) at(i uint32) *report {
	return &r.chunks[i/reportsPerChunk][i%reportsPerChunk]
}

func newTally(cluster string, trust *telemetry.Trust) *tally {
	return &tally{
		cluster:   cluster,
		trust:     trust,
		metrics:   metrics(),
		indices:   map[flowgraph.WorkloadID]uint32{{}: 0},
		workloads: []flowgraph.WorkloadID{{}},
		services:  map[string]uint32{},
		sums:      map[key]uint32{},
		leftOut:   map[telemetry.Reason]telemetry.LeftOut{},
		named:     map[string]bool{},
		labelled:  map[string]uint16{},
		meshes:    map[string]uint16{},
	}
}

// add takes one series of the metric with this index.
func (t *tally) add(metric int, s telemetry.Series) {
	t.series++
	t.answered[metric]++
	end, isEnd := reporterOf(s.Labels)
	rate, isRate := s.Rate()
	if !isEnd || !isRate {
		t.leaveOut(telemetry.Invalid, 1, 0)
		return
	}
	if reason := t.judge(end, s.Labels); reason != telemetry.Included {
		t.leaveOut(reason, 1, 0)
		return
	}
	if t.isCrowded() {
		t.thin()
		t.rebuild()
	}
	k, reason := t.keyOf(s.Labels)
	if reason != telemetry.Included {
		t.leaveOut(reason, 1, 0)
	}
	q := t.metrics[metric].quantity
	i, known := t.sums[k]
	switch {
	case k.reason() != reason: // it is no key
		if q != requests && reason != telemetry.Invalid {
			t.leaveOut(reason, 0, rate)
		}
		return
	case !known:
		i = t.reports.add()
		t.sums[k] = i
		if reason != telemetry.Included {
			t.open++
		}
	}
	r := t.reports.at(i)
	r.has[end] |= 1 << metric
	if reason == telemetry.Included {
		t.noteClusters(r, end, s.Labels)
	}
	addTo(r.of(end), q, rate)
}

// reporterOf returns which end reports a series: 0 for the client, 1 for the server.
func reporterOf(l telemetry.Labels) (end int, ok bool) {
	switch l.Get("reporter") {
	case "source":
		return 0, true
	case "destination":
		return 1, true
	}
	return 0, false
}

// of returns what one end reports.
func (r *report) of(end int) *flowgraph.Rates {
	if end == 0 {
		return &r.bySource
	}
	return &r.byDestination
}

// judge says whether the target that reports a series may speak for its end. Where the
// end is not known, no flow can come of it.
func (t *tally) judge(end int, l telemetry.Labels) telemetry.Reason {
	if !t.trust.Identifies() {
		return telemetry.Included
	}
	namespace := l.Get(workloadLabels()[2*end])
	if namespace == "" || namespace == unknown {
		return telemetry.Included
	}
	return t.trust.Judge(l.Get(t.trust.ReporterLabel), namespace)
}

// index returns the number of a workload, 0 for the zero id. ok is false where Kubernetes
// has no such name.
func (t *tally) index(w flowgraph.WorkloadID) (i uint32, ok bool) {
	i, known := t.indices[w]
	if !known {
		if !w.IsValid() {
			return 0, false
		}
		i = uint32(len(t.workloads))
		t.workloads = append(t.workloads, w)
		t.indices[w] = i
	}
	return i, true
}

func (t *tally) leaveOut(reason telemetry.Reason, series int, bytesPerSecond float64) {
	l := t.leftOut[reason]
	l.Series += series
	l.BytesPerSecond += bytesPerSecond
	t.leftOut[reason] = l
}

// observation compares the two reporters. Flows are ordered by From and To.
// Pairs whose rates are all zero stay: zero was observed.
func (t *tally) observation(source string, at time.Time) telemetry.Observation {
	t.disbelieveMixed()
	o := telemetry.Observation{Series: t.series, LeftOut: t.leftOut, Answered: map[string]int{}}
	for i, n := range t.answered {
		o.Answered[t.metrics[i].query] = n
	}
	keys := t.sortedKeys()
	open, known := map[uint32]*unresolved{}, t.reportedByOneEnd(keys)
	t.agree(keys)
	t.thin()
	keys = slices.DeleteFunc(keys, func(k key) bool {
		_, kept := t.sums[k]
		return !kept
	})
	if flows := len(keys) - t.open; flows > 0 {
		o.Flows = make([]flowgraph.Flow, 0, flows)
	}
	for _, k := range keys {
		r := t.reports.at(t.sums[k])
		rates, _ := r.bySource.Max(r.byDestination).Clamp() // sums of rates
		switch {
		case k.reason() == telemetry.Included:
			if r.has == [2]uint8{} { // nothing is believed
				continue
			}
			o.Flows = append(o.Flows, flowgraph.Flow{
				From: t.workloads[k.from], To: t.workloads[k.to], Rates: rates, Source: source, ObservedAt: at,
			})
		case k.service == 0:
			t.leaveOut(k.reason(), 0, rates.BytesPerSecond())
		default:
			if open[k.service] == nil {
				open[k.service] = &unresolved{}
			}
			open[k.service].add(k, known.take(k, rates))
		}
	}
	t.findUnmatched(open)
	for _, service := range slices.Sorted(maps.Keys(open)) {
		for reason, bytes := range open[service].bytes() {
			t.leaveOut(reason, 0, bytes)
		}
	}
	return o
}

// sortedKeys returns the keys in the order of their workloads.
func (t *tally) sortedKeys() []key {
	order := slices.SortedFunc(maps.Values(t.indices), func(a, b uint32) int {
		return t.workloads[a].Compare(t.workloads[b])
	})
	rank := make([]int, len(order))
	for r, i := range order {
		rank[i] = r
	}
	keys := make([]key, 0, len(t.sums))
	for k := range t.sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(
			cmp.Compare(rank[a.from], rank[b.from]), cmp.Compare(rank[a.to], rank[b.to]),
			cmp.Compare(a.why, b.why), cmp.Compare(a.service, b.service))
	})
	return keys
}
