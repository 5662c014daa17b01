package istio

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph"
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// unknown is what a proxy writes for a workload, namespace or cluster it does
// not know.
const unknown = "unknown"

// tally adds up series until all queries have been answered. It keeps a
// workload once and a pair as two numbers, because there are a million series;
// one that it has seen before costs it no memory.
type tally struct {
	cluster   string
	indices   map[flowgraph.WorkloadID]uint32 // in workloads
	workloads []flowgraph.WorkloadID          // the zero id is the first
	sums      map[key]uint32                  // in reports
	reports   reports
	leftOut   map[telemetry.Reason]telemetry.LeftOut
	series    int
}

// key is a pair of workloads and whether their traffic becomes a flow. Clusters
// are not part of it: an end that does not know the cluster writes "unknown"
// where the other writes its name.
type key struct {
	from, to uint32
	reason   telemetry.Reason
}

// report holds what the client's and the server's proxy say of one key.
type report struct{ bySource, byDestination flowgraph.Rates }

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

func newTally(cluster string) *tally {
	return &tally{
		cluster:   cluster,
		indices:   map[flowgraph.WorkloadID]uint32{{}: 0},
		workloads: []flowgraph.WorkloadID{{}},
		sums:      map[key]uint32{},
		leftOut:   map[telemetry.Reason]telemetry.LeftOut{},
	}
}

// add takes one series of the query that measures q.
func (t *tally) add(q quantity, s telemetry.Series) {
	t.series++
	reporter := s.Labels.Get("reporter")
	if !s.Valid() || (reporter != "source" && reporter != "destination") {
		t.leaveOut(telemetry.Invalid, 1, 0)
		return
	}
	k := t.keyOf(s.Labels)
	if k.reason != telemetry.Included {
		t.leaveOut(k.reason, 1, 0)
	}
	i, known := t.sums[k]
	if !known {
		i = t.reports.add()
		t.sums[k] = i
	}
	r := t.reports.at(i)
	if reporter == "source" {
		addTo(&r.bySource, q, s.Value)
	} else {
		addTo(&r.byDestination, q, s.Value)
	}
}

// index returns the number of a workload, 0 for the zero id.
func (t *tally) index(w flowgraph.WorkloadID) uint32 {
	i, known := t.indices[w]
	if !known {
		i = uint32(len(t.workloads))
		t.workloads = append(t.workloads, w)
		t.indices[w] = i
	}
	return i
}

func (t *tally) leaveOut(reason telemetry.Reason, series int, bytesPerSecond float64) {
	l := t.leftOut[reason]
	l.Series += series
	l.BytesPerSecond += bytesPerSecond
	t.leftOut[reason] = l
}

func (t *tally) keyOf(l telemetry.Labels) key {
	k := key{
		from: t.index(workload(l.Get("source_workload_namespace"), l.Get("source_workload"))),
		to:   t.index(workload(l.Get("destination_workload_namespace"), l.Get("destination_workload"))),
	}
	service := l.Get("destination_service_name")
	switch {
	case service == "BlackHoleCluster":
		k.reason = telemetry.BlackHole
	case t.elsewhere(l.Get("source_cluster"), l.Get("destination_cluster")):
		k.reason = telemetry.OtherCluster
	case k.from == 0 && k.to == 0:
		k.reason = telemetry.UnknownWorkload
	case k.from == 0:
		k.reason = telemetry.External // a client without a proxy, or an ingress
	case k.to != 0:
		k.reason = telemetry.Included // calls to pod addresses also go through passthrough
	case isPassthrough(service):
		k.reason = telemetry.Passthrough
	case service == "" || service == unknown:
		k.reason = telemetry.UnknownWorkload
	default:
		k.reason = telemetry.External // the host of a ServiceEntry
	}
	return k
}

// workload returns the zero id unless both parts are known.
func workload(namespace, name string) flowgraph.WorkloadID {
	if namespace == "" || namespace == unknown || name == "" || name == unknown {
		return flowgraph.WorkloadID{}
	}
	return flowgraph.WorkloadID{Namespace: namespace, Name: name}
}

func isPassthrough(service string) bool {
	switch service {
	case "PassthroughCluster", "InboundPassthroughCluster",
		"InboundPassthroughClusterIpv4", "InboundPassthroughClusterIpv6":
		return true
	}
	return false
}

// elsewhere reports whether an end is known to be in another cluster.
func (t *tally) elsewhere(from, to string) bool {
	named := func(c string) bool { return c != "" && c != unknown }
	if t.cluster == "" {
		return named(from) && named(to) && from != to
	}
	return named(from) && from != t.cluster || named(to) && to != t.cluster
}

// observation compares the two reporters. Flows are ordered by From and To.
// Pairs whose rates are all zero stay: zero was observed.
func (t *tally) observation(source string, at time.Time) telemetry.Observation {
	o := telemetry.Observation{Series: t.series, LeftOut: t.leftOut}
	keys, flows := t.sortedKeys()
	if flows > 0 {
		o.Flows = make([]flowgraph.Flow, 0, flows)
	}
	for _, k := range keys {
		r := t.reports.at(t.sums[k])
		rates := r.bySource.Max(r.byDestination)
		if k.reason != telemetry.Included {
			t.leaveOut(k.reason, 0, rates.BytesPerSecond())
			continue
		}
		o.Flows = append(o.Flows, flowgraph.Flow{
			From: t.workloads[k.from], To: t.workloads[k.to], Rates: rates, Source: source, ObservedAt: at,
		})
	}
	return o
}

// sortedKeys returns the keys in the order of their workloads, and how many of
// them become flows.
func (t *tally) sortedKeys() (_ []key, flows int) {
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
		if k.reason == telemetry.Included {
			flows++
		}
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(
			cmp.Compare(rank[a.from], rank[b.from]), cmp.Compare(rank[a.to], rank[b.to]), cmp.Compare(a.reason, b.reason))
	})
	return keys, flows
}
