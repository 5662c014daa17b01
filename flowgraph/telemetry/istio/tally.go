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

// tally adds up series until all queries have been answered.
type tally struct {
	cluster string
	sums    map[key]*reported
	leftOut map[telemetry.Reason]telemetry.LeftOut
	series  int
}

// key is a pair of workloads and whether their traffic becomes a flow. Clusters
// are not part of it: an end that does not know the cluster writes "unknown"
// where the other writes its name.
type key struct {
	from, to flowgraph.WorkloadID
	reason   telemetry.Reason
}

// reported holds what the client's and the server's proxy say of one key.
type reported struct{ bySource, byDestination flowgraph.Rates }

func newTally(cluster string) *tally {
	return &tally{
		cluster: cluster,
		sums:    map[key]*reported{},
		leftOut: map[telemetry.Reason]telemetry.LeftOut{},
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
	r := t.sums[k]
	if r == nil {
		r = &reported{}
		t.sums[k] = r
	}
	if reporter == "source" {
		addTo(&r.bySource, q, s.Value)
	} else {
		addTo(&r.byDestination, q, s.Value)
	}
}

func (t *tally) leaveOut(reason telemetry.Reason, series int, bytesPerSecond float64) {
	l := t.leftOut[reason]
	l.Series += series
	l.BytesPerSecond += bytesPerSecond
	t.leftOut[reason] = l
}

func (t *tally) keyOf(l telemetry.Labels) key {
	k := key{
		from: workload(l.Get("source_workload_namespace"), l.Get("source_workload")),
		to:   workload(l.Get("destination_workload_namespace"), l.Get("destination_workload")),
	}
	service := l.Get("destination_service_name")
	switch {
	case service == "BlackHoleCluster":
		k.reason = telemetry.BlackHole
	case t.elsewhere(l.Get("source_cluster"), l.Get("destination_cluster")):
		k.reason = telemetry.OtherCluster
	case k.from.IsZero() && k.to.IsZero():
		k.reason = telemetry.UnknownWorkload
	case k.from.IsZero():
		k.reason = telemetry.External // a client without a proxy, or an ingress
	case !k.to.IsZero():
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
	keys := slices.SortedFunc(maps.Keys(t.sums), func(a, b key) int {
		return cmp.Or(a.from.Compare(b.from), a.to.Compare(b.to), cmp.Compare(a.reason, b.reason))
	})
	o := telemetry.Observation{Series: t.series, LeftOut: t.leftOut}
	for _, k := range keys {
		r := t.sums[k]
		rates := r.bySource.Max(r.byDestination)
		if k.reason != telemetry.Included {
			t.leaveOut(k.reason, 0, rates.BytesPerSecond())
			continue
		}
		o.Flows = append(o.Flows, flowgraph.Flow{From: k.from, To: k.to, Rates: rates, Source: source, ObservedAt: at})
	}
	return o
}
